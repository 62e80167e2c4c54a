"""Guest and machine memory for who looks on: reading leaves no accessed bit in the guest's page tables.

A debugger sees what any mode of the vcpu sees: addresses go through the page table of its present mode and, where that
maps nothing, through the other mode's. So the kernel's variables can be read while user code runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from hv import abi
from hv.native import NO_FRAME, ffi, lib

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
    hv, c = vcpu.domain.hv, vcpu.c
    if vcpu.domain.translated:
        physical = int(lib.hv_linear_page(hv.native, c, address)) if 0 <= address <= LAST_ADDRESS else NO_FRAME
        if physical == NO_FRAME:
            return None
        kind = ffi.new("uint32_t *")  # read-only memory is looked at too
        frame = int(lib.hv_p2m_get(hv.native, vcpu.domain.c, physical // PAGE, kind))
        return frame * PAGE + address % PAGE if frame != NO_FRAME and kind[0] & lib.P2M_RAM else None
    m2p = address - abi.MACH2PHYS_VIRT_START  # in no page table: the hypervisor shows it to every guest
    if 0 <= m2p < int(hv.state.m2p_frames) * PAGE:
        return int(hv.state.m2p_frame) * PAGE + m2p
    map = ffi.new("struct mapping *")
    roots = (c.cr3_kernel, c.cr3_user) if c.kernel_mode else (c.cr3_user, c.cr3_kernel)
    for root in roots:
        if root and lib.x86_translate(
            hv.machine, root, 4, True, address, lib.ACCESS_READ, False, False, False, map, ffi.NULL
        ):
            return int(map.frame) * PAGE + address % PAGE
    return None


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
