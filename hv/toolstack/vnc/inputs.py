"""What a client does to the guest: keys and the pointer, for whoever brings them through the input gate."""

from __future__ import annotations

from typing import NamedTuple, Protocol

LEFT, MIDDLE, RIGHT = 1, 2, 4
"""Bits of Pointer.buttons."""
_WHEEL_UP, _WHEEL_DOWN = 8, 16


class Pointer(NamedTuple):
    """The pointer of a client: where it is on a picture of `width` by `height`, how far it has moved since the last
    event, the buttons that are down, and the wheel's clicks (up is positive)."""

    x: int
    y: int
    width: int
    height: int
    dx: int
    dy: int
    buttons: int
    wheel: int


class Inputs(Protocol):
    """Where a client's doings go. Neither may raise; what the guest has no device for is dropped."""

    def key(self, name: str, down: bool) -> None:
        """A key (hv.toolstack.vnc.keys) goes down or up."""

    def pointer(self, event: Pointer) -> None:
        """The pointer has moved, or buttons or the wheel."""


class NoInputs:
    """For a client that may only look."""

    def key(self, name: str, down: bool) -> None:
        """Nothing happens."""

    def pointer(self, event: Pointer) -> None:
        """Nothing happens."""


class Mouse:
    """The pointer of one client. Moves are kept until take(), so that many small ones become one event; a change of
    buttons ends an event."""

    def __init__(self) -> None:
        self._at: tuple[int, int] | None = None
        self._told: tuple[int, int] = (0, 0)
        self._mask = 0
        self._moved = False

    def moved(self, x: int, y: int, mask: int, width: int, height: int) -> list[Pointer]:
        """A PointerEvent message; what it makes necessary to tell."""
        x, y = min(x, max(width - 1, 0)), min(y, max(height - 1, 0))
        if self._at is None:
            self._told = (x, y)  # where a client comes in is no move
        changed = mask ^ self._mask
        self._moved = self._moved or (x, y) != self._at
        self._at = (x, y)
        if not changed:
            return []
        wheel = (1 if changed & mask & _WHEEL_UP else 0) - (1 if changed & mask & _WHEEL_DOWN else 0)
        self._mask = mask
        if not changed & (LEFT | MIDDLE | RIGHT) and not wheel:
            return []
        return [self._event(width, height, wheel)]

    def take(self, width: int, height: int) -> list[Pointer]:
        """Moves that have not been told of yet."""
        return [self._event(width, height, 0)] if self._moved and self._at is not None else []

    def release(self, width: int, height: int) -> list[Pointer]:
        """The client is gone: its buttons go up."""
        if not self._mask & (LEFT | MIDDLE | RIGHT):
            return []
        self._mask = 0
        return [self._event(width, height, 0)]

    def _event(self, width: int, height: int, wheel: int) -> Pointer:
        assert self._at is not None
        (x, y), (old_x, old_y) = self._at, self._told
        self._told, self._moved = self._at, False
        return Pointer(x, y, width, height, x - old_x, y - old_y, self._mask & (LEFT | MIDDLE | RIGHT), wheel)
