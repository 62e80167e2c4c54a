"""What the distributor of either version keeps: enable, pending, active, priority, configuration, target."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .conftest import GICR_SGIS, IRQ, SPURIOUS, Aborted, Gic

MakeGic = Callable[..., Gic]
BOTH = pytest.mark.parametrize("version", [2, 3])


@BOTH
def test_reset(make_gic: MakeGic, version: int) -> None:
    """Nothing is forwarded; SGIs alone are enabled, as Xen has it; SGIs are edge-triggered, the rest are not."""
    gic = make_gic(version)
    assert gic.d(0) == (0 if version == 2 else 0x10)
    assert gic.own(0x100) == gic.own(0x180) == 0xFFFF
    assert gic.own(0xC00) == 0xAAAAAAAA
    assert gic.own(0xC04) == 0
    assert gic.d(0x104) == gic.d(0x204) == gic.d(0x304) == gic.d(0xC08) == 0
    assert gic.running() == 0xFF
    assert gic.bad() is None


@BOTH
@pytest.mark.parametrize(("spis", "there"), [(0, 0), (1, 32), (64, 64), (960, 960), (961, 988), (988, 988)])
def test_number_of_interrupts(make_gic: MakeGic, version: int, spis: int, there: int) -> None:
    """IHI 0048B 4.3.2, GICD_TYPER.ITLinesNumber: 32(N+1) interrupts, but numbers from 1020 on are special (2.2.1)."""
    gic = make_gic(version, 2, spis)
    assert gic.d(4) & 0x1F == (there + 31) // 32
    for bank in range(1, 32):
        gic.d(0x100 + 4 * bank, 0xFFFFFFFF)
    assert sum(gic.d(0x100 + 4 * bank).bit_count() for bank in range(1, 32)) == there
    for intid in range(32, 1020):
        gic.d(0x400 + intid, 0x55, size=1)
    assert sum(gic.d(0x400 + intid, size=1) == 0x55 for intid in range(32, 1020)) == there
    assert gic.bad() is None


def test_typer_counts_processors(make_gic: MakeGic) -> None:
    """IHI 0048B 4.3.2, GICD_TYPER.CPUNumber; IHI 0069 12.9 counts at most the 8 of legacy operation, and IDbits."""
    assert [make_gic(2, vcpus).d(4) >> 5 for vcpus in (1, 2, 8)] == [0, 1, 7]
    assert [make_gic(3, vcpus).d(4) >> 5 & 7 for vcpus in (1, 8, 40)] == [0, 7, 7]
    assert make_gic(3).d(4) >> 19 & 0x1F == 9


@BOTH
def test_more_than_there_can_be(make_gic: MakeGic, version: int) -> None:
    """A GICv2 has 8 processors at most; there are 988 SPIs at most; there is no version 1 or 4."""
    gic = make_gic(version)
    assert not gic.lib.vgic_init(gic.g, version, 989)
    assert not gic.lib.vgic_init(gic.g, 1, 32) and not gic.lib.vgic_init(gic.g, 4, 32)
    with pytest.raises(AssertionError):
        make_gic(2, 9)


@BOTH
@pytest.mark.parametrize(("set_at", "clear_at"), [(0x100, 0x180), (0x200, 0x280), (0x300, 0x380)])
def test_set_and_clear_registers(make_gic: MakeGic, version: int, set_at: int, clear_at: int) -> None:
    """IHI 0048B 4.3.5-4.3.10: ones set or clear, zeros leave alone, both registers read the same."""
    gic = make_gic(version)
    before = gic.d(set_at + 4)
    gic.d(set_at + 4, 0x80000011)
    gic.d(set_at + 4, 0)
    assert gic.d(set_at + 4) == gic.d(clear_at + 4) == before | 0x80000011
    gic.d(clear_at + 4, 0x10)
    assert gic.d(set_at + 4) == 0x80000001
    assert gic.d(set_at + 8) == 0
    assert gic.bad() is None


@BOTH
@pytest.mark.parametrize(("set_at", "clear_at", "base"), [(0x100, 0x180, 0xFFFF), (0x200, 0x280, 0), (0x300, 0x380, 0)])
def test_set_and_clear_private(make_gic: MakeGic, version: int, set_at: int, clear_at: int, base: int) -> None:
    """The same of a processor's own interrupts: GICD's banked registers, or GICR_ISENABLER0 and its like."""
    gic = make_gic(version)
    gic.own(set_at, 0x90100000, vcpu=1)
    assert gic.own(set_at, vcpu=1) == gic.own(clear_at, vcpu=1) == 0x90100000 | base
    gic.own(clear_at, 0x10000000, vcpu=1)
    assert gic.own(set_at, vcpu=1) == 0x80100000 | base
    assert gic.own(set_at) == base
    assert gic.bad() is None


@BOTH
def test_private_interrupts_are_banked(make_gic: MakeGic, version: int) -> None:
    """IHI 0048B 2.2.1, IHI 0069 1.2.1: each processor has its own SGIs and PPIs."""
    gic = make_gic(version)
    gic.own(0x100, 1 << 27, vcpu=1)
    gic.priority(27, 0x80, vcpu=1)
    assert gic.own(0x100, vcpu=0) == 0xFFFF
    assert gic.own(0x100, vcpu=1) == 0x0800FFFF
    assert gic.own(0x418, vcpu=0) == 0
    assert gic.own(0x418, vcpu=1) == 0x80000000


@BOTH
def test_level_is_pending_while_it_stands(make_gic: MakeGic, version: int) -> None:
    """IHI 0048B 4.3.7-4.3.8, figure 4-10: ICPENDR does not clear what the input holds up."""
    gic = make_gic(version).start()
    gic.line(40, 1)
    assert gic.d(0x204) == 1 << 8
    assert gic.lines() == IRQ
    gic.d(0x284, 1 << 8)
    assert gic.d(0x204) == 1 << 8
    gic.line(40, 0)
    assert gic.d(0x204) == 0
    assert gic.lines() == 0


@BOTH
def test_pending_that_was_written_stays_until_taken(make_gic: MakeGic, version: int) -> None:
    """Figure 4-10: the latch that ISPENDR sets survives the input's fall and is cleared by ICPENDR or by taking it."""
    gic = make_gic(version).start()
    gic.d(0x204, 1 << 8)
    gic.line(40, 1)
    gic.line(40, 0)
    assert gic.d(0x204) == 1 << 8
    assert gic.ack() == 40
    assert gic.d(0x204) == 0
    gic.eoi(40)
    gic.d(0x204, 1 << 8)
    gic.d(0x284, 1 << 8)
    assert gic.lines() == 0


