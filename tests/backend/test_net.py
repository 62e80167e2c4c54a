"""The back end of PV network interfaces against a pretended driver."""

from __future__ import annotations

import random
import struct

import dpkt
import pytest

from hv import abi
from hv.backend.net_frames import MAX_SLOTS, fill_checksum
from hv.devices.device import NEVER, Machine
from hv.domain import Domain
from hv.net.options import NicOptions, parse_mac
from hv.net.port import DELAY_NS, Port
from hv.toolstack.backends import attach_nic
from tests.backend.frontend import Front, NetFront, guest

CONNECTED, CLOSING = abi.XenbusStateConnected, abi.XenbusStateClosing
MORE, EXTRA, BLANK = abi.NETTXF_more_data, abi.NETTXF_extra_info, abi.NETTXF_csum_blank
FRAME = b"\xff" * 6 + b"\x00\x16\x3e\0\0\1" + b"\x08\x06" + bytes(range(46))


class Cable(Port):
    """The other end of a cable, which keeps what comes."""

    def __init__(self, machine: Machine, name: str = "cable") -> None:
        super().__init__(machine, name)
        self.got: list[bytes] = []

    def sent(self, frame: bytes) -> None:
        self.got.append(frame)


class Clock:
    """Time that the test moves."""

    def __init__(self) -> None:
        self.now_ns = 1
        self.deadline = NEVER

    def set_timer(self, device: object, deadline_ns: int) -> None:
        self.deadline = deadline_ns


class Wire:
    """A domain with an interface, and a cable in place of its switch."""

    def __init__(self, **connect: int) -> None:
        self.domain: Domain = guest().domain
        self.clock = Clock()
        self.cable = Cable(self.clock)  # type: ignore[arg-type]  # all that a port asks for
        nic = attach_nic(self.domain, NicOptions(switch="lan"))
        self.cable.plug(nic)
        self.front = NetFront(self.domain, nic)
        assert self.front.connect(**connect) == CONNECTED, self.front.error  # type: ignore[arg-type]

    def arrive(self, frame: bytes) -> None:
        self.cable.deliver(frame)
        self.pass_time()

    def pass_time(self) -> None:
        self.clock.now_ns += DELAY_NS
        if self.clock.deadline != NEVER and self.clock.deadline <= self.clock.now_ns:
            self.clock.deadline = NEVER
            self.cable.timer()


@pytest.mark.parametrize("split", [False, True])
def test_frames_out_and_in(split: bool) -> None:
    wire = Wire(split=split)
    front = wire.front
    front.post(4)  # as many as there must be for a frame of any length
    for turn in range(300):  # more than the rings have
        frame = FRAME + bytes((turn & 255,))
        assert front.transmit(frame) == [(0, abi.NETIF_RSP_OKAY)]
        front.post()
        wire.arrive(frame[::-1])
        assert wire.cable.got.pop() == frame and front.received() == [frame[::-1]]
    assert front.pending(front.tx_port) and (not split or front.pending(front.rx_port))
    assert wire.domain.hv.audit() == ""


def test_frames_in_several_slots() -> None:
    wire = Wire()
    front = wire.front
    big = random.Random(1).randbytes(9000)
    assert front.transmit(big, pieces=6) == [(i, 0) for i in range(6)] and wire.cable.got == [big]
    assert len(front.transmit(big, pieces=MAX_SLOTS + 1)) == MAX_SLOTS + 1 and wire.cable.got == [big]
    front.post(8)
    wire.arrive(big)
    assert front.received() == [big] and len(front.posted) == 5


def test_without_sg_only_frames_of_one_page_arrive() -> None:
    wire = Wire(sg=0)
    wire.front.post(8)
    for length in (5000, 4096, 1500):
        wire.arrive(bytes(length))
    assert [len(frame) for frame in wire.front.received()] == [4096, 1500]


