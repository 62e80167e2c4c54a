"""Keyboard controller, keyboard and mouse: commands as SeaBIOS, GRUB and Linux give them, and what a user does."""

import random

import pytest

from hv.devices import keys
from hv.devices.i8042 import HIGHER, I8042, TO_SET_1
from hv.devices.ps2_keyboard import MOST_PENDING, STROKE_NS, Ps2Keyboard
from hv.devices.ps2_mouse import Ps2Mouse
from hv.devices.system_control import SystemControl
from tests.devices.machine import TestMachine

ACK, RESEND = 0xFA, 0xFE


class Pc:
    """A machine with the controller and both devices."""

    def __init__(self) -> None:
        self.machine = TestMachine()
        self.keyboard, self.mouse = Ps2Keyboard(self.machine), Ps2Mouse(self.machine)
        self.control = SystemControl(self.machine)
        self.controller = I8042(self.machine, self.keyboard, self.mouse, self.control)
        self.devices = (self.keyboard, self.mouse, self.control, self.controller)
        for device in self.devices:
            device.reset()
        self.machine.edges.clear()

    def command(self, value: int, *data: int) -> None:
        self.machine.out(0x64, value)
        for byte in data:
            self.machine.out(0x60, byte)

    def drain(self) -> bytes:
        got = bytearray()
        while self.machine.inp(0x64) & 1:
            got.append(self.machine.inp(0x60))
        return bytes(got)

    def to_keyboard(self, *data: int) -> bytes:
        for byte in data:
            self.machine.out(0x60, byte)
        return self.drain()

    def to_mouse(self, *data: int) -> bytes:
        for byte in data:
            self.command(0xD4, byte)
        return self.drain()

    def typed(self, line: bytes) -> bytes:
        """What the guest reads of keys, as it reads them at once."""
        self.keyboard.accept(line)
        got = self.drain()
        while "keyboard" in self.machine.deadlines:
            self.machine.advance(STROKE_NS)
            got += self.drain()
        return got


@pytest.fixture
def pc() -> Pc:
    return Pc()


# ---- controller ----


def test_self_tests_and_command_byte(pc: Pc) -> None:
    pc.command(0xAA)
    assert pc.machine.inp(0x64) & 0x05 == 0x05 and pc.drain() == b"\x55"
    pc.command(0xAB)
    pc.command(0xA9)
    assert pc.drain() == b"\0\0"
    pc.command(0x60, 0x61)
    pc.command(0x20)
    assert pc.drain() == b"\x61"
    pc.command(0xA7)
    pc.command(0xAD)
    pc.command(0x20)
    assert pc.drain() == b"\x71"
    pc.command(0xA8)
    pc.command(0xAE)
    pc.command(0x20)
    assert pc.drain() == b"\x41"
    pc.command(0x65, 0x99)
    pc.command(0x25)
    assert pc.drain() == b"\x99"


def test_a_byte_at_a_time_with_an_edge_each(pc: Pc) -> None:
    pc.machine.out(0x60, 0xF2)
    for expected in (ACK, 0xAB, 0x83):
        assert pc.machine.lines[1]
        assert pc.machine.inp(0x60) == expected
    assert not pc.machine.lines[1] and pc.machine.edges.count((1, True)) == 3
    assert pc.machine.inp(0x60) == 0x83  # the buffer keeps its last byte


def test_interrupts_as_the_command_byte_says(pc: Pc) -> None:
    pc.command(0x60, 0x00)
    pc.machine.out(0x60, 0xEE)
    pc.command(0xD4, 0xF2)
    assert pc.machine.edges == []
    pc.command(0x60, 0x03)
    assert pc.machine.lines == {1: True, 12: False} and pc.machine.inp(0x64) & 0x21 == 0x01
    assert pc.machine.inp(0x60) == 0xEE
    assert pc.machine.lines == {1: False, 12: True} and pc.machine.inp(0x64) & 0x21 == 0x21
    assert pc.drain() == bytes([ACK, 0])
    assert pc.machine.lines == {1: False, 12: False}


def test_a_device_that_is_off_waits(pc: Pc) -> None:
    pc.command(0xAD)
    pc.keyboard.accept(keys.press("a"))
    assert pc.drain() == b""
    pc.command(0xAE)
    assert pc.drain() == b"\x1c"


def test_linux_probes_the_auxiliary_port_by_loopback(pc: Pc) -> None:
    pc.command(0xD3, 0x5A)
    assert pc.machine.inp(0x64) & 0x21 == 0x21 and pc.drain() == b"\x5a"
    pc.command(0xD2, 0xA5)
    assert pc.machine.inp(0x64) & 0x21 == 0x01 and pc.drain() == b"\xa5"


