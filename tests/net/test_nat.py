"""The NAT's own services, which need no host: ARP, DHCP, echo, and clear refusals."""

import dpkt
import pytest

from hv.net.checksum import checksum
from hv.net.nat import DNS, FIRST_GUEST, GATEWAY, Nat, NatConfig, ethernet_of
from hv.net.port import DELAY_NS, PATIENCE, QUEUE
from tests.devices.machine import TestMachine
from tests.net.guest import ADDRESS, MAC, Guest, Stream, address


def network(config: NatConfig = NatConfig()) -> tuple[TestMachine, Nat, Guest]:  # noqa: B008
    machine = TestMachine()
    nat = Nat(machine, "net0", config)
    return machine, nat, Guest(machine, nat)


def test_arp_answers_for_the_gateway_and_the_name_server_and_nobody_else() -> None:
    _, _, guest = network()
    for target in (GATEWAY, DNS, address("10.0.2.77")):
        guest.arp(target)
    answers = [frame.data for frame in guest.take()]
    assert [(a.op, a.spa, a.sha, a.tpa, a.tha) for a in answers] == [
        (2, target, ethernet_of(target), ADDRESS, MAC) for target in (GATEWAY, DNS)
    ]


def test_nothing_arrives_in_the_moment_it_is_sent() -> None:
    _, _, guest = network()
    guest.arp()
    assert not guest.take(DELAY_NS - 1)
    assert len(guest.take(1)) == 1


def dhcp(guest: Guest, kind: int, *options: tuple[int, bytes], mac: bytes | None = None) -> list[dpkt.dhcp.DHCP]:
    message = dpkt.dhcp.DHCP(chaddr=mac or guest.mac, xid=77, opts=((53, bytes((kind,))), *options))
    datagram = dpkt.udp.UDP(sport=68, dport=67, data=bytes(message))
    datagram.ulen = len(datagram)
    packet = dpkt.ip.IP(src=bytes(4), dst=b"\xff" * 4, p=17, data=datagram)
    packet.len = len(packet)
    guest.ethernet(bytes(packet), target=b"\xff" * 6)
    return [dpkt.dhcp.DHCP(bytes(p.data.data)) for p in guest.packets()]


def test_a_guest_gets_its_address_by_dhcp() -> None:
    _, nat, guest = network(NatConfig(bootfile="ipxe.lkrn"))
    (offer,) = dhcp(guest, 1)
    options = dict(offer.opts)
    assert (offer.op, offer.xid, offer.yiaddr.to_bytes(4, "big"), offer.siaddr.to_bytes(4, "big")) == (
        2, 77, FIRST_GUEST, GATEWAY,
    )  # fmt: skip
    assert (options[53], options[54], options[1], options[3], options[6]) == (
        b"\2", GATEWAY, b"\xff\xff\xff\0", GATEWAY, DNS,
    )  # fmt: skip
    assert options[67] == b"ipxe.lkrn" and offer.file.rstrip(b"\0") == b"ipxe.lkrn"
    (ack,) = dhcp(guest, 3, (50, FIRST_GUEST), (54, GATEWAY))
    assert dict(ack.opts)[53] == b"\5"
    (nak,) = dhcp(guest, 3, (50, address("10.0.2.99")), (54, GATEWAY))
    assert dict(nak.opts)[53] == b"\6" and nak.yiaddr == 0
    assert dhcp(guest, 3, (50, FIRST_GUEST), (54, address("10.0.2.9"))) == []
    (second,) = dhcp(guest, 1, mac=b"\x52\x54\0\0\0\1")
    assert second.yiaddr.to_bytes(4, "big") == address("10.0.2.16")
    nat.reset()
    (again,) = dhcp(guest, 1)
    assert again.yiaddr.to_bytes(4, "big") == FIRST_GUEST


