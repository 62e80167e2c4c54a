"""The keys of a keyboard: their names, what each scan code set and USB send for them, and what text they type.

`keyboard_us.txt` is the table. What enters a keyboard (Ps2Keyboard, UsbKeyboard) by accept() is lines of text, made
here:

    press("a")              press NAME
    release("a")            release NAME
    chord("ctrl+alt+f2")    key NAME+NAME...    pressed in this order, released in the other one
    typed("root\\n")         text STRING         \\n is enter, \\t tab, \\b backspace, \\e escape, \\\\ a backslash

The X11 keysyms of the table are for VNC (hv.toolstack.vnc.keys).
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import NamedTuple

TABLE_FILE = "keyboard_us.txt"
NONE, SPACE = "none", "SP"
EXTENDED, OWN_RELEASE, BREAK = 0xE0, 0xE1, 0xF0
BREAK_KEY = (b"\xe0\x46\xe0\xc6", b"\xe0\x7e\xe0\xf0\x7e")
"""PAUSE with CTRL in sets 1 and 2: holds its release."""
TYPED_KEYS = {"\n": "enter", "\t": "tab", "\b": "backspace", "\x1b": "esc"}
ESCAPES = {"n": "\n", "t": "\t", "b": "\b", "e": "\x1b", "\\": "\\"}
SHIFT = "shift"


class Key(NamedTuple):
    """A row of the table: `makes` are the bytes of scan code sets 1, 2 and 3, empty where there are none;
    `usage` is its number of USB's keyboard page, 0 for none."""

    name: str
    makes: tuple[bytes, bytes, bytes]
    usage: int
    plain: str
    shifted: str
    keysyms: tuple[int, ...]


@cache
def table() -> tuple[Key, ...]:
    """All keys. A key's place is its number."""
    lines = files(__package__).joinpath(TABLE_FILE).read_text("utf-8").splitlines()
    return tuple(_key(line.split()) for line in lines if line and not line.startswith("#"))


def _key(row: list[str]) -> Key:
    name, *makes, usage, plain, shifted, keysyms = row
    one, two, three = (b"" if make == NONE else bytes.fromhex(make) for make in makes)
    plain, shifted = ({NONE: "", SPACE: " "}.get(character, character) for character in (plain, shifted))
    numbers = () if keysyms == NONE else tuple(int(keysym, 16) for keysym in keysyms.split(","))
    return Key(name, (one, two, three), 0 if usage == NONE else int(usage, 16), plain, shifted, numbers)


@cache
def numbers() -> dict[str, int]:
    """Key numbers by name."""
    return {key.name: number for number, key in enumerate(table())}


@cache
def characters() -> dict[str, tuple[int, bool]]:
    """(key number, with shift) by character."""
    found = {character: (numbers()[name], False) for character, name in TYPED_KEYS.items()}
    for number, key in enumerate(table()):
        if key.plain:
            found[key.plain] = number, False
        if key.shifted:
            found[key.shifted] = number, True
    return found


def scan_codes(number: int, code_set: int, released: bool) -> bytes:
    """What a key sends in scan code set 1, 2 or 3 when it is pressed or released."""
    make = table()[number].makes[code_set - 1]
    if not released:
        return make
    if not make or make[0] == OWN_RELEASE or make in BREAK_KEY:
        return b""
    codes: list[bytes] = []
    for byte in make:
        if codes and codes[-1] == bytes([EXTENDED]):
            codes[-1] += bytes([byte])
        else:
            codes.append(bytes([byte]))
    return b"".join(_release(code, code_set) for code in reversed(codes))


def _release(code: bytes, code_set: int) -> bytes:
    if code_set == 1:
        return code[:-1] + bytes([code[-1] | 0x80])
    return code[:-1] + bytes([BREAK, code[-1]])


# ---- what enters a keyboard ----


def press(name: str) -> bytes:
    """A key goes down. ValueError: there is no such key."""
    return b"press %s\n" % _checked(name)


def release(name: str) -> bytes:
    """A key goes up. ValueError: there is no such key."""
    return b"release %s\n" % _checked(name)


def chord(names: str) -> bytes:
    """Keys that are pressed together, with + between their names. ValueError: there is no such key."""
    return b"key %s\n" % b"+".join(_checked(name) for name in names.split("+"))


def typed(text: str) -> bytes:
    """Text that is typed. ValueError: a character that a US keyboard does not have."""
    for character in text:
        if character not in characters():
            raise ValueError(f"a US keyboard cannot type {character!a}")
    for letter in ("\\", "n", "t", "b", "e"):
        text = text.replace(ESCAPES[letter], "\\" + letter)
    return b"text %s\n" % text.encode()


def _checked(name: str) -> bytes:
    if name not in numbers():
        raise ValueError(f"there is no key {name}; the names are in hv/devices/{TABLE_FILE}")
    return name.encode()


def strokes(line: str) -> list[tuple[int, bool]]:
    """(key number, released) that a line means. What it does not understand means nothing."""
    verb, _, rest = line.partition(" ")
    if verb == "text":
        return _text_strokes(rest)
    known = [numbers()[name] for name in rest.split("+") if name in numbers()]
    down, up = [(number, False) for number in known], [(number, True) for number in reversed(known)]
    return {"press": down, "release": up, "key": down + up}.get(verb, [])


def _text_strokes(text: str) -> list[tuple[int, bool]]:
    shift, found, rest = numbers()[SHIFT], [], iter(text)
    for character in rest:
        if character == "\\":
            character = ESCAPES.get(next(rest, ""), "")
        if character not in characters():
            continue
        number, with_shift = characters()[character]
        stroke = [(number, False), (number, True)]
        found += [(shift, False), *stroke, (shift, True)] if with_shift else stroke
    return found
