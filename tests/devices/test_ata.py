"""A hard disk on an IDE channel, as a driver uses it."""

import random
import struct
from pathlib import Path

import pytest

from hv.devices.ata_disk import HardDisk
from hv.devices.ata_drive import BSY, DF, DRQ, ERR, READY
from hv.disk.disk import Disk
from hv.disk.opening import open_image
from tests.devices.ata_driver import BUFFER, Driver, disk_of
from tests.disk.make_qcow2 import Qcow2

SECTORS = 3000
CONTENTS = random.Random(7).randbytes(512 * SECTORS)
ABRT, IDNF, UNC = 4, 0x10, 0x40


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    return Driver(HardDisk(disk_of(tmp_path, CONTENTS)))


def at(lba: int, count: int = 1) -> bytes:
    return CONTENTS[512 * lba : 512 * (lba + count)]


def disk(driver: Driver, number: int = 0) -> Disk:
    drive = driver.ide.drives[number]
    assert drive is not None and drive.disk is not None
    return drive.disk


def damaged(tmp_path: Path, bad: int = 2) -> Driver:
    """A disk whose cluster `bad` of 8 sectors cannot be read."""
    good = {n: bytes([n]) * 4096 for n in range(8) if n != bad}
    path = Qcow2(1 << 20, good, l2={bad: 1 << 40}).write(tmp_path / "bad")
    return Driver(HardDisk(Disk(open_image(path))))


# ---- identification and reset ----


def test_identify(driver: Driver) -> None:
    driver.command(0xEC)
    data = driver.pio_in(512)
    words = struct.unpack("<256H", data)
    assert sum(data) & 0xFF == 0 and words[255] & 0xFF == 0xA5
    model = b"".join(struct.pack(">H", word) for word in words[27:47]).decode()
    assert model.startswith("XENLAB HARDDISK  ") and len(model.rstrip()) == 15
    assert words[60] | words[61] << 16 == SECTORS == words[100] | words[101] << 16
    assert words[1] * words[3] * words[6] <= SECTORS and words[49] & 0x300 == 0x300
    assert words[83] & 0x0400 and words[88] >> 8 == 1 << 5 and words[47] & 0xFF == 16


def test_interrupts_come_later_and_can_be_off(driver: Driver) -> None:
    driver.command(0xE5)
    assert driver.status() == BSY and not driver.line()
    driver.machine.advance(5000)
    assert driver.line() and driver.status() == READY and driver.line()
    assert driver.inp(7) == READY and not driver.line() and driver.inp(2) == 0xFF
    driver.machine.out(driver.control, 2)
    driver.command(0xE5)
    driver.machine.advance(5000)
    assert not driver.line() and driver.status() == READY
    driver.machine.out(driver.control, 0)
    assert driver.line()


def test_software_reset(driver: Driver) -> None:
    driver.command(0x20, 5, 1)
    driver.wait()
    driver.machine.out(driver.control, 4)
    assert driver.status() == BSY and not driver.line()
    driver.out(7, 0xEC)
    driver.machine.out(driver.control, 0)
    assert driver.status() == BSY
    assert driver.wait() == READY
    assert [driver.inp(r) for r in range(1, 6)] == [1, 1, 1, 0, 0] and driver.inp(6) & 0x1F == 0
    assert not driver.line() and driver.inp(0, 2) == 0


def test_diagnostic(driver: Driver) -> None:
    assert driver.simple(0x90) == READY
    assert [driver.inp(r) for r in range(1, 6)] == [1, 1, 1, 0, 0]


def test_nobody_there(driver: Driver, tmp_path: Path) -> None:
    """Device 1 is not there; nor is anybody on the other channel."""
    driver.select(1)
    driver.out(2, 0x55)
    assert [driver.inp(r) for r in range(8)] == [0] * 8 and driver.status() == 0
    driver.out(7, 0xEC)
    driver.machine.advance(100000)
    assert not driver.line() and driver.inp(0, 2) == 0
    driver.select(0)
    assert driver.inp(7) == READY and driver.inp(2) == 0x55
    other = Driver(HardDisk(disk_of(tmp_path, 512, "x")), channel=1)
    assert other.inp(7) == 0 and other.machine.inp(0x1F7) == READY


