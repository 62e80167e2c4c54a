"""Guest and machine memory for who looks on: reading leaves no accessed bit in the guest's page tables.

A debugger sees what any mode of the vcpu sees: addresses go through the page table of its present mode and, where that
maps nothing, through the other mode's. So the kernel's variables can be read while user code runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from hv.arch import architecture
from hv.native import ffi, lib

if TYPE_CHECKING:
    from hv.hypervisor import Hypervisor
    from hv.vcpu import Vcpu

PAGE = 4096
LAST_ADDRESS = (1 << 64) - 1


def read_machine(hv: Hypervisor, address: int, length: int) -> bytes:
    """Machine memory, as much of it as there is from `address` on."""
    length = max(min(length, int(lib.machine_frames(hv.machine)) * PAGE - address), 0)
    out = bytearray(length)
    if address < 0 or length == 0 or lib.machine_read(hv.machine, address, ffi.from_buffer(out), length):
        return b""
    return bytes(out)


def translate(vcpu: Vcpu, address: int) -> int | None:
    """The machine address behind a linear one; None: nothing is mapped there."""
    if not 0 <= address <= LAST_ADDRESS:
        return None
    found: int | None = architecture(vcpu.domain.kind.abi, "memory").translate(vcpu, address)
    return found


def pieces(vcpu: Vcpu, address: int, length: int) -> Iterator[tuple[int, int]]:
    """(machine address, bytes) of the pages behind linear memory, in order, up to the first that is not mapped."""
    end = min(address + length, LAST_ADDRESS + 1)
    while 0 <= address < end:
        part = min(PAGE - address % PAGE, end - address)
        machine = translate(vcpu, address)
        if machine is None:
            return
        yield machine, part
        address += part


def read_linear(vcpu: Vcpu, address: int, length: int) -> bytes:
    """Memory by linear address, as much of it as is mapped from `address` on."""
    return b"".join(read_machine(vcpu.domain.hv, machine, part) for machine, part in pieces(vcpu, address, length))


def reader(vcpu: Vcpu) -> Callable[[int, int], bytes | None]:
    """Memory by linear address and length: all of it, or None where some is not mapped."""

    def read(address: int, length: int) -> bytes | None:
        data = read_linear(vcpu, address, length)
        return data if len(data) == length else None

    return read
