"""A USB disk, as a driver of the bulk-only transport uses it."""

import random
import struct
from pathlib import Path

import pytest

from hv.devices.usb import IN, OUT
from hv.devices.usb_storage import UsbStorage
from hv.disk.image import MediumError
from tests.devices.ata_driver import disk_of
from tests.devices.machine import TestMachine
from tests.devices.uhci_driver import Driver, Stalled

ADDRESS, BULK_IN, BULK_OUT = 9, 1, 2
SECTORS = 256
CONTENTS = random.Random(17).randbytes(512 * SECTORS)
COMMAND_AT, STATUS_AT, DATA_AT = 0x20000, 0x20100, 0x40000
GOOD, BAD, PHASE = 0, 1, 2


class Stick:
    """The disk, and a driver that does what the specification says."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.machine = TestMachine()
        self.disk = disk_of(folder, CONTENTS, **options)
        self.device = UsbStorage(self.machine, self.disk)
        self.driver = Driver(self.device, machine=self.machine)
        self.driver.configure(ADDRESS)
        self.tag = 0
        self.stalled = False
        self.residue = 0

    def put(self, data: bytes, at: int = DATA_AT) -> None:
        self.machine.ram[at : at + len(data)] = data

    def command(self, packet: bytes, length: int, to_host: bool, unit: int = 0, mark: bytes = b"USBC") -> None:
        self.tag += 1
        flags = 0x80 if to_host else 0
        self.put(struct.pack("<4sIIBBB16s", mark, self.tag, length, flags, unit, len(packet), packet), COMMAND_AT)
        self.driver.queue(ADDRESS, BULK_OUT, [(OUT, 31, COMMAND_AT)])

    def clear(self, address: int) -> None:
        self.driver.control(ADDRESS, 0x02, 1, 0, address)

    def do(self, packet: bytes, length: int = 0, data: bytes | None = None) -> tuple[int, bytes]:
        """A command with room for `length` bytes, or with `data`: the status, and what came."""
        to_host = data is None
        length = length if data is None else len(data)
        self.command(packet, length, to_host)
        got, self.stalled = 0, False
        if data is not None:
            self.put(data)
        kind, endpoint = (IN, BULK_IN) if to_host else (OUT, BULK_OUT)
        for at in range(0, length, 64):
            try:
                (count,) = self.driver.queue(ADDRESS, endpoint, [(kind, min(64, length - at), DATA_AT + at)])
            except Stalled:
                self.stalled = True
                self.clear(endpoint | (0x80 if to_host else 0))
                break
            got += count
            if count < 64:
                break
        self.driver.queue(ADDRESS, BULK_IN, [(IN, 13, STATUS_AT)])
        mark, tag, self.residue, result = struct.unpack("<4sIIB", self.machine.ram[STATUS_AT : STATUS_AT + 13])
        assert mark == b"USBS" and tag == self.tag
        return result, bytes(self.machine.ram[DATA_AT : DATA_AT + got]) if to_host else b""

    def sense(self) -> tuple[int, int]:
        result, data = self.do(bytes([3, 0, 0, 0, 18, 0]), 18)
        assert result == GOOD and len(data) == 18
        return data[2], data[12]


@pytest.fixture
def stick(tmp_path: Path) -> Stick:
    return Stick(tmp_path)


def rw(opcode: int, first: int, count: int) -> bytes:
    form = {0x28: ">BxIxHx", 0x2A: ">BxIxHx", 0xA8: ">BxIIxx", 0xAA: ">BxIIxx", 0x88: ">BxQIxx", 0x8A: ">BxQIxx"}
    return struct.pack(form[opcode], opcode, first, count)


def test_what_it_is(stick: Stick) -> None:
    assert stick.driver.control(ADDRESS, 0xA1, 0xFE, length=1) == b"\0"
    result, data = stick.do(bytes([0x12, 0, 0, 0, 36, 0]), 36)
    assert result == GOOD and data[:5] == bytes([0, 0, 5, 2, 31]) and data[8:32] == b"XENLAB  USB HARDDISK    "
    assert stick.do(bytes([0x12, 1, 0x80, 0, 255, 0]), 255)[1][4:] == b"XLUSB0000000"
    assert stick.do(bytes([0x12, 1, 0, 0, 255, 0]), 255)[1] == bytes([0, 0, 0, 2, 0, 0x80])
    assert stick.do(bytes([0x25]).ljust(10, b"\0"), 8) == (GOOD, struct.pack(">II", SECTORS - 1, 512))
    capacity = stick.do(bytes([0x9E, 0x10]).ljust(13, b"\0") + b"\x20\0\0", 32)[1]
    assert capacity[:12] == struct.pack(">QI", SECTORS - 1, 512)
    assert stick.do(bytes([0x1A, 0, 0x3F, 0, 192, 0]), 192)[1][:5] == bytes([23, 0, 0, 0, 8])
    assert stick.do(bytes([0x5A, 0, 8, 0, 0, 0, 0, 0, 192, 0]), 192)[1][:9] == bytes([0, 26, 0, 0, 0, 0, 0, 0, 8])
    assert stick.do(struct.pack(">B5xIxx", 0xA0, 16), 16)[1] == struct.pack(">QQ", 8 << 32, 0)
    assert stick.do(bytes([0x23, 0, 0, 0, 0, 0, 0, 0, 12, 0]), 12)[1] == struct.pack(">III", 8, SECTORS, 0x2000200)
    assert stick.do(bytes(6)) == (GOOD, b"")


@pytest.mark.parametrize("opcode", [0x28, 0xA8, 0x88])
def test_reading(stick: Stick, opcode: int) -> None:
    assert stick.do(rw(opcode, 7, 20), 20 * 512) == (GOOD, CONTENTS[7 * 512 : 27 * 512])
    assert stick.residue == 0


@pytest.mark.parametrize("opcode", [0x2A, 0xAA, 0x8A])
def test_writing(stick: Stick, opcode: int) -> None:
    data = random.Random(3).randbytes(19 * 512)
    assert stick.do(rw(opcode, 100, 19), data=data) == (GOOD, b"")
    assert stick.disk.read(99, 21) == CONTENTS[99 * 512 : 100 * 512] + data + CONTENTS[119 * 512 : 120 * 512]
    assert stick.do(rw(0x28, 100, 19), 19 * 512)[1] == data
    assert stick.do(bytes([0x35]).ljust(10, b"\0")) == (GOOD, b"")


def test_six_byte_commands(stick: Stick) -> None:
    assert stick.do(bytes([0x08, 0, 0, 5, 1, 0]), 512) == (GOOD, CONTENTS[5 * 512 : 6 * 512])
    assert stick.do(bytes([0x0A, 0, 0, 5, 1, 0]), data=bytes(512)) == (GOOD, b"")
    assert stick.disk.read(5, 1) == bytes(512)


@pytest.mark.parametrize("packet", [rw(0x28, SECTORS, 1), rw(0x28, SECTORS - 1, 2), rw(0x88, 1 << 63, 1)])
def test_beyond_the_end(stick: Stick, packet: bytes) -> None:
    assert stick.do(packet, 512) == (BAD, b"") and stick.stalled and stick.residue == 512
    assert stick.sense() == (5, 0x21) and stick.sense() == (0, 0)


@pytest.mark.parametrize("opcode", [0x04, 0x43, 0xFF])
def test_what_it_does_not_know(stick: Stick, opcode: int) -> None:
    assert stick.do(bytes([opcode]).ljust(10, b"\0"))[0] == BAD and stick.sense() == (5, 0x20)


def test_a_disk_that_may_not_be_written(tmp_path: Path) -> None:
    stick = Stick(tmp_path, read_only=True)
    assert stick.do(rw(0x2A, 0, 1), data=bytes(512))[0] == BAD and stick.sense() == (7, 0x27)
    assert stick.do(bytes([0x1A, 0, 0x3F, 0, 192, 0]), 192)[1][2] == 0x80
    assert stick.disk.read(0, 1) == CONTENTS[:512]


def test_a_damaged_image(stick: Stick, monkeypatch: pytest.MonkeyPatch) -> None:
    read = stick.disk.read

    def damaged(sector: int, count: int) -> bytes:
        if sector + count > 40:
            raise MediumError("damaged")
        return read(sector, count)

    monkeypatch.setattr(stick.disk, "read", damaged)
    result, data = stick.do(rw(0x28, 32, 16), 16 * 512)
    assert (result, data) == (BAD, CONTENTS[32 * 512 : 40 * 512]) and stick.sense() == (3, 0x11)
    assert stick.do(rw(0x28, 0, 8), 8 * 512)[0] == GOOD


def test_host_and_disk_do_not_agree(stick: Stick) -> None:
    """The thirteen cases of the specification, 6.7."""
    assert stick.do(rw(0x28, 0, 1)) == (PHASE, b"")                               # 2: the host expects nothing
    assert stick.do(bytes(6), 64) == (GOOD, b"") and stick.stalled                # 4: more than nothing
    assert stick.do(rw(0x28, 3, 1), 1024) == (GOOD, CONTENTS[1536:2048]) and stick.stalled and stick.residue == 512
    assert stick.do(rw(0x28, 3, 2), 512)[0] == PHASE                              # 7: less than there is
    assert stick.do(rw(0x2A, 3, 1), 512)[0] == PHASE and stick.stalled            # 8: the other way
    assert stick.do(bytes(6), data=bytes(64))[0] == GOOD and stick.stalled        # 9
    assert stick.do(rw(0x28, 3, 1), data=bytes(512))[0] == PHASE                  # 10
    assert stick.do(rw(0x2A, 3, 1), data=bytes(1024))[0] == GOOD and stick.residue == 512  # 11
    assert stick.do(rw(0x2A, 5, 2), data=bytes(512))[0] == PHASE                  # 13
    assert stick.disk.read(3, 3) == bytes(512) + CONTENTS[2048:3072]


@pytest.mark.parametrize("wrong", ["mark", "length", "unit"])
def test_what_is_no_command_block_needs_a_reset(stick: Stick, wrong: str) -> None:
    if wrong == "length":
        stick.driver.queue(ADDRESS, BULK_OUT, [(OUT, 30, COMMAND_AT)])
    else:
        stick.command(bytes(6), 0, False, unit=wrong == "unit", mark=b"USBX" if wrong == "mark" else b"USBC")
    for _ in range(2):
        with pytest.raises(Stalled):
            stick.driver.queue(ADDRESS, BULK_IN, [(IN, 13, STATUS_AT)])
        stick.clear(0x81)
    stick.driver.control(ADDRESS, 0x21, 0xFF)
    stick.clear(0x81)
    stick.clear(0x02)
    assert stick.do(rw(0x28, 0, 1), 512)[0] == GOOD


def test_data_out_of_turn_need_a_reset(stick: Stick) -> None:
    stick.command(rw(0x28, 0, 1), 512, True)
    with pytest.raises(Stalled):
        stick.driver.queue(ADDRESS, BULK_OUT, [(OUT, 31, COMMAND_AT)])
    assert stick.device.state.lost


def test_random_packets(stick: Stick) -> None:
    dice = random.Random(5)
    endings = set()
    for _ in range(200):
        opcode = dice.choice([0x28, 0x2A, 0x12, 0x1A, dice.randrange(256)])
        packet = bytes([opcode, *dice.randbytes(dice.randrange(16))])
        try:
            result = stick.do(packet, dice.choice([0, 13, 64, 700])) if dice.random() < 0.5 else stick.do(
                packet, data=bytes(dice.choice([0, 64, 600])))
            endings.add(result[0])
        except Stalled:
            stick.driver.control(ADDRESS, 0x21, 0xFF)
            stick.clear(0x81)
            stick.clear(0x02)
        assert len(stick.device.state.buffer) <= 8192
    assert endings == {GOOD, BAD, PHASE}


def test_saved_in_the_middle_of_a_transfer(stick: Stick) -> None:
    data = random.Random(8).randbytes(2048)
    stick.command(rw(0x2A, 50, 4), 2048, False)
    stick.put(data)
    stick.driver.queue(ADDRESS, BULK_OUT, [(OUT, 64, DATA_AT + at) for at in range(0, 960, 64)])
    saved, canonical = stick.device.save(), stick.device.canonical()
    stick.driver.queue(ADDRESS, BULK_OUT, [(OUT, 64, DATA_AT + at) for at in range(960, 2048, 64)])
    assert stick.disk.read(50, 4) == data
    stick.device.load(saved)
    assert stick.device.canonical() == canonical and stick.disk.read(50, 4) == CONTENTS[50 * 512 : 54 * 512]
    stick.driver.queue(ADDRESS, BULK_OUT, [(OUT, 64, DATA_AT + at) for at in range(960, 2048, 64)])
    assert stick.disk.read(50, 4) == data
