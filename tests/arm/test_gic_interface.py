"""The processor interface of either version: priorities, preemption, taking, priority drop and deactivation."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .conftest import FIQ, IRQ, SPURIOUS, Aborted, Gic

MakeGic = Callable[..., Gic]
BOTH = pytest.mark.parametrize("version", [2, 3])
IDLE = 0xFF


@BOTH
def test_highest_priority_first(make_gic: MakeGic, version: int) -> None:
    """IHI 0048B 3.3: the lowest number is the highest priority; among equals this controller takes the lowest ID."""
    gic = make_gic(version).start()
    for intid, priority in ((33, 0xA0), (34, 0x20), (27, 0x60), (30, 0x60)):
        gic.priority(intid, priority)
        gic.line(intid, 1)
    taken = []
    for _ in range(4):
        taken.append(gic.ack())
        gic.line(taken[-1], 0)
        gic.eoi(taken[-1])
    assert taken == [34, 27, 30, 33]
    assert gic.ack() == SPURIOUS


@BOTH
def test_spurious(make_gic: MakeGic, version: int) -> None:
    """IHI 0048B 4.4.4, IHI 0069 12.2: nothing that can be taken gives 1023, and changes nothing."""
    gic = make_gic(version).start()
    assert gic.ack() == SPURIOUS
    assert gic.running() == IDLE
    gic.eoi(SPURIOUS)
    assert gic.running() == IDLE


@BOTH
def test_running_priority_and_nesting(make_gic: MakeGic, version: int) -> None:
    """IHI 0048B 3.3.2, 4.4.6: what is taken raises the running priority, its end drops it to the one below."""
    gic = make_gic(version).start()
    for intid, priority in ((33, 0xA0), (34, 0x80), (35, 0x80), (36, 0x40)):
        gic.priority(intid, priority)
    gic.line(33, 1)
    assert gic.ack() == 33 and gic.running() == 0xA0
    gic.line(34, 1)
    assert gic.lines() == IRQ and gic.ack() == 34 and gic.running() == 0x80
    gic.line(35, 1)
    assert gic.lines() == 0 and gic.ack() == SPURIOUS, "equal priorities do not preempt"
    gic.line(36, 1)
    assert gic.ack() == 36 and gic.running() == 0x40
    gic.line(36, 0)
    gic.eoi(36)
    assert gic.running() == 0x80 and gic.lines() == 0
    gic.line(34, 0)
    gic.eoi(34)
    assert gic.running() == 0xA0 and gic.ack() == 35
    gic.line(35, 0)
    gic.eoi(35)
    gic.line(33, 0)
    gic.eoi(33)
    assert gic.running() == IDLE and gic.bad() is None


@BOTH
def test_priority_mask(make_gic: MakeGic, version: int) -> None:
    """IHI 0048B 4.4.2: only what is higher than the mask is signalled; 5 bits of it are there."""
    gic = make_gic(version).start()
    mask = (lambda value: gic.c(4, value)) if version == 2 else (lambda value: gic.icc("PMR", value))
    read = (lambda: gic.c(4)) if version == 2 else (lambda: gic.icc("PMR"))
    gic.line(33, 1)
    mask(0xA0)
    assert read() == 0xA0 and gic.lines() == 0 and gic.ack() == SPURIOUS
    mask(0xA7)
    assert read() == 0xA0
    mask(0xA8)
    assert gic.lines() == IRQ
    mask(0)
    assert gic.lines() == 0


@BOTH
def test_lowest_priority_is_never_signalled(make_gic: MakeGic, version: int) -> None:
    """IHI 0048B 3.3: with the mask open to the full, priority 0xf8 is the idle one."""
    gic = make_gic(version).start()
    gic.priority(33, 0xFF)
    gic.line(33, 1)
    assert gic.lines() == 0


@BOTH
@pytest.mark.parametrize("point", range(8))
def test_binary_point(make_gic: MakeGic, version: int, point: int) -> None:
    """IHI 0048B 3.3.3 and table 3-2; IHI 0069 4.8: the subpriority decides who is first, and preempts nobody."""
    gic = make_gic(version).start()
    if version == 2:
        gic.c(8, point)
        assert gic.c(8) == max(point, 2)
        lowest = max(point, 2) + 1
    else:
        gic.icc("BPR1", point)
        assert gic.icc("BPR1") == max(point, 3)
        lowest = max(point, 3)
    mask = 0xFF << lowest & 0xFF
    for low, high in ((0x88, 0x80), (0x90, 0x80), (0xA0, 0x80), (0xC0, 0x80), (0x80, 0x40), (0x80, 0x00)):
        gic.priority(33, low)
        gic.priority(34, high)
        gic.line(33, 1)
        assert gic.ack() == 33 and gic.running() == low & mask
        gic.line(34, 1)
        preempts = (high & mask) < (low & mask)
        assert gic.lines() == (IRQ if preempts else 0)
        gic.line(33, 0)
        gic.eoi(33)
        assert gic.ack() == 34
        gic.line(34, 0)
        gic.eoi(34)
        assert gic.running() == IDLE


@BOTH
def test_binary_point_moved_while_something_is_served(make_gic: MakeGic, version: int) -> None:
    """IHI 0048B 3.3.3: what is compared with the running priority follows the binary point at once."""
    gic = make_gic(version).start()
    gic.priority(34, 0xA8)
    gic.line(33, 1)
    gic.ack()
    gic.line(34, 1)
    point = (lambda lowest: gic.c(8, lowest - 1)) if version == 2 else (lambda lowest: gic.icc("BPR1", lowest))
    for lowest, line in ((5, 0), (6, IRQ), (3, 0)):
        point(lowest)
        assert gic.lines() == line
    if version == 3:
        gic.icc("BPR0", 5)
        for common, line in ((1, IRQ), (0, 0)):
            gic.icc("CTLR", common)
            assert gic.lines() == line
    assert gic.bad() is None


@BOTH
def test_end_with_eoimode(make_gic: MakeGic, version: int) -> None:
    """IHI 0048B 3.2.1, 4.4.5, 4.4.15; IHI 0069 ICC_CTLR_EL1: with EOImode the end only drops the priority."""
    gic = make_gic(version).start()
    if version == 2:
        gic.c(0, 0x201)
    else:
        gic.icc("CTLR", 2)
    gic.line(33, 1)
    assert gic.ack() == 33
    gic.eoi(33)
    assert gic.running() == IDLE
    assert gic.d(0x304) == 2
    assert gic.lines() == 0
    deactivate = (lambda intid: gic.c(0x1000, intid)) if version == 2 else (lambda intid: gic.icc("DIR", intid))
    deactivate(34)
    assert gic.d(0x304) == 2
    deactivate(33)
    assert gic.d(0x304) == 0
    assert gic.lines() == IRQ


@BOTH
def test_deactivation_without_eoimode_is_ignored(make_gic: MakeGic, version: int) -> None:
    """IHI 0048B 4.4.15: without EOImode a write to DIR is unpredictable; it does nothing here."""
    gic = make_gic(version).start()
    gic.line(33, 1)
    gic.ack()
    if version == 2:
        gic.c(0x1000, 33)
    else:
        gic.icc("DIR", 33)
    assert gic.d(0x304) == 2


@BOTH
def test_end_of_what_is_not_active(make_gic: MakeGic, version: int) -> None:
    """The priority drops whatever the number says (IHI 0069, ICV_EOIR1_EL1); special numbers end nothing."""
    gic = make_gic(version).start()
    gic.line(33, 1)
    gic.ack()
    for special in (1020, 1021, 1022, 1023):
        gic.eoi(special)
        assert gic.running() == 0xA0
    gic.eoi(40)
    assert gic.running() == IDLE
    assert gic.d(0x304) == 2
    gic.eoi(40)
    assert gic.running() == IDLE and gic.bad() is None


@BOTH
def test_highest_pending(make_gic: MakeGic, version: int) -> None:
    """IHI 0048B 4.4.7: HPPIR tells what is pending without taking it, whatever the mask and the running priority."""
    gic = make_gic(version).start()
    highest = (lambda: gic.c(0x18)) if version == 2 else (lambda: gic.icc("HPPIR1"))
    assert highest() == SPURIOUS
    gic.line(33, 1)
    assert highest() == 33 and highest() == 33
    gic.ack()
    assert highest() == SPURIOUS
    gic.line(34, 1)
    assert highest() == 34 and gic.lines() == 0
    if version == 2:
        gic.c(0, 0)
    else:
        gic.icc("IGRPEN1", 0)
    assert highest() == SPURIOUS


@BOTH
def test_interface_switched_off(make_gic: MakeGic, version: int) -> None:
    """IHI 0048B 4.4.1, IHI 0069 12.2: an interface that is off signals and gives nothing."""
    gic = make_gic(version).start()
    gic.line(33, 1)
    off = (lambda on: gic.c(0, on)) if version == 2 else (lambda on: gic.icc("IGRPEN1", on))
    off(0)
    assert gic.lines() == 0 and gic.ack() == SPURIOUS
    off(1)
    assert gic.lines() == IRQ


@BOTH
def test_active_priorities_can_be_written(make_gic: MakeGic, version: int) -> None:
    """IHI 0048B 4.4.12, IHI 0069 ICC_AP1R0_EL1: a bit for each of the 32 levels, for power management."""
    gic = make_gic(version).start()
    gic.line(33, 1)
    gic.ack()
    read = (lambda: gic.c(0xD0)) if version == 2 else (lambda: gic.icc("AP1R0"))
    write = (lambda value: gic.c(0xD0, value)) if version == 2 else (lambda value: gic.icc("AP1R0", value))
    assert read() == 1 << (0xA0 >> 3)
    write(0)
    assert gic.running() == IDLE
    write(1 << 31 | 1 << 4)
    assert gic.running() == 0x20
    gic.eoi(33)
    assert gic.running() == 0xF8


@BOTH
def test_changed_names_the_vcpus(make_gic: MakeGic, version: int) -> None:
    """The caller learns from `changed` whose inputs may have moved, and of no other."""
    gic = make_gic(version, 4).start()
    gic.g.changed = 0
    gic.line(27, 1, vcpu=2)
    assert gic.g.changed == 1 << 2
    gic.g.changed = 0
    gic.line(27, 1, vcpu=2)
    assert gic.g.changed == 0
    gic.line(33, 1)
    assert gic.g.changed == 1
    gic.g.changed = 0
    gic.d(0, 0)
    assert gic.g.changed == 1 | 1 << 2


@BOTH
def test_vcpu_reset(make_gic: MakeGic, version: int) -> None:
    """What CPU_ON starts finds its part as a reset leaves it; inputs stand as devices hold them."""
    gic = make_gic(version).start()
    gic.line(27, 1)
    gic.ack()
    gic.lib.vgic_init_vcpu(gic.g, 0)
    assert gic.running() == IDLE and gic.own(0x100) == 0xFFFF and gic.own(0x300) == 0
    assert gic.own(0x200) == 1 << 27 and gic.lines() == 0 and gic.bad() is None


@BOTH
def test_a_vcpu_that_is_not_there(make_gic: MakeGic, version: int) -> None:
    """A number without a vcpu gets no interrupt and makes none."""
    gic = make_gic(version, 3)
    gic.slots[1] = 0xFFFF
    gic.line(27, 1, vcpu=1)
    gic.line(27, 1, vcpu=9)
    if version == 2:
        gic.d(0xF00, 0x01000001)
        gic.d(0x820, 2, size=1)
    else:
        gic.icc("SGI1R", 1 << 40 | 1 << 24)
        gic.d(0x6100, 1, size=8)
    assert gic.lines(1) == gic.lines(9) == 0
    assert gic.own(0x200, vcpu=2) == 2
    assert gic.d(0x820, size=1) in (1, 0) and gic.bad() is None


# ---- GICv2 ----


def test_sgis_wait_one_for_each_source(make_gic: MakeGic) -> None:
    """IHI 0048B 3.2.5, 4.3.15, 4.4.4: requests of one SGI by several processors are each taken, with their source."""
    gic = make_gic(2, 4).start()
    for source in (3, 1, 1):
        gic.d(0xF00, 1 << 16 | 5, vcpu=source)
    assert gic.own(0x200) == 1 << 5
    assert gic.c(0x18) == 1 << 10 | 5
    assert gic.ack() == 1 << 10 | 5
    assert gic.lines() == 0, "active and pending"
    gic.eoi(1 << 10 | 5)
    assert gic.ack() == 3 << 10 | 5
    gic.eoi(3 << 10 | 5)
    assert gic.ack() == SPURIOUS


@pytest.mark.parametrize(
    ("value", "get_it"),
    [(0x00050000, [0, 2]), (0x01FF0000, [0, 2, 3]), (0x02000000, [1]), (0x03FF0000, []), (0x00F00000, [])],
    ids=["listed", "others", "self", "reserved filter", "nobody"],
)
def test_sgi_targets(make_gic: MakeGic, value: int, get_it: list[int]) -> None:
    """IHI 0048B 4.3.15, GICD_SGIR.TargetListFilter."""
    gic = make_gic(2, 4).start()
    gic.d(0xF00, value | 7, vcpu=1)
    assert [vcpu for vcpu in range(4) if gic.lines(vcpu)] == get_it
    assert gic.d(0xF00) == 0


def test_pending_sgis_by_source(make_gic: MakeGic) -> None:
    """IHI 0048B 4.3.16-4.3.17: SPENDSGIR and CPENDSGIR, a byte for each SGI; ISPENDR's bits of SGIs are read-only."""
    gic = make_gic(2, 2).start()
    gic.d(0x200, 0xFFFF)
    assert gic.d(0x200) == 0
    gic.d(0xF20, 0x00FF0300)
    assert gic.d(0xF20) == gic.d(0xF10) == 0x00030300
    assert gic.d(0x200) == 0b110
    gic.d(0xF11, 0x01, size=1)
    assert gic.d(0xF11, size=1) == 0x02
    gic.d(0x280, 0xFFFF)
    assert gic.d(0x200) == 0b110
    gic.d(0xF10, 0xFFFFFFFF)
    assert gic.d(0x200) == 0 and gic.lines() == 0 and gic.bad() is None


