"""A CD-ROM drive on an IDE channel, as a driver uses it."""

import random
import struct
from pathlib import Path

import pytest

from hv.devices.ata_disk import HardDisk
from hv.devices.ata_drive import DRQ, ERR, READY
from hv.devices.atapi import CdRom
from tests.devices.ata_driver import BUFFER, Driver, disk_of

BLOCKS = 200
CONTENTS = random.Random(11).randbytes(2048 * BLOCKS)


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    return Driver(None, None, CdRom(disk_of(tmp_path, CONTENTS, read_only=True)), channel=1)


def read_10(block: int, count: int) -> bytes:
    return struct.pack(">BxIxH", 0x28, block, count)


def at(block: int, count: int) -> bytes:
    return CONTENTS[2048 * block : 2048 * (block + count)]


def with_room(packet: bytes, room: int) -> bytes:
    """The packet with its room for an answer in bytes 7 and 8."""
    return packet.ljust(7, b"\0") + room.to_bytes(2, "big")


# ---- ATA commands ----


def test_signature_and_identification(driver: Driver) -> None:
    assert [driver.inp(r) for r in range(1, 6)] == [1, 1, 1, 0x14, 0xEB] and driver.inp(7) == 0
    driver.out(4, 0)
    assert driver.simple(0xEC) & ERR and driver.inp(1) == 4
    assert (driver.inp(4), driver.inp(5)) == (0x14, 0xEB)
    driver.command(0xA1)
    words = struct.unpack("<256H", driver.pio_in(512))
    assert words[0] == 0x85C0 and words[49] & 0x100
    assert b"".join(struct.pack(">H", word) for word in words[27:47]).decode().rstrip() == "XENLAB CD-ROM"


def test_resets(driver: Driver) -> None:
    for _ in range(2):
        driver.packet(read_10(0, 1))
        assert driver.wait_interrupt() & DRQ
        driver.out(7, 0x08)
        assert driver.wait() == 0 and driver.inp(5) == 0xEB and not driver.line()
        driver.machine.out(driver.control, 4)
        driver.machine.out(driver.control, 0)
        assert driver.wait() == 0 and driver.inp(4) == 0x14


def test_a_busy_drive_can_be_reset(driver: Driver) -> None:
    driver.packet(read_10(0, 100))
    driver.out(7, 0x08)
    assert driver.wait() == 0 and driver.packet_in(read_10(5, 1)) == at(5, 1)


@pytest.mark.parametrize("opcode", [0x00, 0x20, 0xC8, 0xE7, 0xB0])
def test_commands_of_disks_are_aborted(driver: Driver, opcode: int) -> None:
    assert driver.simple(opcode) & (ERR | DRQ) == ERR and driver.inp(1) == 4 and driver.inp(4) == 0x14


def test_power_and_features(driver: Driver) -> None:
    assert driver.simple(0xE5) == READY and driver.inp(2) == 0xFF
    assert driver.simple(0xEF, features=3, count=0x42) == READY
    assert driver.simple(0xEF, features=2) & ERR


def test_diagnostic_with_a_disk(tmp_path: Path) -> None:
    driver = Driver(HardDisk(disk_of(tmp_path, 512)), CdRom())
    driver.select(1)
    driver.out(7, 0x90)
    assert driver.wait_interrupt() == READY and driver.inp(5) == 0
    driver.select(1)
    assert driver.inp(5) == 0xEB and driver.inp(7) == 0


# ---- reading ----


@pytest.mark.parametrize("limit", [0xFFFE, 0xFFFF, 0, 2048, 2050, 1000, 65535, 3])
def test_read_by_pio(driver: Driver, limit: int) -> None:
    if limit == 0:
        driver.packet(read_10(3, 2), 0)
        assert driver.wait_interrupt() & DRQ and driver.read_words(4096) == at(3, 2)
        assert driver.wait_interrupt() == READY
        return
    count = 2 if limit < 100 else 40
    assert driver.packet_in(read_10(3, count), limit) == at(3, count)


def test_read_12(driver: Driver) -> None:
    assert driver.packet_in(struct.pack(">BxII", 0xA8, 10, 60)) == at(10, 60)


def test_read_by_dma(driver: Driver) -> None:
    driver.table((BUFFER, 4096), (0x60000, 0), (0x80000, 0x5000))
    driver.start(True)
    driver.packet(read_10(20, 44), dma=True)
    assert driver.wait_interrupt() == READY and driver.inp(2) & 3 == 3
    assert driver.stop() & 7 == 4
    ram = driver.machine.ram
    assert ram[BUFFER : BUFFER + 4096] + ram[0x60000:0x70000] + ram[0x80000:0x85000] == at(20, 44)


