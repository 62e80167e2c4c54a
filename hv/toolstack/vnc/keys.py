"""Keys of a VNC client: X keysyms, and the keys of a US keyboard that they stand for.

Keys are called as in QEMU's `sendkey` and QKeyCode: "a", "1", "ret", "shift", "kp_enter", "f1".
"""

from __future__ import annotations

from typing import NamedTuple


class Stroke(NamedTuple):
    """A key, and for a character whether it needs Shift (None: Shift makes no difference)."""

    name: str
    shift: bool | None = None


SHIFTS = ("shift", "shift_r")
CAPS_LOCK = "caps_lock"

_PLAIN = {
    " ": "spc", "'": "apostrophe", ",": "comma", "-": "minus", ".": "dot", "/": "slash", ";": "semicolon", "=": "equal",
    "[": "bracket_left", "\\": "backslash", "]": "bracket_right", "`": "grave_accent",
}  # fmt: skip
_SHIFTED = dict(zip('!@#$%^&*()_+{}|:"~<>?', '1234567890-=[]\\;\'`,./', strict=True))
_SPECIAL = {
    0xFF08: "backspace", 0xFF09: "tab", 0xFF0A: "ret", 0xFF0D: "ret", 0xFF13: "pause", 0xFF14: "scroll_lock",
    0xFF15: "sysrq", 0xFF1B: "esc", 0xFF50: "home", 0xFF51: "left", 0xFF52: "up", 0xFF53: "right", 0xFF54: "down",
    0xFF55: "pgup", 0xFF56: "pgdn", 0xFF57: "end", 0xFF61: "print", 0xFF63: "insert", 0xFF67: "menu",
    0xFF6B: "pause", 0xFF7F: "num_lock", 0xFF8D: "kp_enter", 0xFFE1: "shift", 0xFFE2: "shift_r", 0xFFE3: "ctrl",
    0xFFE4: "ctrl_r", 0xFFE5: "caps_lock", 0xFFE7: "alt", 0xFFE8: "alt_r", 0xFFE9: "alt", 0xFFEA: "alt_r",
    0xFFEB: "meta_l", 0xFFEC: "meta_r", 0xFFFF: "delete", 0xFE03: "alt_r", 0xFE20: "tab",
    0xFFAA: "kp_multiply", 0xFFAB: "kp_add", 0xFFAC: "kp_decimal", 0xFFAD: "kp_subtract", 0xFFAE: "kp_decimal",
    0xFFAF: "kp_divide", 0xFF95: "kp_7", 0xFF96: "kp_4", 0xFF97: "kp_8", 0xFF98: "kp_6", 0xFF99: "kp_2",
    0xFF9A: "kp_9", 0xFF9B: "kp_3", 0xFF9C: "kp_1", 0xFF9D: "kp_5", 0xFF9E: "kp_0", 0xFF9F: "kp_decimal",
}  # fmt: skip
"""What is no character; the names are those of X's keysymdef.h, 0xff95 to 0xff9f being the keypad without Num Lock."""


def _table() -> dict[int, Stroke]:
    table = {keysym: Stroke(name) for keysym, name in _SPECIAL.items()}
    table |= {0xFFBE + at: Stroke(f"f{at + 1}") for at in range(12)}
    table |= {0xFFB0 + at: Stroke(f"kp_{at}") for at in range(10)}
    for letter in "abcdefghijklmnopqrstuvwxyz":
        table[ord(letter)], table[ord(letter.upper())] = Stroke(letter, False), Stroke(letter, True)
    for digit in "0123456789":
        table[ord(digit)] = Stroke(digit, False)
    for character, name in _PLAIN.items():
        table[ord(character)] = Stroke(name, False)
    for character, below in _SHIFTED.items():
        table[ord(character)] = Stroke(_PLAIN.get(below, below), True)
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
