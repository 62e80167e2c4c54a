"""Keys of a VNC client: X keysyms, and the keys of a US keyboard that they stand for.

Keys are called as the guest's keyboard calls them (hv/devices/keyboard_us.txt): "a", "1", "enter", "shift", "f1".
"""

from __future__ import annotations

from typing import NamedTuple

from hv.devices import keys


class Stroke(NamedTuple):
    """A key, and for a character whether it needs Shift (None: Shift makes no difference)."""

    name: str
    shift: bool | None = None


SHIFTS = ("shift", "rightshift")
CAPS_LOCK = "capslock"


def _table() -> dict[int, Stroke]:
    table: dict[int, Stroke] = {}
    for key in keys.table():
        table |= {keysym: Stroke(key.name) for keysym in key.keysyms}
        table |= {ord(character): Stroke(key.name, shift)
                  for character, shift in ((key.plain, False), (key.shifted, True)) if character}
    return table


KEYSYMS = _table()
"""What each keysym means that a US keyboard has."""


class Event(NamedTuple):
    """A key goes down or up."""

    name: str
    down: bool


class Keyboard:
    """The keys of one client: which are down, and what must be pressed for a character that the guest's US keyboard has
    elsewhere than the client's."""

    def __init__(self) -> None:
        self._down: dict[int, str] = {}
        self._caps = False

    def press(self, keysym: int, down: bool) -> list[Event]:
        """What to do when the client says that a keysym is down or up; nothing, for one that no key stands for."""
        if not down:
            name = self._down.pop(keysym, None)
            return [] if name is None or name in self._down.values() else [Event(name, False)]
        stroke = KEYSYMS.get(keysym)
        if stroke is None:
            return []
        if stroke.name == CAPS_LOCK and keysym not in self._down:
            self._caps = not self._caps
        self._down[keysym] = stroke.name
        return self._with_shift(stroke)

    def _with_shift(self, stroke: Stroke) -> list[Event]:
        """The key, and around it what makes Shift as the character wants it."""
        press = Event(stroke.name, True)
        held = [name for name in self._down.values() if name in SHIFTS]
        wanted = stroke.shift
        if wanted is not None and self._caps and stroke.name.isalpha() and len(stroke.name) == 1:
            wanted = not wanted
        if wanted is None or wanted == bool(held):
            return [press]
        if wanted:
            return [Event(SHIFTS[0], True), press, Event(SHIFTS[0], False)]
        return [*(Event(name, False) for name in held), press, *(Event(name, True) for name in held)]

    def release(self) -> list[Event]:
        """The client is gone: its keys go up."""
        names = list(dict.fromkeys(self._down.values()))
        self._down.clear()
        return [Event(name, False) for name in names]
