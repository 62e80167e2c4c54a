"""TCP as a NAT speaks it with its guest: each connection ends here, and its bytes go on to the host as requests.

The cable neither loses nor reorders frames, only a card without buffers or a full queue does: segments out of order are
asked for again, and what is not acknowledged in time is sent again from there on. RFC 9293 without options but the
maximum segment size.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hv.devices.device import NEVER
from hv.net import headers
from hv.net.connection import FIELDS, MASK, MSS, Connection, Phase
from hv.net.headers import ACK, FIN, PSH, RST, SYN, Ipv4, Tcp
from hv.net.messages import WINDOW, Close, Credit, Event, Open, Refusal, Request, Send, Shutdown
from hv.net.part import Net, Part

CONNECTIONS = 256
"""At most at one time; a guest that asks for more is refused."""
LEAST_MSS = 64
"""However little a guest says it can take: no attack of a million tiny segments."""
RETRY_NS = 200_000_000
"""The first time that an acknowledgment is waited for; each further one is twice as long."""
TRIES = 8
PATIENCE = 5


class TcpTable(Part):
    """All connections of one NAT."""

    def __init__(self, net: Net) -> None:
        super().__init__(net)
        self.by_flow: dict[int, Connection] = {}
        self.by_key: dict[tuple[bytes, int, bytes, int], Connection] = {}

    def flows(self) -> list[int]:
        """By age."""
        return list(self.by_flow)

    def save(self) -> tuple[Any, ...]:
        """The connections' fields."""
        return tuple(tuple(getattr(c, name) for name in FIELDS) for c in self.by_flow.values())

    def load(self, saved: Iterable[Any]) -> None:
        """The connections of another time."""
        connections = [Connection(*values) for values in saved]
        self.by_flow = {c.flow: c for c in connections}
        self.by_key = {c.key: c for c in connections}

    # ---- the guest's segments ----

    def segment(self, packet: Ipv4, outside: bool) -> None:
        """A packet of the guest's. outside: connections may go out at all."""
        segment = headers.read_tcp(packet)
        if segment is None:
            return
        c = self.by_key.get((packet.source, segment.source_port, packet.target, segment.target_port))
        if c is not None:
            self._existing(c, segment)
        elif segment.flags & (SYN | ACK | RST | FIN) == SYN and len(self.by_flow) < CONNECTIONS and outside:
            self._open(packet, segment)
        elif segment.flags & (SYN | ACK) == SYN and not outside:
            self.net.unreachable(packet, headers.PROHIBITED)
        elif not segment.flags & RST:
            self._refuse(packet, segment)

    def _refuse(self, packet: Ipv4, segment: Tcp) -> None:
        length = len(segment.payload) + bool(segment.flags & SYN) + bool(segment.flags & FIN)
        expected = segment.sequence + length & MASK
        answer = Tcp(segment.target_port, segment.source_port, 0, expected, RST | ACK, 0)
        if segment.flags & ACK:
            answer = answer._replace(sequence=segment.acknowledgment, acknowledgment=0, flags=RST)
        data = headers.write_tcp(packet.target, packet.source, answer)
        self.net.packet(Ipv4(headers.TCP, packet.target, packet.source, data))

    def _open(self, packet: Ipv4, segment: Tcp) -> None:
        flow = self.net.new_flow()
        c = self._new(flow, packet.source, segment.source_port, packet.target, segment.target_port, Phase.OPENING)
        self._meet(c, segment)
        self.net.request(Open(flow, headers.TCP, packet.target, segment.target_port))

    def _new(self, flow: int, guest: bytes, guest_port: int, peer: bytes, port: int, phase: Phase) -> Connection:
        first = self.net.now_ns // 4000 + flow * 0x10001 & MASK
        c = Connection(flow, guest, guest_port, peer, port, phase, first, first, first)
        self.by_flow[flow] = self.by_key[c.key] = c
        return c

    def _meet(self, c: Connection, segment: Tcp) -> None:
        """The guest's SYN."""
        c.expected = c.edge = segment.sequence + 1 & MASK
        c.window = segment.window
        c.mss = max(min(segment.mss or 536, MSS), LEAST_MSS)

    def _existing(self, c: Connection, segment: Tcp) -> None:
        if segment.flags & RST:
            if c.phase == Phase.CALLING or segment.sequence - c.expected & MASK < WINDOW:
                self._end(c, Close(c.flow, abort=True))
            return
        if c.phase == Phase.OPENING:
            return  # its SYN again; the host is still busy
        if segment.flags & SYN:
            self._synchronized(c, segment)
            return
        if not segment.flags & ACK:
            return
        if not self._acknowledge(c, segment):
            self._send(c, ACK)
            return
        had = c.in_flight
        answer = self._receive(c, segment)
        if self.by_flow.get(c.flow) is c:
            self._push(c)
            if answer and c.in_flight == had:
                self._send(c, ACK)
            self._end_if_done(c)

    def _synchronized(self, c: Connection, segment: Tcp) -> None:
        if c.phase == Phase.CALLING and segment.flags & ACK and segment.acknowledgment == c.highest:
            self._meet(c, segment)
            self._acknowledge(c, segment)
            self._send(c, ACK)
            self._push(c)
        elif c.phase == Phase.ANSWERED:
            self._send(c, SYN | ACK, sequence=c.acknowledged)
        elif c.phase == Phase.OPEN:
            self._send(c, ACK)

    def _acknowledge(self, c: Connection, segment: Tcp) -> bool:
        """Whether the segment acknowledges something that was sent."""
        count = segment.acknowledgment - c.acknowledged & MASK
        if count > c.highest - c.acknowledged & MASK:
            return count > MASK >> 1  # an old one
        c.window = segment.window
        if count == 0:
            if c.window and c.deadline != NEVER and not c.in_flight:
                c.deadline, c.tries = NEVER, 0  # its window has opened
            elif not c.window:
                c.tries = min(c.tries, PATIENCE)  # shut, but there: it is asked for as long as that takes
            return c.phase == Phase.OPEN
        if c.phase != Phase.OPEN:
            c.phase = Phase.OPEN
            count -= 1
            c.acknowledged = c.acknowledged + 1 & MASK
        data = min(count, len(c.out))
        c.out = c.out[data:]
        c.acknowledged = c.acknowledged + count & MASK
        if c.following - c.acknowledged & MASK > MASK >> 1:
            c.following = c.acknowledged
        if count > data:
            c.fin_sent, c.following = True, c.highest
        if data:
            self.net.request(Credit(c.flow, data))
        c.tries = 0
        c.deadline = self.net.now_ns + RETRY_NS if c.in_flight else NEVER
        return True

    def _receive(self, c: Connection, segment: Tcp) -> bool:
        """Take the segment's bytes and FIN; whether it wants an answer."""
        behind = c.expected - segment.sequence & MASK
        data, fin = segment.payload, bool(segment.flags & FIN)
        if not data and not fin:
            return bool(behind) and behind <= MASK >> 1  # a keep-alive
        if c.guest_done or behind > len(data):
            return True  # out of order, or all of it known
        data = data[behind:]
        room = WINDOW - c.pending
        if len(data) > room:
            data, fin = data[:room], False
        if data:
            c.expected = c.expected + len(data) & MASK
            c.pending += len(data)
            self.net.request(Send(c.flow, data))
        if fin:
            c.expected = c.expected + 1 & MASK
            c.guest_done = True
            self.net.request(Shutdown(c.flow))
        return True

    # ---- to the guest ----

    def _send(self, c: Connection, flags: int, payload: bytes = b"", sequence: int | None = None) -> None:
        window = WINDOW - c.pending
        number = c.following if sequence is None else sequence
        acknowledgment = c.expected if flags & ACK else 0
        segment = Tcp(c.peer_port, c.guest_port, number, acknowledgment, flags, window, payload, flags & SYN and MSS)
        c.edge = c.expected + window & MASK
        self.net.packet(Ipv4(headers.TCP, c.peer, c.guest, headers.write_tcp(c.peer, c.guest, segment)))

    def _advance(self, c: Connection, count: int) -> None:
        c.following = c.following + count & MASK
        if c.following - c.highest & MASK <= MASK >> 1:
            c.highest = c.following
        if c.deadline == NEVER:
            c.deadline = self.net.now_ns + RETRY_NS

    def _push(self, c: Connection) -> None:
        """Send what the guest can take."""
        if c.phase != Phase.OPEN:
            return
        while not c.fin_sent:
            at = c.in_flight
            count = min(len(c.out) - at, c.mss, c.window - at)
            last = at + max(count, 0) == len(c.out)
            fin = FIN if c.host_done and last else 0
            if count <= 0 and not fin:
                break
            count = max(count, 0)
            self._send(c, ACK | fin | (PSH if last else 0), c.out[at : at + count])
            c.fin_sent = bool(fin)
            self._advance(c, count + bool(fin))
        if c.deadline == NEVER and c.out and not c.in_flight:
            c.deadline = self.net.now_ns + RETRY_NS  # the guest's window is shut: ask now and then

    def _end(self, c: Connection, last: Request | None) -> None:
        del self.by_flow[c.flow], self.by_key[c.key]
        if last is not None:
            self.net.request(last)

    def _end_if_done(self, c: Connection) -> None:
        if c.guest_done and c.fin_sent and not c.in_flight:
            self._end(c, Close(c.flow))

    def abort_all(self) -> None:
        """The guest is gone."""
        for c in list(self.by_flow.values()):
            self._end(c, Close(c.flow, abort=True))

    # ---- the host's events ----

    def forwarded(self, flow: int, guest: bytes, guest_port: int, peer: bytes, peer_port: int) -> None:
        """A connection comes from outside."""
        if flow in self.by_flow or (guest, guest_port, peer, peer_port) in self.by_key:
            return
        if len(self.by_flow) >= CONNECTIONS:
            self.net.request(Close(flow, abort=True))
            return
        c = self._new(flow, guest, guest_port, peer, peer_port, Phase.CALLING)
        self._send(c, SYN)
        self._advance(c, 1)

    def event(self, kind: Event, flow: int, rest: bytes) -> None:
        """Something has come in for a connection."""
        c = self.by_flow[flow]
        match kind:
            case Event.CONNECTED if c.phase == Phase.OPENING:
                c.phase = Phase.ANSWERED
                self._send(c, SYN | ACK)
                self._advance(c, 1)
            case Event.REFUSED if c.phase == Phase.OPENING:
                self._refused(c, rest)
            case Event.DATA if not c.host_done and len(c.out) + len(rest) <= WINDOW:
                c.out += rest
                self._push(c)
            case Event.SENT:
                c.pending = max(c.pending - int.from_bytes(rest[:4], "big"), 0)
                if c.phase == Phase.OPEN and c.edge - c.expected & MASK < 2 * MSS:
                    self._send(c, ACK)
            case Event.EOF:
                c.host_done = True
                self._push(c)
            case Event.RESET:
                if c.phase != Phase.OPENING:
                    self._send(c, RST | ACK)
                    self._end(c, None)
                else:
                    self._refused(c, bytes((Refusal.REFUSED,)))

    def _refused(self, c: Connection, rest: bytes) -> None:
        if rest[:1] == bytes((Refusal.REFUSED,)):
            self._send(c, RST | ACK)
        else:
            syn = Tcp(c.guest_port, c.peer_port, c.expected - 1 & MASK, 0, SYN, 0)
            packet = Ipv4(headers.TCP, c.guest, c.peer, headers.write_tcp(c.guest, c.peer, syn))
            self.net.unreachable(packet, headers.PROHIBITED if rest[:1] == bytes((Refusal.PROHIBITED,)) else 1)
        self._end(c, None)

    # ---- time ----

    def next_deadline(self) -> int:
        """When the first connection has waited long enough."""
        return min((c.deadline for c in self.by_flow.values() if c.deadline != NEVER), default=NEVER)

    def due(self) -> None:
        """Send again what was not acknowledged."""
        for c in list(self.by_flow.values()):
            if c.deadline != NEVER and c.deadline <= self.net.now_ns:
                self._again(c)

    def _again(self, c: Connection) -> None:
        c.tries += 1
        if c.tries > TRIES:
            if c.phase == Phase.OPEN:
                self._send(c, RST | ACK)
            self._end(c, Close(c.flow, abort=True))
            return
        c.deadline = self.net.now_ns + (RETRY_NS << c.tries)
        if c.phase == Phase.ANSWERED:
            self._send(c, SYN | ACK, sequence=c.acknowledged)
        elif c.phase == Phase.CALLING:
            self._send(c, SYN, sequence=c.acknowledged)
        elif c.out and not c.window:
            self._send(c, ACK | PSH, c.out[:1], sequence=c.acknowledged)
            c.following = c.acknowledged
            if c.highest == c.acknowledged:
                self._advance(c, 1)
                c.following = c.acknowledged
        else:
            c.following, c.fin_sent = c.acknowledged, False
            self._push(c)
