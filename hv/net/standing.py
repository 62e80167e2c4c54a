"""Where the run stands, for who keeps something outside the machine that cannot be taken back, such as a socket.

When time has gone back, the same run may be repeated up to where it was: then what is outside is still good, and what
the machine asks for again has been done already. Or it may have taken another turn: then it is of no use any more.
"""

from __future__ import annotations

import enum
from typing import Protocol

from hv.inputs import History, InputGate


class Counters(Protocol):
    """Where a machine stands in time; Hypervisor.state has them."""

    @property
    def retired(self) -> int:
        """Instructions."""

    @property
    def idle_ns(self) -> int:
        """Time in which nobody ran."""


class Standing(enum.Enum):
    """Where the run is, seen from where it was marked last."""

    HERE = enum.auto()    # there, or further on
    BEHIND = enum.auto()  # before it, on the way there as far as one can tell
    OTHER = enum.auto()   # this run does not come through there, or nothing was marked


class Thread:
    """Follows one run."""

    def __init__(self, gate: InputGate, counters: Counters) -> None:
        self.gate = gate
        self._counters = counters
        self._marked = False
        self._history: History | None = None
        self._place = (0, 0)

    def _now(self) -> tuple[int, int]:
        return int(self._counters.retired), int(self._counters.idle_ns)

    def mark(self) -> None:
        """Here everything is as it should be."""
        self._marked, self._history, self._place = True, self.gate.history, self._now()

    def lose(self) -> None:
        """Forget the mark."""
        self._marked = False

    def standing(self) -> Standing:
        """Where the run is. While inputs of another time enter again it is behind, wherever that will lead."""
        if self.gate.pending:
            return Standing.BEHIND
        if not self._marked:
            return Standing.OTHER
        step, after = self.gate.history, None
        length = 0 if self._history is None else self._history.length
        while step is not None and step.length > length:
            step, after = step.before, step
        if step is not self._history or (after is not None and after.last[:2] < self._place):
            return Standing.OTHER
        return Standing.BEHIND if self._now() < self._place else Standing.HERE
