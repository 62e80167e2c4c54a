"""The FIFO event-channel ABI, with a consumer that follows the guest's half of the protocol."""

from __future__ import annotations

import random

import pytest

from hv import abi, evtchn, evtchn_fifo
from hv.errors import XenError
from hv.native import lib
from tests.hypercalls.lab import Lab, Vcpu

PENDING, MASKED, LINKED = (1 << abi.EVTCHN_FIFO_PENDING, 1 << abi.EVTCHN_FIFO_MASKED, 1 <<
abi.EVTCHN_FIFO_LINKED)


class Guest:
    """The consumer's half: takes events off the queues of a vcpu, the most urgent first."""

    def __init__(self, lab: Lab, pages: int = 1) -> None:
        self.lab, self.d = lab, lab.d1
        for v in self.d.vcpus:
            evtchn_fifo.init_control(lab.native, self.d.c, v.id, self.d.frame(), 64 * v.id)
        self.pages = [self.d.frame() for _ in range(pages)]
        for page in self.pages:
            evtchn_fifo.expand_array(lab.native, self.d.c, page)
        self.heads: dict[tuple[int, int], int] = {}

    def at(self, port: int) -> int:
        return (self.pages[port // 1024] << 12) + port % 1024 * 4

    def word(self, port: int) -> int:
        return self.lab.word(self.at(port))

    def set_word(self, port: int, value: int) -> None:
        self.lab.write(self.at(port), value.to_bytes(4, "little"))

    def control(self, v: Vcpu) -> int:
        return int(v.c.fifo_control_frame << 12) + v.c.fifo_control_offset

    def ready(self, v: Vcpu) -> int:
        return self.lab.word(self.control(v))

    def take(self, v: Vcpu, limit: int = 1 << 30) -> list[int]:
        """Consume events of one vcpu as Linux does; the ports handled, in order."""
        handled: list[int] = []
        ready = self.ready(v)
        self.lab.write(self.control(v), bytes(4))
        v.set_info(evtchn_upcall_pending=0)
        while ready and len(handled) < limit:
            queue = (ready & -ready).bit_length() - 1
            self._consume(v, queue, handled)
            if not self.heads.get((v.id, queue)):
                ready &= ~(1 << queue)
            ready |= self.ready(v)
            self.lab.write(self.control(v), bytes(4))
        self.lab.write(self.control(v), ready.to_bytes(4, "little"))
        return handled

    def _consume(self, v: Vcpu, queue: int, handled: list[int]) -> None:
        head = self.heads.get((v.id, queue), 0)
        if not head:
            head = self.lab.word(self.control(v) + 8 + 4 * queue)
        word = self.word(head)
        link = word & abi.EVTCHN_FIFO_LINK_MASK
        self.set_word(head, word & ~LINKED & ~abi.EVTCHN_FIFO_LINK_MASK)
        self.heads[v.id, queue] = link
        if word & PENDING and not word & MASKED:
            self.set_word(head, self.word(head) & ~PENDING)
            handled.append(head)


@pytest.fixture
def lab() -> Lab:
    return Lab()


def ports(lab: Lab, count: int, vcpu: int = 0) -> list[int]:
    return [evtchn.bind_ipi(lab.native, lab.d1.c, vcpu) for _ in range(count)]


def send(lab: Lab, port: int) -> None:
    lib.hv_evtchn_set_pending(lab.native, lab.d1.c, port)


def test_init_control(lab: Lab) -> None:
    v, frame = lab.d1.vcpus[0], lab.d1.frame()
    refusals = [
        ({"vcpu": 2, "control_gfn": frame}, "ENOENT evtchn_no_vcpu"),
        ({"vcpu": 0, "control_gfn": frame, "offset": 4096 - 71}, "EINVAL evtchn_fifo_offset"),
        ({"vcpu": 0, "control_gfn": frame, "offset": 4}, "EINVAL evtchn_fifo_offset"),
        ({"vcpu": 0, "control_gfn": frame, "offset": 0xFFFF_FFF8}, "EINVAL evtchn_fifo_offset"),
        ({"vcpu": 0, "control_gfn": lab.d2.frame()}, "EINVAL evtchn_fifo_frame"),
        ({"vcpu": 0, "control_gfn": 1 << 60}, "EINVAL evtchn_fifo_frame"),
    ]
    for fields, expected in refusals:
        assert lab.evtchn(v, "init_control", **fields)[0] == expected
        assert not lab.d1.c.fifo
    result, out = lab.evtchn(v, "init_control", vcpu=0, control_gfn=frame, offset=4096 - 72)
    assert (result, out["link_bits"]) == (0, 17)
    again = lab.evtchn(v, "init_control", vcpu=0, control_gfn=frame, offset=0)[0]
    assert again == "EINVAL evtchn_fifo_control_set"
    assert lab.audit() == ""


def test_expand_array_and_its_end(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    early = lab.evtchn(v, "expand_array", array_gfn=lab.d1.frame())[0]
    assert early == "EOPNOTSUPP evtchn_fifo_not_set_up"
    Guest(lab, 0)
    for _ in range(128):
        assert lab.evtchn(v, "expand_array", array_gfn=lab.d1.frame())[0] == 0
    assert lab.evtchn(v, "expand_array", array_gfn=lab.d1.frame())[0] == "ENOSPC evtchn_fifo_array_full"
    assert lab.audit() == ""


def test_expand_array_wants_own_memory(lab: Lab) -> None:
    Guest(lab, 0)
    result = lab.evtchn(lab.d1.vcpus[0], "expand_array", array_gfn=lab.d2.frame())[0]
    assert result == "EINVAL evtchn_fifo_frame"


def test_order_within_a_queue(lab: Lab) -> None:
    a, b, c = ports(lab, 3)
    guest = Guest(lab)
    for port in (b, a, c, b):
        send(lab, port)
    assert lab.d1.vcpus[0].info["evtchn_upcall_pending"] == 1
    assert guest.take(lab.d1.vcpus[0]) == [b, a, c]
    send(lab, b)
    assert guest.take(lab.d1.vcpus[0]) == [b], "an emptied queue starts anew at its head"


def test_priorities(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    a, b, c = ports(lab, 3)
    assert lab.evtchn(v, "set_priority", port=a, priority=0)[0] == "ENOSYS evtchn_priority_two_level"
    guest = Guest(lab)
    assert lab.evtchn(v, "set_priority", port=a, priority=15)[0] == 0
    assert lab.evtchn(v, "set_priority", port=c, priority=0)[0] == 0
    assert lab.evtchn(v, "set_priority", port=c, priority=16)[0] == "EINVAL evtchn_priority_range"
    assert lab.evtchn(v, "set_priority", port=99_999, priority=0)[0] == "EINVAL evtchn_port_range"
    for port in (a, b, c):
        send(lab, port)
    assert guest.take(v) == [c, b, a]


def test_masked_events_wait_for_unmask(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    (a,) = ports(lab, 1)
    guest = Guest(lab)
    guest.set_word(a, MASKED)
    send(lab, a)
    assert guest.word(a) == MASKED | PENDING and v.info["evtchn_upcall_pending"] == 0
    assert lab.evtchn(v, "unmask", port=a)[0] == 0
    assert guest.take(v) == [a]


def test_pending_before_the_array_exists(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    a, b = ports(lab, 2)
    send(lab, a)  # in the two-level bitmap
    guest = Guest(lab, 0)
    send(lab, b)  # no page to mark it in
    v.set_info(evtchn_upcall_pending=0)
    guest.pages.append(lab.d1.frame())
    assert lab.evtchn(v, "expand_array", array_gfn=guest.pages[0])[0] == 0
    assert guest.take(v) == [a, b]


def test_a_port_still_linked_is_not_given_out(lab: Lab) -> None:
    (a,) = ports(lab, 1)
    guest = Guest(lab)
    send(lab, a)
    evtchn.close(lab.native, lab.d1.c, a)
    assert ports(lab, 1) == [a + 1]
    assert guest.take(lab.d1.vcpus[0]) == [], "closed: no longer pending"
    assert ports(lab, 1) == [a]


def test_reset_returns_to_two_level(lab: Lab) -> None:
    v = lab.d1.vcpus[0]
    (a,) = ports(lab, 1)
    Guest(lab)
    send(lab, a)
    assert lab.evtchn(v, "reset", dom=1)[0] == 0 and lab.d1.c.fifo == 1, "by its own number the ABI stays"
    assert lab.evtchn(v, "reset", dom=abi.DOMID_SELF)[0] == 0
    assert not lab.d1.c.fifo and not v.c.fifo_control_frame
    assert lab.audit() == "", "every page was given back"
    (a,) = ports(lab, 1)
    send(lab, a)
    assert lab.d1.bit("evtchn_pending", a)


def test_two_resets_after_more_ports_than_two_levels_have(lab: Lab) -> None:
    """The ports that only FIFO has are out of reach afterwards; looking for them ended the host."""
    c, d = lab.native, lab.d1.c
    Guest(lab)
    while d.ports <= 4100:
        evtchn.alloc_unbound(c, d, 0)
    evtchn.reset(c, d)
    evtchn_fifo.destroy(c, d)
    evtchn.reset(c, d)
    evtchn_fifo.init_control(c, d, 0, lab.d1.frame(), 0)
    assert evtchn.alloc_unbound(c, d, 0) == 1


def test_hostile_words_do_no_harm(lab: Lab) -> None:
    rng = random.Random(3)
    all_ports = ports(lab, 40)
    guest = Guest(lab)
    for _ in range(2000):
        port = rng.choice(all_ports)
        guest.set_word(rng.choice(all_ports), rng.getrandbits(32))
        lab.write(guest.control(lab.d1.vcpus[0]), rng.randbytes(72))
        send(lab, port)
        lib.hv_evtchn_unmask(lab.native, lab.d1.c, rng.choice(all_ports))
        lab.evtchn(lab.d1.vcpus[0], "set_priority", port=port, priority=rng.randrange(16))
    assert lab.audit() == ""


@pytest.mark.parametrize("seed", range(6))
def test_no_event_is_lost_or_repeated(lab: Lab, seed: int) -> None:
    """Random sends, masks, moves between vcpus and priorities, and partial consumption: in the end each port
    was handled at least once after its last send, and never without a send."""
    rng = random.Random(seed)
    guest = Guest(lab, 2)
    table = [evtchn.alloc_unbound(lab.native, lab.d1.c, 2) for _ in range(1100)]
    some = rng.sample(table, 30)
    owed: set[int] = set()
    for _ in range(1500):
        port = rng.choice(some)
        match rng.randrange(6):
            case 0 | 1:
                send(lab, port)
                owed.add(port)
            case 2:
                guest.set_word(port, guest.word(port) | MASKED)
            case 3:
                lib.hv_evtchn_unmask(lab.native, lab.d1.c, port)
            case 4:
                evtchn.bind_vcpu(lab.native, lab.d1.c, port, rng.randrange(2))
                evtchn_fifo.set_priority(lab.native, lab.d1.c, port, rng.randrange(16))
            case 5:
                for handled in guest.take(rng.choice(lab.d1.vcpus), rng.randrange(1, 8)):
                    assert handled in owed, "handled without having been sent"
                    owed.discard(handled)
    for port in some:
        lib.hv_evtchn_unmask(lab.native, lab.d1.c, port)
    for v in lab.d1.vcpus:
        owed -= set(guest.take(v))
    assert not owed


def test_errors_are_xen_errors(lab: Lab) -> None:
    with pytest.raises(XenError):
        evtchn_fifo.set_priority(lab.native, lab.d1.c, 1, 0)
