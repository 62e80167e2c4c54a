"""A bus: who answers, at which width."""

import pytest

from hv.devices.bus import Bus, Region


class Log:
    """A region that remembers what it was asked, and reads as offset + 1."""

    def __init__(self, size: int, widths: tuple[int, ...] = (1,), name: str = "log") -> None:
        self.seen: list[tuple[int, ...]] = []
        self.region = Region(name, size, self.read, self.write, widths)

    def read(self, offset: int, size: int) -> int:
        self.seen.append((offset, size))
        return sum((offset + i + 1) << 8 * i for i in range(size))

    def write(self, offset: int, size: int, value: int) -> None:
        self.seen.append((offset, size, value))


def test_nobody_reads_as_ones_and_takes_everything() -> None:
    bus = Bus(0x10000)
    assert bus.read(0x80, 2) == 0xFFFF
    bus.write(0x80, 4, 5)
    assert bus.read(0xFFFF, 4) == 0xFFFFFFFF


def test_wide_accesses_are_split_and_run_over_the_end() -> None:
    bus, log = Bus(0x10000), Log(3)
    bus.map(log.region, 0x100)
    assert bus.read(0x100, 4) == 0xFF030201
    bus.write(0x102, 2, 0xAABB)
    assert log.seen == [(0, 1), (1, 1), (2, 1), (2, 1, 0xBB)]


def test_narrow_accesses_to_wide_registers() -> None:
    bus, log = Bus(0x10000), Log(8, (4,))
    bus.map(log.region, 0x100)
    assert bus.read(0x105, 1) == 6
    bus.write(0x105, 1, 1)
    assert log.seen == [(4, 4)]
    assert bus.read(0x100, 8) == 0x0807060504030201


def test_several_widths_take_the_widest_that_fits() -> None:
    bus, log = Bus(0x10000), Log(6, (1, 2, 4))
    bus.map(log.region, 0x100)
    bus.write(0x100, 8, 0x0807060504030201)
    assert log.seen == [(0, 4, 0x04030201), (4, 2, 0x0605)]


def test_the_last_mapped_hides_the_others_and_unmapping_shows_them_again() -> None:
    bus, below, above = Bus(0x10000), Log(16, name="below"), Log(4, name="above")
    bus.map(below.region, 0x100)
    bus.map(above.region, 0x104)
    assert [bus.find(address) for address in (0x103, 0x104, 0x107, 0x108, 0x110)] == [
        below.region, above.region, above.region, below.region, None,
    ]  # fmt: skip
    bus.map(above.region, 0x200)
    assert bus.find(0x104) is below.region
    bus.unmap(below.region)
    bus.unmap(below.region)
    assert bus.regions() == [above.region]
    with pytest.raises(ValueError, match="do not fit"):
        bus.map(below.region, 0xFFF8)
