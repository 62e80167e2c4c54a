"""The one gate through which anything from outside enters a machine: keys, packets, the wall clock's ticks.

Whatever enters is remembered with its place in time, so that the run can be repeated: `history` is all that has
entered, and inputs given to `replay()` enter again by themselves, each at its place.

A place in time is (retired instructions, idle nanoseconds, moment). The first two are not enough: at one count a
vcpu may block, the scheduler may find nobody to run, and idle time may pass, and it matters between which of these an
input enters.
"""

from __future__ import annotations

import enum
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hv.domain import Domain
    from hv.hypervisor import Hypervisor

HOST = 0
"""Domid of an input that is for no domain in particular."""
WAIT = "wait"
"""The service name of idle time that passed on the wall; the data is its nanoseconds in decimal digits."""
FAR_FUTURE = 1 << 62
"""Counts and ns beyond which no machine comes (native/xen/validate.c)."""
DEBUGGER = "debugger"
"""The service name of what a debugger changed; hv.changes describes the data."""


class ReplayError(Exception):
    """The run is not the one that was recorded. One line: where it first differed."""


class Moment(enum.IntEnum):
    """What the run loop was about to do when it looked for input."""

    COUNT = 0    # the count has just been reached; nothing else has happened at it
    IDLE = 1     # every vcpu waits, and so the next deadline
    SKIPPED = 2  # idle time has just passed; what it makes due has not happened yet
    INSIDE = 3   # a breakpoint behind events that were delivered at this count: no input enters here


class Input(NamedTuple):
    """Something that entered. `service`: the domain's service that took it (console), or WAIT."""

    retired: int
    idle_ns: int
    moment: Moment
    domid: int
    service: str
    data: bytes


class History:
    """All inputs up to some time, as a list that shares its beginnings with others: never changed."""

    __slots__ = ("before", "last", "length")

    def __init__(self, before: History | None, last: Input) -> None:
        self.before = before
        self.last = last
        self.length: int = 1 + (before.length if before else 0)


def path(history: History | None, after: History | None = None) -> list[History]:
    """The steps of a history, oldest first; only those after `after`, which must be one of its beginnings."""
    found: list[History] = []
    while history is not None and history is not after:
        found.append(history)
        history = history.before
    return found[::-1]


def inputs_of(history: History | None, after: History | None = None) -> list[Input]:
    """The inputs of a history, oldest first; only those after `after`, which must be one of its beginnings."""
    return [step.last for step in path(history, after)]


