"""What a debugger may set of a vcpu (hv.changes). Each architecture lists its registers: hv/arch/NAME/settable.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from hv.native import ffi


class Settable(NamedTuple):
    """One register: its size in bytes, how it is put into the architecture's state, and what is wrong with a number."""

    size: int
    put: Callable[[Any, bytes], None]
    wrong: Callable[[int], str] = lambda value: ""

    def refuse(self, data: bytes) -> str:
        """Why it cannot hold this; empty: it can."""
        if len(data) != self.size:
            return f"{len(data)} bytes are not its {self.size}"
        return self.wrong(int.from_bytes(data, "little"))


def put_field(name: str, bits: int) -> Callable[[Any, bytes], None]:
    """Into a field, as many bits as it has."""
    return lambda state, data: setattr(state, name, int.from_bytes(data, "little") & (1 << bits) - 1)


def put_bytes(field: str, start: int) -> Callable[[Any, bytes], None]:
    """Into an array, from its byte `start` on."""

    def put(state: Any, data: bytes) -> None:
        ffi.buffer(getattr(state, field))[start : start + len(data)] = data

    return put
