"""sched_op: sleeping, polling, watchdogs and shutting down; each errno."""

from __future__ import annotations

from typing import Any

import pytest

from hv import abi, clock, evtchn
from hv.disposition import BLOCK
from hv.native import lib
from tests.hypercalls.lab import ARGUMENT, Lab, Vcpu

SECOND = 1_000_000_000


@pytest.fixture
def lab() -> Lab:
    return Lab()


def poll(lab: Lab, v: Vcpu, ports: list[int], timeout: int = 0, count: int | None = None) -> Any:
    layout = abi.layout("sched_poll")
    fields = {
        "ports": ARGUMENT + 64, "nr_ports": len(ports) if count is None else count, "timeout": timeout,
    }  # fmt: skip
    page = bytearray(layout.pack(fields)).ljust(4096, b"\0")
    for i, port in enumerate(ports):
        page[64 + 4 * i : 68 + 4 * i] = port.to_bytes(4, "little")
    return lab.call(v, "sched_op", [abi.SCHEDOP_poll, ARGUMENT], {ARGUMENT >> 12: page})


def sched(lab: Lab, sub: str, **fields: Any) -> Any:
    number = getattr(abi, f"SCHEDOP_{sub}")
    return lab.op(lab.d1.vcpus[0], "sched_op", number, abi.SUBOPS["sched_op"][number].argument, **fields)[0]


def test_every_suboperation_is_registered() -> None:
    from hv.hypercall import load_handlers

    (entry,) = load_handlers("x86_64").known()[abi.HYPERCALL_NUMBERS["sched_op"]]
    assert set(entry.subs) == set(abi.SUBOPS["sched_op"])


