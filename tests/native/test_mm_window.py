"""The windows of the hypervisor: the machine-to-phys table for the guest, descriptor tables for the processor."""

from __future__ import annotations

import pytest

from hv import abi
from hv._native import lib
from tests.native.ptbench import NX, RW, USER, A, Bench, D, P
from tests.native.test_mm_ptwr import CODE_VA, Machine

DATA32 = 0x00CFF2000000FFFF           # present, DPL 3, writable data, 4 GiB
CODE32 = 0x00CFFA000000FFFF
KERNEL_DATA = 0x00CF92000000FFFF      # DPL 0
MOV_FROM_RBX = bytes.fromhex("48 8b 03")
MOV_TO_RBX = bytes.fromhex("48 89 03")
MOV_ES = bytes.fromhex("8e c0")
LDT_SELECTOR = 8 | 4 | 3


@pytest.fixture
def machine(bench: Bench) -> Machine:
    return Machine(bench)


def run(machine: Machine, code: bytes, **values: int) -> bool:
    """Execute one instruction; false when it faulted."""
    return machine.run(code, 0, 0, values, 0) is not None


def test_m2p_can_be_read(machine: Machine) -> None:
    mfn = machine.g.data[5]
    lib.hv_set_m2p(machine.bench.hv, [mfn], 1, 0x777)
    assert run(machine, MOV_FROM_RBX, rbx=abi.MACH2PHYS_VIRT_START + mfn * 8)
    assert machine.regs.rax == 0x777


@pytest.mark.parametrize("offset", [0, 8 * 511])
def test_m2p_cannot_be_written(machine: Machine, offset: int) -> None:
    assert not run(machine, MOV_TO_RBX, rbx=abi.MACH2PHYS_VIRT_START + offset, rax=0)


@pytest.mark.parametrize(
    "va", [abi.MACH2PHYS_VIRT_START + 4096, 0xFFFF82D000000000, 0xFFFF82D00000E000, 0xFFFF87FFFFFFFFF8]
)
def test_the_rest_cannot_be_read(machine: Machine, va: int) -> None:
    assert not run(machine, MOV_FROM_RBX, rbx=va)


def use_ldt(machine: Machine, *descriptors: int, entries: int = 512) -> int:
    """An LDT in a page that is mapped read-only at PLAIN's neighbour; its frame."""
    frame = machine.g.alloc()
    for i, descriptor in enumerate(descriptors, 1):
        machine.bench.poke(frame, i, descriptor)
    assert machine.g.update_va(0x90000, frame << 12 | P) == "ok"
    assert machine.g.mmuext((abi.MMUEXT_SET_LDT, 0x90000, entries)) == ("ok", 1)
    return frame


def test_an_ldt_page_is_held_from_its_first_use(machine: Machine) -> None:
    bench, g = machine.bench, machine.g
    frame = use_ldt(machine, DATA32)
    assert bench.type_of(frame)[1] == 0
    assert run(machine, MOV_ES, rax=LDT_SELECTOR)
    assert bench.type_of(frame) == (lib.PGT_seg, 1)
    assert g.v.ldt_frames[0] == frame
    assert bench.audit() == ""
    assert g.update_va(0x91000, frame << 12 | P | RW) == "EBUSY"
    assert g.update_va(0x90000, 0) == "ok"                         # mapped no more, and still held
    assert run(machine, MOV_ES, rax=LDT_SELECTOR)
    assert g.mmuext((abi.MMUEXT_SET_LDT, 0, 0)) == ("ok", 1)
    assert bench.type_of(frame)[1] == 0
    assert g.update_va(0x91000, frame << 12 | P | RW) == "ok"
    assert not run(machine, MOV_ES, rax=LDT_SELECTOR)


def test_an_ldt_page_that_is_writable_is_no_ldt_page(machine: Machine) -> None:
    frame = use_ldt(machine, DATA32)
    assert machine.g.update_va(0x91000, frame << 12 | P | RW) == "ok"
    assert not run(machine, MOV_ES, rax=LDT_SELECTOR)
    assert machine.bench.type_of(frame) == (lib.PGT_writable, 1)


def test_an_ldt_of_another_domains_page(machine: Machine) -> None:
    other = machine.bench.second()
    frame = other.alloc()
    machine.bench.poke(frame, 1, DATA32)
    flags = abi.GNTMAP_host_map | abi.GNTMAP_readonly
    assert lib.mm_map_grant(machine.bench.hv, machine.g.v, 0x90000, flags, frame) == 0
    assert machine.g.mmuext((abi.MMUEXT_SET_LDT, 0x90000, 16)) == ("ok", 1)
    assert not run(machine, MOV_ES, rax=LDT_SELECTOR)
    assert lib.mm_unmap_grant(machine.bench.hv, machine.g.v, 0x90000, flags, frame) == 0


def test_new_kernel_table_drops_the_ldt(machine: Machine) -> None:
    bench, g = machine.bench, machine.g
    frame = use_ldt(machine, DATA32)
    assert run(machine, MOV_ES, rax=LDT_SELECTOR)
    l4 = g.alloc()
    bench.poke(l4, 0, bench.entry(g.l4, 0))
    assert g.mmuext((abi.MMUEXT_NEW_BASEPTR, l4, 0)) == ("ok", 1)
    assert bench.type_of(frame)[1] == 0
    assert run(machine, MOV_ES, rax=LDT_SELECTOR)
    assert bench.type_of(frame) == (lib.PGT_seg, 1)


