"""From X keysyms to the keys of a US keyboard."""

from __future__ import annotations

import string

import pytest

from hv.devices.keys import numbers, press, strokes
from hv.toolstack.vnc.keys import CAPS_LOCK, KEYSYMS, SHIFTS, Keyboard, Stroke


def typed(*steps: int) -> str:
    """Positive: down, negative: up; "+a -a"."""
    keyboard = Keyboard()
    events = [event for step in steps for event in keyboard.press(abs(step), step > 0)]
    return " ".join(f"{'+' if event.down else '-'}{event.name}" for event in events)


SHIFT, CAPS, RIGHT_SHIFT = 0xFFE1, 0xFFE5, 0xFFE2


@pytest.mark.parametrize(("steps", "expected"), [
    ((97, -97), "+a -a"),
    ((SHIFT, 65, -65, -SHIFT), "+shift +a -a -shift"),
    ((65, -65), "+shift +a -shift -a"),  # a client that has no Shift to press
    ((33, -33), "+shift +1 -shift -1"),
    ((SHIFT, 49, -49, -SHIFT), "+shift -shift +1 +shift -1 -shift"),  # a keyboard with digits above
    ((RIGHT_SHIFT, 63, -63, -RIGHT_SHIFT), "+rightshift +slash -slash -rightshift"),
    ((CAPS, -CAPS, 65, -65), "+capslock -capslock +a -a"),
    ((CAPS, -CAPS, 97), "+capslock -capslock +shift +a -shift"),
    ((CAPS, CAPS, -CAPS, 65), "+capslock +capslock -capslock +a"),  # repeats of a key that is held
    ((CAPS, -CAPS, 33), "+capslock -capslock +shift +1 -shift"),
    ((97, 97, -97), "+a +a -a"),
    ((-97,), ""),
    ((0x20AC, -0x20AC), ""),  # no US keyboard has it
    ((97, 65, -97, -65), "+a +shift +a -shift -a"),  # the key is held until both say that it is not
    ((0xFFE3, 0xFFE9, 0xFFFF, -0xFFFF, -0xFFE9, -0xFFE3), "+ctrl +alt +delete -delete -alt -ctrl"),
    ((SHIFT, 0xFF0D), "+shift +enter"),
])  # fmt: skip
def test_strokes(steps: tuple[int, ...], expected: str) -> None:
    assert typed(*steps) == expected


def test_every_printable_character_has_a_key_of_its_own() -> None:
    strokes = [KEYSYMS[ord(character)] for character in string.printable if character >= " "]
    assert len(set(strokes)) == len(strokes) == 95


def test_keysyms_name_keys_of_the_guests_keyboard() -> None:
    assert KEYSYMS[0xFF0D] == KEYSYMS[0xFF0A] == Stroke("enter")
    assert KEYSYMS[ord("A")] == Stroke("a", True) and KEYSYMS[ord("!")] == Stroke("1", True)
    assert KEYSYMS[0xFFB5] == KEYSYMS[0xFF9D] == Stroke("kp5")
    assert 0xE9 not in KEYSYMS and 0x1000000 not in KEYSYMS
    assert {*SHIFTS, CAPS_LOCK} <= numbers().keys()
    for stroke in KEYSYMS.values():
        assert strokes(press(stroke.name).decode().rstrip()) == [(numbers()[stroke.name], False)]


def test_releasing() -> None:
    keyboard = Keyboard()
    for keysym in (97, 98, SHIFT):
        keyboard.press(keysym, True)
    keyboard.press(98, False)
    assert [(event.name, event.down) for event in keyboard.release()] == [("a", False), ("shift", False)]
    assert keyboard.release() == []
