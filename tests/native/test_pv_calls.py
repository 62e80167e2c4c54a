"""Hypercalls of the PV cpu that need no guest memory, made on a domain without a kernel; the decode cache."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from hv import abi
from hv.domain import Domain
from hv.hypervisor import Hypervisor
from hv.native import ffi, lib

HOLE = 0xFFFF_8000_0000_0000
NON_CANONICAL = 1 << 47


@pytest.fixture
def domain() -> Domain:
    hv = Hypervisor(memory_mib=8)
    return hv.create_domain("guest", memory_mib=4)


def call(domain: Domain, name: str, *args: int) -> int:
    """Make the hypercall as vcpu 0; returns its result as a signed number."""
    words = ffi.new("uint64_t[6]", list(args) + [0] * (6 - len(args)))
    vcpu = domain.vcpus[0].c
    return int(lib.hv_hypercall(domain.hv.native, vcpu, abi.HYPERCALL_NUMBERS[name], words))


def refusal(domain: Domain) -> str:
    """Name of the rule that the latest refusal spoke of."""
    out = ffi.new("struct refusal[64]")
    count = lib.hv_refusals(domain.hv.native, out, 64)
    return str(list(abi.RULES)[out[count - 1].rule - 1]) if count else ""


# ---- debug registers ----


@pytest.mark.parametrize("register", [0, 1, 2, 3])
def test_breakpoint_addresses(domain: Domain, register: int) -> None:
    assert call(domain, "set_debugreg", register, 0x1234) == 0
    assert call(domain, "get_debugreg", register) == 0x1234
    assert call(domain, "set_debugreg", register, HOLE) == -errno.EPERM
    assert call(domain, "set_debugreg", register, NON_CANONICAL) == -errno.EPERM
    assert call(domain, "get_debugreg", register) == 0x1234


def test_dr6_and_dr7_keep_their_reserved_bits(domain: Domain) -> None:
    assert call(domain, "set_debugreg", 6, 0) == 0
    assert call(domain, "get_debugreg", 6) == 0xFFFF0FF0
    assert call(domain, "set_debugreg", 7, 0xD800) == 0
    assert call(domain, "get_debugreg", 7) == 0x400
    assert call(domain, "set_debugreg", 7, 0x2000) == -errno.EPERM
    for register in (6, 7):
        assert call(domain, "set_debugreg", register, 1 << 32) == -errno.EINVAL


def test_dr4_and_dr5_are_aliases_until_cr4_de(domain: Domain) -> None:
    assert call(domain, "set_debugreg", 5, 0x402) == 0
    assert call(domain, "get_debugreg", 7) == 0x402
    domain.vcpus[0].c.ctrlreg[4] |= 8
    for register in (4, 5, 8, 1 << 31):
        assert call(domain, "set_debugreg", register, 0) == -errno.ENODEV
        assert call(domain, "get_debugreg", register) == -errno.ENODEV


def test_io_breakpoints_need_cr4_de_and_are_not_armed(domain: Domain) -> None:
    io_breakpoint = 1 | 2 << 16
    assert call(domain, "set_debugreg", 7, io_breakpoint) == -errno.EPERM
    domain.vcpus[0].c.ctrlreg[4] |= 8
    assert call(domain, "set_debugreg", 7, io_breakpoint) == 0
    assert call(domain, "get_debugreg", 7) == io_breakpoint | 0x400
    assert lib.cpu_dr(domain.vcpus[0].cpu, 7) & 0xFF == 0


# ---- stacks, bases, FPU ----


def test_stack_switch_forces_the_rpl(domain: Domain) -> None:
    assert call(domain, "stack_switch", 0xE028, 0x7000) == 0
    vcpu = domain.vcpus[0].c
    assert (vcpu.kernel_ss, vcpu.kernel_sp) == (0xE02B, 0x7000)


def test_segment_bases(domain: Domain) -> None:
    cpu, vcpu = domain.vcpus[0].cpu, domain.vcpus[0].c
    assert call(domain, "set_segment_base", abi.SEGBASE_FS, 0x1000) == 0
    assert call(domain, "set_segment_base", abi.SEGBASE_GS_KERNEL, 0x2000) == 0
    assert call(domain, "set_segment_base", abi.SEGBASE_GS_USER, 0x3000) == 0
    assert lib.cpu_segment_base(cpu, lib.SEG_FS) == 0x1000
    assert lib.cpu_segment_base(cpu, lib.SEG_GS) == 0x2000
    assert vcpu.gs_base_user == 0x3000
    for which in (abi.SEGBASE_FS, abi.SEGBASE_GS_USER, abi.SEGBASE_GS_KERNEL):
        assert call(domain, "set_segment_base", which, NON_CANONICAL) == -errno.EINVAL
    assert call(domain, "set_segment_base", 4, 0) == -errno.EINVAL
    assert refusal(domain) == "segment_base_which"


def test_user_gs_selector_leaves_the_kernel_base_alone(domain: Domain) -> None:
    vcpu = domain.vcpus[0]
    call(domain, "set_segment_base", abi.SEGBASE_GS_KERNEL, 0x2000)
    vcpu.c.gs_base_user = 0x3000
    assert call(domain, "set_segment_base", abi.SEGBASE_GS_USER_SEL, 0xE028) == 0
    segment = vcpu.state().segments[lib.SEG_GS]
    assert (segment.selector, segment.base, vcpu.c.gs_base_user) == (0xE02B, 0x2000, 0)
    # what cannot be loaded becomes null, and no errno says so
    assert call(domain, "set_segment_base", abi.SEGBASE_GS_USER_SEL, 0x1000) == 0
    assert vcpu.state().segments[lib.SEG_GS].selector == 0


def test_fpu_taskswitch_sets_and_clears_ts(domain: Domain) -> None:
    cpu = domain.vcpus[0].cpu
    assert call(domain, "fpu_taskswitch", 1) == 0
    assert lib.cpu_cr(cpu, 0) & 8
    assert call(domain, "fpu_taskswitch", 0) == 0
    assert not lib.cpu_cr(cpu, 0) & 8


def test_set_callbacks_ignores_an_address_that_is_none(domain: Domain) -> None:
    vcpu = domain.vcpus[0].c
    assert call(domain, "set_callbacks", 0x1000, 0x2000, 0x3000) == 0
    assert call(domain, "set_callbacks", NON_CANONICAL, 0x4000, 0x3000) == 0
    assert [vcpu.callbacks[i].address for i in range(3)] == [0x1000, 0x4000, 0x3000]


# ---- descriptors ----

CODE64 = 0x00AF9B000000FFFF
DATA = 0x00CF93000000FFFF
CALL_GATE = 0x00008C00_E0330000
DPL3 = 3 << 45


def table(domain: Domain) -> int:
    """A frame of the domain's."""
    return int(domain.alloc_frames(1)[0])


