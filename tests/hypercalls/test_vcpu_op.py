"""vcpu_op and set_timer_op: each sub-operation, and each errno of each."""

from __future__ import annotations

from typing import Any

import pytest

from hv import abi, clock, evtchn
from hv.disposition import BLOCK
from hv.native import lib
from tests.hypercalls.lab import ARGUMENT, Lab, Vcpu

MS = 1_000_000


@pytest.fixture
def lab() -> Lab:
    return Lab()


def op(lab: Lab, sub: str, number: int = 0, caller: Vcpu | None = None, **fields: Any) -> Any:
    """VCPUOP_<sub> on a vcpu; the result."""
    return op_out(lab, sub, number, caller, **fields)[0]


def op_out(lab: Lab, sub: str, number: int = 0, caller: Vcpu | None = None, **fields: Any) -> tuple[Any, Any]:
    nr = getattr(abi, f"VCPUOP_{sub}")
    struct = abi.SUBOPS["vcpu_op"][nr].argument
    caller = caller or lab.d1.vcpus[0]
    if not struct:
        return lab.call(caller, "vcpu_op", [nr, number, 0]), {}
    layout = abi.layout(struct)
    memory = {ARGUMENT >> 12: bytearray(layout.pack(fields)).ljust(8192, b"\0")}
    result = lab.call(caller, "vcpu_op", [nr, number, ARGUMENT], memory)
    return result, layout.unpack(memory[ARGUMENT >> 12])


def timer_port(lab: Lab, v: Vcpu) -> int:
    return evtchn.bind_virq(lab.native, v.domain.c, abi.VIRQ_TIMER, v.id)


def test_every_suboperation_looks_for_the_vcpu_first(lab: Lab) -> None:
    for sub in abi.SUBOPS["vcpu_op"]:
        assert lab.call(lab.d1.vcpus[0], "vcpu_op", [sub, 2, 0]) == "ENOENT no_such_vcpu"
        assert lab.call(lab.d1.vcpus[0], "vcpu_op", [sub, 0xFFFF_FFFF, 0]) == "ENOENT no_such_vcpu"
    assert lab.call(lab.d1.vcpus[0], "vcpu_op", [99, 2, 0]) == "ENOENT no_such_vcpu"
    assert lab.call(lab.d1.vcpus[0], "vcpu_op", [99, 1, 0]) == "ENOSYS unknown_subop"


def test_unreadable_arguments(lab: Lab) -> None:
    own = ("register_runstate_memory_area", "set_periodic_timer", "set_singleshot_timer", "register_vcpu_info",
           "register_vcpu_time_memory_area", "get_runstate_info")  # fmt: skip
    for sub in own:
        result = lab.call(lab.d1.vcpus[0], "vcpu_op", [getattr(abi, f"VCPUOP_{sub}"), 0, 0x5000_0000])
        assert result == "EFAULT bad_guest_pointer", sub


def test_up_down_is_up(lab: Lab) -> None:
    second = lab.d1.vcpus[1].c
    assert op(lab, "is_up", 1) == 1
    assert op(lab, "down", 1) == 0 and op(lab, "is_up", 1) == 0
    assert second.runstate == lib.RS_OFFLINE
    assert op(lab, "up", 1) == 0 and op(lab, "is_up", 1) == 1
    assert second.runstate == lib.RS_RUNNABLE
    second.initialised = second.online = 0
    assert op(lab, "up", 1) == "EINVAL vcpu_not_initialised"


def test_down_of_oneself_and_of_the_last(lab: Lab) -> None:
    assert op(lab, "down", 0) is BLOCK and not lab.d1.vcpus[0].c.online
    assert op(lab, "down", 1, lab.d1.vcpus[1]) is BLOCK
    assert (lab.d1.c.shut_down, lab.d1.c.shutdown_code) == (1, abi.SHUTDOWN_poweroff)


def test_send_nmi(lab: Lab) -> None:
    second = lab.d1.vcpus[1].c
    second.blocked = 1
    assert lab.call(lab.d1.vcpus[0], "vcpu_op", [abi.VCPUOP_send_nmi, 1, 4]) == "EINVAL vcpu_nmi_argument"
    assert second.blocked and not second.nmi_pending
    assert op(lab, "send_nmi", 1) == 0
    assert second.nmi_pending == 1 and not second.blocked


def test_get_physid(lab: Lab) -> None:
    assert op(lab, "get_physid") == "EINVAL vcpu_not_pinned"


# ---- run states ----


