"""fw_cfg: read byte by byte and by DMA, as SeaBIOS, OVMF and Linux do."""

import random
import struct

import pytest

from hv.devices.fw_cfg import ITEMS, MOST_ZEROS, FwCfg
from tests.devices.machine import MEMORY, TestMachine

SELECTOR, DATA, HIGH, LOW = 0x510, 0x511, 0x514, 0x518
ERROR, READ, SKIP, SELECT, WRITE = 1, 2, 4, 8, 16
CONTENTS = {"ram_size": (64 << 20).to_bytes(8, "little"), "etc/e820": bytes(range(40)), "bootorder": b"HALT\0"}
ACCESS = 0x1000


def device() -> tuple[TestMachine, FwCfg]:
    machine = TestMachine()
    return machine, FwCfg(machine, CONTENTS)


def read(machine: TestMachine, item: int, count: int) -> bytes:
    machine.out(SELECTOR, item, 2)
    return bytes(machine.inp(DATA) for _ in range(count))


def access(machine: TestMachine, control: int, length: int, address: int, at: int = ACCESS) -> int:
    """Run a DMA access; its control field afterwards."""
    machine.dma_write(at, struct.pack(">IIQ", control, length, address))
    machine.out(HIGH, int.from_bytes((at >> 32).to_bytes(4, "big"), "little"), 4)
    machine.out(LOW, int.from_bytes((at & 0xFFFF_FFFF).to_bytes(4, "big"), "little"), 4)
    return int.from_bytes(machine.dma_read(at, 4), "big")


def files(machine: TestMachine) -> dict[str, tuple[int, int]]:
    """The file directory: name to (number, size)."""
    count = int.from_bytes(read(machine, ITEMS["file_dir"], 4), "big")
    entries = [bytes(machine.inp(DATA) for _ in range(64)) for _ in range(count)]
    return {entry[8:].rstrip(b"\0").decode(): (int.from_bytes(entry[4:6], "big"), int.from_bytes(entry[:4], "big"))
            for entry in entries}  # fmt: skip


def test_signature_and_version() -> None:
    machine, _ = device()
    assert read(machine, 0, 6) == b"QEMU\0\0"
    assert read(machine, 1, 4) == bytes([3, 0, 0, 0])
    assert machine.inp(HIGH, 4).to_bytes(4, "little") + machine.inp(LOW, 4).to_bytes(4, "little") == b"QEMU CFG"
    assert machine.inp(LOW + 1, 2) == int.from_bytes(b"CF", "little")


def test_items_and_files_by_port() -> None:
    machine, _ = device()
    assert read(machine, ITEMS["ram_size"], 8) == CONTENTS["ram_size"]
    listed = files(machine)
    assert listed == {"bootorder": (0x20, 5), "etc/e820": (0x21, 40)}
    assert read(machine, 0x21, 42) == CONTENTS["etc/e820"] + b"\0\0"
    assert read(machine, 0x7777, 2) == b"\0\0"


def test_a_select_begins_again_and_a_byte_write_does_nothing() -> None:
    machine, _ = device()
    assert read(machine, 0x21, 3) == b"\0\1\2"
    machine.out(SELECTOR, 0x20, 1)
    machine.out(DATA, 0xFF, 1)
    assert machine.inp(DATA) == 3
    assert read(machine, 0x21, 1) == b"\0"


def test_dma_reads_an_item_as_firmware_does() -> None:
    machine, _ = device()
    assert access(machine, 0x21 << 16 | SELECT | READ, 40, 0x2000) == 0
    assert machine.dma_read(0x2000, 41) == CONTENTS["etc/e820"] + b"\0"
    assert access(machine, 0x21 << 16 | SELECT, 0, 0) == 0
    assert access(machine, SKIP, 10, 0) == 0
    assert access(machine, READ, 4, 0x3000) == 0
    assert machine.dma_read(0x3000, 4) == bytes([10, 11, 12, 13])
    assert machine.inp(DATA) == 14


def test_dma_fills_up_with_zeros() -> None:
    machine, _ = device()
    machine.dma_write(0x2000, b"\xaa" * 16)
    assert access(machine, 0x20 << 16 | SELECT | READ, 9, 0x2000) == 0
    assert machine.dma_read(0x2000, 10) == b"HALT\0\0\0\0\0\xaa"


def test_dma_writes_are_refused_and_so_is_an_endless_read() -> None:
    machine, _ = device()
    assert access(machine, 0x20 << 16 | SELECT | WRITE, 4, 0x2000) == ERROR
    assert read(machine, 0x20, 4) == b"HALT"
    assert access(machine, 0x20 << 16 | SELECT | READ, 5 + MOST_ZEROS, 0x2000) == 0
    assert access(machine, 0x20 << 16 | SELECT | READ, 6 + MOST_ZEROS, 0x2000) == ERROR
    assert access(machine, 0xFFFF_FFFF, 0xFFFF_FFFF, (1 << 64) - 1) == ERROR


def test_dma_to_nowhere() -> None:
    machine, _ = device()
    access(machine, 0x20 << 16 | SELECT | READ, 5, 1 << 50)
    access(machine, 0x20 << 16 | SELECT | READ, 5, 0, at=1 << 45)
    access(machine, 0x20 << 16 | SELECT | READ, 5, MEMORY - 2, at=MEMORY - 8)
    assert len(machine.ram) == MEMORY


def test_names_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="longer than 55"):
        FwCfg(TestMachine(), {"x" * 56: b""})


def test_hostile_accesses_and_saving_in_between() -> None:
    for seed in range(20):
        dice = random.Random(seed)
        (first, one), (second, other) = device(), device()

        def drive(machine: TestMachine, dice: random.Random = dice) -> list[int]:
            seen = []
            for _ in range(200):
                port, size = dice.randrange(0x50E, 0x51E), dice.choice([1, 2, 4, 8])
                if dice.random() < 0.5:
                    seen.append(machine.inp(port, size))
                else:
                    machine.out(port, dice.choice([dice.getrandbits(8 * size), 0x20, 0x21, 0x19]), size)
            return seen

        first.ram[:] = dice.randbytes(MEMORY)
        drive(first)
        other.load(one.save())
        second.ram[:] = first.ram
        state = dice.getstate()
        going_on = drive(first)
        dice.setstate(state)
        assert drive(second) == going_on
        assert (second.ram, other.canonical()) == (first.ram, one.canonical())
