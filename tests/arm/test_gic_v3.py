"""GICv3 alone: redistributors and the system registers of the processor interface."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .conftest import GICR_SGIS, ICC, IRQ, SPURIOUS, Aborted, Gic

MakeGic = Callable[..., Gic]


def test_redistributor_type(make_gic: MakeGic) -> None:
    """IHI 0069 12.11, GICR_TYPER: affinity, number, Last; read by words or whole, and read-only."""
    gic = make_gic(3, 18)
    assert gic.r(8, size=8) == 0
    assert gic.r(8, size=8, vcpu=5) == 5 << 32 | 5 << 8
    assert gic.r(8, size=8, vcpu=17) == 0x101 << 32 | 17 << 8 | 0x10
    assert (gic.r(8, vcpu=17), gic.r(12, vcpu=17)) == (17 << 8 | 0x10, 0x101)
    gic.r(8, 0, size=8, vcpu=17)
    assert gic.r(12, vcpu=17) == 0x101
    assert gic.r(0x10, vcpu=17) == 0
    with pytest.raises(Aborted):
        gic.r(8, size=2)


def test_redistributors_end_with_the_last(make_gic: MakeGic) -> None:
    gic = make_gic(3, 2)
    with pytest.raises(Aborted):
        gic.r(0, vcpu=2)


def test_waker_and_lpis_are_not_the_guests(make_gic: MakeGic) -> None:
    """IHI 0069 12.11: WAKER is RAZ/WI to the non-secure side; without LPIs their registers keep nothing."""
    gic = make_gic(3)
    for offset in (0x0, 0x14, 0xC0, 0x70, 0x78):
        gic.r(offset, 0xFFFFFFFF)
        assert gic.r(offset) == 0


def test_redistributor_of_another(make_gic: MakeGic) -> None:
    """IHI 0069 12.10: a processor can reach every redistributor."""
    gic = make_gic(3, 2).start()
    gic.r(GICR_SGIS + 0x200, 1 << 9, vcpu=1, by=0)
    assert (gic.lines(0), gic.lines(1)) == (0, IRQ)
    gic.r(GICR_SGIS + 0x280, 1 << 9, vcpu=1, by=0)
    assert gic.lines(1) == 0


def test_sgi_frame_has_32_interrupts(make_gic: MakeGic) -> None:
    """IHI 0069 12.11: the second frame has the registers of interrupts 0-31; beyond them it is reserved."""
    gic = make_gic(3)
    for offset in (0x104, 0x304, 0x420, 0xC08, 0xD04):
        gic.r(GICR_SGIS + offset, 0xFFFFFFFF)
        assert gic.r(GICR_SGIS + offset, size=1) == 0
    assert gic.r(GICR_SGIS + 0x104) == gic.d(0x104) == gic.d(0x420) == 0


def test_edge_triggered_ppi(make_gic: MakeGic) -> None:
    """IHI 0069 12.11, GICR_ICFGR1."""
    gic = make_gic(3).start()
    gic.r(GICR_SGIS + 0xC04, 2 << 2 * 11)
    gic.line(27, 1)
    gic.line(27, 0)
    assert gic.ack() == 27
    gic.eoi(27)
    assert gic.ack() == SPURIOUS and gic.bad() is None


@pytest.mark.parametrize("name", sorted(ICC))
def test_directions(make_gic: MakeGic, name: str) -> None:
    """IHI 0069 12.2: write-only and read-only registers are undefined the other way, and so is what does not exist: the
    active priorities of more than 5 bits, and SGIs of the other group or security state, which Xen refuses."""
    gic = make_gic(3)
    readable = name not in ("EOIR0", "EOIR1", "DIR", "SGI1R", "ASGI1R", "SGI0R", "AP0R1", "AP1R1")
    writable = name not in ("IAR0", "IAR1", "HPPIR0", "HPPIR1", "RPR", "ASGI1R", "SGI0R", "AP0R1", "AP1R1")
    for value, possible in ((None, readable), (0, writable)):
        if possible:
            gic.icc(name, value)
        else:
            with pytest.raises(Aborted):
                gic.icc(name, value)


def test_other_system_registers_are_not_ours(make_gic: MakeGic) -> None:
    gic = make_gic(3)
    cell = gic.ffi.new("uint64_t *")
    for reg in (0, 0xFFFF, 0xFFFFFFFF, 3 << 14 | 14 << 7, 3 << 14 | 12 << 7):
        assert gic.lib.vgic_sysreg(gic.g, 0, reg, False, cell) == gic.lib.VGIC_ELSEWHERE


def test_system_register_enable_is_fixed(make_gic: MakeGic) -> None:
    """IHI 0069 12.2: without GICv2 support SRE, DFB and DIB are RAO/WI. Under a GICv2 there is nothing else."""
    gic = make_gic(3)
    gic.icc("SRE", 0)
    assert gic.icc("SRE") == 7
    old = make_gic(2)
    old.icc("SRE", 7)
    assert old.icc("SRE") == 0
    for name in ("IAR1", "PMR", "CTLR"):
        with pytest.raises(Aborted):
            old.icc(name)


def test_control(make_gic: MakeGic) -> None:
    """IHI 0069 12.2, ICC_CTLR_EL1: 5 bits of priority (PRIbits 4), 16 of number; CBPR and EOImode are kept."""
    gic = make_gic(3)
    assert gic.icc("CTLR") == 4 << 8
    gic.icc("CTLR", (1 << 64) - 1)
    assert gic.icc("CTLR") == 4 << 8 | 3
    assert gic.bad() is None


def test_common_binary_point(make_gic: MakeGic) -> None:
    """IHI 0069 12.2: with CBPR group 1 has group 0's binary point, shown one higher up to 7, and cannot change it."""
    gic = make_gic(3).start()
    gic.icc("BPR0", 5)
    gic.icc("BPR1", 3)
    gic.icc("CTLR", 1)
    assert gic.icc("BPR1") == 6
    gic.icc("BPR1", 4)
    assert gic.icc("BPR1") == 6
    gic.priority(33, 0xA8)
    gic.line(33, 1)
    gic.ack()
    assert gic.running() == 0x80
    gic.icc("BPR0", 7)
    assert gic.icc("BPR1") == 7
    gic.icc("CTLR", 0)
    assert gic.icc("BPR1") == 3