def test_runstate_times_add_up(lab: Lab) -> None:
    first, second = (v.c for v in lab.d1.vcpus)
    lib.hv_switch(lab.native, first.slot)
    lab.advance(100)
    first.blocked = 1
    lib.hv_switch(lab.native, second.slot)
    lab.advance(30)
    lib.hv_vcpu_kick(lab.native, lab.d1.vcpus[0].c)
    lab.advance(7)
    lib.hv_switch(lab.native, first.slot)
    lab.advance(5)
    result, info = op_out(lab, "get_runstate_info", 0)
    assert result == 0 and info["state"] == abi.RUNSTATE_running
    assert info["time"] == [105, 7, 30, 0] and info["state_entry_time"] == 137
    info = op_out(lab, "get_runstate_info", 1)[1]
    assert info["state"] == abi.RUNSTATE_runnable and sum(info["time"]) == 142


def test_register_runstate_memory_area(lab: Lab) -> None:
    for address in (abi.HYPERVISOR_VIRT_START, abi.HYPERVISOR_VIRT_END - 8, abi.HYPERVISOR_VIRT_START - 40):
        result = op(lab, "register_runstate_memory_area", addr={"p": address})
        assert result == "EFAULT vcpu_area_address"
    assert lab.d1.vcpus[0].c.runstate_va == 0
    assert op(lab, "register_runstate_memory_area", addr={"p": 0x1234_5678}) == 0, "need not be mapped"
    assert lab.d1.vcpus[0].c.runstate_va == 0x1234_5678


# ---- timers ----


