"""VCPUOP_initialise: the first context of a vcpu, what it sets and what refuses it."""

from __future__ import annotations

from typing import Any

import pytest

from hv import abi
from hv.native import ffi, lib
from tests.hypercalls.lab import ARGUMENT, Lab, Vcpu

LAYOUT = abi.layout("vcpu_guest_context")
UNCANONICAL = 1 << 47


@pytest.fixture
def lab() -> Lab:
    lab = Lab()
    v = lab.d1.vcpus[1].c
    v.initialised = v.online = 0
    return lab


def context(lab: Lab, **changes: Any) -> dict[str, Any]:
    """A context that is accepted, with some fields changed; "a.b" names a field inside, "a[3]" an element."""
    blank = LAYOUT.unpack(bytes(LAYOUT.size))
    blank["flags"] = abi.VGCF_in_kernel | abi.VGCF_online
    blank["ctrlreg"][3] = lab.d1.frame() << 12
    regs = blank["user_regs"]
    regs.update(cs=0xE033, ss=0xE02B, rip=0x1000, rsp=0x8000, rdi=77, rflags=0x202)
    for path, value in changes.items():
        *outer, last = path.split("__")
        target = blank
        for name in outer:
            target = target[int(name) if name.isdigit() else name]
        target[int(last) if last.isdigit() else last] = value
    return blank


def initialise(lab: Lab, fields: dict[str, Any], number: int = 1) -> Any:
    page = {ARGUMENT >> 12: bytearray(LAYOUT.pack(fields)).ljust(8192, b"\0")}
    return lab.call(lab.d1.vcpus[0], "vcpu_op", [abi.VCPUOP_initialise, number, ARGUMENT], page)


def state(v: Vcpu) -> Any:
    out = ffi.new("struct x86_state *")
    lib.cpu_get_state(v.cpu, out)
    return out


def test_what_it_sets(lab: Lab) -> None:
    v = lab.d1.vcpus[1]
    fields = context(
        lab, kernel_sp=0x9000, kernel_ss=0xE028, fs_base=0x5000, gs_base_kernel=0x6000, gs_base_user=0x7000,
        event_callback_eip=0xA000, failsafe_callback_eip=0xB000, syscall_callback_eip=0xC000,
        trap_ctxt__14={"vector": 14, "flags": 4, "cs": 0xE030, "address": 0xD000}, debugreg__0=0x1234,
    )  # fmt: skip
    fields["flags"] |= abi.VGCF_syscall_disables_events
    assert initialise(lab, fields) == 0
    s = state(v)
    assert (s.gprs.rip, s.gprs.rsp, s.gprs.rdi) == (0x1000, 0x8000, 77)
    assert s.segments[lib.SEG_CS].selector == 0xE033 and s.segments[lib.SEG_SS].selector == 0xE02B
    assert s.segments[lib.SEG_FS].base == 0x5000 and s.segments[lib.SEG_GS].base == 0x6000
    assert (s.fcw, s.mxcsr) == (0x37F, 0x1F80)
    assert s.cr3 == fields["ctrlreg"][3] == v.c.cr3_kernel and s.dr[0] == 0x1234
    assert (v.c.kernel_sp, v.c.kernel_ss, v.c.kernel_mode) == (0x9000, 0xE02B, 1)
    trap = v.c.traps[14]
    assert (trap.address, trap.cs, trap.flags) == (0xD000, 0xE033, 4)
    callbacks = [(c.address, c.mask_events) for c in v.c.callbacks[0:3]]
    assert callbacks == [(0xA000, 1), (0xB000, 0), (0xC000, 1)]
    assert (v.c.initialised, v.c.online, v.c.runstate) == (1, 1, lib.RS_RUNNABLE)
    assert v.c.periodic_period == 10_000_000 and v.info["time"]["version"] == 2
    assert lab.audit() == ""
    assert initialise(lab, fields) == "EEXIST vcpu_initialised"


