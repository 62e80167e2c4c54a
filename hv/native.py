"""The only importer of the compiled module: `ffi`, `lib`, and the turning of its error codes into exceptions."""

from __future__ import annotations

import errno
import os
from typing import Any

try:
    from hv._native import ffi, lib
except ImportError as error:  # pragma: no cover - a broken installation
    raise ImportError(
        f"hv: the compiled module hv._native does not load ({error}); remedy: make build, or pip install ."
    ) from error

__all__ = ["NO_FRAME", "NativeError", "check", "ffi", "lib", "view"]

NO_FRAME = (1 << 64) - 1
"""What the C side says instead of a frame number when there is none."""


class NativeError(Exception):
    """A C function of ours refused, on behalf of the host and not of a guest. `errno` is positive."""

    def __init__(self, what: str, code: int) -> None:
        self.errno = -code
        reasons = {
            errno.ENOSYS: "the linked libunicorn is not version 2.1.4; remedy: rebuild with unicorn==2.1.4",
            errno.ENOMEM: "the host has not enough memory; remedy: ask for less",
        }
        super().__init__(f"{what}: {reasons.get(self.errno, os.strerror(self.errno))}")


def check(result: int, what: str) -> int:
    """Return `result` when it is not negative, else raise NativeError with `what` in front."""
    if result < 0:
        raise NativeError(what, result)
    return result


def view(address: Any, length: int) -> memoryview:
    """A writable view of `length` bytes of C memory. It must not outlive its owner."""
    return memoryview(ffi.buffer(address, length))