def test_two_drives(tmp_path: Path) -> None:
    driver = Driver(HardDisk(disk_of(tmp_path, CONTENTS)), HardDisk(disk_of(tmp_path, b"2" * 1024, "two")))
    driver.select(1)
    driver.command(0x20, 1, 1)
    assert driver.pio_in(512) == b"2" * 512
    driver.select(0)
    driver.command(0x20, 1, 1)
    driver.wait()
    assert driver.line()
    driver.select(1)
    assert not driver.line()
    driver.select(0)
    assert driver.pio_in(512) == at(1)


def test_secondary_channel(tmp_path: Path) -> None:
    driver = Driver(None, None, HardDisk(disk_of(tmp_path, CONTENTS)), channel=1)
    driver.command(0x20, 9, 2)
    assert driver.pio_in(1024) == at(9, 2)
    assert [gsi for gsi, _ in driver.machine.edges] == [15] * 4


# ---- PIO ----


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("opcode", [0x20, 0x21])
def test_read_sectors(driver: Driver, opcode: int, size: int) -> None:
    driver.command(opcode, 100, 3)
    assert driver.pio_in(3 * 512, size=size) == at(100, 3)
    assert driver.inp(2) == 0 and driver.inp(3) == 102


def test_a_count_of_0_is_256(driver: Driver) -> None:
    driver.command(0x20, 7, 0)
    assert driver.pio_in(256 * 512) == at(7, 256)


def test_read_ext(driver: Driver) -> None:
    driver.command_ext(0x24, 2000, 300)
    assert driver.pio_in(300 * 512) == at(2000, 300)
    driver.command_ext(0x24, 1 << 40, 1)
    assert driver.wait_interrupt() & ERR and driver.inp(1) == IDNF


def test_verify_ext(driver: Driver) -> None:
    driver.command_ext(0x42, 0, SECTORS)
    assert driver.wait_interrupt() == READY


def test_high_order_bytes(driver: Driver) -> None:
    for value in (0x12, 0x34):
        driver.out(3, value)
    assert driver.inp(3) == 0x34
    driver.machine.out(driver.control, 0x80)
    assert driver.inp(3) == 0x12
    driver.out(4, 0)
    assert driver.inp(3) == 0x34


def test_chs(driver: Driver) -> None:
    """Head 3, cylinder 1, sector 5 of 16 heads and 63 sectors."""
    lba = (1 * 16 + 3) * 63 + 4
    driver.command(0x20, 3 << 24 | 1 << 8 | 5, 2, chs=True)
    assert driver.pio_in(1024) == at(lba, 2)
    assert (driver.inp(3), driver.inp(4), driver.inp(5), driver.inp(6) & 0x4F) == (6, 1, 0, 3)
    for bad in (3 << 24 | 1 << 8, 64, 0xFFFF << 8 | 1):
        driver.command(0x20, bad, 1, chs=True)
        assert driver.wait_interrupt() & ERR and driver.inp(1) == IDNF