def test_unreadable_argument_and_unknown_suboperation(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    for sub in ("shutdown", "poll", "remote_shutdown", "shutdown_code", "watchdog"):
        assert lab.call(v, "sched_op", [getattr(abi, f"SCHEDOP_{sub}"), 0]) == "EFAULT bad_guest_pointer"
    assert lab.call(v, "sched_op", [8, 0]) == "ENOSYS unknown_subop"


def test_block_unmasks_and_sleeps_until_an_event(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    port = evtchn.bind_ipi(lab.native, lab.d1.c, 0)
    v.set_info(evtchn_upcall_mask=1)
    assert lab.call(v, "sched_op", [abi.SCHEDOP_block, 0]) is BLOCK
    assert v.c.blocked and v.info["evtchn_upcall_mask"] == 0
    lib.hv_evtchn_set_pending(lab.native, lab.d1.c, port)
    assert not v.c.blocked


def test_block_with_an_event_waiting_does_not_sleep(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    v.set_info(evtchn_upcall_pending=1, evtchn_upcall_mask=1)
    lab.call(v, "sched_op", [abi.SCHEDOP_block, 0])
    assert not v.c.blocked


def test_masked_channel_does_not_wake(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    port = evtchn.bind_ipi(lab.native, lab.d1.c, 0)
    lab.d1.set_bit("evtchn_mask", port)
    lab.call(v, "sched_op", [abi.SCHEDOP_block, 0])
    lib.hv_evtchn_set_pending(lab.native, lab.d1.c, port)
    assert v.c.blocked
    lib.hv_evtchn_unmask(lab.native, lab.d1.c, port)
    assert not v.c.blocked


def test_poll_refusals(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    assert poll(lab, v, [], count=129) == "EINVAL poll_ports"
    assert poll(lab, v, [4096]) == "EINVAL evtchn_port_range"
    # the list runs off the mapped page, but only behind ports that are fine
    assert poll(lab, v, [1] * 128) is BLOCK
    lab.d1.vcpus[0].c.blocked = 0
    layout = abi.layout("sched_poll")
    page = bytearray(layout.pack({"ports": 0x9000_0000, "nr_ports": 1})).ljust(4096, b"\0")
    result = lab.call(v, "sched_op", [abi.SCHEDOP_poll, ARGUMENT], {ARGUMENT >> 12: page})
    assert result == "EFAULT bad_guest_pointer" and not v.c.blocked


def test_poll_one_port_wakes_even_when_all_is_masked(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    a, b = (evtchn.bind_ipi(lab.native, lab.d1.c, 0) for _ in range(2))
    v.set_info(evtchn_upcall_mask=1, evtchn_upcall_pending=1)
    for port in (a, b):
        lab.d1.set_bit("evtchn_mask", port)
    assert poll(lab, v, [a]) is BLOCK and v.c.blocked
    lib.hv_evtchn_set_pending(lab.native, lab.d1.c, b)
    assert v.c.blocked, "another port"
    lib.hv_evtchn_set_pending(lab.native, lab.d1.c, a)
    assert not v.c.blocked and not v.c.polling
    assert poll(lab, v, [a]) == 0, "pending already"
    assert poll(lab, v, [b, a]) == 0


def test_poll_several_ports_wakes_on_any(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    ports = [evtchn.bind_ipi(lab.native, lab.d1.c, 1) for _ in range(3)]
    for port in ports:
        lab.d1.set_bit("evtchn_mask", port)
    assert poll(lab, v, ports) is BLOCK
    lib.hv_evtchn_set_pending(lab.native, lab.d1.c, ports[1])
    assert not v.c.blocked


def test_poll_returns_at_once_when_an_upcall_is_due(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    v.set_info(evtchn_upcall_pending=1)
    assert poll(lab, v, [4096]) == 0, "before the ports are even looked at"


def test_poll_timeout(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    lab.advance(1000)
    assert poll(lab, v, [], timeout=5000) is BLOCK
    assert clock.next_deadline(lab.native) == 5000
    lab.advance(3999)
    assert clock.fire_due(lab.native) == 0 and v.c.blocked
    lab.advance(1)
    assert clock.fire_due(lab.native) == 1 and not v.c.blocked
    assert v.info["evtchn_upcall_pending"] == 0, "a time-out sends nothing"
    assert clock.next_deadline(lab.native) is None
    poll(lab, v, [], timeout=1 << 63)
    assert clock.fire_due(lab.native) == 1, "a negative time has passed"
    poll(lab, v, [])
    assert clock.next_deadline(lab.native) is None, "no time-out"


def test_shutdown(lab: Lab) -> None:
    assert sched(lab, "shutdown", reason=abi.SHUTDOWN_reboot) is BLOCK
    assert (lab.d1.c.shut_down, lab.d1.c.shutdown_code) == (1, abi.SHUTDOWN_reboot)
    assert sched(lab, "shutdown", reason=abi.SHUTDOWN_crash) is BLOCK
    assert lab.d1.c.shutdown_code == abi.SHUTDOWN_reboot, "the first reason stands"
    assert not lab.d2.c.shut_down


def test_shutdown_code_is_chosen_once(lab: Lab) -> None:
    assert sched(lab, "shutdown_code", reason=abi.SHUTDOWN_crash) == 0
    assert sched(lab, "shutdown_code", reason=abi.SHUTDOWN_reboot) == 0
    assert not lab.d1.c.shut_down
    sched(lab, "shutdown", reason=abi.SHUTDOWN_poweroff)
    assert lab.d1.c.shutdown_code == abi.SHUTDOWN_crash


def test_shutdown_stops_every_vcpu(lab: Lab) -> None:
    slots = lambda: {v.slot for v in lab.d1.vcpus} & set(_runnable(lab))  # noqa: E731
    assert len(slots()) == 2
    sched(lab, "shutdown", reason=0)
    assert not slots()


def _runnable(lab: Lab) -> list[int]:
    from hv.sched import RoundRobin

    return RoundRobin().runnable(lab)


def test_remote_shutdown_is_for_the_control_domain(lab: Lab) -> None:
    assert sched(lab, "remote_shutdown", domain_id=2) == "EPERM not_privileged"
    assert sched(lab, "remote_shutdown", domain_id=1) == "EPERM not_privileged"
    assert sched(lab, "remote_shutdown", domain_id=9) == "ESRCH evtchn_no_domain"
    assert sched(lab, "remote_shutdown", domain_id=abi.DOMID_SELF) == "ESRCH evtchn_no_domain"
    lab.d1.c.privileged = 1
    assert sched(lab, "remote_shutdown", domain_id=2, reason=3) == 0
    assert (lab.d2.c.shut_down, lab.d2.c.shutdown_code) == (1, 3)


def test_pin_override_is_refused_before_its_argument_is_read(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    assert lab.call(v, "sched_op", [abi.SCHEDOP_pin_override, 0]) == "EPERM not_privileged"


def test_watchdogs(lab: Lab) -> None:
    assert sched(lab, "watchdog", id=0, timeout=3) == 1
    assert sched(lab, "watchdog", id=0, timeout=5) == 2
    assert sched(lab, "watchdog", id=0, timeout=5) == "ENOSPC watchdog_none_free"
    assert sched(lab, "watchdog", id=3, timeout=5) == "EINVAL watchdog_id"
    assert sched(lab, "watchdog", id=1, timeout=0) == 0
    assert sched(lab, "watchdog", id=1, timeout=9) == "EINVAL watchdog_not_running"
    lab.advance(2 * SECOND)
    assert sched(lab, "watchdog", id=2, timeout=4) == 0
    assert clock.next_deadline(lab.native) == 6 * SECOND
    lab.advance(4 * SECOND - 1)
    clock.fire_due(lab.native)
    assert not lab.d1.c.shut_down
    lab.advance(1)
    clock.fire_due(lab.native)
    assert (lab.d1.c.shut_down, lab.d1.c.shutdown_code) == (1, abi.SHUTDOWN_watchdog)


def test_the_old_call(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    assert lab.call(v, "sched_op_compat", [abi.SCHEDOP_yield, 0]) == 0
    assert lab.call(v, "sched_op_compat", [abi.SCHEDOP_poll, 0]) == "ENOSYS unknown_subop"
    assert lab.call(v, "sched_op_compat", [abi.SCHEDOP_block, 0]) is BLOCK and v.c.blocked
    assert lab.call(v, "sched_op_compat", [abi.SCHEDOP_shutdown, 3]) is BLOCK
    assert lab.d1.c.shutdown_code == 3