def test_ipxe_need_not_listen_for_a_second_server() -> None:
    """Its own options lie in option 175; 176 among them is "no-pxedhcp"."""
    _, _, guest = network(NatConfig(bootfile="a.ipxe"))
    (offer,) = dhcp(guest, 1, (175, b"\x13\1\1"))
    (ack,) = dhcp(guest, 3, (175, b"\x13\1\1"), (50, FIRST_GUEST))
    (nak,) = dhcp(guest, 3, (175, b"\x13\1\1"), (50, GATEWAY))
    (other,) = dhcp(guest, 1)
    assert [dict(m.opts).get(175) for m in (offer, ack, nak, other)] == [b"\xb0\1\1", b"\xb0\1\1", None, None]


def test_leases_come_to_an_end() -> None:
    _, nat, guest = network()
    answers = [dhcp(guest, 1, mac=b"\x52\x54\0\0" + n.to_bytes(2, "big")) for n in range(40)]
    assert [len(a) for a in answers] == [1] * 16 + [0] * 24
    assert len(nat.state.leases) == 16


def test_the_gateway_answers_echoes() -> None:
    _, _, guest = network()
    echo = dpkt.icmp.ICMP.Echo(id=5, seq=9, data=b"x" * 3000)
    data = bytes(dpkt.icmp.ICMP(type=8, data=echo))
    for start in (0, 1480, 2960):
        flags = {"_flags_offset": (0x2000 if start < 2960 else 0) | start // 8}
        guest.ip(GATEWAY, 1, data[start : start + 1480], id=3, **flags)
    pieces = guest.packets()
    assert [(p.mf, p.offset) for p in pieces] == [(1, 0), (1, 185), (0, 370)]
    whole = b"".join(bytes(p)[20:] for p in pieces)
    assert (whole[0], whole[8:]) == (0, b"x" * 3000) and dpkt.in_cksum(whole) == 0


def test_without_a_way_out_connections_are_refused_with_a_reason() -> None:
    machine, nat, guest = network()
    requests: list[object] = []
    nat.on_request = lambda number, request: requests.append(request)
    guest.udp(address("192.0.2.1"), 53, b"hello")
    (message,) = guest.packets()
    assert (message.data.type, message.data.code) == (3, 13)
    about = message.data.data.data
    assert (about.dst, about.p) == (address("192.0.2.1"), 17)
    stream = Stream(guest, address("192.0.2.1"), 80)
    stream.run()
    assert stream.unreachable and not stream.open
    assert requests == [] and nat.flows() == [] and not machine.deadlines


def test_a_segment_of_no_connection_is_reset() -> None:
    _, _, guest = network()
    guest.arp()
    guest.take()
    guest.ip(GATEWAY, 6, dpkt.tcp.TCP(sport=1, dport=2, seq=10, ack=20, flags=0x10))
    (answer,) = guest.packets()
    assert (answer.data.flags, answer.data.seq) == (4, 20)


def test_frames_wait_for_the_cards_buffers() -> None:
    machine, nat, guest = network()
    guest.no_buffers = True
    for _ in range(QUEUE + 50):
        guest.arp()
    assert guest.take(350_000) == [] and guest.told == 3
    nat.room()
    assert guest.take(350_000) == [] and guest.told == 3
    assert guest.take(100_000) == [] and guest.told == 4
    guest.no_buffers = False
    nat.room()
    assert len(guest.take()) == QUEUE and not machine.deadlines


def test_a_card_that_never_has_buffers_loses_frames_in_the_end() -> None:
    machine, nat, guest = network()
    guest.no_buffers = True
    for _ in range(QUEUE):
        guest.arp()
    machine.advance(10**9)
    assert guest.told == PATIENCE and not machine.deadlines and nat.state.frames == ()
    assert len(guest.received) == QUEUE  # given to the card, which has none for them


BAD = (
    b"", b"\0" * 13, b"\xff" * 14, b"\xff" * 12 + b"\x08\x00", b"\xff" * 12 + b"\x08\x06" + b"\1" * 27,
    b"\xff" * 12 + b"\x08\x00" + b"\x4f" + b"\0" * 30, b"\xff" * 12 + b"\x08\x00" + b"\x45\0\xff\xff" + b"\0" * 30,
    b"\xff" * 12 + b"\x86\xdd" + b"\0" * 60,
)  # fmt: skip


@pytest.mark.parametrize("frame", BAD)
def test_malformed_frames_are_dropped(frame: bytes) -> None:
    _, _, guest = network(NatConfig(outside=True, files=True))
    guest.send(frame)
    assert guest.take() == []


def test_wrong_checksums_are_dropped() -> None:
    _, nat, guest = network(NatConfig(outside=True))
    datagram = dpkt.udp.UDP(sport=1, dport=9, data=b"x", sum=0x1234)
    datagram.ulen = len(datagram)
    guest.ip(GATEWAY, 17, datagram)
    guest.ip(GATEWAY, 6, dpkt.tcp.TCP(sport=1, dport=2, flags=2, sum=1))
    guest.ip(GATEWAY, 17, datagram, sum=5)
    assert guest.take() == [] and nat.flows() == []


def test_fragments_are_bounded_and_overlaps_are_given_up() -> None:
    _, nat, guest = network()
    for number in range(1000):
        guest.ip(GATEWAY, 17, b"x" * 1480, id=number, _flags_offset=0x2000 | 100)
    assert len(nat.fragments.unfinished) == 16
    guest.ip(GATEWAY, 17, b"x" * 1480, id=999, _flags_offset=0x2000 | 101)
    assert len(nat.fragments.unfinished) == 15
    guest.ip(GATEWAY, 17, b"x" * 1000, id=5000, _flags_offset=0x1FFF)
    guest.ip(GATEWAY, 17, b"x" * 13, id=5001, _flags_offset=0x2000)
    assert len(nat.fragments.unfinished) == 15
    for start in range(0, 8000, 8):
        guest.ip(GATEWAY, 17, b"x" * 8, id=6000, _flags_offset=0x2000 | start // 8)
    assert max(len(u.pieces) for u in nat.fragments.unfinished) <= 128


def test_noise_changes_nothing_for_the_worse() -> None:
    """Frames that were good but for some bytes, and events of all kinds for all flows: no exception, all bounded."""
    machine, nat, guest = network(NatConfig(outside=True, files=True, bootfile="x"))
    nat.on_request = lambda number, request: None
    kept: list[bytes] = []
    send = nat.send
    nat.send = kept.append  # type: ignore[method-assign]
    guest.arp()
    guest.udp(GATEWAY, 69, b"\0\1file\0octet\0blksize\x001000\0")
    guest.udp(address("192.0.2.1"), 53, bytes(40))
    guest.ip(GATEWAY, 1, bytes(dpkt.icmp.ICMP(type=8, data=dpkt.icmp.ICMP.Echo(data=b"x" * 20))))
    guest.udp(GATEWAY, 67, bytes(dpkt.dhcp.DHCP(chaddr=MAC, opts=((53, b"\1"), (50, ADDRESS), (55, b"\1\3\6")))))
    for flags in (2, 16, 24, 17, 4):
        guest.ip(GATEWAY, 6, dpkt.tcp.TCP(sport=9, dport=80, seq=1000, ack=66000, flags=flags, win=99, data=b"abc"))
    random = 1
    for step in range(30_000):
        random = random * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        frame = bytearray(kept[(random >> 33) % len(kept)])
        for shift in range(8, 8 + 8 * (random >> 40 & 3), 8):
            frame[12 + (random >> shift) % (len(frame) - 12)] = random >> shift + 8 & 0xFF
        if random >> 50 & 1 and frame[12:14] == b"\x08\0":  # a good header sum, or most would end there
            frame[24:26] = bytes(2)
            frame[24:26] = checksum(bytes(frame[14:34])).to_bytes(2, "big")
        send(bytes(frame))
        nat.accept(bytes((random >> 20 & 15, 0, 0, 0, random >> 24 & 63)) + random.to_bytes(8, "big") * (step % 3))
        if step % 50 == 0:
            machine.advance(10**8)
            guest.received.clear()
    assert len(nat.flows()) <= 256 + 128 + 16 and len(nat.state.neighbours) <= 64 and len(nat.state.leases) <= 16
    twin = Nat(TestMachine(), "net0", nat.config)
    twin.load(nat.save())
    assert twin.canonical() == nat.canonical()