@BOTH
def test_edge_is_latched(make_gic: MakeGic, version: int) -> None:
    """IHI 0048B 1.4.2: an edge is remembered, once, when the input has fallen again; a level that stays is no edge."""
    gic = make_gic(version).start()
    gic.d(0xC08, 2 << 2 * 8)
    assert gic.d(0xC08) == 2 << 16
    gic.line(40, 1)
    gic.line(40, 0)
    assert gic.lines() == IRQ
    gic.line(40, 1)
    assert gic.ack() == 40
    gic.eoi(40)
    assert gic.lines() == 0
    gic.line(40, 0)
    gic.line(40, 1)
    assert gic.ack() == 40


@BOTH
def test_edge_while_active_makes_active_and_pending(make_gic: MakeGic, version: int) -> None:
    """IHI 0048B 3.2.4, transition B2-C: what comes while it is served is served after it."""
    gic = make_gic(version).start()
    gic.d(0xC08, 2 << 2 * 8)
    gic.line(40, 1)
    assert gic.ack() == 40
    gic.line(40, 0)
    gic.line(40, 1)
    assert gic.d(0x204) == gic.d(0x304) == 1 << 8
    assert gic.lines() == 0
    gic.eoi(40)
    assert gic.d(0x304) == 0
    assert gic.lines() == IRQ
    assert gic.ack() == 40


@BOTH
def test_level_that_stays_comes_again(make_gic: MakeGic, version: int) -> None:
    """IHI 0048B 3.2.4: a level that is still there when it has been served is pending again."""
    gic = make_gic(version).start()
    gic.line(30, 1)
    assert gic.ack() == 30
    assert gic.own(0x200) == gic.own(0x300) == 1 << 30
    assert gic.lines() == 0
    gic.eoi(30)
    assert gic.lines() == IRQ


@BOTH
def test_active_that_was_written(make_gic: MakeGic, version: int) -> None:
    """IHI 0048B 4.3.9: an interrupt that ISACTIVER made active is not sent; ICACTIVER lets it go."""
    gic = make_gic(version).start()
    gic.line(33, 1)
    gic.d(0x304, 2)
    assert gic.lines() == 0
    assert gic.ack() == SPURIOUS
    gic.d(0x384, 2)
    assert gic.lines() == IRQ


@BOTH
def test_disabled_interrupts_wait(make_gic: MakeGic, version: int) -> None:
    """IHI 0048B 4.3.5: disabling holds back, and forgets nothing; neither does the distributor's own switch (4.3.1)."""
    gic = make_gic(version).start()
    gic.line(32, 1)
    gic.d(0x184, 1)
    assert gic.lines() == 0 and gic.d(0x204) == 1
    gic.d(0x104, 1)
    assert gic.lines() == IRQ
    on = gic.d(0)
    gic.d(0, 0)
    assert gic.lines() == 0 and gic.ack() == SPURIOUS
    gic.d(0, on)
    assert gic.ack() == 32