def test_singleshot(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    port = timer_port(lab, v)
    lab.advance(1000)
    assert op(lab, "set_singleshot_timer", 0, timeout_abs_ns=2000) == 0
    assert clock.next_deadline(lab.native) == 2000
    lab.advance(999)
    assert clock.fire_due(lab.native) == 0 and not lab.d1.bit("evtchn_pending", port)
    lab.advance(1)
    assert clock.fire_due(lab.native) == 1 and lab.d1.bit("evtchn_pending", port)
    assert clock.next_deadline(lab.native) is None, "once"
    future = abi.VCPU_SSHOTTMR_future
    assert op(lab, "set_singleshot_timer", 0, timeout_abs_ns=1999, flags=future) == "ETIME timer_in_past"
    assert op(lab, "set_singleshot_timer", 0, timeout_abs_ns=1 << 63, flags=future) == "ETIME timer_in_past"
    assert op(lab, "set_singleshot_timer", 0, timeout_abs_ns=2000, flags=future) == 0
    assert op(lab, "stop_singleshot_timer") == 0 and clock.next_deadline(lab.native) is None
    assert op(lab, "set_singleshot_timer", 0, timeout_abs_ns=0) == 0
    assert clock.fire_due(lab.native) == 1, "the past fires at once"
    assert op(lab, "set_singleshot_timer", 1, timeout_abs_ns=9000) == "EINVAL vcpu_not_self"
    assert op(lab, "stop_singleshot_timer", 1) == "EINVAL vcpu_not_self"


def test_periodic(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    port = timer_port(lab, v)
    for period in (0, MS - 1, 1 << 63):
        assert op(lab, "set_periodic_timer", 0, period_ns=period) == "EINVAL timer_period"
    assert op(lab, "set_periodic_timer", 0, period_ns=2 * MS) == 0
    assert clock.next_deadline(lab.native) is None, "it ticks for a running vcpu only"
    lib.hv_switch(lab.native, v.slot)
    assert clock.next_deadline(lab.native) == 2 * MS
    for _ in range(3):
        lab.advance(2 * MS)
        assert clock.fire_due(lab.native) == 1 and lab.d1.bit("evtchn_pending", port)
        lab.d1.set_bit("evtchn_pending", port, False)
    v.c.blocked = 1
    lib.hv_switch(lab.native, lib.HV_NO_SLOT)
    lab.advance(20 * MS)
    assert clock.fire_due(lab.native) == 0 and v.c.blocked
    lib.hv_switch(lab.native, v.slot)
    assert lab.d1.bit("evtchn_pending", port), "an overdue tick comes with the switch"
    assert op(lab, "stop_periodic_timer") == 0 and clock.next_deadline(lab.native) is None


def test_a_timer_wakes_its_vcpu(lab: Lab) -> None:
    v = lab.d1.vcpus[1]
    timer_port(lab, v)
    op(lab, "set_singleshot_timer", 1, v, timeout_abs_ns=500)
    lib.hv_block(lab.native, v.c)
    lab.advance(500)
    clock.fire_due(lab.native)
    assert not v.c.blocked and v.info["evtchn_upcall_pending"] == 1
    assert lab.d1.vcpus[0].info["evtchn_upcall_pending"] == 0


def test_set_timer_op(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    lab.advance(1000)
    deadlines = {
        5000: 5000,
        1: 1,                                       # passed: fires at once
        1000 + (1 << 50): 1000 + 100 * MS,          # old Linux has no timer: 100 ms
        1000 + (1 << 50) - 1: 1000 + (1 << 50) - 1,
        (1 << 64) - 1: 1000 + 100 * MS,
    }  # fmt: skip
    for timeout, expected in deadlines.items():
        assert lab.call(v, "set_timer_op", [timeout]) == 0
        assert clock.next_deadline(lab.native) == expected
    assert lab.call(v, "set_timer_op", [0]) == 0
    assert clock.next_deadline(lab.native) is None


# ---- shared areas ----


def test_register_vcpu_info_keeps_what_is_pending(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    port = evtchn.bind_ipi(lab.native, lab.d1.c, 0)
    lib.hv_evtchn_set_pending(lab.native, lab.d1.c, port)
    v.set_info(evtchn_upcall_mask=1)
    frame = lab.d1.frame()
    assert op(lab, "register_vcpu_info", mfn=frame, offset=128) == 0
    assert v.c.info_pa == (frame << 12) + 128
    assert v.info["evtchn_upcall_pending"] == 1 and v.info["evtchn_upcall_mask"] == 1
    assert v.info["evtchn_pending_sel"] == (1 << 64) - 1
    v.set_info(evtchn_upcall_pending=0, evtchn_pending_sel=0)
    lab.d1.set_bit("evtchn_pending", port, False)
    lib.hv_evtchn_set_pending(lab.native, lab.d1.c, port)
    assert v.info["evtchn_pending_sel"] == 1, "events go to the new place"
    assert lab.audit() == ""
    again = op(lab, "register_vcpu_info", mfn=lab.d1.frame(), offset=0)
    assert again == "EINVAL vcpu_info_registered"


def test_register_vcpu_info_refusals(lab: Lab) -> None:
    frame = lab.d1.frame()
    refusals = [
        (0, {"mfn": frame, "offset": 4096 - 63}, "ENXIO vcpu_info_offset"),
        (0, {"mfn": frame, "offset": 4}, "ENXIO vcpu_info_offset"),
        (0, {"mfn": frame, "offset": 0xFFFF_FFF8}, "ENXIO vcpu_info_offset"),
        (1, {"mfn": frame, "offset": 0}, "EINVAL vcpu_online"),
        (0, {"mfn": lab.d2.frame(), "offset": 0}, "EINVAL vcpu_info_frame"),
        (0, {"mfn": 1 << 52, "offset": 0}, "EINVAL vcpu_info_frame"),
    ]
    for number, fields, expected in refusals:
        assert op(lab, "register_vcpu_info", number, **fields) == expected
    lab.d1.vcpus[1].c.online = 0
    assert op(lab, "register_vcpu_info", 1, mfn=frame, offset=0) == 0
    assert lab.audit() == ""


def test_a_vcpu_beyond_shared_info_needs_its_own_place(lab: Lab) -> None:
    v = lab.d1.vcpus[1]
    v.c.info_pa = v.c.initialised = v.c.online = 0
    assert op(lab, "initialise", 1) == "EINVAL vcpu_no_info"
    assert op(lab, "register_vcpu_info", 1, mfn=lab.d1.frame(), offset=0) == 0
    assert v.info["evtchn_upcall_mask"] == 1 and v.info["evtchn_upcall_pending"] == 1


def test_time_areas(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    lab.advance(12_345)
    clock.update_vcpu_time(lab.native, v.c)
    time = v.info["time"]
    assert (time["version"], time["system_time"], time["tsc_timestamp"]) == (2, 12_345, 12_345)
    tsc = 99_999_999_999
    scaled = ((tsc - time["tsc_timestamp"]) << time["tsc_shift"]) * time["tsc_to_system_mul"] >> 32
    assert time["system_time"] + scaled == tsc, "1 GHz: TSC and system time are one number"
    clock.update_vcpu_time(lab.native, v.c)
    assert v.info["time"]["version"] == 4
    result = op(lab, "register_vcpu_time_memory_area", addr={"p": abi.HYPERVISOR_VIRT_START})
    assert result == "EFAULT vcpu_area_address"
    assert op(lab, "register_vcpu_time_memory_area", addr={"p": 0x4000}) == 0 and v.c.time_va == 0x4000


def test_wallclock(lab: Lab) -> None:
    lab.state.wallclock_ns = 5 * 10**9 + 7
    lab.d1.c.time_offset_seconds = 1 << 32
    clock.update_wallclock(lab.native, lab.d1.c)
    words = {f: lab.word(lab.d1.shared(f)) for f in ("wc_version", "wc_sec", "wc_nsec", "wc_sec_hi")}
    assert words == {"wc_version": 2, "wc_sec": 5, "wc_nsec": 7, "wc_sec_hi": 1}
