"""Time in both directions: snapshots at intervals, and exact re-execution between them.

    timeline = Timeline(guest.hv)
    timeline.run([stops.hypercall("event_channel_op", "send")])     # forwards, to a stop point
    timeline.step(-1)                                               # one instruction back
    timeline.run_back([stops.access(address, 8)])                   # backwards, to the last write
    timeline.goto(1_000_000)

A place in time is a count of retired instructions, at the first moment at which it is reached: before timers that are
due, events and faults at that count. Every stop is at such a place, whichever way it was reached, so that its state
hash is the one of a straight run to the same count. The exception is an instruction that only comes behind a delivery
at the same count (the first of a trap handler): such a stop is *inside* the count, and `Position` says so.

Going back costs a restore and the repetition of at most one interval. Intervals grow when snapshots would take more
memory than they may.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from hv.debug import stops
from hv.debug.moments import Moments
from hv.debug.stops import Hit, Passed, StopPoint, last_hit, set_stops
from hv.hypervisor import Stop
from hv.inputs import History, Moment, ReplayError
from hv.native import lib

if TYPE_CHECKING:
    from hv.hypervisor import Hypervisor
    from hv.snapshot import Snapshot

DEFAULT_MEMORY = 1 << 30
"""Bytes that snapshots may take."""
DEFAULT_INTERVAL = 1 << 22
"""Instructions between two snapshots to begin with."""
LEGS = (1 << 18, 1 << 13)
"""On the way back, snapshots are taken this far before the destination too: the next step back is likely to be near."""
NEAR_KEPT = 16
_Move = TypeVar("_Move", bound=Callable[..., "Moved"])


@dataclass(frozen=True, slots=True)
class Position:
    """A place in time. `inside`: behind what was delivered at that count, before the instruction (vcpu slot, rip)."""

    count: int
    inside: tuple[int, int] | None = None

    def __str__(self) -> str:
        return f"{self.count:,}" + ("+" if self.inside else "")


class Why(enum.Enum):
    """Why a movement ended."""

    STOP_POINT = "stop point"
    LIMIT = "limit"            # the count asked for
    SHUTDOWN = "shutdown"      # every domain has shut down: the end of time
    IDLE = "idle"              # every vcpu waits for input
    BEGIN = "begin"            # backwards: the beginning of time
    INTERRUPTED = "interrupted"  # poll() asked for it
    STRAYED = "strayed"        # an input that was saved with the run cannot enter where it says


class Moved(NamedTuple):
    """How a movement ended. `problem`: of a run that strayed, in one line."""

    why: Why
    hit: Hit | None
    position: Position
    problem: str = ""


class _Interrupted(Exception):
    """poll() said so, on the way back."""


def _movement(move: _Move) -> _Move:
    """Inputs that come from a file may be anybody's: where one cannot enter, the outermost movement ends and what is
    left of them is forgotten."""

    @functools.wraps(move)
    def guarded(timeline: Timeline, *args: Any, **named: Any) -> Moved:
        if timeline.moving:
            return move(timeline, *args, **named)
        timeline.moving = True
        try:
            return move(timeline, *args, **named)
        except ReplayError as error:
            return timeline.stray(str(error))
        finally:
            timeline.moving = False

    return cast("_Move", guarded)


class Timeline:
    """The movements of one hypervisor through time.

    memory: bytes that snapshots may take. interval: instructions between two. moments: of a run that was saved, in the
    last of which `hv` stands (snapshot files); else time begins where `hv` stands. While a Timeline is in use, nobody
    else runs the hypervisor.
    """

    def __init__(
        self, hv: Hypervisor, *, memory: int = DEFAULT_MEMORY, interval: int = DEFAULT_INTERVAL,
        moments: Sequence[Snapshot] = (),
    ) -> None:  # fmt: skip
        self.hv = hv
        self.moments = Moments(hv, gap=interval, memory=memory, snapshots=moments)
        self._exact = hv.inputs.moment is Moment.COUNT
        """The machine is at the first moment of its count."""
        self._inside: tuple[int, int] | None = None
        self._met: list[Passed] = []
        """What the last movements have met at this count."""
        self.moving = False
        """A movement is under way."""
        self._looking = True
        """Stop points may be set."""
        self._near: list[Snapshot] = []
        hv.inputs.on_enter = self._new_run

    # ---- where we are ----

    @property
    def position(self) -> Position:
        """Where the machine stands."""
        return Position(self.hv.instructions, self._inside)

    @property
    def begin(self) -> int:
        """The earliest count that can be reached."""
        return self.moments.snapshots[0].retired

    @property
    def tip(self) -> History | None:
        """The last input of the whole run as it is known, what lies ahead included. As long as it is the same object,
        the same will happen."""
        return self.hv.inputs.tip

    # ---- movements ----

    @_movement
    def goto(self, count: int, poll: Callable[[], bool] | None = None) -> Moved:
        """To the first moment of `count`, in either direction; before the beginning of time: there."""
        count = max(count, self.begin)
        here = self.hv.instructions
        if count < here or (count == here and not self._exact):
            self._back_to(count)
        return self.run([], limit=count, poll=poll)

    @_movement
    def step(self, count: int = 1) -> Moved:
        """`count` retired instructions of whichever vcpu runs, backwards if negative."""
        hv = self.hv
        here = int(hv.state.retired)
        if count != 1 or here + 1 >= self.moments.due:
            return self.goto(here + count)
        # The way of a debugger that steps a hundred thousand times: nothing to look for, no snapshot due.
        self._look_for([])
        stop = hv.step()
        self._exact, self._inside = hv.inputs.moment is Moment.COUNT, None
        return self._arrived(Why.LIMIT if stop is Stop.INSNS else self._why(stop))

    @_movement
    def run(
        self, points: Sequence[StopPoint], *, limit: int | None = None, poll: Callable[[], bool] | None = None
    ) -> Moved:
        """Forwards to a stop point, to `limit` retired instructions or to the end. What is met where we stand does not
        count. poll: called now and then; True interrupts."""
        return self._run(points, self._standing() if points else [], limit, poll)

    def _run(
        self, points: Sequence[StopPoint], passed: list[Passed], limit: int | None, poll: Callable[[], bool] | None
    ) -> Moved:
        """`passed` does not count, and neither does, from then on, a stop point whose condition did not hold, at its
        place: others may be met there."""
        self._look_for(points, passed=passed)
        while True:
            due = self.moments.due
            end = due if limit is None else min(due, limit)
            result = self.hv.run(max_insns=end, poll=poll)
            hit = last_hit(self.hv, points) if points else None
            self._exact, self._inside = self.hv.inputs.moment is Moment.COUNT, None
            if hit is not None:
                self._settle(hit)
                if hit.point.condition is None or hit.point.condition(self.hv.vcpus[hit.slot]):
                    return self._arrived(Why.STOP_POINT, hit)
                passed = [place for place in passed if place.when == hit.count]
                passed += [
                    Passed(hit.count, hit.rip, hit.slot, at) for at, point in enumerate(points) if point is hit.point
                ]
                self._look_for(points, passed=passed)
            elif result.stop is not Stop.INSNS:
                return self._stopped(self._why(result.stop))
            elif limit is not None and self.hv.instructions >= limit:
                return self._arrived(Why.LIMIT)
            else:
                self._keep()

    def _arrived(self, why: Why, hit: Hit | None = None) -> Moved:
        """A movement ends here: what a debugger changed at this place is done again."""
        if self._inside is None:
            self.hv.inputs.arrive_changes()
        self._met = [met for met in self._met if hit and met.when == hit.count]
        if hit is not None:
            self._met.append(Passed(hit.count, hit.rip, hit.slot))
        return Moved(why, hit, self.position)

    def stray(self, problem: str) -> Moved:
        """A movement ends where the machine is: its inputs are not those of this run."""
        self.hv.inputs.pending.clear()
        self._exact, self._inside = False, None
        return self._arrived(Why.STRAYED)._replace(problem=problem)

    def _stopped(self, why: Why) -> Moved:
        """The run has stopped by itself. An interruption may come while idle time passes: back to where it began, which
        is a place that one can come to again; the end of time is where it is."""
        if why is Why.INTERRUPTED and not self._exact:
            self.goto(self.hv.instructions)
        return self._arrived(why)

    def _why(self, stop: Stop) -> Why:
        if stop is Stop.PAUSED:
            return Why.IDLE if self.hv.inputs.moment is Moment.IDLE else Why.INTERRUPTED
        return Why.SHUTDOWN if stop is Stop.SHUTDOWN else Why.IDLE

    @_movement
    def run_back(self, points: Sequence[StopPoint], poll: Callable[[], bool] | None = None) -> Moved:
        """Backwards to the last time that a stop point was met, or to the beginning of time. poll: as run()'s; on the
        way back it must not enter anything."""
        end, before = self.hv.instructions, self.hv.instructions
        for start in self.moments.before(end):
            try:
                hit = self._last_in(start, points, end, before, poll)
            except _Interrupted:
                self.goto(start.retired)
                return self._arrived(Why.INTERRUPTED)
            if hit is not None:
                self.goto(hit.count)
                self._settle_inside(hit)
                return self._arrived(Why.STOP_POINT, hit)
            end, before = start.retired, start.retired + 1
        self.goto(self.begin)
        return self._arrived(Why.BEGIN)

    def _last_in(
        self, start: Snapshot, points: Sequence[StopPoint], end: int, before: int, poll: Callable[[], bool] | None
    ) -> Hit | None:
        """The last hit below `before` in the run from `start` to `end`. Only conditions cost stops: they are asked with
        the machine standing there."""
        self._restore(start)
        if all(point.condition is None for point in points):
            self._look_for(points, before)
            stop = self.hv.run(max_insns=end, poll=poll).stop
            if stop is Stop.PAUSED and self._why(stop) is Why.INTERRUPTED:
                raise _Interrupted
            return last_hit(self.hv, points)
        found, passed = None, list[Passed]()
        while True:
            moved = self._run(points, passed, end, poll)
            if moved.why is Why.INTERRUPTED:
                raise _Interrupted
            if moved.hit is None or moved.hit.count >= before:
                return found
            found, passed = moved.hit, self._standing()

    # ---- the same run elsewhere ----

    def repeat(self, hv: Hypervisor, count: int) -> None:
        """Have another hypervisor of the same size (a fork) stand where this run was at `count`, or at its beginning if
        that is later, with the inputs that follow. The run here is not touched."""
        hv.restore(self.moments.latest(max(count, self.begin), *self._near))
        hv.inputs.replay_to(self.tip)
        with suppress(ReplayError):  # told when the run itself comes there
            hv.run(max_insns=count)

    # ---- exactness ----

    def _settle(self, hit: Hit) -> None:
        """From where C left to the stop's proper place."""
        kind = hit.point.kind
        if kind in (lib.HV_STOP_INSTRUCTION, lib.HV_STOP_HYPERCALL):
            if hit.late:
                self._back_to(hit.count)
                self._advance(hit.count)
                self._settle_inside(hit)
            else:
                self._exactly_here()
        elif kind == lib.HV_STOP_ACCESS:
            if hit.late:
                self.goto(hit.count + 1)
            else:
                self._exactly_here()
        else:
            self.goto(hit.count)

    def _look_for(
        self, points: Sequence[StopPoint], before: int = 0, passed: Sequence[Passed] | None = None
    ) -> None:
        """Have C look for these from here on."""
        if points or self._looking:
            set_stops(self.hv, points, before, passed)
            self._looking = bool(points)

    def _standing(self) -> list[Passed]:
        """What does not count for a run that begins here: the instruction of the vcpu that runs, and what was met here,
        which may be another's (a trap at the beginning of its turn)."""
        here, slot = self.hv.instructions, int(self.hv.state.running)
        pc = int(lib.cpu_pc(self.hv.vcpus[slot].cpu)) if slot in self.hv.vcpus else 0
        return [Passed(here, pc, slot), *self._met]

    def _exactly_here(self) -> None:
        self.hv.inputs.moment = Moment.COUNT
        self._exact, self._inside = True, None

    def _settle_inside(self, hit: Hit) -> None:
        """At the first moment of a hit's count: if its instruction is not the next one, go on inside the count."""
        if hit.point.kind not in (lib.HV_STOP_INSTRUCTION, lib.HV_STOP_HYPERCALL):
            return
        if self.hv.state.running == hit.slot and lib.cpu_pc(self.hv.vcpus[hit.slot].cpu) == hit.rip:
            return
        self._look_for([stops.instruction(hit.address, domid=hit.domid, vcpu=hit.vcpu)])
        self.hv.run(max_insns=hit.count + 1)
        self._exact, self._inside = False, (hit.slot, hit.rip)

    # ---- back ----

    def _back_to(self, count: int) -> None:
        """Restore a snapshot at or before `count`, and leave others on the way to it."""
        self._restore(self.moments.latest(count, *self._near))
        for leg in LEGS:
            if count - leg > self.hv.instructions:
                self._advance(count - leg)
                self._near.append(self.hv.snapshot())
                del self._near[:-NEAR_KEPT]

    def _restore(self, point: Snapshot) -> None:
        tip = self.tip
        self._look_for([])
        self.hv.restore(point)
        self.hv.inputs.replay_to(tip)
        self._exact, self._inside = True, None

    def _advance(self, count: int) -> None:
        """Repeat the run up to `count`, without stops."""
        self._look_for([])
        self.hv.run(max_insns=count)

    def _keep(self) -> None:
        """A snapshot is due here."""
        gap = self.moments.gap
        self.moments.reached()
        if self.moments.gap != gap:
            self._near.clear()

    def _new_run(self, count: int) -> None:
        """Something new has entered: what was known of the time behind `count` will not happen."""
        self.moments.forget_after(count)
        self._near = [snapshot for snapshot in self._near if snapshot.retired <= count]
