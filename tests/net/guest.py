"""A guest's TCP/IP stack for tests, in as little as it takes: dpkt makes and reads its packets, so what hv.net writes
is judged by somebody else's code.

`Guest` sits at the card's end of a port's cable, on a machine whose time the test moves.
"""

from __future__ import annotations

import socket

import dpkt

from hv.net.nat import GATEWAY, ethernet_of
from hv.net.port import Port
from tests.devices.machine import TestMachine

MAC = b"\x52\x54\x00\x12\x34\x56"
ADDRESS = bytes((10, 0, 2, 15))


class Guest:
    """A card and what is behind it. `received`: frames, oldest first; `no_buffers`: none to receive into. `told`: how
    often it was told that frames wait."""

    def __init__(self, machine: TestMachine, port: Port, mac: bytes = MAC, address: bytes = ADDRESS) -> None:
        self.machine, self.mac, self.address = machine, mac, address
        self.received: list[bytes] = []
        self.no_buffers = False
        self.told = 0
        self.port: Port | None = None
        self.cable = port
        port.plug(self)

    # ---- hv.net.port.Nic ----

    def accept(self, data: bytes) -> None:
        self.received.append(data)

    def holding(self) -> bool:
        return self.no_buffers

    def full(self) -> None:
        self.told += 1

    # ---- frames ----

    def send(self, frame: bytes) -> None:
        self.cable.send(frame)

    def ethernet(self, payload: bytes, kind: int = 0x0800, target: bytes = ethernet_of(GATEWAY)) -> None:
        self.send(bytes(dpkt.ethernet.Ethernet(dst=target, src=self.mac, type=kind, data=payload)))

    def ip(self, target: bytes, protocol: int, payload: object, **more: int) -> None:
        packet = dpkt.ip.IP(src=self.address, dst=target, p=protocol, data=payload, **more)
        packet.len = len(packet)
        self.ethernet(bytes(packet))

    def udp(self, target: bytes, port: int, payload: bytes, source: int = 4000) -> None:
        datagram = dpkt.udp.UDP(sport=source, dport=port, data=payload)
        datagram.ulen = len(datagram)
        self.ip(target, 17, datagram)

    def arp(self, target: bytes = GATEWAY) -> None:
        self.ethernet(bytes(dpkt.arp.ARP(sha=self.mac, spa=self.address, tpa=target)), 0x0806, b"\xff" * 6)

    def take(self, ns: int = 20_000) -> list[dpkt.ethernet.Ethernet]:
        """What arrives within that time, and has come before, taken apart."""
        self.machine.advance(ns)
        frames, self.received = self.received, []
        return [dpkt.ethernet.Ethernet(frame) for frame in frames]

    def packets(self, ns: int = 20_000) -> list[dpkt.ip.IP]:
        """The IPv4 packets among them, checked."""
        found = [frame.data for frame in self.take(ns) if isinstance(frame.data, dpkt.ip.IP)]
        for packet in found:
            assert dpkt.in_cksum(bytes(packet)[:20]) == 0
            if isinstance(packet.data, (dpkt.tcp.TCP, dpkt.udp.UDP)) and not packet.mf and not packet.offset:
                given, packet.data.sum, packet.sum = packet.data.sum, 0, 0
                bytes(packet)  # dpkt fills the sums in
                assert packet.data.sum == given
        return found


class Stream:
    """One TCP connection of a guest's: sends in segments, takes what comes in order, acknowledges each segment."""

    def __init__(self, guest: Guest, target: bytes, port: int, source: int = 33000, window: int = 60000) -> None:
        self.guest, self.target, self.port, self.source, self.window = guest, target, port, source, window
        self.sequence, self.expected = 1000, 0
        self.data = b""
        self.open = self.ended = self.refused = self.unreachable = False
        self.acknowledged = 1000
        self.peer_window = 0
        self.send(2)
        self.sequence += 1

    def send(self, flags: int, data: bytes = b"", sequence: int | None = None) -> None:
        number = self.sequence if sequence is None else sequence
        segment = dpkt.tcp.TCP(sport=self.source, dport=self.port, seq=number, ack=self.expected if flags & 16 else 0,
                               flags=flags, win=self.window, data=data)
        if flags & 2:
            segment.opts = b"\x02\x04\x05\xb4"
            segment.off = 6
        self.guest.ip(self.target, 6, segment)

    def write(self, data: bytes) -> None:
        for at in range(0, len(data), 1460):
            piece = data[at : at + 1460]
            self.send(0x18, piece)
            self.sequence += len(piece)

    def finish(self) -> None:
        self.send(0x11)
        self.sequence += 1

    def run(self, ns: int = 20_000) -> None:
        """Take what has arrived for this connection."""
        for packet in self.guest.packets(ns):
            if isinstance(packet.data, dpkt.icmp.ICMP):
                self.unreachable = packet.data.type == 3
            elif isinstance(packet.data, dpkt.tcp.TCP) and packet.data.dport == self.source:
                self.segment(packet.data)

    def segment(self, segment: dpkt.tcp.TCP) -> None:
        if segment.flags & 4:
            self.refused = True
            return
        if segment.flags & 16:
            self.acknowledged, self.peer_window = segment.ack, segment.win
        if segment.flags & 2:
            self.open, self.expected = True, segment.seq + 1
        elif segment.seq == self.expected:
            self.data += segment.data
            self.expected += len(segment.data)
            if segment.flags & 1:
                self.ended = True
                self.expected += 1
        if segment.flags & 3 or segment.data:
            self.send(0x10)


def address(text: str) -> bytes:
    return socket.inet_aton(text)
