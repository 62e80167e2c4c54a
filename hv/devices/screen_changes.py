"""What has changed on a screen, for whoever keeps a copy of it.

    watcher = Watcher(screen)
    now = watcher.look()                  # the same object as before while nothing has changed
    for tile in differences(sent, now): ...

Nothing of the machine is asked to keep books of what was written: comparing a megabyte takes less time than making a
picture of it, and leaves the guest's state as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hv.devices.picture import Picture
from hv.devices.screen import Screen, draw
from hv.devices.screen_seen import Seen

TILE_WIDTH, TILE_HEIGHT = 64, 16


class Rectangle(NamedTuple):
    """A part of a picture."""

    x: int
    y: int
    width: int
    height: int


class Watcher:
    """Looks at a screen again and again."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._seen: Seen | None = None
        self._picture = Picture(0, 0, b"")

    def look(self) -> Picture:
        """The picture now."""
        seen = self._screen.seen()
        if seen != self._seen:
            picture = draw(seen)
            self._seen = seen
            if picture != self._picture:
                self._picture = picture
        return self._picture


def whole(picture: Picture) -> Rectangle:
    """All of it."""
    return Rectangle(0, 0, picture.width, picture.height)


def differences(old: Picture, new: Picture) -> list[Rectangle]:
    """Rectangles of `new` that cover all that is not as in `old`, from the top; of another size: all of it."""
    if old is new:
        return []
    if (old.width, old.height) != (new.width, new.height):
        return [whole(new)]
    found = []
    for y in range(0, new.height, TILE_HEIGHT):
        height = min(TILE_HEIGHT, new.height - y)
        before, after = old.cut(0, y, old.width, height), new.cut(0, y, new.width, height)
        if before != after:
            found += [Rectangle(x, y, width, height) for x, width in _columns(before, after, new.width, height)]
    return found


def _columns(before: bytes, after: bytes, width: int, height: int) -> Iterator[tuple[int, int]]:
    """Where two bands differ: left edge and width, in whole tiles."""
    row, start = 3 * width, None
    for x in range(0, width, TILE_WIDTH):
        left, right = 3 * x, min(3 * (x + TILE_WIDTH), row)
        rows = [slice(at + left, at + right) for at in range(0, row * height, row)]
        differs = any(before[part] != after[part] for part in rows)
        if differs and start is None:
            start = x
        if not differs and start is not None:
            yield start, x - start
            start = None
    if start is not None:
        yield start, width - start