def test_the_kernels_mapping_of_the_ldt_counts_in_user_mode(machine: Machine) -> None:
    bench, g = machine.bench, machine.g
    frame = use_ldt(machine, DATA32)
    l4, l3, l2, l1 = (g.alloc() for _ in range(4))
    for table, entry in ((l4, l3), (l3, l2), (l2, l1)):
        bench.poke(table, 0, entry << 12 | P | RW | USER)
    bench.poke(l1, CODE_VA >> 12, g.data[0] << 12 | P | USER)       # user mode maps its code and nothing else
    assert g.mmuext((abi.MMUEXT_NEW_USER_BASEPTR, l4, 0)) == ("ok", 1)
    g.v.kernel_mode = 0
    lib.cpu_set_cr(machine.cpu, 3, l4 << 12)
    assert run(machine, MOV_ES, rax=LDT_SELECTOR)
    assert g.v.ldt_frames[0] == frame


def test_guest_gdt(machine: Machine) -> None:
    bench, g = machine.bench, machine.g
    frame = g.alloc()
    for slot, descriptor in {1: DATA32, 2: CODE32, 3: KERNEL_DATA}.items():
        bench.poke(frame, slot, descriptor)
    bench.write(g.data[2] << 12, frame.to_bytes(8, "little"))
    assert g.call(2, g.data_va(2), 512) == 0                       # set_gdt
    assert bench.type_of(frame) == (lib.PGT_seg, 1)
    assert bench.audit() == ""
    assert run(machine, MOV_ES, rax=8 | 3)
    assert run(machine, MOV_ES, rax=0xE02B)                        # Xen's own flat data segment
    assert g.update_va(0x91000, frame << 12 | P | RW) == "EBUSY"
    assert not run(machine, MOV_ES, rax=0x1000 | 3)                # its second page: zeros


READ = "48 8b 03"                     # mov rax, [rbx]
WRITE = "4c 89 0b"                    # mov [rbx], r9
CALL = "ff d3"                        # call rbx
UPDATE = "b8 0e 00 00 00 0f 05"       # mov eax, 14; syscall: update_va_mapping(rdi, rsi, rdx)
KEEP = "49 89 c0"                     # mov r8, rax


def stale(machine: Machine, access: str, before: int, after: int, again: str = "") -> int:
    """In one run, so that nothing but the hypercall can drop translations: access the page at 0x91000 mapped by
    the entry `before`, map it by `after`, access it again. Returns the exit reason."""
    assert machine.g.update_va(0x91000, before) == "ok"
    code = bytes.fromhex(access + KEEP + UPDATE + (again or access))
    machine.bench.write(machine.g.data[0] << 12, code + b"\x90" * 8)
    machine.code = b""
    regs = machine.regs
    regs.rbx, regs.rdi, regs.rsi, regs.rdx, regs.r9 = 0x91000, 0x91000, after, 0, 0x1234
    regs.rip, regs.rsp = CODE_VA, machine.g.data_va(9)
    steps = 4 + (2 if access == CALL else 1) + 1
    return int(lib.hv_run(machine.bench.hv, machine.g.v.slot, steps, machine.exit))


def test_a_changed_frame_is_seen(machine: Machine) -> None:
    a, b = machine.g.data[6], machine.g.data[7]
    machine.bench.poke(a, 0, 0xAAAA)
    machine.bench.poke(b, 0, 0xBBBB)
    flags = P | RW | A | D
    assert stale(machine, READ, a << 12 | flags, b << 12 | flags) == lib.EXIT_BUDGET
    assert (machine.regs.r8, machine.regs.rax) == (0xAAAA, 0xBBBB)


def test_a_lost_mapping_faults(machine: Machine) -> None:
    a = machine.g.data[6]
    assert stale(machine, READ, a << 12 | P, 0) == lib.EXIT_SHUTDOWN


def test_a_lost_write_right_faults(machine: Machine) -> None:
    a = machine.g.data[6]
    assert stale(machine, WRITE, a << 12 | P | RW | A | D, a << 12 | P | A | D) == lib.EXIT_SHUTDOWN


def test_a_lost_right_to_execute_faults(machine: Machine) -> None:
    a = machine.g.data[6]
    machine.bench.write(a << 12, b"\xc3")
    assert stale(machine, CALL, a << 12 | P | A, a << 12 | P | A | NX) == lib.EXIT_SHUTDOWN


def test_a_cleared_dirty_bit_comes_back(machine: Machine) -> None:
    a = machine.g.data[6]
    assert stale(machine, WRITE, a << 12 | P | RW, a << 12 | P | RW | A) == lib.EXIT_BUDGET
    assert machine.bench.entry(machine.g.l1, 0x91) & (A | D) == A | D


def test_a_cleared_accessed_bit_comes_back(machine: Machine) -> None:
    a = machine.g.data[6]
    assert stale(machine, READ, a << 12 | P, a << 12 | P) == lib.EXIT_BUDGET
    assert machine.bench.entry(machine.g.l1, 0x91) & A


def test_accessed_and_dirty_bits_come_back(machine: Machine) -> None:
    g = machine.g
    frame = g.data[6]
    ptr = g.l1 << 12 | 0x91 << 3
    assert g.update_va(0x91000, frame << 12 | P | RW) == "ok"
    for access, expected in ((MOV_FROM_RBX, 0x20), (MOV_TO_RBX, 0x60)):
        assert g.mmu_update([(ptr, frame << 12 | P | RW)]) == ("ok", 1)
        assert run(machine, access, rbx=0x91000)
        assert machine.bench.entry(g.l1, 0x91) & 0x60 == expected
