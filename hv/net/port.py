"""The other end of a network card's cable.

A card gives a Port the frames that it sends; the port gives the card frames to receive. A frame is what is on the wire
from the target's address to the end of the payload: no preamble, no check sequence. Nothing is received in the moment
it is sent: a frame for the card is under way for a while of guest time, and waits longer while the card has no buffer
for it. So a card is never asked to receive while it sends, and the order of frames is that of their arrival.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from hv.devices.device import NEVER, Device, Machine

LONGEST = 16384
"""Bytes of the longest frame that any of the cards can receive."""
SHORTEST = 14
DELAY_NS = 10_000
"""How long a frame is under way."""
QUEUE = 512
"""Frames under way to one card; what comes on top is lost, as on any wire."""

TELL_NS = 100_000
PATIENCE = 10
"""A card without buffers is told of a frame that waits, again after TELL_NS, after twice that, and so on. When it was
told so often, a tenth of a second later, frames are lost until it has buffers."""

Tap = Callable[[int, int, bytes], None]
"""Sees what passes a port: (number of the frame there, 1 being the first; system time in ns; frame)."""


class Nic(Protocol):
    """A network card, as far as its cable sees it."""

    port: Port | None
    """The other end of the cable; None: no cable."""

    def accept(self, data: bytes) -> None:
        """A frame arrives. Without a buffer for it, or when it is not for this card, it is lost."""

    def holding(self) -> bool:
        """Whether frames had better wait: it receives, but has no buffer now. When it has, it calls port.room()."""

    def full(self) -> None:
        """A frame has arrived, and waits because of holding(). Cards whose drivers count on hearing of losses, or of
        the next frame, have them hear."""


@dataclass
class PortState:
    """What every port remembers. `frames`: under way to the card, as (time of arrival, frame); `passed`: frames that
    the card has sent or received; `told`: how often the card was told that the first frame waits, to be told again at
    `tell_at`."""

    frames: tuple[tuple[int, bytes], ...] = ()
    passed: int = 0
    told: int = 0
    tell_at: int = 0


class Port(Device):
    """The end of one cable. Subclasses say what happens to a frame that the card has sent, and may use the timer."""

    State: type[Any] = PortState

    def __init__(self, machine: Machine, name: str) -> None:
        super().__init__(machine, name)
        self.nic: Nic | None = None
        self.tap: Tap | None = None
        """Who looks on. It changes nothing."""

    def plug(self, nic: Nic) -> None:
        """Connect a card, in place of the one that was connected."""
        if self.nic is not None:
            self.nic.port = None
        self.nic, nic.port = nic, self

    # ---- the card's side ----

    def send(self, frame: bytes) -> None:
        """The card has sent a frame."""
        if SHORTEST <= len(frame) <= LONGEST:
            self._pass(frame)
            self.sent(frame)

    def room(self) -> None:
        """The card has buffers again, or some more."""
        if self.state.frames:
            self.arm()

    # ---- the network's side ----

    def sent(self, frame: bytes) -> None:
        """Subclasses: a frame has come from the card."""
        raise NotImplementedError

    def deliver(self, frame: bytes, delay_ns: int = DELAY_NS) -> None:
        """Send a frame to the card. It is lost if too many are under way."""
        state = self.state
        if len(state.frames) < QUEUE:
            first = state.frames[-1][0] if state.frames else 0
            state.frames = (*state.frames, (max(self.machine.now_ns + delay_ns, first), frame))
            if len(state.frames) == 1:
                self.arm()

    def next_deadline(self) -> int:
        """Subclasses that wait for something else than a frame's arrival: until when; NEVER: they do not."""
        return NEVER

    def due(self) -> None:
        """Subclasses: next_deadline() has come."""

    def timer(self) -> None:
        """Frames arrive that are due, as long as the card has room."""
        state, nic = self.state, self.nic
        while state.frames and state.frames[0][0] <= self.machine.now_ns:
            if self._held():
                if state.told < PATIENCE:
                    self._tell()
                    break
            else:
                state.told = state.tell_at = 0
            frame = state.frames[0][1]
            state.frames = state.frames[1:]
            if nic is not None:
                self._pass(frame)
                nic.accept(frame)
        deadline = self.next_deadline()
        if deadline != NEVER and deadline <= self.machine.now_ns:
            self.due()
        self.arm()

    def arm(self) -> None:
        """Set the machine's timer."""
        deadline, frames = self.next_deadline(), self.state.frames
        if frames:
            arrival = max(frames[0][0], self.state.tell_at if self._held() else 0)
            deadline = arrival if deadline == NEVER else min(arrival, deadline)
        # Never in the past: whoever is called again and again at one time would hold up the machine.
        self.machine.set_timer(self, NEVER if deadline == NEVER else max(deadline, self.machine.now_ns + 1))

    def _held(self) -> bool:
        return self.nic is not None and self.nic.holding()

    def _tell(self) -> None:
        """The first frame has to wait: the card is told, and told again, in growing intervals."""
        state = self.state
        state.tell_at = self.machine.now_ns + (TELL_NS << state.told)
        state.told += 1
        if self.nic is not None:
            self.nic.full()

    def _pass(self, frame: bytes) -> None:
        self.state.passed += 1
        if self.tap is not None:
            self.tap(self.state.passed, self.machine.now_ns, frame)

    def reset(self) -> None:
        """The machine is reset; a network does not notice, but frames on the cable are lost."""
        self.state.frames = ()
        self.state.told = self.state.tell_at = 0
        self.machine.set_timer(self, NEVER)
