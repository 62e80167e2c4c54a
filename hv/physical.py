"""Machine memory by machine address, checked and marked dirty: what Python uses for pages shared with a
guest."""

from __future__ import annotations

from typing import Any

from hv.native import ffi, lib

PAGE_SHIFT = 12
PAGE_SIZE = 4096


def read(c: Any, pa: int, length: int) -> bytes:
    """`length` bytes at machine address `pa` of the hypervisor `c`. IndexError beyond the end of memory."""
    out = ffi.new("uint8_t[]", length)
    if lib.machine_read(lib.hv_machine(c), pa, out, length):
        raise IndexError(f"no machine memory at {pa:#x} (+{length})")
    return bytes(ffi.buffer(out))


def write(c: Any, pa: int, data: bytes) -> None:
    """Write `data` at machine address `pa`. IndexError beyond the end of memory."""
    if lib.machine_write(lib.hv_machine(c), pa, data, len(data)):
        raise IndexError(f"no machine memory at {pa:#x} (+{len(data)})")


def read_word(c: Any, pa: int, size: int) -> int:
    """A little-endian number of `size` bytes, read once."""
    return int.from_bytes(read(c, pa, size), "little")


def write_word(c: Any, pa: int, size: int, value: int) -> None:
    """Write a little-endian number of `size` bytes."""
    write(c, pa, value.to_bytes(size, "little"))