def test_other_translations(driver: Driver) -> None:
    driver.command(0x91, 7 << 24, 17, chs=True)
    assert driver.wait_interrupt() == READY
    driver.command(0x20, 2 << 24 | 3 << 8 | 1, 1, chs=True)
    assert driver.pio_in(512) == at((3 * 8 + 2) * 17)
    driver.command(0xEC)
    words = struct.unpack("<256H", driver.pio_in(512))
    assert words[54:57] == (SECTORS // (8 * 17), 8, 17)
    assert driver.simple(0x91, count=0) & ERR


@pytest.mark.parametrize(("opcode", "ext"), [(0xC4, False), (0x29, True)])
def test_read_multiple(driver: Driver, opcode: int, ext: bool) -> None:
    assert driver.simple(0xC6, count=8) == READY
    (driver.command_ext if ext else driver.command)(opcode, 50, 20)
    assert driver.pio_in(20 * 512, block=8 * 512) == at(50, 20)
    driver.command(0xEC)
    assert struct.unpack_from("<H", driver.pio_in(512), 2 * 59)[0] == 0x108


def test_multiple_must_be_set_rightly(driver: Driver) -> None:
    for bad in (3, 32, 255):
        assert driver.simple(0xC6, count=bad) & ERR and driver.inp(1) == ABRT
    assert driver.simple(0xC6, count=0) == READY
    for opcode in (0xC4, 0xC5):
        assert driver.simple(opcode, lba=0, count=1) & ERR and driver.inp(1) == ABRT


@pytest.mark.parametrize(
    ("opcode", "ext", "block"),
    [(0x30, False, 1), (0x31, False, 1), (0x34, True, 1), (0xC5, False, 16), (0x39, True, 16)],
)
@pytest.mark.parametrize("size", [1, 2, 4])
def test_write_sectors(driver: Driver, opcode: int, ext: bool, block: int, size: int) -> None:
    data = random.Random(8).randbytes(21 * 512)
    (driver.command_ext if ext else driver.command)(opcode, 99, 21)
    assert driver.pio_out(data, block * 512, size) == READY
    assert disk(driver).read(98, 23) == at(98) + data + at(120)
    assert driver.inp(2) == 0 and driver.inp(3) == 119
    driver.command(0x20, 98, 23)
    assert driver.pio_in(23 * 512) == at(98) + data + at(120)


@pytest.mark.parametrize("opcode", [0x20, 0x24, 0x30, 0x34, 0xC4, 0xC5, 0xC8, 0xCA, 0x25, 0x35, 0x40, 0x42, 0x70])
def test_beyond_the_end(driver: Driver, opcode: int) -> None:
    ext = opcode in (0x24, 0x25, 0x34, 0x35, 0x42)
    (driver.command_ext if ext else driver.command)(opcode, SECTORS, 1)
    assert driver.wait_interrupt() & (ERR | DRQ) == ERR and driver.inp(1) == IDNF
    if opcode != 0x70:
        (driver.command_ext if ext else driver.command)(opcode, SECTORS - 1, 2)
        assert driver.wait_interrupt() & ERR and driver.inp(1) == IDNF


# ---- DMA ----


@pytest.mark.parametrize(("opcode", "ext"), [(0xC8, False), (0xC9, False), (0x25, True)])
@pytest.mark.parametrize("start_first", [False, True])
def test_read_dma(driver: Driver, opcode: int, ext: bool, start_first: bool) -> None:
    driver.table((BUFFER + 2, 512), (0x50000, 1024 - 2), (0x60000, 512 + 2))
    if start_first:
        driver.start(True)
    (driver.command_ext if ext else driver.command)(opcode, 1000, 4)
    if not start_first:
        driver.machine.advance(10_000)
        assert driver.status() == BSY
        driver.start(True)
    assert driver.machine.inp(driver.master + 2) & 5 == 1
    assert driver.wait_interrupt() == READY
    assert driver.stop() & 7 == 4
    ram = driver.machine.ram
    assert ram[BUFFER + 2 : BUFFER + 514] + ram[0x50000 : 0x503FE] + ram[0x60000 : 0x60202] == at(1000, 4)
    assert ram[BUFFER : BUFFER + 2] == bytes(2) and ram[0x60202 : 0x60204] == bytes(2)


@pytest.mark.parametrize(("opcode", "ext"), [(0xCA, False), (0xCB, False), (0x35, True)])
def test_write_dma_in_odd_pieces(driver: Driver, opcode: int, ext: bool) -> None:
    data = random.Random(9).randbytes(300 * 512)
    driver.machine.ram[BUFFER : BUFFER + len(data)] = data
    sizes, total = [2, 510, 700, 1, 65535, 0x10000], 0
    entries = []
    for size in [*sizes, len(data) - sum(s & ~1 for s in sizes)]:
        entries.append((BUFFER + total, size & ~1))
        total += size & ~1
    entries = [entry for entry in entries if entry[1]]
    driver.table(*entries)
    count = 300 if ext else 256
    (driver.command_ext if ext else driver.command)(opcode, 10, count & (0xFFFF if ext else 0xFF))
    driver.start(False)
    assert driver.wait_interrupt() == READY
    assert driver.stop() & 7 == (4 if ext else 5)
    assert disk(driver).read(10, count) == data[: 512 * count] and disk(driver).read(10 + count, 1) == at(10 + count)


def test_a_table_too_short_waits_for_another(driver: Driver) -> None:
    driver.table((BUFFER, 700))
    driver.command(0xC8, 20, 4)
    driver.start(True)
    driver.machine.advance(1_000_000)
    assert driver.status() == BSY and not driver.line() and driver.stop() & 7 == 0
    driver.table((BUFFER + 700, 2048 - 700))
    driver.start(True)
    assert driver.wait_interrupt() == READY and driver.machine.ram[BUFFER : BUFFER + 2048] == at(20, 4)
    driver.table((BUFFER, 700))
    driver.command(0xCA, 30, 3)
    driver.start(False)
    driver.machine.advance(1_000_000)
    assert disk(driver).read(30, 3) == at(20) + at(31, 2)
    driver.machine.out(driver.control, 4)
    driver.machine.out(driver.control, 0)
    assert driver.wait() == READY


def test_stop_in_the_middle(driver: Driver) -> None:
    driver.table((BUFFER, 0), (BUFFER, 0), (BUFFER, 0))
    driver.command(0xC8, 0, 0)
    driver.start(True)
    driver.machine.advance(20_000)
    driver.stop()
    driver.machine.advance(1_000_000)
    assert driver.status() == BSY and not driver.line()


def test_without_bus_mastering_nothing_moves(driver: Driver) -> None:
    driver.ide.config_write(4, 2, 1)
    driver.table((BUFFER, 512))
    driver.command(0xC8, 20, 1)
    driver.start(True)
    driver.machine.advance(100_000)
    assert driver.machine.ram[BUFFER : BUFFER + 512] == bytes(512)


def test_bus_master_registers(driver: Driver) -> None:
    machine, base = driver.machine, driver.master
    machine.out(base + 4, 0x12345677, 4)
    assert machine.inp(base + 4, 4) == 0x12345674 and machine.inp(base + 6, 2) == 0x1234
    machine.out(base + 5, 0xEE)
    assert machine.inp(base + 4, 4) == 0x1234EE74
    machine.out(base + 2, 0x60)
    assert machine.inp(base + 2) == 0x60
    machine.out(base, 0xFF)
    assert machine.inp(base) == 9 and machine.inp(base + 2) == 0x61
    assert machine.inp(base + 8, 4) == 0 and machine.inp(base + 1) == 0


# ---- errors of the medium ----


def test_read_errors_name_the_sector(tmp_path: Path) -> None:
    driver = damaged(tmp_path)
    driver.command(0x20, 14, 5)
    for _ in range(2):
        assert driver.wait_interrupt() & DRQ
        driver.read_words(512)
    assert driver.wait_interrupt() & (ERR | DRQ | BSY) == ERR
    assert driver.inp(1) == UNC and driver.inp(3) == 16 and driver.inp(2) == 3
    driver.table((BUFFER, 0))
    driver.command(0xC8, 12, 10)
    driver.start(True)
    assert driver.wait_interrupt() & ERR
    assert driver.inp(1) == UNC and driver.inp(3) == 16 and driver.inp(2) == 6
    driver.stop()
    driver.command(0x40, 0, 64)
    assert driver.wait_interrupt() & ERR and driver.inp(3) == 16
    driver.command(0x20, 0, 1)
    assert driver.pio_in(512) == bytes(512)


def test_write_errors(tmp_path: Path) -> None:
    driver = Driver(HardDisk(disk_of(tmp_path, CONTENTS, read_only=True)))
    driver.command(0x30, 5, 2)
    driver.wait()
    driver.write_words(bytes(512))
    assert driver.wait_interrupt() & (ERR | DF | DRQ) == ERR | DF
    assert driver.inp(1) == ABRT and driver.inp(3) == 5 and driver.inp(2) == 2
    driver.table((BUFFER, 1024))
    driver.command(0xCA, 5, 2)
    driver.start(False)
    assert driver.wait_interrupt() & (ERR | DF) == ERR | DF and driver.inp(1) == ABRT
    assert driver.simple(0xE7) == READY


# ---- commands without data ----


@pytest.mark.parametrize(
    "opcode",
    [0x10, 0x1F, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0xE0, 0xE1, 0xE2, 0xE3, 0xE5, 0xE6, 0xE7, 0xEA, 0x70, 0x40],
)
def test_commands_that_succeed(driver: Driver, opcode: int) -> None:
    assert driver.simple(opcode, lba=3, count=1) == READY
    assert driver.inp(1) == 0


@pytest.mark.parametrize("opcode", [0x00, 0x08, 0xB0, 0xA0, 0xA1, 0x22, 0x50, 0xFF])
def test_commands_refused(driver: Driver, opcode: int) -> None:
    assert driver.simple(opcode) & (ERR | DRQ) == ERR and driver.inp(1) == ABRT


def test_features(driver: Driver) -> None:
    for feature in (0x02, 0x82, 0x55, 0xAA, 0x66, 0xCC, 0x05, 0x85, 0x42, 0xC2):
        assert driver.simple(0xEF, features=feature) == READY
    for mode, word, bits in ((0x21, 63, 0x0207), (0x42, 88, 0x043F)):
        assert driver.simple(0xEF, features=3, count=mode) == READY
        driver.command(0xEC)
        words = struct.unpack("<256H", driver.pio_in(512))
        assert words[word] == bits and words[63 + 88 - word] >> 8 == 0 and not words[85] & 0x20
    for bad in (0x46, 0x23, 0x0F, 0xFF):
        assert driver.simple(0xEF, features=3, count=bad) & ERR
    assert driver.simple(0xEF, features=0x77) & ERR


def test_native_max(driver: Driver) -> None:
    assert driver.simple(0xF8) == READY
    assert driver.inp(3) | driver.inp(4) << 8 == SECTORS - 1
    assert driver.simple(0x27) == READY
    assert driver.inp(3) | driver.inp(4) << 8 == SECTORS - 1


def test_big_disks(tmp_path: Path) -> None:
    driver = Driver(HardDisk(disk_of(tmp_path, 3 << 40)))
    sectors = (3 << 40) // 512
    driver.command(0xEC)
    words = struct.unpack("<256H", driver.pio_in(512))
    assert words[60] | words[61] << 16 == 0x0FFFFFFF and words[1] == 16383
    assert sum(word << 16 * i for i, word in enumerate(words[100:104])) == sectors
    driver.command_ext(0x34, sectors - 1, 1)
    assert driver.pio_out(b"end." * 128) == READY
    driver.machine.out(driver.control, 0x80)
    high = driver.inp(3) | driver.inp(4) << 8 | driver.inp(5) << 16
    driver.machine.out(driver.control, 0)
    assert high << 24 | driver.inp(5) << 16 | driver.inp(4) << 8 | driver.inp(3) == sectors - 1
    driver.command_ext(0x24, sectors - 1, 1)
    assert driver.pio_in(512) == b"end." * 128


def test_unplugged(driver: Driver) -> None:
    driver.command(0x20, 0, 1)
    driver.wait()
    driver.ide.unplug()
    assert driver.inp(7) == 0 and not driver.line()
    driver.out(7, 0xEC)
    driver.machine.advance(100_000)
    assert driver.inp(7) == 0 and not driver.line()
