"""The IDE controller as a whole: its place on the buses, state in the middle of anything, guests that mean harm."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from hv.devices.ata_disk import HardDisk
from hv.devices.ata_drive import BSY, DRQ, READY
from hv.devices.atapi import CdRom
from hv.devices.ide import Ide
from tests.devices.ata_driver import BUFFER, MASTERS, Driver, disk_of
from tests.devices.machine import TestMachine

CONTENTS = random.Random(12).randbytes(512 * 400)


def four_drives(folder: Path) -> Driver:
    return Driver(
        HardDisk(disk_of(folder, CONTENTS, "a")), HardDisk(disk_of(folder, CONTENTS[::-1], "b")),
        CdRom(disk_of(folder, CONTENTS, "c")), CdRom(),
    )  # fmt: skip


def test_configuration_space(tmp_path: Path) -> None:
    machine = TestMachine()
    ide = Ide(machine, ())
    assert ide.config_read(0, 4) == 0x70108086 and ide.config_read(8, 4) == 0x01018000
    ide.config_write(0x20, 4, 0xFFFFFFFF)
    assert ide.config_read(0x20, 4) == 0xFFFFFFF1
    ide.config_write(0x40, 4, 0x80008000)
    assert ide.config_read(0x40, 4) == 0x80008000
    assert machine.ports.find(MASTERS) is None
    ide.config_write(0x20, 4, MASTERS)
    ide.config_write(4, 2, 1)
    assert machine.ports.find(MASTERS + 15) is not None
    ide.reset()
    assert machine.ports.find(MASTERS) is None and ide.config_read(0x40, 4) == 0


def test_reset_in_the_middle(tmp_path: Path) -> None:
    driver = four_drives(tmp_path)
    driver.command(0x30, 0, 2)
    driver.wait()
    driver.write_words(b"x" * 512)
    driver.wait_interrupt()
    driver.write_words(b"y" * 100)
    driver.ide.reset()
    assert driver.status() == READY and not driver.line() and not driver.machine.deadlines
    driver.machine.out(0xC002, 0)
    driver.command(0x20, 0, 1)
    assert driver.pio_in(512) == b"x" * 512


# ---- state ----


def read_pio(driver: Driver) -> bytes:
    driver.command(0xC4, 3, 40)
    return driver.pio_in(40 * 512, 16 * 512)


def write_pio(driver: Driver) -> bytes:
    driver.command(0xC5, 3, 20)
    driver.pio_out(CONTENTS[: 20 * 512], 16 * 512)
    return b""


def read_dma(driver: Driver) -> bytes:
    driver.table(*((BUFFER + 700 * i, 700) for i in range(300)))
    driver.command(0xC8, 0, 0)
    driver.start(True)
    driver.wait_interrupt()
    return bytes(driver.machine.ram[BUFFER : BUFFER + 131072])


def write_dma(driver: Driver) -> bytes:
    driver.machine.ram[BUFFER : BUFFER + 131072] = CONTENTS[:131072]
    driver.table(*((BUFFER + 700 * i, 700) for i in range(300)))
    driver.command(0xCA, 100, 0)
    driver.start(False)
    driver.wait_interrupt()
    return b""


def read_cd(driver: Driver) -> bytes:
    driver.base, driver.control, driver.irq = 0x170, 0x376, 15
    return driver.packet_in(bytes([0x28, 0, 0, 0, 0, 3, 0, 0, 9]), 3000)


@pytest.mark.parametrize("work", [read_pio, write_pio, read_dma, write_dma, read_cd])
def test_saved_anywhere_it_goes_on_the_same(tmp_path: Path, work: Callable[[Driver], bytes]) -> None:
    """The work is interrupted at chosen accesses: saved, disturbed, and put back; nothing may come out differently."""
    plain = four_drives(tmp_path)
    answer, states, accesses = work(plain), plain.ide.canonical(), 0
    assert plain.ide.canonical() != Driver(*(None,) * 4).ide.canonical()

    def count(machine: TestMachine, every: int) -> None:
        inp, out, within = machine.inp, machine.out, False

        def disturb() -> None:
            nonlocal accesses, within
            accesses += 1
            if accesses % every or within:
                return
            within = True
            before = machine.save(), driver.ide.save()
            hashed = driver.ide.canonical()
            for port, value in ((0x1F2, 9), (0x1F6, 0xF0), (0x1F7, 0xEC), (0x3F6, 4), (0x170, 7), (0xC000, 0)):
                machine.ports.write(port, 1, value)
            machine.advance(5000)
            machine.ports.write(0x3F6, 1, 0)
            machine.advance(100_000)
            machine.load(before[0])
            driver.ide.load(before[1])
            assert driver.ide.canonical() == hashed
            within = False

        def counted_inp(port: int, size: int = 1) -> int:
            disturb()
            return inp(port, size)

        def counted_out(port: int, value: int, size: int = 1) -> None:
            disturb()
            out(port, value, size)

        machine.inp, machine.out = counted_inp, counted_out  # type: ignore[method-assign]

    for every in (1, 3, 50) if work in (read_dma, write_dma) else (7, 97):
        driver = four_drives(tmp_path)
        count(driver.machine, every)
        assert work(driver) == answer
        assert driver.ide.canonical() == states and accesses > 10
        assert driver.machine.now == plain.machine.now and driver.machine.edges[-1] == plain.machine.edges[-1]


def test_another_controller_goes_on(tmp_path: Path) -> None:
    one, other = four_drives(tmp_path), four_drives(tmp_path)
    one.command(0x34, 50, 3)
    one.wait()
    one.write_words(b"z" * 200)
    other.machine.load(one.machine.save())
    other.ide.load(one.ide.save())
    for deadline, device in list(other.machine.deadlines.values()):
        assert device is one.ide and deadline
    for driver in (one, other):
        driver.machine.deadlines.clear()
        driver.write_words(b"z" * 312)
        driver.machine.advance(10_000)
        assert driver.line()
    assert one.ide.canonical() == other.ide.canonical()


def test_watching_changes_nothing(tmp_path: Path) -> None:
    driver = four_drives(tmp_path)
    driver.command(0x20, 0, 1)
    before = driver.ide.save()
    driver.ide.canonical()
    assert driver.ide.save() == before


# ---- guests that mean harm ----

PORTS = [*range(0x1EE, 0x1FA), *range(0x16E, 0x17A), 0x3F6, 0x376, *range(MASTERS, MASTERS + 16)]
COMMANDS = [
    0x20, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35, 0x39, 0x40, 0x42, 0x90, 0x91, 0xA0, 0xA1, 0xC4, 0xC5, 0xC6, 0xC8, 0xCA,
    0xEC, 0xEF, 0x08, 0xE7, 0xF8,
]  # fmt: skip


def access(driver: Driver, rng: random.Random) -> None:
    machine = driver.machine
    match rng.randrange(12):
        case 0:
            machine.advance(rng.choice((10, 1000, 100_000)))
        case 1:
            machine.out(rng.choice((0x1F7, 0x177)), rng.choice(COMMANDS))
        case 2:
            machine.out(rng.choice((0x1F6, 0x176)), rng.choice((0xE0, 0xF0, 0xA0, 0xB0)))
        case 3:
            port = rng.choice((0x1F0, 0x170))
            for _ in range(rng.randrange(300)):
                machine.inp(port, rng.choice((1, 2, 4)))
        case 4:
            port = rng.choice((0x1F0, 0x170))
            for _ in range(rng.randrange(300)):
                machine.out(port, rng.randrange(1 << 16), 2)
        case 5:
            machine.out(MASTERS + rng.choice((0, 8)), rng.choice((0, 1, 8, 9)))
        case 6:
            machine.out(MASTERS + rng.choice((4, 12)), rng.choice((0, 0x1000, 0xFFFFFFFC, 0xFFFF8, 1 << 20)), 4)
        case 7:
            driver.ide.config_write(rng.randrange(0x50), rng.choice((1, 2, 4)), rng.randrange(1 << 32))
            driver.ide.config_write(0x20, 4, MASTERS)
            driver.ide.config_write(4, 2, rng.choice((1, 5, 5, 5)))
        case 8:
            size = rng.choice((1, 2, 4))
            machine.out(rng.choice(PORTS), rng.randrange(1 << 8 * size), size)
        case _:
            machine.inp(rng.choice(PORTS), rng.choice((1, 2, 4, 8)))


@pytest.mark.parametrize("seed", range(6))
def test_random_accesses(tmp_path: Path, seed: int) -> None:
    """Nothing escapes; the same accesses make the same state, saved and loaded on the way or not."""
    drivers = []
    for reload in (False, True):
        driver, rng = four_drives(tmp_path), random.Random(seed)
        driver.machine.ram[:] = random.Random(seed).randbytes(len(driver.machine.ram))
        for turn in range(4000):
            access(driver, rng)
            if reload and turn % 100 == 0:
                driver.machine.load(driver.machine.save())
                driver.ide.load(driver.ide.save())
        drivers.append(driver)
    one, other = drivers
    assert one.ide.canonical() == other.ide.canonical()
    assert one.machine.edges == other.machine.edges and one.machine.ram == other.machine.ram
    one.machine.out(0x3F6, 4)
    one.machine.out(0x3F6, 0)
    assert one.wait() in (READY, 0)


def test_a_table_without_end(tmp_path: Path) -> None:
    """Two bytes each, over and over: each turn is bounded, and other work goes on."""
    driver = four_drives(tmp_path)
    driver.machine.ram[:] = (b"\0\0\0\0\2\0\0\0") * (len(driver.machine.ram) // 8)
    driver.machine.out(MASTERS + 4, 0x20000, 4)
    driver.command(0xCA, 0, 8)
    driver.start(False)
    turns = 0
    while driver.status() & BSY:
        deadline = min(d for d, _ in driver.machine.deadlines.values())
        before = driver.ide.drives[0].state.at  # type: ignore[union-attr]
        driver.machine.advance(deadline - driver.machine.now)
        assert driver.ide.drives[0].state.at - before <= 2 * 1024  # type: ignore[union-attr]
        turns += 1
    assert turns == 2 and driver.line()


def test_dma_to_nowhere(tmp_path: Path) -> None:
    driver = four_drives(tmp_path)
    for table, address in ((0xFFFFFFFC, 0), (0x1000, 0xFFFFFFFE), (0x1000, 1 << 20)):
        driver.table((address, 0))
        driver.machine.out(MASTERS + 4, table, 4)
        for opcode, to_memory in ((0xC8, True), (0xCA, False)):
            driver.command(opcode, 0, 127)
            driver.start(to_memory)
            assert driver.wait_interrupt() == READY
            driver.stop()
    assert driver.ide.drives[0].disk.read(0, 127) == b"\xff" * 127 * 512  # type: ignore[union-attr]


def test_the_wrong_direction(tmp_path: Path) -> None:
    """Writes while there is something to read, and reads while something is awaited, change nothing."""
    driver = four_drives(tmp_path)
    driver.command(0x20, 5, 1)
    driver.wait_interrupt()
    driver.write_words(bytes(1024))
    assert driver.read_words(512) == CONTENTS[5 * 512 : 6 * 512]
    driver.command(0x30, 5, 1)
    driver.wait()
    assert driver.read_words(1024) == bytes(1024)
    driver.write_words(b"k" * 512)
    assert driver.wait_interrupt() == READY


def test_a_command_during_a_transfer_is_not_heard(tmp_path: Path) -> None:
    driver = four_drives(tmp_path)
    driver.command(0x20, 5, 1)
    driver.wait_interrupt()
    driver.out(7, 0xEC)
    assert driver.status() & DRQ and driver.read_words(512) == CONTENTS[5 * 512 : 6 * 512]


def test_a_second_drive_takes_the_data_port(tmp_path: Path) -> None:
    """Drive 0 waits with data, drive 1 is given a command: drive 1's data come, and drive 0 waits for a reset."""
    driver = four_drives(tmp_path)
    driver.command(0x20, 5, 1)
    driver.wait_interrupt()
    driver.select(1)
    driver.command(0x20, 0, 1)
    assert driver.pio_in(512) == CONTENTS[::-1][:512]
    driver.select(0)
    assert driver.inp(0, 2) == 0 and driver.status() & DRQ
    driver.machine.out(0x3F6, 4)
    driver.machine.out(0x3F6, 0)
    assert driver.wait() == READY
