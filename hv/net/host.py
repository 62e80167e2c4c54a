"""The host's part of a NAT: sockets and files of an ordinary user, for what the guest's flows ask of the world.

It lives outside the machine and is polled between slices of a run. Requests that the machine makes are done at the next
poll(); all that comes of them enters through the input gate, at that place in time. A run that is repeated is not
served: its events enter again from the recording. When the run has taken another turn than the sockets know of, all
flows are reset, which is what the guest of a machine that was moved to another host would see.
"""

from __future__ import annotations

import selectors
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from hv.net import headers, messages
from hv.net.files import open_below, read_part
from hv.net.listeners import Forward, TcpListener, UdpListener
from hv.net.messages import Event, OpenFile, ReadFile, Refusal, Request, pack_event
from hv.net.nat import Nat
from hv.net.policy import Policy
from hv.net.sockets import Targets, UdpFlows
from hv.net.standing import Standing, Thread
from hv.net.streams import Stream

ROUNDS = 8
"""Times that poll() looks again at what its events have led to."""
ANSWER_SECONDS = 5.0
"""How long on the wall the answer to a datagram is waited for."""
SHORT_NS = 200_000
"""Idle time that is not worth waiting for: a frame's on its way."""
LINGERING = 64
"""Connections at most that the guest has done with, but the host has not taken all of."""


class Served(NamedTuple):
    """What a NatHost was made for, in short."""

    policy: Policy
    forwards: tuple[Forward, ...] = ()
    folder: Path | None = None
    """The TFTP server's files."""


