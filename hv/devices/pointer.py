"""What a user does with a mouse or a tablet, as lines of text that enter by accept():

    move X Y         by so many counts, to the right and down
    at X Y           to this place of the screen, 0 to PLACES - 1 from its left and upper edge
    wheel N          notches, away from the user
    press NAME       a button of BUTTONS
    release NAME
"""

from __future__ import annotations

from collections.abc import Iterator

BUTTONS = {"left": 1, "right": 2, "middle": 4, "side": 8, "extra": 16}
BUTTON_EVENTS = frozenset({"press", "release"})
PLACES = 32768
"""Of a tablet, each way."""
FARTHEST = 4096
"""Counts or notches of one line, at most."""


def events(data: bytes) -> Iterator[tuple[str, int, int]]:
    """What the lines say: ("move", x, y), ("at", x, y), ("wheel", notches, 0), ("press", bit, 0), ("release", bit,
    0). What they do not say rightly is left out."""
    for line in data.decode("utf-8", "replace").split("\n"):
        verb, *rest = line.split(" ")
        if verb in BUTTON_EVENTS and len(rest) == 1 and rest[0] in BUTTONS:
            yield verb, BUTTONS[rest[0]], 0
        elif verb == "move" and len(rest) == 2:
            yield verb, _number(rest[0], -FARTHEST, FARTHEST), _number(rest[1], -FARTHEST, FARTHEST)
        elif verb == "at" and len(rest) == 2:
            yield verb, _number(rest[0], 0, PLACES - 1), _number(rest[1], 0, PLACES - 1)
        elif verb == "wheel" and len(rest) == 1:
            yield verb, _number(rest[0], -FARTHEST, FARTHEST), 0


def buttons_after(buttons: int, what: str, bit: int) -> int:
    """The buttons that are held after one was pressed or let go."""
    return buttons | bit if what == "press" else buttons & ~bit


def at(x: int, y: int, width: int, height: int) -> bytes:
    """The line for a place on a picture of `width` by `height`: its edges are the tablet's."""
    return b"at %d %d\n" % (_scaled(x, width), _scaled(y, height))


def _scaled(value: int, size: int) -> int:
    return max(0, min(value, size - 1)) * (PLACES - 1) // max(size - 1, 1)


def _number(word: str, least: int, most: int) -> int:
    """A number of a line; 0 for what is none."""
    digits = word.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
        return 0
    return max(least, min(most, int(word)))