@pytest.mark.parametrize("way", ["output port", "command", "port 92"])
def test_a20(pc: Pc, way: str) -> None:
    def switch(on: bool) -> None:
        if way == "output port":
            pc.command(0xD1, 0xDF if on else 0xDD)
        elif way == "command":
            pc.command(0xDF if on else 0xDD)
        else:
            pc.machine.out(0x92, 2 if on else 0)

    for on in (False, True, True, False):
        switch(on)
        assert pc.machine.a20 is on and pc.machine.inp(0x92) & 2 == 2 * on
        pc.command(0xD0)
        assert pc.drain()[0] & 2 == 2 * on
    pc.control.reset()
    assert pc.machine.a20 and pc.machine.inp(0x92) == 2


@pytest.mark.parametrize("way", ["pulse", "output port", "port 92", "0xcf9"])
def test_resets(pc: Pc, way: str) -> None:
    first, last = {
        "pulse": (lambda: pc.command(0xFF), lambda: pc.command(0xFE)),
        "output port": (lambda: pc.command(0xD1, 0x03), lambda: pc.command(0xD1, 0x02)),
        "port 92": (lambda: pc.machine.out(0x92, 2), lambda: pc.machine.out(0x92, 3)),
        "0xcf9": (lambda: pc.machine.out(0xCF9, 2), lambda: pc.machine.out(0xCF9, 6)),
    }[way]
    first()
    assert pc.machine.ended == ""
    last()
    assert pc.machine.ended == "reboot"


# ---- keyboard ----


def test_the_translation_is_that_of_the_key_table() -> None:
    for number, key in enumerate(keys.table()):
        for released in (False, True):
            codes, prefix = bytearray(), 0
            for byte in keys.scan_codes(number, 2, released):
                if byte == 0xF0:
                    prefix = 0x80
                else:
                    codes.append((TO_SET_1[byte] if byte < 0x80 else HIGHER.get(byte, byte)) | prefix)
                    prefix = 0
            assert bytes(codes) == keys.scan_codes(number, 1, released), key.name


def test_translated_keys_are_set_1(pc: Pc) -> None:
    pc.command(0x60, 0x47)
    assert pc.typed(keys.chord("a")) == b"\x1e\x9e"
    assert pc.typed(keys.chord("up")) == b"\xe0\x48\xe0\xc8"
    assert pc.typed(keys.chord("f7")) == b"\x41\xc1"
    assert pc.typed(keys.chord("ctrl+alt+delete")) == bytes.fromhex("1d 38 e053 e0d3 b8 9d")


@pytest.mark.parametrize(
    ("code_set", "a", "delete", "print_screen"),
    [
        (1, "1e 9e", "e053 e0d3", "e02ae037 e0b7e0aa"),
        (2, "1c f01c", "e071 e0f071", "e012e07c e0f07ce0f012"),
        (3, "1c", "64", "57"),
    ],
)
def test_scan_code_sets(pc: Pc, code_set: int, a: str, delete: str, print_screen: str) -> None:
    assert pc.to_keyboard(0xF0, code_set) == bytes([ACK, ACK])
    assert pc.to_keyboard(0xF0, 0) == bytes([ACK, ACK, code_set])
    for name, expected in (("a", a), ("delete", delete), ("print", print_screen)):
        assert pc.typed(keys.chord(name)) == bytes.fromhex(expected)


def test_set_3_has_types_of_keys(pc: Pc) -> None:
    pc.to_keyboard(0xF0, 3)
    assert pc.typed(keys.chord("shift+a")) == bytes.fromhex("12 1c f012")
    assert pc.to_keyboard(0xFC, 0x1C, 0x32) == bytes([ACK] * 3)
    assert pc.typed(keys.chord("a+b")) == bytes.fromhex("1c 32 f032 f01c")
    pc.to_keyboard(0xF4)
    assert pc.to_keyboard(0xFD, 0x1C) == bytes([ACK] * 2)
    pc.to_keyboard(0xF4)
    assert pc.typed(keys.chord("a")) == b"\x1c"
    pc.to_keyboard(0xF8)
    assert pc.typed(keys.chord("c")) == bytes.fromhex("21 f021")
    pc.to_keyboard(0xF7)
    assert pc.typed(keys.chord("shift")) == b"\x12"


def test_keys_that_depend_on_others(pc: Pc) -> None:
    assert pc.typed(keys.chord("alt+print")) == bytes.fromhex("11 84 f084 f011")
    assert pc.typed(keys.chord("ctrl+pause")) == bytes.fromhex("14 e07ee0f07e f014")
    assert pc.typed(keys.chord("pause")) == bytes.fromhex("e11477e1f014f077")
    pc.typed(keys.press("alt") + keys.press("print") + keys.release("alt"))
    assert pc.typed(keys.release("print")) == bytes.fromhex("f084")