class NatHost:
    """Serves one Nat. `enter` gives an event to the input gate for it. Raises OSError when a forwarded port of the
    host's cannot be listened on."""

    def __init__(self, nat: Nat, served: Served, thread: Thread, enter: Callable[[bytes], None]) -> None:
        self.nat, self.served, self.thread = nat, served, thread
        self._enter = enter
        self._selector = selectors.EpollSelector()
        self._requests: deque[Request] = deque()
        self._done = 0  # the number of the last request that was taken
        self._streams: dict[int, Stream] = {}
        self._lingering: deque[Stream] = deque()
        self._files: dict[int, Path] = {}
        self._next_flow = messages.HOST_FLOWS
        self._targets = Targets()
        self._udp = UdpFlows(self._selector, self._event)
        self._listeners: list[TcpListener | UdpListener] = []
        self._awaited: dict[int, float] = {}  # UDP flows that an answer is waited for, and until when
        self.on_wait: Callable[[bool], None] | None = None
        """Called when the guest begins to wait for the world outside (busy), in the middle of a slice even, and when it
        no longer does."""
        self._waits = False
        nat.on_request = self._request
        try:
            for forward in served.forwards:
                kind = TcpListener if forward.protocol == headers.TCP else UdpListener
                self._listeners.append(kind(forward, self._selector, self))
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        """A file descriptor that becomes readable when poll() would find something."""
        return self._selector.fileno()

    def files(self) -> list[int]:
        """What to wait for."""
        return [self.fileno()]

    def patience(self) -> float | None:
        """Nothing here has to be done at a time."""
        return None

    @property
    def busy(self) -> bool:
        """Whether the guest waits for the world outside, so that idle time should pass as it does there."""
        now = time.monotonic()
        return bool(self._requests or self._streams) or any(now < until for until in self._awaited.values())

    @property
    def awaits(self) -> bool:
        """Whether something may come from outside though the guest does nothing: at a forwarded port, or an answer."""
        return bool(self._listeners) or self.busy

    def wait(self, seconds: float) -> None:
        """Wait until there is something for poll(), or until the time is over."""
        if not self._requests:
            self._selector.select(max(seconds, 0))

    def idle(self, ns: int) -> int:
        """For Hypervisor.idle: let at most `ns` of idle time pass, at once while the guest waits for nothing here."""
        if not self.busy or (ns < SHORT_NS and not self._requests):
            return ns
        start = time.monotonic_ns()
        self.wait(ns / 1e9)
        return min(time.monotonic_ns() - start, ns)

    def close(self) -> None:
        """Close all sockets; the guest is not told."""
        self.nat.on_request = None
        self._drop_all()
        for listener in self._listeners:
            listener.close()
        self._selector.close()

    # ---- between slices ----

    def poll(self) -> None:
        """Do what was asked for, and let enter what has come."""
        standing = self.thread.standing()
        if standing is Standing.BEHIND:
            return
        if standing is Standing.OTHER:
            self._start_again()
        for _ in range(ROUNDS):
            while self._requests:
                self._serve(self._requests.popleft())
            for key, mask in self._selector.select(0):
                key.data(mask)
            if not self._requests:
                break
        self._let_go()
        self.thread.mark()
        self._note_wait()

    def _note_wait(self) -> None:
        if self.busy != self._waits:
            self._waits = not self._waits
            if self.on_wait is not None:
                self.on_wait(self._waits)

    def _start_again(self) -> None:
        """The machine's flows are none of ours: end them, those of the guest and those of the host."""
        self._drop_all()
        self._done = self.nat.state.requested
        for flow in self.nat.flows():
            self._event(Event.RESET, flow)

    def _drop_all(self) -> None:
        self._requests.clear()
        self._files.clear()
        for stream in [*self._streams.values(), *self._lingering]:
            stream.close(abort=True)
        self._streams.clear()
        self._lingering.clear()
        self._udp.close()
        for listener in self._listeners:
            listener.forget()
        self._awaited.clear()

    def _let_go(self) -> None:
        while self._lingering and (self._lingering[0].finished or len(self._lingering) > LINGERING):
            self._lingering.popleft().close(abort=False)

    # ---- events ----

    def _event(self, kind: Event, flow: int, rest: bytes = b"") -> None:
        self._awaited.pop(flow, None)
        if kind in (Event.RESET, Event.REFUSED):
            self._streams.pop(flow, None)
        self._enter(pack_event(kind, flow, rest))

    def event(self, kind: Event, flow: int, rest: bytes = b"") -> None:
        """hv.net.sockets.Owner: something has happened on a socket."""
        self._event(kind, flow, rest)

    def new_flow(self) -> int:
        """hv.net.sockets.Owner: a number for a flow from outside."""
        self._next_flow += 1
        return self._next_flow

    def add_stream(self, flow: int, stream: Stream) -> None:
        """hv.net.sockets.Owner: a connection from outside."""
        self._streams[flow] = stream

    # ---- requests ----

    def _request(self, number: int, request: Request) -> None:
        """The machine asks. What it asks again in a run that is repeated has been done."""
        if number <= self._done:
            return
        if self.thread.gate.pending:
            self.thread.lose()  # a recording of somebody else's run
            return
        self._done = number
        self._requests.append(request)
        self._note_wait()

    def _serve(self, request: Request) -> None:
        match request:
            case messages.Open(flow, protocol, address, port):
                self._open(flow, protocol, address, port)
            case messages.Send(flow, data):
                self._send(flow, data)
            case messages.Credit(flow, amount):
                if flow in self._streams:
                    self._streams[flow].grant(amount)
            case messages.Shutdown(flow):
                if flow in self._streams:
                    self._streams[flow].shut_down()
            case messages.Close(flow, abort):
                self._close(flow, abort)
            case OpenFile(flow, name):
                self._open_file(flow, name)
            case ReadFile(flow, offset, length):
                self._read_file(flow, offset, length)

    def _open(self, flow: int, protocol: int, address: bytes, port: int) -> None:
        if not self.served.policy.allows(address, port):
            self._event(Event.REFUSED, flow, bytes((Refusal.PROHIBITED,)))
            return
        target = self._targets.find(address, port)
        if target is None:
            self._event(Event.REFUSED, flow, bytes((Refusal.UNREACHABLE,)))
        elif protocol == headers.TCP:
            stream = Stream(flow, self._selector, self._event)
            self._streams[flow] = stream
            stream.connect(target)
        else:
            self._udp.open(flow, target)

    def _send(self, flow: int, data: bytes) -> None:
        if flow in self._streams:
            self._streams[flow].send(data)
            return
        for sender in (self._udp, *self._listeners):
            if isinstance(sender, UdpFlows | UdpListener) and sender.has(flow):
                self._awaited[flow] = time.monotonic() + ANSWER_SECONDS
                sender.send(flow, data)
                return

    def _close(self, flow: int, abort: bool) -> None:
        self._files.pop(flow, None)
        self._awaited.pop(flow, None)
        self._udp.end(flow)
        stream = self._streams.pop(flow, None)
        if stream is None:
            return
        if abort or stream.finished:
            stream.close(abort=abort)
        else:
            stream.linger()
            self._lingering.append(stream)

    def _open_file(self, flow: int, name: str) -> None:
        found = None if self.served.folder is None else open_below(self.served.folder, name)
        if found is None:
            self._event(Event.REFUSED, flow, bytes((Refusal.UNREACHABLE,)))
            return
        self._files[flow], size = found
        self._event(Event.FILE, flow, size.to_bytes(8, "big"))

    def _read_file(self, flow: int, offset: int, length: int) -> None:
        path = self._files.get(flow)
        data = None if path is None else read_part(path, offset, length)
        self._event(Event.DATA if data is not None else Event.RESET, flow, data or b"")