def test_fiq_enable(make_gic: MakeGic) -> None:
    """IHI 0048B 4.4.1, GICC_CTLR.FIQEn: group 0 comes as FIQ."""
    gic = make_gic(2).start()
    gic.line(33, 1)
    assert gic.lines() == IRQ
    gic.c(0, 0x9)
    assert gic.lines() == FIQ
    assert gic.ack() == 33 and gic.lines() == 0


def test_the_other_group_is_empty(make_gic: MakeGic) -> None:
    """IHI 0048B 4.4.8-4.4.11: nothing is in group 1, so its registers find nothing; ABPR is kept."""
    gic = make_gic(2).start()
    gic.c(0, 0x3)
    gic.line(33, 1)
    assert gic.c(0x20) == gic.c(0x28) == SPURIOUS
    gic.c(0x1C, 0)
    assert gic.c(0x1C) == 3
    assert gic.ack() == 33
    gic.c(0x24, 33)
    assert gic.running() == 0xA0
    gic.c(0x8, 4)
    gic.c(0, 0x13)
    assert gic.c(0x1C) == 5, "with CBPR group 1 shows group 0's"
    gic.c(0x1C, 7)
    gic.c(0, 0x3)
    assert gic.c(0x1C) == 3


def test_gicc_registers(make_gic: MakeGic) -> None:
    """IHI 0048B 4.4: what is kept, what is read-only, what is reserved."""
    gic = make_gic(2)
    gic.c(0, 0xFFFFFFFF)
    assert gic.c(0) == 0x21F
    gic.c(0xFC, 0)
    assert gic.c(0xFC) == 0x0202143B
    gic.start().line(33, 1)
    gic.c(0, 0x201)
    gic.ack()
    gic.c(0x1004, 33)
    assert gic.d(0x304) == 2, "what is behind DIR is not DIR"
    for offset in (0x2C, 0x40, 0xD4, 0xE0, 0x1004, 0x1FFC):
        gic.c(offset, 0xFFFFFFFF)
        assert gic.c(offset) == 0
    for size in (1, 2, 8):
        with pytest.raises(Aborted):
            gic.c(0x10, 0, size=size)
    assert gic.bad() is None
