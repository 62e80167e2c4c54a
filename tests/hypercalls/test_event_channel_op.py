"""event_channel_op: each sub-operation, and each errno of each."""

from __future__ import annotations

import pytest

from hv import abi, evtchn
from hv.native import lib
from tests.hypercalls.lab import Domain, Lab

SELF = abi.DOMID_SELF


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_every_suboperation_is_registered() -> None:
    from hv.hypercall import load_handlers

    (entry,) = load_handlers("x86_64").known()[abi.HYPERCALL_NUMBERS["event_channel_op"]]
    assert set(entry.subs) == set(abi.SUBOPS["event_channel_op"])


def test_unreadable_argument_and_unknown_suboperation(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    for sub in abi.SUBOPS["event_channel_op"]:
        assert lab.call(v, "event_channel_op", [sub, 0x7000_0000]) == "EFAULT bad_guest_pointer"
    assert lab.call(v, "event_channel_op", [99, 0]) == "ENOSYS unknown_subop"


def test_alloc_unbound(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    result, out = lab.evtchn(v, "alloc_unbound", dom=SELF, remote_dom=2)
    assert (result, out["port"]) == (0, 1)
    assert lab.evtchn(v, "alloc_unbound", dom=1, remote_dom=SELF)[1]["port"] == 2
    assert lab.d1.evtchn(2).remote_domid == 1
    assert lab.evtchn(v, "alloc_unbound", dom=2, remote_dom=1)[0] == "EPERM other_domain_denied"
    assert lab.evtchn(v, "alloc_unbound", dom=77, remote_dom=1)[0] == "ESRCH evtchn_no_domain"
    lab.d1.c.dying = 1
    assert lab.evtchn(v, "alloc_unbound", dom=SELF, remote_dom=2)[0] == "EINVAL evtchn_domain_dying"


def test_ports_run_out_and_come_back(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    lab.d1.c.max_evtchn_port = 5
    for port in range(1, 6):
        assert lab.evtchn(v, "bind_ipi", vcpu=0)[1]["port"] == port
    assert lab.evtchn(v, "bind_ipi", vcpu=0)[0] == "ENOSPC evtchn_no_free_port"
    assert lab.evtchn(v, "close", port=3)[0] == 0
    assert lab.evtchn(v, "bind_ipi", vcpu=0)[1]["port"] == 3


def test_two_level_has_4095_ports(lab: Lab) -> None:
    for port in range(1, 4096):
        assert evtchn.bind_ipi(lab.native, lab.d1.c, 0) == port
    assert lab.evtchn(lab.d1.vcpus[0], "bind_ipi", vcpu=0)[0] == "ENOSPC evtchn_no_free_port"


def test_bind_interdomain(lab: Lab) -> None:
    v1, v2 = lab.d1.vcpus[0], lab.d2.vcpus[0]
    lab.evtchn(v1, "alloc_unbound", dom=SELF, remote_dom=2)
    result, out = lab.evtchn(v2, "bind_interdomain", remote_dom=1, remote_port=1)
    assert (result, out["local_port"]) == (0, 1)
    assert lab.d2.bit("evtchn_pending", 1), "the binder gets one event for what may have been lost"
    assert lab.evtchn(v1, "status", dom=SELF, port=1)[1]["u"]["interdomain"] == {"dom": 2, "port": 1}
    refusals = [
        ({"remote_dom": 99, "remote_port": 1}, "ESRCH evtchn_no_domain"),
        ({"remote_dom": 1, "remote_port": 1}, "EINVAL evtchn_not_unbound"),       # bound already
        ({"remote_dom": 1, "remote_port": 5}, "EINVAL evtchn_not_unbound"),       # free
        ({"remote_dom": 1, "remote_port": 70_000}, "EINVAL evtchn_port_range"),
    ]
    for fields, expected in refusals:
        assert lab.evtchn(v2, "bind_interdomain", **fields)[0] == expected
    lab.evtchn(v1, "alloc_unbound", dom=SELF, remote_dom=9)
    assert lab.evtchn(v2, "bind_interdomain", remote_dom=1, remote_port=2)[0] == "EINVAL evtchn_not_unbound"
    assert lab.d2.evtchn(2).state == lib.ECS_FREE, "a refused binding leaves no port behind"


def test_bind_virq(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    assert lab.evtchn(v, "bind_virq", virq=abi.VIRQ_TIMER, vcpu=1)[1]["port"] == 1
    assert lab.d1.vcpus[1].c.virq_port[abi.VIRQ_TIMER] == 1
    refusals = [
        ({"virq": abi.NR_VIRQS, "vcpu": 0}, "EINVAL evtchn_virq_range"),
        ({"virq": 0xFFFF_FFFF, "vcpu": 0}, "EINVAL evtchn_virq_range"),
        ({"virq": abi.VIRQ_CONSOLE, "vcpu": 1}, "EINVAL evtchn_global_virq_vcpu"),
        ({"virq": abi.VIRQ_TIMER, "vcpu": 2}, "ENOENT evtchn_no_vcpu"),
        ({"virq": abi.VIRQ_TIMER, "vcpu": 0x8000_0000}, "ENOENT evtchn_no_vcpu"),
        ({"virq": abi.VIRQ_TIMER, "vcpu": 1}, "EEXIST evtchn_virq_bound"),
    ]
    for fields, expected in refusals:
        assert lab.evtchn(v, "bind_virq", **fields)[0] == expected
    assert lab.evtchn(v, "bind_virq", virq=abi.VIRQ_CONSOLE, vcpu=0)[0] == 0
    lab.evtchn(v, "close", port=1)
    assert lab.d1.vcpus[1].c.virq_port[abi.VIRQ_TIMER] == 0
    assert lab.evtchn(v, "bind_virq", virq=abi.VIRQ_TIMER, vcpu=1)[0] == 0


def test_bind_ipi_and_send(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    assert lab.evtchn(v, "bind_ipi", vcpu=1)[1]["port"] == 1
    assert lab.evtchn(v, "bind_ipi", vcpu=2)[0] == "ENOENT evtchn_no_vcpu"
    assert lab.evtchn(v, "send", port=1)[0] == 0
    assert lab.d1.vcpus[1].info["evtchn_upcall_pending"] == 1
    assert lab.d1.vcpus[0].info["evtchn_upcall_pending"] == 0


def test_bind_pirq(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    assert lab.evtchn(v, "bind_pirq", pirq=5)[0] == "EPERM evtchn_pirq_denied"
    assert lab.evtchn(v, "bind_pirq", pirq=0xFFFF_FFFF)[0] == "EINVAL evtchn_pirq_range"


def test_close(lab: Lab) -> None:
    mine, theirs = lab.bind(lab.d1.vcpus[0], lab.d2)
    lib.hv_evtchn_set_pending(lab.native, lab.d1.c, mine)
    assert lab.evtchn(lab.d1.vcpus[0], "close", port=mine)[0] == 0
    assert not lab.d1.bit("evtchn_pending", mine), "who gets the port next shall not see an old event"
    other = lab.d2.evtchn(theirs)
    assert (other.state, other.remote_domid) == (lib.ECS_UNBOUND, 1)
    for port in (mine, 0):
        assert lab.evtchn(lab.d1.vcpus[0], "close", port=port)[0] == "EINVAL evtchn_close_state"
    assert lab.evtchn(lab.d1.vcpus[0], "close", port=4096)[0] == "EINVAL evtchn_port_range"


def test_send(lab: Lab) -> None:
    mine, theirs = lab.bind(lab.d1.vcpus[0], lab.d2)
    lab.d2.set_bit("evtchn_pending", theirs, False)
    assert lab.evtchn(lab.d1.vcpus[0], "send", port=mine)[0] == 0
    assert lab.d2.bit("evtchn_pending", theirs) and not lab.d1.bit("evtchn_pending", mine)
    v = lab.d1.vcpus[0]
    lab.evtchn(v, "alloc_unbound", dom=SELF, remote_dom=2)
    assert lab.evtchn(v, "send", port=2)[0] == 0, "nobody there: dropped silently"
    lab.evtchn(v, "bind_virq", virq=abi.VIRQ_DEBUG, vcpu=0)
    assert lab.evtchn(v, "send", port=3)[0] == "EINVAL evtchn_send_state"
    assert lab.evtchn(v, "send", port=4)[0] == "EINVAL evtchn_send_state"
    assert lab.evtchn(v, "send", port=5000)[0] == "EINVAL evtchn_port_range"


def test_back_end_of_the_host(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    port = evtchn.open_host(lab.native, lab.d1.c)
    assert lab.evtchn(v, "send", port=port)[0] == 0
    assert lab.d1.events == [port]
    assert evtchn.host_notify(lab.native, lab.d1.c, port) and lab.d1.bit("evtchn_pending", port)
    assert lab.evtchn(v, "status", dom=SELF, port=port)[1]["u"]["interdomain"]["dom"] == 0
    lab.evtchn(v, "close", port=port)
    assert not evtchn.host_notify(lab.native, lab.d1.c, port)
    lab.evtchn(v, "alloc_unbound", dom=SELF, remote_dom=0)
    evtchn.connect_host(lab.native, lab.d1.c, port)
    assert lab.evtchn(v, "send", port=port)[0] == 0 and lab.d1.events == [port, port]


def test_status(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    lab.evtchn(v, "alloc_unbound", dom=SELF, remote_dom=2)
    lab.evtchn(v, "bind_ipi", vcpu=1)
    lab.evtchn(v, "bind_virq", virq=abi.VIRQ_DEBUG, vcpu=1)
    expected = {
        1: (abi.EVTCHNSTAT_unbound, 0), 2: (abi.EVTCHNSTAT_ipi, 1), 3: (abi.EVTCHNSTAT_virq, 1),
        4: (abi.EVTCHNSTAT_closed, 0), 0: (abi.EVTCHNSTAT_closed, 0),
    }  # fmt: skip
    for port, (status, vcpu) in expected.items():
        result, out = lab.evtchn(v, "status", dom=SELF, port=port)
        assert (result, out["status"], out["vcpu"]) == (0, status, vcpu)
    assert lab.evtchn(v, "status", dom=1, port=1)[1]["u"]["unbound"]["dom"] == 2
    assert lab.evtchn(v, "status", dom=1, port=3)[1]["u"]["virq"] == abi.VIRQ_DEBUG
    assert lab.evtchn(v, "status", dom=2, port=1)[0] == "EPERM other_domain_denied"
    assert lab.evtchn(v, "status", dom=7, port=1)[0] == "ESRCH evtchn_no_domain"
    assert lab.evtchn(v, "status", dom=1, port=64)[0] == "EINVAL evtchn_port_range"


def test_bind_vcpu(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    mine, _ = lab.bind(v, lab.d2)
    lab.evtchn(v, "bind_virq", virq=abi.VIRQ_TIMER, vcpu=0)
    lab.evtchn(v, "bind_virq", virq=abi.VIRQ_CON_RING, vcpu=0)
    lab.evtchn(v, "bind_ipi", vcpu=0)
    assert lab.evtchn(v, "bind_vcpu", port=mine, vcpu=1)[0] == 0
    lib.hv_evtchn_set_pending(lab.native, lab.d1.c, mine)
    assert [x.info["evtchn_upcall_pending"] for x in lab.d1.vcpus] == [0, 1]
    assert lab.evtchn(v, "bind_vcpu", port=3, vcpu=1)[0] == 0, "a VIRQ of the domain may move"
    for port in (2, 4, 5):  # a vcpu's VIRQ, an IPI, a free port
        assert lab.evtchn(v, "bind_vcpu", port=port, vcpu=1)[0] == "EINVAL evtchn_bind_vcpu_state"
    assert lab.evtchn(v, "bind_vcpu", port=99999, vcpu=1)[0] == "EINVAL evtchn_port_range"
    # the vcpu is looked at first
    assert lab.evtchn(v, "bind_vcpu", port=99999, vcpu=2)[0] == "ENOENT evtchn_no_vcpu"


def test_unmask(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    lab.evtchn(v, "bind_ipi", vcpu=0)
    lab.d1.set_bit("evtchn_mask", 1)
    lab.evtchn(v, "send", port=1)
    assert v.info["evtchn_pending_sel"] == 0
    assert lab.evtchn(v, "unmask", port=1)[0] == 0
    assert v.info["evtchn_pending_sel"] == 1 and v.info["evtchn_upcall_pending"] == 1
    assert lab.evtchn(v, "unmask", port=4095)[0] == "EINVAL evtchn_port_range"


def test_reset(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    mine, theirs = lab.bind(v, lab.d2)
    lab.evtchn(v, "bind_virq", virq=abi.VIRQ_TIMER, vcpu=0)
    assert lab.evtchn(v, "reset", dom=2)[0] == "EPERM other_domain_denied"
    assert lab.evtchn(v, "reset", dom=55)[0] == "ESRCH evtchn_no_domain"
    assert lab.evtchn(v, "reset", dom=SELF)[0] == 0
    assert lab.d1.evtchn(mine).state == lib.ECS_FREE and v.c.virq_port[abi.VIRQ_TIMER] == 0
    assert lab.d2.evtchn(theirs).state == lib.ECS_UNBOUND


def test_a_domain_goes(lab: Lab) -> None:
    mine, theirs = lab.bind(lab.d1.vcpus[0], lab.d2)
    lib.hv_domain_destroy(lab.native, lab.d2.slot)
    other = lab.d1.evtchn(mine)
    assert (other.state, other.remote_domid) == (lib.ECS_UNBOUND, 2)
    assert lab.evtchn(lab.d1.vcpus[0], "send", port=mine)[0] == 0
    again = Domain(lab, 2, 1)
    assert again.evtchn(theirs).state == lib.ECS_FREE, "a new domain starts with no channel"
    assert lab.evtchn(again.vcpus[0], "bind_interdomain", remote_dom=1, remote_port=mine)[0] == 0