def test_short_answers_by_dma(driver: Driver) -> None:
    driver.table((BUFFER, 36))
    driver.start(True)
    driver.packet(bytes([0x12, 0, 0, 0, 36, 0]), dma=True)
    assert driver.wait_interrupt() == READY and driver.stop() & 7 == 4
    assert driver.machine.ram[BUFFER + 8 : BUFFER + 14] == b"XENLAB"
    driver.packet(bytes([0]), dma=True)
    assert driver.wait_interrupt() == READY


def test_reading_nothing(driver: Driver) -> None:
    assert driver.packet_in(read_10(5, 0)) == b""


def test_beyond_the_end(driver: Driver) -> None:
    for packet in (read_10(BLOCKS, 1), read_10(0, 65535), struct.pack(">BxII", 0xA8, 0xFFFFFFFF, 0xFFFFFFFF)):
        assert driver.packet_error(packet) == (5, 0x21, 0)
    assert driver.packet_error(struct.pack(">BxI", 0x2B, BLOCKS)) == (5, 0x21, 0)
    assert driver.packet_in(struct.pack(">BxI", 0x2B, BLOCKS - 1)) == b""


def test_a_file_that_is_no_multiple_of_2048(tmp_path: Path) -> None:
    driver = Driver(CdRom(disk_of(tmp_path, b"a" * 3000)))
    assert driver.packet_in(read_10(0, 2)) == (b"a" * 3000).ljust(4096, b"\0")


