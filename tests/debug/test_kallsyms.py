"""A Linux kernel's own symbols, on images that tests/debug/kallsyms_image.py writes, sound and damaged."""

from __future__ import annotations

import random

import pytest

from hv.builder.image import KernelImage, Segment
from hv.debug.symbols import Place, Symbols
from hv.debug.symbols.kallsyms import KallsymsError, find_kallsyms
from tests.debug.kallsyms_image import BASE, Kernel, Layout, damaged, kernel

LAYOUTS = {
    "5.x": Layout(),
    "6.2": Layout(seqs=True),
    "6.4": Layout(order="new", seqs=True),
    "no per-cpu": Layout(percpu=False),
    "6.4, no per-cpu": Layout(order="new", seqs=True, percpu=False),
    "i386": Layout(percpu=False, bits=32, base=0xC1000000),
    "i386, 6.4": Layout(order="new", seqs=True, percpu=False, bits=32, base=0xC1000000),
}


def symbols_of(*segments: Segment, bits: int = 64) -> Symbols:
    return Symbols(KernelImage("vmlinuz", "x86_64", bits, 0, segments, None, "ELF", (), ""))


@pytest.mark.parametrize("count", [257, 512, 513, 700, 1025])
@pytest.mark.parametrize("name", LAYOUTS)
def test_every_name_has_its_address(name: str, count: int) -> None:
    check_all(name, count)


@pytest.mark.parametrize("count", [20, 256])
@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "6.2"])  # whose smallest kernel has thousands
def test_one_group_of_names(name: str, count: int) -> None:
    check_all(name, count)


def check_all(name: str, count: int) -> None:
    layout = LAYOUTS[name]
    made = kernel(layout, count)
    found = find_kallsyms([made.segment], layout.bits)
    assert [(entry.name, entry.start) for entry in found] == made.symbols
    assert [entry.absolute for entry in found] == [address < layout.base for _, address in made.symbols]


def test_look_ups() -> None:
    symbols = symbols_of(kernel().segment)
    assert symbols.find("xen_start_kernel") == BASE + 0x40
    assert symbols.at(BASE + 0x92) == Place("start_kernel", 0x12)
    assert str(symbols.at(BASE + 0x92)) == "start_kernel+0x12"
    assert symbols.find("per_cpu3") == 192  # an offset in a per-cpu area: a number, and no place
    assert symbols.at(192) is None
    assert symbols.at(BASE - 1) is None and symbols.at(BASE + (1 << 24)) is None
    assert symbols.find("long_" * 60) is not None
    assert symbols.parse("start_kernel+0x10") == BASE + 0x90
    assert symbols.warnings == []


def test_an_image_without_tables_has_no_symbols() -> None:
    data = memoryview(b"0\0001\0002\0003\0004\0005\0006\0007\0008\0009\0" * 1000)
    for content in (data, memoryview(bytes(100_000)), memoryview(b"")):
        symbols = symbols_of(Segment(0, BASE, content, 1 << 20, 5))
        assert len(symbols.table) == 0 and symbols.at(BASE) is None and symbols.warnings == []


def test_a_count_that_does_not_fit_is_one_line() -> None:
    made = kernel()
    at = made.parts["count"].start
    symbols = symbols_of(damaged(made, {at: made.segment.data[at] ^ 1}))
    assert symbols.find("start_kernel") is None
    assert symbols.warnings == [
        "vmlinuz: its kallsyms is damaged (no names fit its token table); going on without"
    ]


@pytest.mark.parametrize("name", ["6.2", "6.4"])
def test_damaged_tables_are_a_warning_and_nothing_else(name: str) -> None:
    made = kernel(LAYOUTS[name])
    dice = random.Random(1)
    outcomes = {"sound": 0, "other names": 0, "refused": 0, "none": 0}
    for _ in range(300):
        outcomes[_outcome(made, _tampering(made, dice))] += 1
    assert min(outcomes["refused"], outcomes["other names"], outcomes["none"]) > 5, outcomes


def _tampering(made: Kernel, dice: random.Random) -> dict[int, int]:
    """One to four bytes of one part, or a run of zeros or ones over a part's edge."""
    part = made.parts[dice.choice([name for name in made.parts if made.parts[name]])]
    if dice.random() < 0.7:
        return {dice.choice(part): dice.randrange(256) for _ in range(dice.randint(1, 4))}
    start, value = dice.choice(part), dice.choice((0, 1, 255))
    return dict.fromkeys(range(start, min(start + dice.randint(8, 2000), len(made.segment.data))), value)


def _outcome(made: Kernel, changes: dict[int, int]) -> str:
    segment = damaged(made, changes)
    try:
        found = find_kallsyms([segment], 64)
    except KallsymsError as error:
        assert "\n" not in str(error)
        assert len(symbols_of(segment).table) == 0
        return "refused"
    if not found:
        return "none"
    assert len(found) == len(made.symbols)
    assert all(entry.name.isprintable() for entry in found)
    return "sound" if [(entry.name, entry.start) for entry in found] == made.symbols else "other names"
