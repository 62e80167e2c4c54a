"""USB tablet and keyboard, as a driver on a UHCI controller sees them."""

import struct

import pytest

from hv.devices import keys, pointer
from hv.devices.usb_keyboard import MOST_PENDING, UsbKeyboard
from hv.devices.usb_tablet import UsbTablet
from tests.devices.machine import TestMachine
from tests.devices.uhci_driver import BUFFERS, Driver, Stalled

TABLET, KEYBOARD = 3, 4


class Desk:
    """Both on one controller, configured."""

    def __init__(self) -> None:
        machine = TestMachine()
        self.tablet, self.keyboard = UsbTablet(machine), UsbKeyboard(machine)
        self.driver = Driver(self.tablet, self.keyboard, machine=machine)
        self.driver.configure(TABLET, 0)
        self.driver.configure(KEYBOARD, 1)

    def pointed(self) -> list[tuple[int, ...]]:
        """All reports of the tablet that wait: buttons, x, y, notches."""
        found = []
        while (report := self.driver.look(TABLET)) is not None:
            found.append(struct.unpack("<BHHb", report))
        return found

    def typed(self) -> list[bytes]:
        """All reports of the keyboard that wait."""
        found = []
        while (report := self.driver.look(KEYBOARD)) is not None:
            found.append(report)
        return found


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_descriptors_agree(desk: Desk) -> None:
    for address, size in ((TABLET, 6), (KEYBOARD, 8)):
        head = desk.driver.control(address, 0x80, 6, 0x0200, length=9)
        whole = desk.driver.control(address, 0x80, 6, 0x0200, length=struct.unpack_from("<H", head, 2)[0])
        assert len(whole) == 34 and whole[9:12] == b"\x09\x04\x00" and whole[14] == 3
        assert whole[27:34] == bytes([7, 5, 0x81, 3, size, 0, 8])
        length = struct.unpack_from("<H", whole, 25)[0]
        assert len(desk.driver.control(address, 0x81, 6, 0x2200, length=200)) == length
    assert desk.driver.control(KEYBOARD, 0x80, 6, 0x0302, 0x409, 255)[2:].decode("utf-16-le") == "USB Keyboard"
    with pytest.raises(Stalled):
        desk.driver.control(TABLET, 0x80, 6, 0x0600, length=10)


def test_standard_requests(desk: Desk) -> None:
    control = desk.driver.control
    control(TABLET, 0x00, 3, 1)
    assert control(TABLET, 0x80, 0, length=2) == b"\x02\0"
    control(TABLET, 0x02, 3, 0, 0x81)
    assert control(TABLET, 0x82, 0, 0, 0x81, 2) == b"\x01\0"
    with pytest.raises(Stalled):
        desk.driver.look(TABLET)
    control(TABLET, 0x02, 1, 0, 0x81)
    assert desk.driver.look(TABLET) is None
    assert control(TABLET, 0x81, 10, length=1) == b"\0"
    control(TABLET, 0x01, 11, 0, 0)
    for wrong in ((0x00, 9, 2, 0), (0x01, 11, 1, 0), (0x02, 3, 0, 0x85), (0x00, 5, 200, 0)):
        with pytest.raises(Stalled):
            control(TABLET, *wrong)


def test_the_pointer(desk: Desk) -> None:
    desk.tablet.accept(b"at 100 200\nat 300 400\n")
    assert desk.pointed() == [(0, 300, 400, 0)]
    desk.tablet.accept(b"press left\nat 301 401\nrelease left\nwheel -2\nat 302 402\nmove 5 5\n")
    assert desk.pointed() == [(1, 301, 401, 0), (0, 301, 401, 0), (0, 301, 401, -2), (0, 302, 402, 0)]
    desk.tablet.accept(b"at 99999 -1\nwheel 9999\n")
    assert desk.pointed() == [(0, 32767, 0, 0), (0, 32767, 0, 127)]
    desk.tablet.accept(b"press nose\nat 1\nat one two three\nwheel\n\xff\xfe")
    assert desk.pointed() == []


def test_edges_of_a_picture_are_edges_of_the_tablet() -> None:
    assert pointer.at(0, 0, 640, 480) == b"at 0 0\n"
    assert pointer.at(639, 479, 640, 480) == b"at 32767 32767\n"
    assert pointer.at(5, 5, 1, 0) == b"at 0 0\n"