def test_not_online_waits_for_up(lab: Lab) -> None:
    assert initialise(lab, context(lab, flags=abi.VGCF_in_kernel)) == 0
    assert not lab.d1.vcpus[1].c.online
    assert lab.call(lab.d1.vcpus[0], "vcpu_op", [abi.VCPUOP_up, 1, 0]) == 0
    assert lab.d1.vcpus[1].c.online


def test_there_must_be_a_kernel_table(lab: Lab) -> None:
    for nothing in (0, 0xFFF):
        assert initialise(lab, context(lab, ctrlreg__3=nothing)) == "EINVAL vcpu_context_table"
    assert not lab.d1.vcpus[1].c.initialised and lab.audit() == ""


def test_user_mode_start_with_its_table(lab: Lab) -> None:
    user = lab.d1.frame() << 12
    assert initialise(lab, context(lab, flags=abi.VGCF_online, ctrlreg__1=user)) == 0
    v = lab.d1.vcpus[1]
    assert v.c.cr3_user == user and state(v).cr3 == user and not v.c.kernel_mode
    assert lab.audit() == ""


def test_floating_point_image(lab: Lab) -> None:
    image = bytearray(512)
    image[0:2], image[24:28], image[160] = b"\x7f\x02", b"\x80\x3f\x00\xff", 0x5A
    fields = context(lab, fpu_ctxt={"x": bytes(image)})
    fields["flags"] |= abi.VGCF_i387_valid
    assert initialise(lab, fields) == 0
    s = state(lab.d1.vcpus[1])
    assert (s.fcw, s.xmm[0]) == (0x27F, 0x5A)
    assert s.mxcsr == 0x3F80, "bits that do not exist are dropped"


REFUSALS: list[tuple[dict[str, Any], str]] = [
    *(({name: UNCANONICAL}, "EINVAL vcpu_context_address") for name in (
        "user_regs__rip", "user_regs__rsp", "kernel_sp", "fs_base", "gs_base_kernel", "gs_base_user",
        "event_callback_eip", "failsafe_callback_eip", "syscall_callback_eip",
    )),
    ({"trap_ctxt__255": {"vector": 0, "flags": 0, "cs": 0, "address": UNCANONICAL}}, "EINVAL vcpu_context_address"),
    ({"ldt_base": 0x1001}, "EINVAL vcpu_context_ldt"),
    ({"ldt_base": UNCANONICAL}, "EINVAL vcpu_context_ldt"),
    ({"ldt_base": abi.HYPERVISOR_VIRT_START}, "EINVAL vcpu_context_ldt"),
    ({"ldt_ents": 8193}, "EINVAL vcpu_context_ldt"),
    ({"flags": 0}, "EINVAL vcpu_context_user_table"),
    ({"gdt_ents": 7169}, "EINVAL vcpu_context_gdt"),
    ({"gdt_ents": 1 << 40}, "EINVAL vcpu_context_gdt"),
    ({"gdt_ents": 1, "gdt_frames__0": 1 << 40}, "EINVAL vcpu_context_gdt"),
    ({"ctrlreg__3": 1 << 50}, "EINVAL vcpu_context_table"),
    ({"ctrlreg__1": 1 << 50}, "EINVAL vcpu_context_table"),
    ({"user_regs__cs": 0}, "EINVAL vcpu_context_selector"),
    ({"user_regs__ss": 0x1B}, "EINVAL vcpu_context_selector"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), REFUSALS)
def test_refusals_leave_no_trace(lab: Lab, changes: dict[str, Any], expected: str) -> None:
    v = lab.d1.vcpus[1]
    info = v.c.info_pa
    assert initialise(lab, context(lab, **changes)) == expected
    assert (v.c.initialised, v.c.online, v.c.cr3_kernel, v.c.gdt_entries, v.c.info_pa) == (0, 0, 0, 0, info)
    assert lab.audit() == ""
    assert initialise(lab, context(lab)) == 0, "and a good context is still taken"


def test_unreadable_context(lab: Lab) -> None:
    assert lab.call(lab.d1.vcpus[0], "vcpu_op", [abi.VCPUOP_initialise, 1, 0]) == "EFAULT bad_guest_pointer"