def word(domain: Domain, address: int) -> int:
    return int.from_bytes(domain.read(address, 8), "little")


@pytest.mark.parametrize(
    ("descriptor", "stored"),
    [
        (CODE64, CODE64 | DPL3),                               # ring 0 becomes ring 3
        (DATA, DATA | DPL3),
        (DATA & ~(1 << 47), DATA & ~(1 << 47)),                # not present: harmless, as it is
        (0, 0),
        (CALL_GATE, CALL_GATE | DPL3),
        (0x00008C00_00100000, 0x0000EC00_00130000),            # the gate's selector gets RPL 3
    ],
)  # fmt: skip
def test_descriptors_that_a_guest_may_have(domain: Domain, descriptor: int, stored: int) -> None:
    frame = table(domain)
    assert call(domain, "update_descriptor", frame << 12 | 0x18, descriptor) == 0
    assert word(domain, frame << 12 | 0x18) == stored
    assert domain.hv.audit() == ""


@pytest.mark.parametrize(
    "descriptor",
    [
        0x00008B00_00000067,    # busy TSS
        0x00008900_00000067,    # TSS
        0x00008200_0000FFFF,    # LDT
        0x00008E00_E0330000,    # interrupt gate
        0x00008F00_E0330000,    # trap gate
        0x00008500_00100000,    # task gate
        0x00008C00_E0080000,    # call gate into Xen's own code segment
        0x00008C00_00000000,    # call gate to nowhere
        0x00008C01_E0330000,    # call gate with a parameter count
    ],
)  # fmt: skip
def test_descriptors_that_a_guest_may_not_have(domain: Domain, descriptor: int) -> None:
    frame = table(domain)
    assert call(domain, "update_descriptor", frame << 12, descriptor) == -errno.EINVAL
    assert refusal(domain) == "descriptor_type"
    assert word(domain, frame << 12) == 0
    assert domain.hv.audit() == ""