@BOTH
def test_configuration_of_sgis_and_ppis(make_gic: MakeGic, version: int) -> None:
    """IHI 0048B 4.3.13: SGIs are read-only ones; PPIs may be changed if so implemented: Xen's GICv3 does."""
    gic = make_gic(version)
    gic.own(0xC00, 0)
    gic.own(0xC04, 0xFFFFFFFF)
    assert gic.own(0xC00) == 0xAAAAAAAA
    assert gic.own(0xC04) == (0 if version == 2 else 0xAAAAAAAA)
    assert gic.bad() is None


@BOTH
@pytest.mark.parametrize("offset", [0x0, 0x4, 0x8, 0x80, 0x100, 0x204, 0x308, 0xC08])
@pytest.mark.parametrize("size", [1, 2, 8])
def test_only_words(make_gic: MakeGic, version: int, offset: int, size: int) -> None:
    """IHI 0048B 4.1.4, IHI 0069 12.1.3: registers are reached by words; other sizes abort, as on Xen."""
    gic = make_gic(version)
    with pytest.raises(Aborted):
        gic.d(offset, size=size)
    with pytest.raises(Aborted):
        gic.d(offset, 0, size=size)


@BOTH
def test_priorities_by_bytes_and_words(make_gic: MakeGic, version: int) -> None:
    """IHI 0048B 4.3.11: byte accessible; all 8 bits are kept, as on Xen."""
    gic = make_gic(version)
    gic.d(0x424, 0x44332211)
    gic.d(0x426, 0xFF, size=1)
    assert gic.d(0x424) == 0x44FF2211
    assert [gic.d(0x424 + i, size=1) for i in range(4)] == [0x11, 0x22, 0xFF, 0x44]
    for size in (2, 8):
        with pytest.raises(Aborted):
            gic.d(0x420, size=size)


@BOTH
def test_unaligned_accesses_abort(make_gic: MakeGic, version: int) -> None:
    gic = make_gic(version)
    for offset in (0x1, 0x102, 0x401, 0xC06):
        with pytest.raises(Aborted):
            gic.d(offset)


@BOTH
def test_groups_cannot_be_chosen(make_gic: MakeGic, version: int) -> None:
    """Xen gives a guest one group: IGROUPR and NSACR read as zero and ignore writes."""
    gic = make_gic(version)
    for offset in (0x84, 0xE04):
        gic.d(offset, 0xFFFFFFFF)
        assert gic.d(offset) == 0


@BOTH
def test_reserved_registers_read_as_zero(make_gic: MakeGic, version: int) -> None:
    """IHI 0048B 4.1.2: reserved is RAZ/WI; what Xen answers at any width has any width here."""
    gic = make_gic(version)
    for offset in (0x14, 0x20, 0x3C, 0x7FC, *((0xD00, 0xDFC, 0xF04, 0xFEC) if version == 2 else (0xF30, 0x8000))):
        for size in (1, 2, 4, 8):
            if offset % size == 0:
                gic.d(offset, 0xFF, size=size)
                assert gic.d(offset, size=size) == 0


def test_identification(make_gic: MakeGic) -> None:
    """IHI 0048B 4.3.18, IHI 0069 12.9: PIDR2.ArchRev in bits 7..4. IIDR: what Xen says, Arm's JEP106 code."""
    assert make_gic(2).d(0xFE8) >> 4 == 2
    v3 = make_gic(3)
    assert v3.d(0xFFE8) >> 4 == v3.r(0xFFE8) >> 4 == 3
    assert make_gic(2).d(8) == 0x43B
    assert v3.d(8) == v3.r(4) == 0x34C


def test_other_addresses_are_not_ours(make_gic: MakeGic) -> None:
    addresses = {2: (0x03000FFF, 0x03004000, 0, 1 << 40), 3: (0x03000FFF, 0x03011000, 0x04020000, 1 << 63)}
    for version, beyond in addresses.items():
        gic = make_gic(version)
        cell = gic.ffi.new("uint64_t *")
        for gpa in beyond:
            assert gic.lib.vgic_mmio(gic.g, 0, gpa, 1, False, cell) == gic.lib.VGIC_ELSEWHERE
        assert gic.lib.vgic_mmio(gic.g, 7, 0x03001000, 4, False, cell) == gic.lib.VGIC_ELSEWHERE


# ---- GICv2: targets ----


