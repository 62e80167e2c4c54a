"""A guest being debugged: what the GDB server, the line mode and the screen of `hv debug` all work on.

    guest = launch("guest.elf", GuestConfig())
    debugger = Debugger(guest.hv, symbols=symbols_of(guest.image))
    debugger.add(stops.hypercall("event_channel_op", "send"))
    debugger.run()
    print(debugger.vcpu.registers, debugger.moved)

It knows what is stopped, where in time, and which stop points people have set. How to show it is for others; the words
that people type are in hv/debug/commands.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hv.debug.symbols import Symbols
from hv.debug.timeline import Moved, Timeline, Why

if TYPE_CHECKING:
    from hv.debug.expressions import Value
    from hv.debug.past import Past
    from hv.debug.stops import StopPoint
    from hv.domain import Domain
    from hv.hypervisor import Hypervisor
    from hv.vcpu import Vcpu

Poll = Callable[[], bool]


class Debugger:
    """One hypervisor under a debugger.

    timeline: made for it unless given. symbols: the guest kernel's; they are read when they are first needed. points:
    numbered stop points, as people set them; whoever moves may add others of its own for one movement.
    """

    def __init__(self, hv: Hypervisor, *, timeline: Timeline | None = None, symbols: Symbols | None = None) -> None:
        self.hv = hv
        self.timeline = timeline or Timeline(hv)
        self.symbols = symbols or Symbols()
        self.about: dict[str, Any] = {}
        """What snapshot files are to say of the guest (hv.debug.crash_file.about_guest)."""
        self.opened = ""
        """What there is to say of where it stands to begin with; empty: nothing."""
        hv.refusals.keep_evidence()
        self.points: dict[int, StopPoint] = {}
        self.moved = Moved(Why.LIMIT, None, self.timeline.position)
        """How the last movement ended."""
        self.displays: dict[int, tuple[str, Value]] = {}
        """Numbered expressions to be shown at each stop."""
        self.on_move: list[Callable[[Moved], None]] = []
        """Called after each movement."""
        self.poll: Poll | None = None
        """Called now and then while a movement goes on that has none of its own; True interrupts it."""
        self.poll_back: Poll | None = None
        """The same for movements backwards, in which nothing may enter."""
        self._chosen: int | None = None
        self._numbers = itertools.count(1)

    @cached_property
    def past(self) -> Past:
        """What happened around here (hv.debug.past)."""
        from hv.debug.past import Past

        return Past(self)

    # ---- who ----

    @property
    def vcpus(self) -> list[Vcpu]:
        """The vcpus that have been brought to life, of all domains."""
        return [self.hv.vcpus[slot] for slot in sorted(self.hv.vcpus) if self.hv.vcpus[slot].c.initialised]

    @property
    def vcpu(self) -> Vcpu:
        """The vcpu that commands are about: the one chosen, else the one that a stop point was met by or that runs."""
        hit = self.moved.hit
        for slot in (self._chosen, hit.slot if hit else None, int(self.hv.state.running), self.hv.last_slot):
            if slot is not None and slot in self.hv.vcpus:
                return self.hv.vcpus[slot]
        return next(iter(self.hv.vcpus.values()))

    @property
    def domain(self) -> Domain:
        """The domain of that vcpu."""
        return self.vcpu.domain

    def choose(self, vcpu: Vcpu) -> None:
        """Commands are about this vcpu until the next movement."""
        self._chosen = vcpu.slot

    # ---- stop points ----

    def add(self, point: StopPoint) -> int:
        """Set a stop point; its number, which no other has had."""
        number = next(self._numbers)
        self.points[number] = point
        return number

    def delete(self, number: int) -> None:
        """Take a stop point away. KeyError: there is none of that number."""
        del self.points[number]

    # ---- movements ----

    def run(self, *, limit: int | None = None, poll: Poll | None = None, also: Iterable[StopPoint] = ()) -> Moved:
        """Forwards to a stop point, to `limit` retired instructions, or to the end."""
        return self._ended(self.timeline.run([*self.points.values(), *also], limit=limit, poll=poll or self.poll))

    def run_back(self, *, poll: Poll | None = None, also: Iterable[StopPoint] = ()) -> Moved:
        """Backwards to a stop point or to the beginning of time."""
        return self._ended(self.timeline.run_back([*self.points.values(), *also], poll=poll or self.poll_back))

    def run_only(self, points: Iterable[StopPoint], *, back: bool = False, poll: Poll | None = None) -> Moved:
        """To the next, or last, of these stop points, whatever others are set."""
        move = self.timeline.run_back if back else self.timeline.run
        return self._ended(move(list(points), poll=poll or (self.poll_back if back else self.poll)))

    def step(self, count: int = 1) -> Moved:
        """`count` instructions on, or back if negative."""
        if count == 1:
            return self._ended(self.timeline.step())
        return self.goto(self.hv.instructions + count)

    def goto(self, count: int, poll: Poll | None = None) -> Moved:
        """To a count of retired instructions."""
        poll = poll or (self.poll_back if count < self.hv.instructions else self.poll)
        return self._ended(self.timeline.goto(count, poll=poll))

    def _ended(self, moved: Moved) -> Moved:
        self.moved = moved
        self._chosen = None
        for told in self.on_move:
            told(moved)
        return moved