def test_group_0_is_empty(make_gic: MakeGic) -> None:
    """Its registers are there (IHI 0069 12.2), its active priorities count, and no interrupt is in it."""
    gic = make_gic(3).start()
    gic.icc("IGRPEN0", 1)
    assert gic.icc("IGRPEN0") == 1
    gic.line(33, 1)
    assert gic.icc("IAR0") == gic.icc("HPPIR0") == SPURIOUS
    gic.icc("AP0R0", 1 << 2)
    assert gic.running() == 0x10 and gic.lines() == 0
    gic.icc("EOIR1", 33)
    assert gic.running() == 0x10, "group 1's end does not drop a priority of group 0"
    gic.icc("EOIR0", 33)
    assert gic.running() == 0xFF and gic.lines() == IRQ


@pytest.mark.parametrize(
    ("value", "get_it"),
    [
        (0b1001, [0, 3]),
        (1 << 16 | 0b101, [16, 18]),
        (1 << 40, [vcpu for vcpu in range(20) if vcpu != 2]),
        (2 << 16 | 0xFFFF, []),
        (1 << 32 | 0xFFFF, []),
        (1 << 48 | 0xFFFF, []),
    ],
    ids=["cluster 0", "cluster 1", "others", "no cluster", "no Aff2", "no Aff3"],
)
def test_sgis(make_gic: MakeGic, value: int, get_it: list[int]) -> None:
    """IHI 0069 12.2, ICC_SGI1R_EL1: target list within an Aff1, or all others (IRM). An SGI has no source."""
    gic = make_gic(3, 20).start()
    gic.icc("SGI1R", value | 11 << 24, vcpu=2)
    assert [vcpu for vcpu in range(20) if gic.lines(vcpu)] == get_it
    for vcpu in get_it:
        assert gic.ack(vcpu) == 11


def test_numbers_of_24_bits(make_gic: MakeGic) -> None:
    """IHI 0069 12.2: EOIR takes 24 bits; what would be an LPI is no interrupt here, and none of 10 bits is meant."""
    gic = make_gic(3).start()
    gic.line(33, 1)
    gic.ack()
    gic.icc("EOIR1", 8192 + 33)
    assert gic.running() == 0xA0 and gic.d(0x304) == 2
    gic.icc("EOIR1", 0xFF000000 | 33)
    assert gic.running() == 0xFF and gic.d(0x304) == 0


def test_affinity_both_ways(make_gic: MakeGic) -> None:
    """Xen gives Aff0 four bits of the number and Aff1 the rest."""
    gic = make_gic(3)
    for vcpu in range(64):
        mpidr = gic.lib.arm_affinity(vcpu)
        assert mpidr == vcpu % 16 | vcpu // 16 << 8
        assert gic.lib.arm_affinity_vcpu(mpidr | 1 << 31 | 1 << 24) == vcpu
    for mpidr in (0x10, 0x10000, 1 << 32, 0xFF):
        assert gic.lib.arm_affinity_vcpu(mpidr) == 0xFFFFFFFF
