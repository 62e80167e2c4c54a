"""The socket of the GDB server: who may connect, and what the guest does while nobody is.

The guest stands still while nobody is connected, unless it was told to run: from the beginning (hv run --gdb), or by a
gdb that detached. A client that vanishes leaves it stopped where it is.
"""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Protocol

from hv.debug.gdb.files import KernelFile
from hv.debug.gdb.link import Link, wait
from hv.debug.gdb.packets import Kind
from hv.debug.gdb.session import Session
from hv.debug.timeline import Why

if TYPE_CHECKING:
    from hv.builder.image import KernelImage
    from hv.debug.debugger import Debugger

SLICE = 1_000_000
"""Instructions at most between two looks at the socket: a few milliseconds, 50 for the slowest guests."""
REFUSED = b"another gdb is connected to this guest\n"
LEFT, KILLED = "left", "kill"


class Keyboard(Protocol):
    """Keys for the guest's console."""

    def poll(self) -> bool:
        """Let enter what was typed; whether the user wants to leave."""

    @property
    def source(self) -> int | None:
        """The file to wait for; None: nothing more will come."""


class NoKeyboard:
    """Nobody types."""

    source = None

    def poll(self) -> bool:
        """Never."""
        return False


class GdbServer:
    """Serves one gdb after the other. serve() returns when the guest is at an end and nobody is connected, when gdb has
    killed it, or when the user leaves at the keyboard."""

    def __init__(
        self, debugger: Debugger, listener: socket.socket, keyboard: Keyboard | None = None, *,
        kernel: KernelImage | None = None, running: bool = False,
    ) -> None:  # fmt: skip
        self.debugger = debugger
        self.listener = listener
        self.keyboard: Keyboard = keyboard or NoKeyboard()
        self.kernel = None if kernel is None else KernelFile(kernel)
        """Where gdb takes symbols from, if it was given none."""
        self.running = running
        """The guest runs while nobody is connected."""
        self.left = False
        self._link: Link | None = None
        listener.setblocking(False)
        debugger.hv.slice = SLICE
        debugger.poll, debugger.poll_back = self.poll, self.poll_back

    # ---- the way of the server ----

    def serve(self) -> str:
        """To the end. Why: KILLED, LEFT, or how the guest's run ended ("shutdown", "idle")."""
        while True:
            if self._link is not None:
                if self._converse() == KILLED:
                    return KILLED
            elif self.running:
                end = self._run_free()
                if end:
                    return end
            else:
                self._wait(None)
            if self.left:
                return LEFT

    def _run_free(self) -> str:
        """Run while nobody is connected. How the run ended; empty: somebody came, or the user leaves."""
        moved = self.debugger.run()
        waits = moved.why is Why.IDLE and self.wait_for_input()
        ended = moved.why in (Why.SHUTDOWN, Why.IDLE) and not waits
        return str(moved.why.value) if ended and self._link is None and not self.left else ""

    def _converse(self) -> str:
        """With one client, until it is gone or the user leaves; what it wanted last."""
        link = self._link
        assert link is not None
        session = Session(self.debugger, self, self.kernel)
        while not link.closed and not self.left and not session.ended:
            event = link.next()
            if event is None:
                self._wait(link)
                continue
            if event.kind is Kind.BROKEN:
                link.send(b"E.%s" % event.data)
            elif event.kind is Kind.PACKET:
                link.interrupted = False
                answer = session.answer(event.data)
                if answer is not None:
                    link.send(answer)
                if event.data == b"QStartNoAckMode":
                    link.no_acks()
        if session.ended:
            self.running = session.ended == "detach"
        link.close()
        if self._link is link:  # else somebody else has connected meanwhile
            self._link = None
        return session.ended

    def _wait(self, link: Link | None, *, keys: bool = False, seconds: float | None = None) -> None:
        """Wait for a packet, a client, or Ctrl-]; for keys too if `keys`; for ever, or some seconds."""
        sources = [self.listener.fileno()]
        if link is not None:
            sources.append(link.fileno())
        typed = self.keyboard.source
        if typed is not None and (keys or os.isatty(typed)):
            sources.append(typed)
        ready = wait(tuple(sources), seconds)
        if typed is not None and typed in ready:
            self.left = self.keyboard.poll()
        if link is not None and not link.closed and link.fileno() in ready:
            link.read()
        if self.listener.fileno() in ready:
            self._accept()

    def _accept(self) -> None:
        """Somebody connects. One gdb at a time."""
        try:
            client, _ = self.listener.accept()
        except OSError:  # gone again
            return
        client.setblocking(True)
        if self._link is not None:
            self._link.look()  # it may have gone without our noticing
        if self._link is None or self._link.closed:
            self._link = Link(client)
            return
        try:
            client.settimeout(1)
            client.sendall(REFUSED)
        except OSError:
            pass
        client.close()

    # ---- while the guest moves (session.Outside) ----

    def poll(self) -> bool:
        """Let in keys and clients; whether the guest is to stop."""
        self.left = self.keyboard.poll() or self.left
        return self.poll_back()

    def poll_back(self) -> bool:
        """Whether the guest is to stop."""
        before = self._link
        self._accept()
        if self._link is not before:
            return True
        return self.left or (before is not None and before.look())

    def wait_for_input(self) -> bool:
        """Every vcpu waits for keys: wait for one. False: none will come, or somebody wants to stop."""
        link = self._link
        while self.keyboard.source is not None and not self.left and link is self._link:
            if link is not None and link.look():
                return False
            before = self.debugger.hv.inputs.history
            self._wait(link, keys=True)
            if self.debugger.hv.inputs.history is not before:
                return True
        return False

    def idle(self, ns: int) -> int:
        """Hypervisor.idle of a guest in real time: wait for `ns` to pass on the wall, or for something from outside.
        How many have passed."""
        start = time.monotonic_ns()
        self._wait(self._link, keys=True, seconds=ns / 1e9)
        return min(time.monotonic_ns() - start, ns)

    def send(self, body: bytes) -> None:
        """A packet for the client."""
        if self._link is not None:
            self._link.send(body)
