"""What happened around here: traps, hypercalls and events before and after, and what was refused so far.

Nothing is recorded while the guest runs. The run is repeated with tracing on, in a fork, from the debugger's snapshots;
the machine under the debugger is not touched. What lies ahead is what will happen if no more input comes.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from hv.debug.filters import Filter
from hv.debug.records import Trap
from hv.debug.trace import Tracer
from hv.debug.why import Failure, failures
from hv.hypervisor import Stop
from hv.inputs import ReplayError

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger
    from hv.hypervisor import Hypervisor
    from hv.refusals import Refusal

__all__ = ["CALLS", "HAPPENINGS", "Past", "Records"]

CALLS = Filter(frozenset({"hypercall", "entry"}))
HAPPENINGS = Filter(frozenset({"hypercall", "entry", "exception", "event", "send", "nmi"}))
_FIRST = 1 << 14
_LARGEST = 1 << 22
"""Instructions that are traced in one piece: small to begin with, for most of what is asked for is near."""
FARTHEST = 1 << 26
"""Instructions that are looked through at most in one direction."""
_KEPT = 1 << 16
"""Refusals remembered at most."""


class Records(NamedTuple):
    """What was found, oldest first, each with the count to go to in order to stand before it. `reached`: the count up
    to which was looked in that direction."""

    found: list[Trap]
    reached: int


class Past:
    """Of one debugger."""

    def __init__(self, debugger: Debugger) -> None:
        self._debugger = debugger
        self._fork: Hypervisor | None = None
        self._refusals: list[Refusal] = []
        self._cut = False
        """The last run of the fork was interrupted: what was found is not all there is."""

    # ---- records ----

    @property
    def cut(self) -> bool:
        """Whether the last look was interrupted: there may be more than it found."""
        return self._cut

    def before(self, count: int, wanted: Filter = HAPPENINGS) -> Records:
        """The last `count` records before here."""
        timeline = self._debugger.timeline
        here = end = self._debugger.hv.instructions
        found: list[Trap] = []
        piece = _FIRST
        while len(found) < count and end > max(timeline.begin, here - FARTHEST):
            start = max(timeline.begin, end - piece)
            earlier = self.between(start, end, wanted, last=count)
            if self._cut:
                break
            found = earlier + found
            end, piece = start, min(piece * 4, _LARGEST)
        return Records(found[-count:] if count else [], end)

    def after(self, count: int, wanted: Filter = HAPPENINGS) -> Records:
        """The next `count` records from here on."""
        here = start = self._debugger.hv.instructions
        found: list[Trap] = []
        piece = _FIRST
        fork = self._at(here)
        while len(found) < count and start < here + FARTHEST:
            found += self._traced(fork, start + piece, wanted, count)
            if fork.instructions < start + piece:
                break  # the end of time, or everything waits
            start, piece = start + piece, min(piece * 4, _LARGEST)
        return Records(found[:count], fork.instructions)

    def between(self, start: int, end: int, wanted: Filter = HAPPENINGS, last: int = _KEPT) -> list[Trap]:
        """The records of the instructions from `start` up to `end`, not more than the `last` ones."""
        return self._traced(self._at(start), end, wanted, -last)

    def last_call(self) -> Trap | None:
        """The hypercall that the instruction before this place has made, with its result; None: it made none."""
        here = self._debugger.hv.instructions
        if here <= self._debugger.timeline.begin:
            return None
        calls = [trap for trap in self.between(here - 1, here, CALLS) if trap.kind == "hypercall"]
        return calls[-1] if calls else None

    def _at(self, count: int) -> Hypervisor:
        if self._fork is None:
            self._fork = self._debugger.hv.fork()
        self._debugger.timeline.repeat(self._fork, count)
        return self._fork

    def _traced(self, fork: Hypervisor, end: int, wanted: Filter, limit: int) -> list[Trap]:
        """Run on to `end`; the first `limit` records, or the last ones if negative."""
        kept = _First(wanted, limit) if limit >= 0 else _Last(wanted, -limit)
        tracer = Tracer(fork, [kept])
        fork.after_exit = tracer.flush
        try:
            poll = self._debugger.poll_back
            self._cut = fork.run(max_insns=end, poll=poll).stop is Stop.PAUSED and poll is not None
        except ReplayError:  # told when the run itself comes there
            self._cut = True
        finally:
            fork.after_exit = None
            tracer.close()
        return [_standing_before(trap) for trap in kept.traps]

    # ---- refusals ----

    def failures(self) -> list[Failure]:
        """The refusals between the beginning of time and here, with the call stacks of their moments."""
        hv = self._debugger.hv
        here = hv.instructions
        known = [one for one in self._refusals if one.when <= here]
        seen = {_key(one) for one in known}
        new = [one for one in hv.refusals.collect() if _key(one) not in seen]
        self._refusals = sorted(known + new, key=lambda one: one.when)[-_KEPT:]
        return failures(hv, self._debugger.symbols, self._refusals)


def _standing_before(trap: Trap) -> Trap:
    """A hypercall is recorded when its instruction has been counted."""
    return trap._replace(when=trap.when - 1) if trap.is_call else trap


def _key(refusal: Refusal) -> tuple[object, ...]:
    return (*refusal[:5], refusal.error.rule)


class _Last:
    """Keeps the last records."""

    def __init__(self, wanted: Filter, count: int) -> None:
        self.filter = wanted
        self.traps: deque[Trap] = deque(maxlen=count)

    def write(self, trap: Trap) -> None:
        self.traps.append(trap)

    def close(self) -> None:
        pass


class _First(_Last):
    """Keeps the first ones."""

    def write(self, trap: Trap) -> None:
        if len(self.traps) < (self.traps.maxlen or 0):
            self.traps.append(trap)