def test_commands_of_drivers(pc: Pc) -> None:
    assert pc.to_keyboard(0xFF) == bytes([ACK, 0xAA])
    assert pc.to_keyboard(0xF2) == bytes([ACK, 0xAB, 0x83])
    assert pc.to_keyboard(0xED, 0x05) == bytes([ACK, ACK]) and pc.keyboard.state.leds == 5
    assert pc.to_keyboard(0xF3, 0x20) == bytes([ACK, ACK]) and pc.keyboard.state.rate == 0x20
    assert pc.to_keyboard(0xEE) == b"\xee"
    assert pc.to_keyboard(0xFE) == b"\xee"
    assert pc.to_keyboard(0x00) == bytes([RESEND]) and pc.to_keyboard(0xE5) == bytes([RESEND])
    assert pc.to_keyboard(0xED) == bytes([ACK]) and pc.to_keyboard(0xF4) == bytes([ACK])  # a command for an argument
    assert pc.to_keyboard(0x01) == bytes([RESEND])


def test_a_keyboard_that_is_disabled_does_not_scan(pc: Pc) -> None:
    pc.to_keyboard(0xF5)
    assert pc.typed(keys.chord("a")) == b""
    pc.to_keyboard(0xF4)
    assert pc.typed(keys.chord("a")) == b"\x1c\xf0\x1c"


def test_text_is_typed_at_a_pace(pc: Pc) -> None:
    pc.command(0x60, 0x47)
    pc.keyboard.accept(keys.typed('A"\\\n'))
    codes = bytearray()
    for _ in range(20):
        codes += pc.drain()
        before = len(codes)
        pc.machine.advance(STROKE_NS - 1)
        assert pc.drain() == b"" and len(codes) == before
        pc.machine.advance(1)
    assert bytes(codes) == bytes.fromhex("2a 1e 9e aa 2a 28 a8 aa 2b ab 1c 9c")
    assert "keyboard" not in pc.machine.deadlines


def test_nothing_is_lost_while_nobody_reads(pc: Pc) -> None:
    text = "the quick brown fox jumps over the lazy dog" * 3
    pc.keyboard.accept(keys.typed(text))
    pc.machine.advance(10**10)
    assert len(pc.keyboard.state.output) <= 16 and pc.machine.deadlines == {}
    assert pc.typed(b"") == b"".join(
        keys.scan_codes(keys.characters()[letter][0], 2, released) for letter in text for released in (False, True)
    )


def test_every_character_of_a_us_keyboard_is_typed_by_its_key() -> None:
    text = "".join(chr(code) for code in range(0x20, 0x7F)) + "\n\t\b\x1b"
    shift = keys.numbers()["shift"]
    line = keys.typed(text)
    assert line.count(b"\n") == 1
    shown, shifted = "", False
    for number, released in keys.strokes(line.decode()[:-1]):
        key = keys.table()[number]
        if number == shift:
            shifted = not released
        elif not released:
            special = {name: character for character, name in keys.TYPED_KEYS.items()}
            shown += special.get(key.name) or (key.shifted if shifted else key.plain)
    assert shown == text


def test_names() -> None:
    assert len(keys.numbers()) == len(keys.table()) < 128
    for make in (keys.press, keys.release, keys.chord):
        with pytest.raises(ValueError, match="no key nosuch"):
            make("nosuch")
    with pytest.raises(ValueError, match="cannot type"):
        keys.typed("\u00e9")


def test_lines_that_mean_nothing_do_nothing(pc: Pc) -> None:
    for line in (b"", b"\xff\xfe", b"press", b"press nosuch", b"dance a", b"text \\", b"text \\q\xc3\xa9", b"key +++"):
        assert pc.typed(line + b"\n") == b""
    pc.keyboard.accept(keys.typed("x" * 100_000))
    assert len(pc.keyboard.state.pending) <= MOST_PENDING


# ---- mouse ----


def test_mouse_commands_of_drivers(pc: Pc) -> None:
    assert pc.to_mouse(0xFF) == bytes([ACK, 0xAA, 0x00])
    assert pc.to_mouse(0xF2) == bytes([ACK, 0])
    assert pc.to_mouse(0xE9) == bytes([ACK, 0x00, 2, 100])
    assert pc.to_mouse(0xE8, 3, 0xE7, 0xF3, 40, 0xF4) == bytes([ACK] * 6)
    assert pc.to_mouse(0xE9) == bytes([ACK, 0x30, 3, 40])
    assert pc.to_mouse(0xF6) == bytes([ACK]) and pc.to_mouse(0xE9) == bytes([ACK, 0x00, 2, 100])
    assert pc.to_mouse(0x12) == bytes([RESEND])
    assert pc.to_mouse(0xEE, 0x12, 0xF4, 0xEC) == bytes([ACK, 0x12, 0xF4, ACK])


