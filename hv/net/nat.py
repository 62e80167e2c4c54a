"""A small network behind a NAT, for one guest: the machine's part of `--nic user`.

The network is 10.0.2.0/24, as QEMU has it: the gateway is 10.0.2.2 (to the guest, the host's own loopback), a name
server 10.0.2.3, and DHCP gives the guest 10.0.2.15. What is in here is a device of the machine: all its state is saved,
and it acts on frames, timers and events only. What the guest wants of the world outside becomes requests (messages.py),
which hv.net.host answers by events that enter through the input gate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from hv.devices.device import NEVER, Machine
from hv.net import dhcp, headers, messages, ndp
from hv.net.checksum import checksum
from hv.net.fragments import Fragments, cut
from hv.net.headers import ETHERNET, Arp, Ipv4, Udp
from hv.net.messages import Event, Request
from hv.net.part import Part
from hv.net.port import Port, PortState
from hv.net.tcp import TcpTable
from hv.net.tftp import Tftp
from hv.net.udp import UdpTable

NETWORK = b"\x0a\x00\x02"
GATEWAY, DNS, FIRST_GUEST = (NETWORK + bytes((n,)) for n in (2, 3, 15))
MASK = b"\xff\xff\xff\x00"
EVERYBODY = (b"\xff\xff\xff\xff", NETWORK + b"\xff")
NEIGHBOURS = 64
"""Guest addresses of which the Ethernet address is remembered."""


def ethernet_of(address: bytes) -> bytes:
    """The Ethernet address of the gateway or the name server."""
    return b"\x52\x55" + address


class NatConfig(NamedTuple):
    """What a NAT is told when it is made. outside: its guest may ask for connections to the world outside, and the host
    decides; else they are refused at once. files: the TFTP server has files. bootfile: named by DHCP."""

    outside: bool = False
    files: bool = False
    bootfile: str = ""


@dataclass
class NatState(PortState):
    """`requested`: requests so far, which says which of them are new when a run is repeated. `begun`: flows so far.
    `leases` as in hv.net.dhcp. `neighbours`: (address, Ethernet address), the last seen last."""

    requested: int = 0
    begun: int = 0
    identification: int = 0
    leases: tuple[bytes, ...] = ()
    neighbours: tuple[tuple[bytes, bytes], ...] = ()


class Nat(Port):
    """The NAT at the other end of one card's cable."""

    State: type[Any] = NatState

    def __init__(self, machine: Machine, name: str, config: NatConfig = NatConfig()) -> None:  # noqa: B008
        super().__init__(machine, name)
        self.config = config
        self.network = dhcp.Network(MASK, GATEWAY, DNS, FIRST_GUEST, config.bootfile)
        self.on_request: Callable[[int, Request], None] | None = None
        """Whoever serves the requests: called with the number of each, 1 being the first, and the request."""
        self.fragments, self.tcp = Fragments(self), TcpTable(self)
        self.udp, self.tftp = UdpTable(self), Tftp(self)
        self.parts: tuple[Part, ...] = (self.fragments, self.tcp, self.udp, self.tftp)

    # ---- frames from the guest ----

    def sent(self, frame: bytes) -> None:
        """The guest has sent a frame."""
        target, kind = frame[:6], int.from_bytes(frame[12:14], "big")
        if not target[0] & 1 and target not in (ethernet_of(GATEWAY), ethernet_of(DNS)):
            return
        if kind == headers.TYPE_ARP:
            self._arp(headers.read_arp(frame[ETHERNET:]))
        elif kind == headers.TYPE_IPV4:
            packet = headers.read_ipv4(frame[ETHERNET:])
            if packet is not None:
                self._from_guest(packet, frame[6:12])
        elif kind == ndp.TYPE_IPV6:
            self._solicited(frame)
        self.arm()

    def _arp(self, arp: Arp | None) -> None:
        if arp is None:
            return
        self._learn(arp.sender, arp.sender_mac)
        if arp.operation == headers.ARP_REQUEST and arp.target in (GATEWAY, DNS):
            own = ethernet_of(arp.target)
            answer = Arp(headers.ARP_REPLY, own, arp.target, arp.sender_mac, arp.sender)
            self.deliver(headers.ethernet(arp.sender_mac, own, headers.TYPE_ARP, headers.write_arp(answer)))

    def _solicited(self, frame: bytes) -> None:
        target = ndp.read_solicitation(frame[ETHERNET:])
        if target is not None:
            own = ethernet_of(GATEWAY)
            answer = ndp.write_advertisement(target, own)
            self.deliver(headers.ethernet(frame[6:12], own, ndp.TYPE_IPV6, answer))

    def _learn(self, address: bytes, mac: bytes) -> None:
        entry = (address, mac)
        inside = address[:3] == NETWORK and address not in (GATEWAY, DNS) and address[3] not in (0, 255)
        if inside and not mac[0] & 1 and self.state.neighbours[-1:] != (entry,):
            others = tuple(n for n in self.state.neighbours if n[0] != address)
            self.state.neighbours = (*others, entry)[-NEIGHBOURS:]

    def _from_guest(self, fragment: Ipv4, mac: bytes) -> None:
        self._learn(fragment.source, mac)
        packet = self.fragments.take(fragment)
        if packet is None:
            return
        if packet.protocol == headers.UDP:
            datagram = headers.read_udp(packet)
            if datagram is not None:
                self._datagram(packet, datagram, mac)
        elif packet.source[:3] != NETWORK or packet.target[0] >= 0xE0 or packet.target in EVERYBODY:
            return
        elif packet.protocol == headers.TCP:
            self.tcp.segment(packet, self.config.outside)
        elif packet.protocol == headers.ICMP:
            self._icmp(packet)

    def _datagram(self, packet: Ipv4, datagram: Udp, mac: bytes) -> None:
        everybody = packet.target in EVERYBODY
        if datagram.target_port == dhcp.SERVER_PORT and (everybody or packet.target == GATEWAY):
            self._dhcp(datagram.payload, mac)
        elif packet.source[:3] != NETWORK or packet.target[0] >= 0xE0 or everybody:
            return
        elif packet.target != GATEWAY or not self.tftp.datagram(
            packet.source, packet.target, datagram, self.config.files
        ):
            self.udp.datagram(packet, datagram, self.config.outside)

    def _dhcp(self, message: bytes, mac: bytes) -> None:
        answer = dhcp.answer(self.network, self.state.leases, message)
        if answer is None:
            return
        self.state.leases = answer.leases
        datagram = Udp(dhcp.SERVER_PORT, dhcp.CLIENT_PORT, answer.message)
        data = headers.write_udp(GATEWAY, answer.target, datagram)
        packet = headers.write_ipv4(Ipv4(headers.UDP, GATEWAY, answer.target, data, self._identify()))
        to = headers.BROADCAST if answer.target == EVERYBODY[0] else mac
        self.deliver(headers.ethernet(to, ethernet_of(GATEWAY), headers.TYPE_IPV4, packet))

    def _icmp(self, packet: Ipv4) -> None:
        data = packet.payload
        if len(data) < 8 or checksum(data) or data[0] != headers.ECHO:
            return
        if packet.target in (GATEWAY, DNS):
            answer = headers.write_icmp(headers.ECHO_REPLY, 0, data[4:])
            self.packet(Ipv4(headers.ICMP, packet.target, packet.source, answer))
        else:
            self.unreachable(packet, headers.PROHIBITED)  # an echo needs a raw socket, which needs privileges

    # ---- hv.net.part.Net ----

    @property
    def now_ns(self) -> int:
        """System time."""
        return self.machine.now_ns

    @property
    def first_guest(self) -> bytes:
        """Who gets what is forwarded."""
        return FIRST_GUEST

    def _identify(self) -> int:
        self.state.identification = self.state.identification + 1 & 0xFFFF
        return int(self.state.identification)

    def packet(self, packet: Ipv4) -> None:
        """Send the guest a packet; if nobody knows where it is, ask for it instead: TCP will send again."""
        mac = next((mac for address, mac in reversed(self.state.neighbours) if address == packet.target), None)
        own = ethernet_of(packet.source if packet.source == DNS else GATEWAY)
        if mac is None:
            question = headers.write_arp(Arp(headers.ARP_REQUEST, own, GATEWAY, bytes(6), packet.target))
            self.deliver(headers.ethernet(headers.BROADCAST, own, headers.TYPE_ARP, question))
            return
        for piece in cut(packet._replace(identification=self._identify())):
            self.deliver(headers.ethernet(mac, own, headers.TYPE_IPV4, headers.write_ipv4(piece)))

    def unreachable(self, packet: Ipv4, code: int) -> None:
        """An ICMP message about a packet of the guest's."""
        start = packet.header or headers.write_ipv4(packet)[:20]
        message = headers.write_icmp(headers.UNREACHABLE, code, bytes(4) + start + packet.payload[:8])
        self.packet(Ipv4(headers.ICMP, GATEWAY, packet.source, message))

    def datagram(self, source: bytes, target: bytes, datagram: Udp) -> None:
        """A UDP datagram for the guest."""
        self.packet(Ipv4(headers.UDP, source, target, headers.write_udp(source, target, datagram)))

    def request(self, request: Request) -> None:
        """Ask the host, if it listens."""
        self.state.requested += 1
        if self.on_request is not None:
            self.on_request(self.state.requested, request)

    def new_flow(self) -> int:
        """The next number."""
        self.state.begun = self.state.begun % (messages.HOST_FLOWS - 1) + 1
        return int(self.state.begun)

    # ---- events from the host ----

    def flows(self) -> list[int]:
        """All flows that live."""
        return [flow for part in self.parts for flow in part.flows()]

    def accept(self, data: bytes) -> None:
        """An event enters. Those that are malformed, or for flows that have ended, are dropped."""
        event = messages.read_event(data)
        if event is None:
            return
        kind, flow, rest = event
        if kind is Event.FORWARDED:
            self._forwarded(flow, rest)
        for part in self.parts:
            if kind is not Event.FORWARDED and flow in part.flows():
                part.event(kind, flow, rest)
                break
        self.arm()

    def _forwarded(self, flow: int, rest: bytes) -> None:
        if len(rest) != messages.FORWARD.size or flow < messages.HOST_FLOWS:
            return
        protocol, guest, guest_port, peer_port = messages.FORWARD.unpack(rest)
        guest = guest if any(guest) else self.first_guest
        if protocol == headers.TCP:
            self.tcp.forwarded(flow, guest, guest_port, GATEWAY, peer_port)
        elif protocol == headers.UDP:
            self.udp.forwarded(flow, guest, guest_port, GATEWAY, peer_port)

    # ---- time and state ----

    def next_deadline(self) -> int:
        """TCP's."""
        return min((d for part in self.parts if (d := part.next_deadline()) != NEVER), default=NEVER)

    def due(self) -> None:
        """TCP's deadline has come."""
        for part in self.parts:
            part.due()

    def reset(self) -> None:
        """The guest starts again: its connections are gone, its leases are not."""
        super().reset()
        self.tcp.abort_all()
        self.udp.close_all()
        self.tftp.close_all()
        self.fragments.load(())

    def save(self) -> tuple[Any, ...]:
        """Its state and its parts'."""
        return (super().save(), *(part.save() for part in self.parts))

    def load(self, saved: tuple[Any, ...]) -> None:
        """Become what save() gave."""
        own, *parts = saved
        for part, values in zip(self.parts, parts, strict=True):
            part.load(values)
        super().load(own)
