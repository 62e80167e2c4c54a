"""Damaged images in a drive: whatever a guest asks for, it gets data or an error of the medium, by PIO as by DMA, and
the drive goes on."""

from __future__ import annotations

import random
from pathlib import Path

from hv.devices.ata_disk import HardDisk
from hv.devices.ata_drive import ABRT, DRQ, ERR, UNC
from hv.devices.atapi import CdRom
from hv.disk.disk import Disk
from hv.disk.image import ImageError
from hv.disk.opening import open_cd, open_image
from tests.devices.ata_driver import BUFFER, Driver
from tests.disk.make_qcow2 import Qcow2

SECTORS = 128
CLUSTER = 4096
A, B = b"A" * CLUSTER, b"B" * CLUSTER
READ_PIO, READ_DMA, WRITE_PIO = 0x20, 0xC8, 0x30


def damages(whole: bytes, seed: int, count: int) -> list[bytes]:
    """Copies with a few bytes changed (of the header, of the tables, of anything), or cut off."""
    source, made = random.Random(seed), []
    for _ in range(count):
        damaged = bytearray(whole)
        for _ in range(source.randrange(1, 4)):
            used = 3 * CLUSTER + source.randrange(16), 4 * CLUSTER + source.randrange(128)  # of tables
            at = source.choice((source.randrange(104), *used, *used, source.randrange(len(whole))))
            damaged[min(at, len(damaged) - 1)] = source.choice((0, 0xFF, source.randrange(256)))
        if source.random() < 0.1:
            del damaged[source.randrange(len(damaged)) :]
        made.append(bytes(damaged))
    return made


def read(driver: Driver, lba: int, dma: bool) -> bytes | None:
    """A sector; None: it is damaged, and the drive has said so and where."""
    driver.command(READ_DMA if dma else READ_PIO, lba, 1)
    if dma:
        driver.table((BUFFER, 512))
        driver.start(True)
    status = driver.wait_interrupt()
    if dma:
        driver.stop()
    if status & ERR:
        assert status & DRQ == 0 and driver.inp(1) == UNC
        assert driver.inp(3) | driver.inp(4) << 8 == lba
        return None
    return bytes(driver.machine.ram[BUFFER : BUFFER + 512]) if dma else driver.read_words(512)


def write(driver: Driver, lba: int, data: bytes) -> bool:
    driver.command(WRITE_PIO, lba, 1)
    if driver.pio_out(data) & ERR:
        assert driver.inp(1) == ABRT
        return False
    return True


def test_a_damaged_disk(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.write_bytes(B * 16)
    whole = Qcow2(SECTORS * 512, {0: A, 5: B, 6: A}, packed={1: A, 2: B}, zeros=(3,), backing=b"base").build()
    opened = failed = stored = 0
    for damaged in damages(whole, 4, 40):
        (tmp_path / "disk").write_bytes(damaged)
        try:
            image = open_image(str(tmp_path / "disk"), "qcow2")
        except ImageError as error:
            assert "\n" not in str(error)
            continue
        opened += 1
        driver = Driver(HardDisk(Disk(image)))
        for lba in range(0, min(SECTORS, image.size // 512), 8):
            data = read(driver, lba, False)
            assert read(driver, lba, True) == data
            if write(driver, lba + 1, b"w" * 512):  # the rest of the block has to be read for it
                stored += 1
                assert data is not None and read(driver, lba, False) == data
                assert read(driver, lba + 1, True) == b"w" * 512
            else:
                failed += 1
        image.close()
    assert opened > 15 and failed > 20 and stored > 100


def test_a_damaged_disc(tmp_path: Path) -> None:
    """Nothing in an ISO file is for the drive to understand; what is cut off is filled up or cannot be read."""
    whole = bytes(0x8000) + b"\1CD001\1".ljust(2048, b"\0") + b"x" * 20000
    for damaged in damages(whole, 5, 40):
        if not damaged:
            continue
        (tmp_path / "iso").write_bytes(damaged)
        try:
            image = open_cd(str(tmp_path / "iso"))
        except ImageError as error:
            assert "\n" not in str(error)
            continue
        driver = Driver(CdRom(Disk(image, read_only=True)))
        blocks = -(-len(damaged) // 2048)
        packet = b"\x28\0" + (0).to_bytes(4, "big") + b"\0" + blocks.to_bytes(2, "big")
        assert driver.packet_in(packet).rstrip(b"\0") == damaged.rstrip(b"\0")
        (tmp_path / "iso").write_bytes(b"")
        assert driver.packet_error(packet) == (3, 0x11, 0)
        image.close()