def test_nothing_is_noticed_before_a_driver_is_there() -> None:
    desk = Desk()
    desk.driver.control(TABLET, 0x00, 9, 0)
    desk.tablet.accept(b"press left\nrelease left\n")
    desk.driver.control(TABLET, 0x00, 9, 1)
    assert desk.pointed() == []


def test_keys(desk: Desk) -> None:
    desk.keyboard.accept(keys.typed("aB"))
    plain = [b"\0\0\x04", b"\0\0\0", b"\x02\0\0", b"\x02\0\x05", b"\x02\0\0", b"\0\0\0"]
    assert desk.typed() == [report.ljust(8, b"\0") for report in plain]
    desk.keyboard.accept(keys.chord("ctrl+alt+delete"))
    assert desk.typed()[2] == bytes([5, 0, 0x4C, 0, 0, 0, 0, 0])


def test_more_than_six_keys(desk: Desk) -> None:
    desk.keyboard.accept(b"".join(keys.press(key) for key in "abcdefg"))
    reports = desk.typed()
    assert reports[5] == bytes([0, 0, 4, 5, 6, 7, 8, 9]) and reports[6] == bytes([0, 0, *[1] * 6])
    desk.keyboard.accept(keys.release("a"))
    assert desk.typed() == [bytes([0, 0, 5, 6, 7, 8, 9, 10])]


def test_every_key_has_its_own_usage_but_those_that_stand_for_others() -> None:
    usages = [key.usage for key in keys.table() if key.usage and key.name not in ("sysrq", "break")]
    assert len(usages) == len(set(usages)) > 100
    assert {key.name for key in keys.table() if not key.usage} == {"sleep", "wake"}


def test_pending_strokes_are_bounded(desk: Desk) -> None:
    for _ in range(3):
        desk.keyboard.accept(keys.typed("a" * MOST_PENDING))
        desk.tablet.accept(b"press left\nrelease left\n" * 1000)
    assert len(desk.keyboard.state.pending) == MOST_PENDING and len(desk.tablet.state.pending) == 256


def test_class_requests(desk: Desk) -> None:
    control = desk.driver.control
    control(KEYBOARD, 0x21, 9, 0x0200, data=b"\x03")
    assert desk.keyboard.state.leds == 3
    control(KEYBOARD, 0x21, 11, 0)
    assert control(KEYBOARD, 0xA1, 3, length=1) == b"\0"
    control(KEYBOARD, 0x21, 10, 0x0400)
    assert control(KEYBOARD, 0xA1, 2, length=1) == b"\x04"
    assert control(KEYBOARD, 0xA1, 1, 0x0100, length=8) == bytes(8)
    for wrong in ((0x21, 9, 0x0100), (0xA1, 1, 0x0300), (0x21, 11, 7)):
        with pytest.raises(Stalled):
            control(KEYBOARD, *wrong, length=0)
    with pytest.raises(Stalled):
        control(TABLET, 0x21, 9, 0x0200, data=b"\x03")


def test_an_idle_rate_repeats_the_report(desk: Desk) -> None:
    desk.keyboard.accept(keys.press("x"))
    assert len(desk.typed()) == 1
    desk.driver.control(KEYBOARD, 0x21, 10, 0x0200)  # 8 ms
    looks = [desk.driver.look(KEYBOARD) for _ in range(40)]
    assert 4 <= sum(report is not None for report in looks) <= 5
    assert {report for report in looks if report} == {bytes([0, 0, 0x1B, 0, 0, 0, 0, 0])}


def test_a_control_transfer_brings_no_more_than_it_says(desk: Desk) -> None:
    """A packet without end is refused once 4 KiB have come."""
    desk.driver.machine.ram[BUFFERS : BUFFERS + 8] = struct.pack("<BBHHH", 0x21, 9, 0x0200, 0, 0xFFFF)
    packets = [(0x2D, 8, BUFFERS)] + [(0xE1, 1280, BUFFERS)] * 8
    with pytest.raises(Stalled):
        desk.driver.queue(KEYBOARD, 0, packets)
    assert len(desk.keyboard.state.received) == 0