def test_damage(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    driver = Driver(CdRom(disk_of(tmp_path, CONTENTS)))
    with open(path, "r+b") as file:
        file.truncate(50 * 2048)
    assert driver.packet_in(read_10(40, 10)) == at(40, 10)
    assert driver.packet_error(read_10(50, 1)) == (3, 0x11, 0)


# ---- what it tells ----


def test_inquiry(driver: Driver) -> None:
    data = driver.packet_in(bytes([0x12, 0, 0, 0, 96, 0]))
    assert (data[0], data[1], len(data), data[4]) == (5, 0x80, 36, 31) and data[8:16] == b"XENLAB  "
    assert driver.packet_in(bytes([0x12, 0, 0, 0, 5, 0])) == data[:5]
    assert driver.packet_error(bytes([0x12, 1, 0x80, 0, 96, 0])) == (5, 0x24, 0)


def test_capacity(driver: Driver) -> None:
    assert struct.unpack(">II", driver.packet_in(bytes([0x25]))) == (BLOCKS - 1, 2048)


def test_toc(driver: Driver) -> None:
    data = driver.packet_in(with_room(b"\x43", 100))
    assert struct.unpack(">HBB BBBBI BBBBI", data) == (18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0x14, 0xAA, 0, BLOCKS)
    data = driver.packet_in(with_room(b"\x43\x02", 100))
    assert data[8:12] == bytes([0, 0, 2, 0])
    assert data[16:20] == bytes([0, 0, (150 + BLOCKS) // 75, (150 + BLOCKS) % 75])
    lead_out = driver.packet_in(with_room(b"\x43\0\0\0\0\0\xaa", 100))
    assert lead_out == bytes([0, 10, 1, 1, 0, 0x14, 0xAA, 0, 0, 0, 0, BLOCKS])
    assert driver.packet_in(with_room(b"\x43", 4)) == bytes([0, 18, 1, 1])
    assert driver.packet_error(with_room(b"\x43\0\0\0\0\0\2", 100)) == (5, 0x24, 0)


def test_sessions_and_full_toc(driver: Driver) -> None:
    one = driver.packet_in(with_room(b"\x43\0\1", 100))
    assert one == bytes([0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0])
    old = driver.packet_in(with_room(b"\x43", 100) + b"\x40")
    assert old == one
    full = driver.packet_in(with_room(b"\x43\2\2", 100))
    points = [full[at : at + 11] for at in range(4, len(full), 11)]
    assert [point[3] for point in points] == [0xA0, 0xA1, 0xA2, 1] and full[:2] == bytes([0, len(full) - 2])
    assert points[0][8] == points[1][8] == 1 and points[3][8:] == bytes([0, 2, 0])
    assert driver.packet_error(with_room(b"\x43\0\3", 100)) == (5, 0x24, 0)


def test_mode_sense(driver: Driver) -> None:
    page = driver.packet_in(with_room(b"\x5a\0\x2a", 255))
    assert page[8] == 0x2A and page[9] == len(page) - 10 and int.from_bytes(page[:2], "big") == len(page) - 2
    everything = driver.packet_in(with_room(b"\x5a\0\x3f", 255))
    assert page[8:] in everything and everything[8] == 1
    driver.packet_in(bytes([0x1E, 0, 0, 0, 1]))
    assert driver.packet_in(with_room(b"\x5a\0\x2a", 255))[14] == page[14] | 2
    assert driver.packet_error(with_room(b"\x5a\0\x0d", 255)) == (5, 0x24, 0)
    assert driver.packet_error(with_room(b"\x5a\0\xea", 255)) == (5, 0x39, 0)


def test_configuration(driver: Driver) -> None:
    data = driver.packet_in(with_room(b"\x46", 1000))
    length, profile = struct.unpack_from(">I2xH", data)
    assert length == len(data) - 4 and profile == 8
    features, at = [], 8
    while at < len(data):
        features.append(struct.unpack_from(">H", data, at)[0])
        at += 4 + data[at + 3]
    assert features == [0, 1, 3, 0x1E, 0x1F]
    assert driver.packet_in(with_room(b"\x46\2\0\3", 1000))[8:10] == b"\0\3"
    assert b"\0\x1f\0\0" not in driver.packet_in(with_room(b"\x46\1", 1000))
    assert driver.packet_error(with_room(b"\x46\3", 1000)) == (5, 0x24, 0)


def test_a_big_image_is_a_dvd(tmp_path: Path) -> None:
    driver = Driver(CdRom(disk_of(tmp_path, 4 << 30)))
    assert struct.unpack_from(">I2xH", driver.packet_in(with_room(b"\x46", 8)))[1] == 0x10
    assert len(driver.packet_in(with_room(b"\x43\2", 100))) == 20


def test_disc_information_and_mechanism(driver: Driver) -> None:
    data = driver.packet_in(with_room(b"\x51", 100))
    assert len(data) == 34 and data[:7] == bytes([0, 32, 0x0E, 1, 1, 1, 1])
    assert driver.packet_in(b"\xbd".ljust(8, b"\0") + b"\0\x08") == bytes(8)
    assert driver.packet_in(b"\xbb\0\xff\xff") == b""


def test_unknown_packets(driver: Driver) -> None:
    for opcode in (0x01, 0x2A, 0x55, 0xAD, 0xBE, 0xFF):
        assert driver.packet_error(bytes([opcode])) == (5, 0x20, 0)
    assert driver.packet_in(bytes([3, 0, 0, 0, 18])) == bytes([0x70, 0, 0, 0, 0, 0, 0, 10]).ljust(18, b"\0")


# ---- the tray ----


def test_the_tray(driver: Driver) -> None:
    event = with_room(b"\x4a\1\0\0\x10", 8)
    assert driver.packet_in(event) == bytes([0, 6, 4, 0x10, 0, 2, 0, 0])
    driver.packet_in(bytes([0x1E, 0, 0, 0, 1]))
    assert driver.packet_error(bytes([0x1B, 0, 0, 0, 2])) == (5, 0x53, 2)
    driver.packet_in(bytes([0x1E, 0, 0, 0, 0]))
    assert driver.packet_in(bytes([0x1B, 0, 0, 0, 2])) == b""
    for packet in (b"\0", b"\x25", read_10(0, 1), with_room(b"\x43", 4), with_room(b"\x51", 4)):
        assert driver.packet_error(packet) == (2, 0x3A, 2)
    assert driver.packet_in(event) == bytes([0, 6, 4, 0x10, 3, 1, 0, 0])
    assert driver.packet_in(event)[4] == 0
    assert driver.packet_in(bytes([0x1B, 0, 0, 0, 3])) == b""
    assert driver.packet_error(b"\0") == (6, 0x28, 0)
    assert driver.packet_in(b"\0") == b"" and driver.packet_in(event)[4:6] == bytes([2, 2])
    assert driver.packet_in(read_10(0, 1)) == at(0, 1)


def test_other_events(driver: Driver) -> None:
    assert driver.packet_in(with_room(b"\x4a\1\0\0\x02", 8)) == bytes([0, 2, 0x80, 0x10])
    assert driver.packet_error(with_room(b"\x4a\0\0\0\x10", 8)) == (5, 0x24, 0)


def test_an_empty_drive() -> None:
    driver = Driver(CdRom())
    for packet in (b"\0", b"\x25", read_10(0, 1), with_room(b"\x43", 4)):
        assert driver.packet_error(packet) == (2, 0x3A, 1)
    assert driver.packet_in(with_room(b"\x46", 8))[6:8] == b"\0\0"
    assert len(driver.packet_in(bytes([0x12, 0, 0, 0, 36]))) == 36