class InputGate:
    """The gate of one hypervisor. `moment` is kept by the run loop."""

    def __init__(self, hv: Hypervisor) -> None:
        self._hv = hv
        self.history: History | None = None
        self.moment = Moment.COUNT
        self.pending: deque[History] = deque()
        """Inputs that are still to enter again. Whatever else enters drops them: the run is a new one from there."""
        self.on_enter: Callable[[int], None] | None = None
        """Called with the count when something new enters: what lay ahead of it in time will not happen."""
        self._ahead: History | None = None
        """The last input that was given at a breakpoint inside a count."""

    @property
    def tip(self) -> History | None:
        """The last input of the whole run as it is known, what is still to enter included."""
        return self.pending[-1] if self.pending else self.history

    # ---- from outside ----

    def enter(self, domain: Domain, service: str, data: bytes) -> None:
        """Give `data` to a service of a domain, now; at a breakpoint inside a count, as soon as the count is over."""
        new = self._now(domain.domid, service, data)
        if self.moment is Moment.INSIDE:
            self._enter_next(new._replace(retired=new.retired + 1, moment=Moment.COUNT))
        else:
            self._enter(new)

    def _enter_next(self, new: Input) -> None:
        """Behind what waits for the same place already, if it was given here too; as part of the run, so that going
        back from here and coming again changes nothing."""
        if not (self.pending and self.pending[-1] is self._ahead and self._ahead.last[:3] == new[:3]):
            self._forget_ahead()
        self._ahead = History(self.tip, new)
        self.pending.append(self._ahead)

    def wait(self, ns: int) -> None:
        """Let `ns` of idle time pass that were waited for on the wall."""
        self._enter(self._now(HOST, WAIT, b"%d" % ns))

    def change(self, data: bytes) -> None:
        """A debugger changes something (hv.changes), now; not at a breakpoint inside a count."""
        self._enter(self._now(HOST, DEBUGGER, data))

    def _now(self, domid: int, service: str, data: bytes) -> Input:
        state = self._hv.state
        return Input(int(state.retired), int(state.idle_ns), self.moment, domid, service, data)

    def _enter(self, new: Input) -> None:
        self._forget_ahead()
        self._take(History(self.history, new))

    def _forget_ahead(self) -> None:
        """The run is a new one from here."""
        self.pending.clear()
        if self.on_enter is not None:
            self.on_enter(int(self._hv.state.retired))

    def _take(self, step: History) -> None:
        self.history, taken = step, step.last
        if taken.service == WAIT:
            self._pass(int(taken.data), taken)
            return
        if taken.service == DEBUGGER:
            self._change(taken)
            return
        for domain in self._hv.domains.values():
            if domain.domid == taken.domid and taken.service in domain.services:
                try:
                    domain.accept(taken.service, taken.data)
                except ValueError as error:
                    raise ReplayError(f"input for {taken.service} of domain {taken.domid}: {error}") from None
                return
        raise ReplayError(
            f"input for {taken.service} of domain {taken.domid}: there is none; remedy: use the recording's own guest"
        )

    def _pass(self, ns: int, taken: Input) -> None:
        """Idle time passes; from a file, it could be more than any machine has waited."""
        passed = int(self._hv.state.idle_ns) + ns
        if passed > FAR_FUTURE:
            raise ReplayError(f"the wait at instruction {taken.retired:,}: no machine comes as far as {passed:,} ns")
        self._hv.state.idle_ns = passed

    def _change(self, taken: Input) -> None:
        from hv import changes  # most runs have none

        try:
            changes.apply(self._hv, taken.data)
        except changes.ChangeRefused as error:
            raise ReplayError(f"the change by a debugger at instruction {taken.retired:,}: {error}") from None

    # ---- again ----

    def replay(self, inputs: Iterable[Input]) -> None:
        """Have these enter at their places, in this order, as the run comes to them."""
        step, steps = self.history, []
        for entry in inputs:
            step = History(step, entry)
            steps.append(step)
        self.pending = deque(steps)

    def replay_to(self, tip: History | None) -> None:
        """Have the rest of a history enter again; what has entered so far must be a beginning of it."""
        self.pending = deque(path(tip, self.history))

    def limit(self, end: int) -> int:
        """The count at which the run must stop to look for the next input, `end` if that is before.

        ReplayError: its place has been passed.
        """
        if not self.pending:
            return end
        due = self.pending[0].last
        retired = int(self._hv.state.retired)
        if due.retired < retired:
            raise ReplayError(
                f"the run differs from the recording at instruction {due.retired:,}: "
                f"input for {due.service} was not taken there"
            )
        return min(end, due.retired if due.moment is Moment.COUNT and due.retired > retired else due.retired + 1)

    def next_gap(self, gap: int) -> int:
        """How much of `gap` ns of idle time may be skipped before an input is due."""
        state = self._hv.state
        if not self.pending:
            return gap
        due = self.pending[0].last
        ahead = due.idle_ns - int(state.idle_ns)
        return min(gap, ahead) if due.retired == state.retired and ahead > 0 else gap

    def arrive(self, moment: Moment) -> bool:
        """The run loop is at `moment`: let enter what is due here. Whether anything did."""
        self.moment = moment
        due = self._due()
        for _ in due:
            self._take(self.pending.popleft())
        return bool(due)

    def arrive_changes(self) -> None:
        """The run has come to a place and stops there: let enter again what a debugger changed here, and what came
        before that. So whoever comes back finds the machine as it was left."""
        due = self._due()
        while due and due[-1].service != DEBUGGER:
            due.pop()
        for _ in due:
            self._take(self.pending.popleft())

    def _due(self) -> list[Input]:
        """What is still to enter at this place."""
        if not self.pending:
            return []
        state = self._hv.state
        place = (int(state.retired), int(state.idle_ns), self.moment)
        return [step.last for step in itertools.takewhile(lambda step: step.last[:3] == place, self.pending)]

    @property
    def has_waited(self) -> bool:
        """Whether what entered last was idle time, so that the run loop is where it is behind a skip of its own."""
        return self.history is not None and self.history.last.service == WAIT

    def __iter__(self) -> Iterator[Input]:
        return iter(inputs_of(self.history))