def test_frames_wait_for_buffers() -> None:
    wire = Wire()
    front = wire.front
    frames = [FRAME + bytes((i,)) for i in range(6)]
    for frame in frames:
        wire.arrive(frame)
    assert front.received() == [] and len(wire.cable.state.frames) == 6
    front.rx.set_index("req_event", 0)  # as it lay there; the back end asks for the event that it needs
    front.post(7)
    wire.pass_time()
    # 4 slots are kept free for a frame of any length
    assert front.received() == frames[:4]
    assert front.rx.index("req_event") == front.rx.req_prod + 1
    front.post(4)
    wire.pass_time()
    assert front.received() == frames[4:]


def test_a_link_that_is_down_loses_frames() -> None:
    wire = Wire()
    wire.front.post(8)
    wire.front.state(abi.XenbusStateClosing)
    wire.front.state(abi.XenbusStateClosed)
    wire.arrive(FRAME)
    assert wire.cable.state.frames == () and wire.front.received() == []


def ip(payload: object, protocol: int, **more: int) -> bytes:
    packet = dpkt.ip.IP(src=b"\x0a\0\0\1", dst=b"\x0a\0\0\2", p=protocol, data=payload, **more)
    packet.len = len(packet)
    return bytes(dpkt.ethernet.Ethernet(src=b"\0\x16\x3e\0\0\1", dst=b"\0\x16\x3e\0\0\2", data=packet))


@pytest.mark.parametrize("length", [0, 1, 100, 1401])
@pytest.mark.parametrize("protocol", [dpkt.ip.IP_PROTO_TCP, dpkt.ip.IP_PROTO_UDP])
def test_blank_checksums_are_filled_in(length: int, protocol: int) -> None:
    data = random.Random(length).randbytes(length)
    if protocol == dpkt.ip.IP_PROTO_UDP:
        inner, at = dpkt.udp.UDP(sport=1, dport=2, ulen=8 + length, data=data), 6
    else:
        inner, at = dpkt.tcp.TCP(sport=1, dport=2, data=data), 16
    good = ip(inner, protocol)  # dpkt fills it in
    place = 14 + 20 + at
    blank = good[:place] + b"\xab\xcd" + good[place + 2 :]
    wire = Wire()
    assert wire.front.transmit(blank, flags=BLANK) == [(0, 0)] and wire.cable.got == [good]
    assert wire.front.transmit(blank) == [(0, 0)] and wire.cable.got[1] == blank
    assert fill_checksum(blank + b"\0" * 9) == good + b"\0" * 9  # padding is none of the packet's


def test_checksums_of_what_is_no_whole_packet_are_left_alone() -> None:
    whole = ip(dpkt.udp.UDP(sport=1, dport=2, ulen=12, data=b"abcd"), 17)
    for frame in (FRAME, whole[:30], whole[:40], ip(b"abcdefgh", 47), ip(b"abcdefgh", 17, mf=1), b"", whole[:13],
                  *(whole[:14] + version + whole[15:] for version in (b"\x4f", b"\x41", b"\x65")),
                  whole[:16] + b"\xff\xff" + whole[18:]):  # fmt: skip
        assert fill_checksum(frame) == frame


def test_wrong_frames_are_errors() -> None:
    wire = Wire()
    front = wire.front
    ref = front.page(readonly=True)

    def slot(size: int, *, offset: int = 0, flags: int = 0, gref: int = ref) -> bytes:
        return struct.pack("<IHHHH", gref, offset, int(flags), 5, size)

    extra = bytes((abi.XEN_NETIF_EXTRA_TYPE_GSO, 0)).ljust(12, b"\0")
    for slots, answers in (
        ([slot(13)], [(5, -1)]),
        ([slot(100, offset=4000)], [(5, -1)]),
        ([slot(100, offset=0xFFFF)], [(5, -1)]),
        ([slot(100, gref=0xFFFFFFFF)], [(5, -1)]),
        ([slot(100, flags=MORE), slot(101)], [(5, -1)] * 2),
        ([slot(100, flags=EXTRA), extra], [(5, -1), (0, 1)]),
        ([slot(100, flags=EXTRA | MORE), extra, slot(50)], [(5, -1), (0, 1), (5, -1)]),
        ([slot(0xFFFF, flags=MORE), slot(0xFFF0)], [(5, -1)] * 2),
        ([slot(100)], [(5, 0)]),
    ):
        assert front.transmit_raw(*slots) == answers
    assert len(wire.cable.got) == 1 and wire.domain.hv.audit() == ""


