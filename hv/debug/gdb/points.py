"""gdb's own break and watch points (Z and z packets), as stop points: guest memory is never written for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hv.debug import stops
from hv.debug.gdb.errors import Refused
from hv.native import lib

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hv.debug.stops import Hit, StopPoint

SOFTWARE, HARDWARE, WRITE, READ, ACCESS = range(5)
"""The first number of a Z packet."""
_WATCHED = {WRITE: stops.WRITE, READ: stops.READ, ACCESS: stops.ACCESS}
_WATCH_REASONS = frozenset({b"watch", b"rwatch", b"awatch"})
_REASONS = {SOFTWARE: b"swbreak", HARDWARE: b"hwbreak", WRITE: b"watch", READ: b"rwatch", ACCESS: b"awatch"}
MAX_WATCHED = 4096
"""Bytes of one watchpoint."""


class Key(NamedTuple):
    """Which point: gdb takes one away by saying the same again."""

    kind: int
    address: int
    size: int
    domid: int


class Points:
    """The points of one connection."""

    def __init__(self) -> None:
        self._points: dict[Key, StopPoint] = {}

    def __iter__(self) -> Iterator[StopPoint]:
        return iter(self._points.values())

    @property
    def watching(self) -> bool:
        """Whether there is a watchpoint: a single step must look for it too."""
        return any(key.kind in _WATCHED for key in self._points)

    def insert(self, key: Key, others: Iterable[StopPoint]) -> None:
        """Set a point; `others` are set by somebody else. Setting it twice is setting it once. Refused."""
        if key in self._points:
            return
        there = [*self._points.values(), *others]
        if len(there) >= lib.HV_STOPS_MAX:
            raise Refused(f"there are {len(there)} stop points, which is all that can be")
        if key.kind in (SOFTWARE, HARDWARE):
            self._points[key] = stops.instruction(key.address, domid=key.domid)
            return
        if not 0 < key.size <= MAX_WATCHED:
            raise Refused(f"{key.size} bytes cannot be watched; 1 to {MAX_WATCHED} can")
        if sum(point.kind == lib.HV_STOP_ACCESS for point in there) >= lib.ENGINE_WATCHPOINTS:
            raise Refused(f"{lib.ENGINE_WATCHPOINTS} watchpoints are set, which is all that can be")
        self._points[key] = stops.access(key.address, key.size, _WATCHED[key.kind], domid=key.domid)

    def remove(self, key: Key) -> None:
        """Take a point away; one that is not there is as good as gone."""
        self._points.pop(key, None)

    def watched(self, hit: Hit | None) -> bool:
        """Whether a hit is one of gdb's own watchpoints."""
        reason = None if hit is None else self.reason(hit)
        return reason is not None and reason[0] in _WATCH_REASONS

    def reason(self, hit: Hit) -> tuple[bytes, bytes] | None:
        """Why a hit is one of gdb's own, as a stop reply says it: its word and value. None: it is not."""
        for key, point in self._points.items():
            if point is hit.point:
                value = b"%x" % max(hit.address, key.address) if key.kind in _WATCHED else b""
                return _REASONS[key.kind], value
        return None
