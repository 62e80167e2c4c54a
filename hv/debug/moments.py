"""Moments of a run, at intervals that grow when they would take too much: what going back starts from.

`Timeline` goes back by them; `hv run --on-crash snapshot` writes them into a file.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hv.hypervisor import Hypervisor
    from hv.snapshot import Snapshot


class Moments:
    """Snapshots of one run, by their counts of retired instructions; the first is where the run can be had from.

    gap: instructions between two. memory: bytes that all may take; most: how many there may be. When there are more,
    every second one is given up, the first never, and the gap doubles. snapshots: those of a run that was saved; else
    the first is taken where `hv` stands.
    """

    def __init__(
        self, hv: Hypervisor, *, gap: int, memory: int, most: int | None = None, snapshots: Sequence[Snapshot] = ()
    ) -> None:
        self._hv = hv
        self.gap = gap
        self.memory = memory
        self.most = most
        self.snapshots = sorted(snapshots, key=_count) or [hv.snapshot()]

    @property
    def due(self) -> int:
        """The count, behind where the run stands, at which `reached()` is to be called."""
        here = self._hv.instructions
        index = bisect.bisect_right(self.snapshots, here, key=_count)
        if index < len(self.snapshots):
            return self.snapshots[index].retired  # known country
        return max(self.snapshots[-1].retired + self.gap, here + 1)

    def reached(self) -> None:
        """The run stands at the first moment of a count: keep it, unless it is kept already."""
        here = self._hv.instructions
        index = bisect.bisect_left(self.snapshots, here, key=_count)
        if index < len(self.snapshots) and self.snapshots[index].retired == here:
            return
        newest = self._hv.snapshot()
        self.snapshots.insert(index, newest)
        while len(self.snapshots) > 2 and self._too_much(newest):
            self.snapshots[1:] = self.snapshots[2::2]
            self.gap *= 2

    def _too_much(self, newest: Snapshot) -> bool:
        return newest.held > self.memory or (self.most is not None and len(self.snapshots) > self.most)

    def before(self, count: int) -> list[Snapshot]:
        """Those before `count`, the latest first."""
        return self.snapshots[: bisect.bisect_left(self.snapshots, count, key=_count)][::-1]

    def latest(self, count: int, *others: Snapshot) -> Snapshot:
        """The latest one at or before `count`, of these and of `others`; `count` is not before the first."""
        known = self.snapshots[: bisect.bisect_right(self.snapshots, count, key=_count)][-1:]
        return max((*known, *(other for other in others if other.retired <= count)), key=_count)

    def forget_after(self, count: int) -> None:
        """What lay behind `count` will not happen."""
        del self.snapshots[bisect.bisect_right(self.snapshots, count, key=_count) :]


def _count(snapshot: Snapshot) -> int:
    return snapshot.retired