def test_a_receive_page_that_is_not_granted_is_an_error_in_its_slot() -> None:
    wire = Wire()
    front = wire.front
    front.post(5)
    front.revoke(front.posted[0])
    wire.arrive(FRAME)
    assert front.rx.get_bytes(64, 8) == struct.pack("<HHHh", 0, 0, 0, abi.NETIF_RSP_ERROR)


@pytest.mark.parametrize("flags", [MORE, EXTRA])
def test_a_frame_that_has_no_end_breaks_the_ring(flags: int) -> None:
    wire = Wire()
    front = wire.front
    ref = front.page(readonly=True)
    front.tx.push(struct.pack("<IHHHH", ref, 0, int(flags), 0, 100))
    front.send(front.tx_port)
    assert front.get("state") == str(int(CLOSING)) and "goes on" in front.error and wire.cable.got == []
    front.state(abi.XenbusStateClosed)
    front.state(abi.XenbusStateInitialising)
    assert front.connect() == CONNECTED


@pytest.mark.parametrize("which", ["tx", "rx"])
def test_impossible_indices(which: str) -> None:
    wire = Wire()
    front = wire.front
    getattr(front, which).set_index("req_prod", 257)
    front.send(front.tx_port)
    wire.arrive(FRAME)
    assert front.get("state") == str(int(CLOSING)) and "ring of 256" in front.error


def test_flipping_is_refused_and_features_are_said() -> None:
    domain = guest().domain
    front = NetFront(domain, attach_nic(domain, NicOptions(switch="lan", mac=parse_mac("52:54:00:12:34:56"))))
    assert front.connect(request_rx_copy=0) == CLOSING and "request-rx-copy" in front.error
    names = ("feature-sg", "feature-gso-tcpv4", "feature-split-event-channels", "mac")
    assert [front.get(name) for name in names] == ["1", "0", "1", "52:54:00:12:34:56"]
    assert isinstance(front, Front)


@pytest.mark.parametrize("seed", range(8))
def test_noise(seed: int) -> None:
    rng = random.Random(seed)
    wire = Wire(split=rng.choice([False, True]))
    front = wire.front
    refs = [front.page() for _ in range(3)]
    for _ in range(150):
        match rng.randrange(6):
            case 0:
                front.tx.put_bytes(64, rng.randbytes(300))
                front.tx.set_index("req_prod", front.tx.index("rsp_prod") + rng.choice([0, 1, 9, 255, 256, 257]))
            case 1:
                front.tx.req_prod = front.tx.index("rsp_prod")
                slot = (rng.choice([*refs, 0, rng.getrandbits(32)]), rng.choice([0, 50, 4095]), rng.randrange(16), 3,
                        rng.choice([0, 14, 60, 4096, 65535]))  # fmt: skip
                front.tx.push(*[struct.pack("<IHHHH", *slot)] * rng.randrange(1, 5))
            case 2:
                front.rx.req_prod = front.rx.index("rsp_prod") + rng.randrange(5)
                front.post(rng.randrange(3))
            case 3:
                wire.arrive(rng.randbytes(rng.choice([60, 1500, 9000])))
            case 4:
                front.set(state=rng.choice([1, 3, 4, 4, 4, 5, 6]))
            case 5:
                front.set_entry(rng.choice([*refs, *front.tx.refs]), rng.getrandbits(3), 0, rng.getrandbits(14))
        front.send(rng.choice([front.tx_port, front.rx_port]))
    assert wire.domain.hv.audit() == ""