@pytest.mark.parametrize(("rates", "kind"), [((200, 100, 80), 3), ((200, 200, 80), 4), ((100, 200, 80), 0)])
def test_intellimouse_is_knocked_for(pc: Pc, rates: tuple[int, ...], kind: int) -> None:
    for rate in rates:
        pc.to_mouse(0xF3, rate)
    assert pc.to_mouse(0xF2) == bytes([ACK, kind])
    pc.to_mouse(0xF4)
    pc.mouse.accept(b"wheel 2\n")
    assert pc.drain() == bytes([0x08, 0, 0] + ([0xFE] if kind == 3 else [0x0E] if kind == 4 else []))


def test_reports(pc: Pc) -> None:
    pc.to_mouse(0xF3, 200, 0xF3, 200, 0xF3, 80, 0xF4)
    steps = (
        (b"move 5 -3", "08 05 03 00"), (b"move -5 3", "38 fb fd 00"), (b"press left", "09 00 00 00"),
        (b"press side", "09 00 00 10"), (b"move 1 0", "09 01 00 10"), (b"release left", "08 00 00 10"),
        (b"move 300 0", "08 ff 00 10 08 2d 00 10"), (b"move -300 0", "18 01 00 10 18 d3 00 10"),
    )  # fmt: skip
    for line, expected in steps:
        pc.machine.advance(10**8)
        pc.mouse.accept(line)
        got = pc.drain()
        pc.machine.advance(10**8)
        assert got + pc.drain() == bytes.fromhex(expected), line


def test_movements_are_added_up_between_reports(pc: Pc) -> None:
    pc.to_mouse(0xF4)
    for _ in range(20):
        pc.mouse.accept(b"move 2 -1")
    assert pc.drain() == b"\x08\x02\x01"
    pc.machine.advance(10**7 - 1)
    assert pc.drain() == b""
    pc.machine.advance(1)
    assert pc.drain() == b"\x08\x26\x13"
    assert len(pc.mouse.state.pending) == 0


def test_clicks_are_not_lost(pc: Pc) -> None:
    pc.to_mouse(0xF4)
    pc.mouse.accept(b"press left\nrelease left\npress left\nrelease left")
    got = pc.drain()
    while "mouse" in pc.machine.deadlines:
        pc.machine.advance(10**7)
        got += pc.drain()
    assert got[::3] == b"\x09\x08\x09\x08"


def test_a_remote_mouse_is_asked(pc: Pc) -> None:
    pc.to_mouse(0xF0)
    pc.mouse.accept(b"move 7 7")
    pc.machine.advance(10**9)
    assert pc.drain() == b""
    assert pc.to_mouse(0xEB) == bytes([ACK, 0x28, 0x07, 0xF9])
    assert pc.to_mouse(0xEB) == bytes([ACK, 0x08, 0, 0])


def test_a_mouse_that_is_off_notices_buttons_only(pc: Pc) -> None:
    pc.mouse.accept(b"move 50 50\npress right")
    assert pc.to_mouse(0xF4) == bytes([ACK])
    pc.mouse.accept(b"move 1 0")
    assert pc.drain() == b"\x0a\x01\x00"


def test_lines_that_mean_nothing_move_nothing(pc: Pc) -> None:
    pc.to_mouse(0xF4)
    for line in (b"move 1", b"move a b", b"wheel", b"press nose", b"\xff", b"move 99999999999999999999 1\n"):
        pc.mouse.accept(line)
    pc.mouse.accept(b"move 999999999 -999999999\n" * 1000)
    assert len(pc.mouse.state.pending) <= 256


# ---- both ----


def test_saved_in_the_middle_they_go_on_the_same() -> None:
    source = random.Random(5)
    for _ in range(20):
        one, other = Pc(), Pc()
        one.command(0x60, source.choice([0x03, 0x47]))
        one.to_mouse(0xF4)
        one.keyboard.accept(keys.typed("Hello") + keys.chord("alt+print"))
        one.mouse.accept(b"move 700 3\npress left")
        for _ in range(source.randrange(12)):
            one.machine.inp(0x60)
            one.machine.advance(source.choice([1, STROKE_NS]))
        other.machine.now, other.machine.lines = one.machine.now, dict(one.machine.lines)
        copies = {device.name: device for device in other.devices}
        for device in one.devices:
            copies[device.name].load(device.save())
        for name, (when, _) in one.machine.deadlines.items():
            other.machine.set_timer(copies[name], when)
        got = []
        for pc in (one, other):
            data = b""
            for _ in range(100):
                data += pc.drain()
                pc.machine.advance(STROKE_NS)
            got.append((data, [device.canonical() for device in pc.devices]))
        assert got[0] == got[1]
