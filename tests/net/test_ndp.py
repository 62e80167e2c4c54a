"""The NAT has no IPv6, and says so to a guest that asks for routers."""

import dpkt
import pytest

from hv.net.nat import GATEWAY, Nat, ethernet_of
from hv.net.ndp import ROUTER, TYPE_IPV6
from tests.devices.machine import TestMachine
from tests.net.guest import MAC, Guest

OWN = bytes.fromhex("fe80000000000000505400fffe123456")
NOBODY = bytes(16)
ROUTERS, NODES = (bytes.fromhex(f"ff02{'00' * 13}0{n}") for n in (2, 1))
SOURCE = b"\1\1" + MAC
"""The option with the sender's Ethernet address."""


def solicitation(
    source: bytes = OWN, options: bytes = SOURCE, kind: int = 133, code: int = 0, hops: int = 255
) -> bytes:
    message = dpkt.icmp6.ICMP6(type=kind, code=code, data=bytes(4) + options)
    packet = dpkt.ip6.IP6(src=source, dst=ROUTERS, nxt=58, hlim=hops, plen=len(message), data=message)
    packet.extension_hdrs = {}
    return bytes(packet)  # with the checksum


def asked(packet: bytes) -> list[dpkt.ethernet.Ethernet]:
    machine = TestMachine()
    guest = Guest(machine, Nat(machine, "net0"))
    guest.ethernet(packet, TYPE_IPV6, b"\x33\x33\0\0\0\2")
    return guest.take()


@pytest.mark.parametrize(("source", "options", "target"), [
    (OWN, SOURCE, OWN), (OWN, b"", OWN), (OWN, b"\x0e\2" + bytes(14) + SOURCE, OWN), (NOBODY, b"", NODES),
])  # fmt: skip
def test_there_is_no_router(source: bytes, options: bytes, target: bytes) -> None:
    (frame,) = asked(solicitation(source, options))
    packet = frame.data
    assert (frame.dst, frame.src, packet.src, packet.dst) == (MAC, ethernet_of(GATEWAY), ROUTER, target)
    assert (packet.nxt, packet.hlim, packet.data.type, packet.data.code) == (58, 255, 134, 0)
    # Hop limit, flags, lifetime and timers; the option with the sender's address.
    assert packet.data.data == bytes(12) + b"\1\1" + ethernet_of(GATEWAY)
    given, packet.data.sum = packet.data.sum, 0
    packet.extension_hdrs = {}
    assert given == dpkt.ip6.IP6(bytes(packet)).data.sum


WHOLE = solicitation()


@pytest.mark.parametrize("packet", [
    solicitation(hops=64), solicitation(kind=135), solicitation(code=1), solicitation(NOBODY), WHOLE[:-1], WHOLE[:47],
    solicitation(options=b"\1\0" + MAC), solicitation(options=b"\1\2" + MAC), solicitation(options=b"\1"),
    WHOLE[:43] + bytes((WHOLE[43] ^ 1,)) + WHOLE[44:], b"\x45" + WHOLE[1:], WHOLE[:4] + b"\0\4" + WHOLE[6:],
    WHOLE[:6] + b"\x11" + WHOLE[7:], b"",
])  # fmt: skip
def test_no_answer_to_what_is_no_solicitation(packet: bytes) -> None:
    assert asked(packet) == []