def test_targets_of_spis(make_gic: MakeGic) -> None:
    """IHI 0048B 4.3.12; of several targets one may be chosen (1.4.3): Xen's is the lowest, and is read back."""
    gic = make_gic(2, 4).start()
    gic.d(0x820, 0x06, size=1)
    assert gic.d(0x820, size=1) == 0x02
    gic.line(32, 1)
    assert [gic.lines(vcpu) for vcpu in range(4)] == [0, IRQ, 0, 0]
    gic.d(0x820, 0x01010108)
    assert gic.d(0x820) == 0x01010108
    assert [gic.lines(vcpu) for vcpu in range(4)] == [0, 0, 0, IRQ]
    assert gic.ack() == SPURIOUS
    assert gic.ack(vcpu=3) == 32


def test_targets_of_interrupts_that_are_not_there(make_gic: MakeGic) -> None:
    gic = make_gic(2, 2, 64)
    gic.d(0x85C, 0x02020202)
    gic.d(0x860, 0x02020202)
    assert (gic.d(0x85C), gic.d(0x860)) == (0x02020202, 0)
    assert gic.bad() is None


def test_targets_that_are_not_there(make_gic: MakeGic) -> None:
    """Xen ignores a target that is no processor, for each interrupt by itself."""
    gic = make_gic(2, 2)
    gic.d(0x820, 0x02F00002)
    assert gic.d(0x820) == 0x02010102


def test_targets_of_private_interrupts(make_gic: MakeGic) -> None:
    """IHI 0048B 4.3.12: ITARGETSR0-7 are read-only and say which processor reads them."""
    gic = make_gic(2, 3)
    gic.d(0x800, 0xFFFFFFFF)
    assert [gic.d(0x800 + 4 * (vcpu % 8), vcpu=vcpu) for vcpu in range(3)] == [0x01010101, 0x02020202, 0x04040404]


# ---- GICv3: routing ----


def test_affinity_routing(make_gic: MakeGic) -> None:
    """IHI 0069 12.9: GICD_IROUTER by its affinity fields; Xen puts 16 processors into a cluster."""
    gic = make_gic(3, 20).start()
    gic.d(0x6100, 0x101, size=8)
    assert gic.d(0x6100, size=8) == 0x101
    gic.line(32, 1)
    assert [gic.lines(vcpu) for vcpu in range(20)] == [0] * 17 + [IRQ, 0, 0]
    gic.d(0x6100, 3)
    assert gic.d(0x6100) == 3 and gic.d(0x6104) == 0
    assert gic.lines(3) == IRQ and gic.lines(17) == 0


def test_routes_that_lead_nowhere(make_gic: MakeGic) -> None:
    """Xen ignores the route to a processor that is not there, and takes vcpu 0 for any (Interrupt_Routing_Mode)."""
    gic = make_gic(3, 20)
    gic.d(0x6108, 0x102, size=8)
    for wrong in (0x104, 0x10, 0x10000, 1 << 32, 0xFF):
        gic.d(0x6108, wrong, size=8)
        assert gic.d(0x6108, size=8) == 0x102
    gic.d(0x6108, 1 << 31 | 0x101, size=8)
    assert gic.d(0x6108, size=8) == 0
    assert gic.bad() is None


def test_interrupts_that_are_not_there_have_no_route(make_gic: MakeGic) -> None:
    gic = make_gic(3, 2, 32)
    gic.d(0x61F8, 1, size=8)
    assert gic.d(0x61F8, size=8) == 1
    gic.d(0x6200, 1, size=8)
    assert gic.d(0x6200, size=8) == 0
    for offset, size in ((0x6100, 2), (0x6100, 1), (0x6104, 8)):
        with pytest.raises(Aborted):
            gic.d(offset, size=size)


def test_distributor_has_no_private_interrupts(make_gic: MakeGic) -> None:
    """IHI 0069 12.9: with affinity routing the registers of interrupts 0-31 in GICD, and SGIR, are RES0."""
    gic = make_gic(3).start()
    gic.r(GICR_SGIS + 0x200, 0xFFFFFFFF)
    for offset in (0x100, 0x180, 0x200, 0x280, 0x300, 0x380, 0x400, 0x800, 0xC00, 0xC04, 0xF00, 0xF10, 0xF20):
        gic.d(offset, 0)
        assert gic.d(offset) == 0
    gic.d(0x180, 0xFFFFFFFF)
    assert gic.r(GICR_SGIS + 0x100) == 0xFFFFFFFF


def test_distributor_control(make_gic: MakeGic) -> None:
    """IHI 0069 12.9, the non-secure view: affinity routing stays, EnableGrp1A alone can be changed."""
    gic = make_gic(3)
    gic.d(0, 0xFFFFFFFF)
    assert gic.d(0) == 0x12
    gic.d(0, 0x1)
    assert gic.d(0) == 0x10