def test_where_a_descriptor_may_not_go(domain: Domain) -> None:
    frame = table(domain)
    assert call(domain, "update_descriptor", frame << 12 | 4, DATA) == -errno.EINVAL
    assert call(domain, "update_descriptor", 1 << 50, DATA) == -errno.EINVAL
    assert call(domain, "update_descriptor", int(domain.hv.state.xen_gdt_frame) << 12, DATA) == -errno.EINVAL
    assert domain.hv.audit() == ""


def set_gdt(domain: Domain, frames: list[int], entries: int) -> int:
    words = ffi.new("uint64_t[]", frames)
    return int(lib.hv_set_gdt(domain.hv.native, domain.vcpus[0].c, words, entries))


def test_set_gdt_takes_and_drops_references(domain: Domain) -> None:
    first, second = domain.alloc_frames(2)
    pages = lib.hv_pages(domain.hv.native)
    domain.write(first << 12, DATA.to_bytes(8, "little"))
    assert set_gdt(domain, [first], 512) == 0
    assert pages[first].type_info >> 28 == lib.PGT_seg
    assert word(domain, first << 12) == DATA | DPL3
    assert set_gdt(domain, [second, first], 513) == 0
    assert set_gdt(domain, [], 0) == 0
    assert pages[first].type_info & lib.PGT_COUNT_MASK == 0
    assert domain.hv.audit() == ""


def test_set_gdt_refuses_and_leaves_everything_as_it_was(domain: Domain) -> None:
    good, bad = domain.alloc_frames(2)
    domain.write(bad << 12 | 0xFF8, (0x00008B00_00000067).to_bytes(8, "little"))
    assert set_gdt(domain, [good], 1) == 0
    assert set_gdt(domain, [good, bad], 1024) == -errno.EINVAL
    assert refusal(domain) == "gdt_frame"
    assert set_gdt(domain, [0] * 15, 14 * 512 + 1) == -errno.EINVAL
    assert domain.vcpus[0].c.gdt_frames[0] == good
    assert domain.hv.audit() == ""


# ---- the rest ----


def test_hypercalls_beyond_the_table(domain: Domain) -> None:
    args = ffi.new("uint64_t[6]")
    for number in (64, 1 << 32, (1 << 64) - 1):
        assert lib.hv_hypercall(domain.hv.native, domain.vcpus[0].c, number, args) == -errno.ENOSYS


def _insn(**fields: Any) -> Any:
    insn = ffi.new("struct insn *")
    for name, value in fields.items():
        setattr(insn, name, value)
    return insn


def test_the_decode_cache_refuses_what_no_instruction_has(domain: Domain) -> None:
    native = domain.hv.native
    code = b"\x0f\x32"
    good = _insn(op=lib.INSN_RDMSR, length=2)
    assert lib.hv_decode_add(native, code, 2, 64, good) == 0
    assert lib.hv_decode_add(native, code, 2, 63, good) == -errno.EINVAL
    assert lib.hv_decode_add(native, code, 3, 64, good) == -errno.EINVAL
    assert lib.hv_decode_add(native, b"", 0, 64, _insn()) == -errno.EINVAL
    assert lib.hv_decode_add(native, code, 2, 64, _insn(op=lib.INSN_COUNT, length=2)) == -errno.EINVAL
    bad = _insn(op=lib.INSN_MOV, length=2, operand_count=1)
    bad.operands[0].kind, bad.operands[0].reg, bad.operands[0].size = lib.OPERAND_REGISTER, 20, 8
    assert lib.hv_decode_add(native, code, 2, 64, bad) == -errno.EINVAL
    bad.operands[0].reg, bad.operands[0].size = 3, 3
    assert lib.hv_decode_add(native, code, 2, 64, bad) == -errno.EINVAL
