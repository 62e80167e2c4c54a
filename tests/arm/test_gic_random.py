"""Random use of the interrupt controller: against a model in ten rules, and by any access under the sanitizers."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable

import pytest

from .conftest import HERE, ICC, IRQ, SPURIOUS, Gic, compile_c, number

BOTH = pytest.mark.parametrize("version", [2, 3])
LONG = bool(os.environ.get("XENLAB_LONG_FUZZ"))
VCPUS = 3
INTERRUPTS = (*range(16, 32), *range(32, 96))


class Model:
    """What IHI 0048B chapter 3 says, in sets: keys are (vcpu, intid) for PPIs and (None, intid) for SPIs."""

    def __init__(self) -> None:
        self.enabled: set[tuple[int | None, int]] = set()
        self.latched: set[tuple[int | None, int]] = set()
        self.lines: set[tuple[int | None, int]] = set()
        self.edge: set[tuple[int | None, int]] = set()
        self.active: set[tuple[int | None, int]] = set()
        self.priority: dict[tuple[int | None, int], int] = {}
        self.target: dict[int, int] = {}
        self.running: list[list[int]] = [[] for _ in range(VCPUS)]
        self.mask = [0] * VCPUS

    @staticmethod
    def key(vcpu: int, intid: int) -> tuple[int | None, int]:
        return (vcpu if intid < 32 else None, intid)

    def pending(self, key: tuple[int | None, int]) -> bool:
        return key in self.latched or (key in self.lines and key not in self.edge)

    def best(self, vcpu: int) -> int:
        """The interrupt that is signalled to a vcpu, or 1023."""
        candidates = []
        for intid in INTERRUPTS:
            key = self.key(vcpu, intid)
            here = intid < 32 or self.target.get(intid, 0) == vcpu
            if here and self.pending(key) and key in self.enabled and key not in self.active:
                candidates.append((self.priority.get(key, 0) & 0xF8, intid))
        if not candidates:
            return SPURIOUS
        priority, intid = min(candidates)
        limit = min([*self.running[vcpu], 0x100])
        return intid if priority < self.mask[vcpu] and priority < limit else SPURIOUS

    def take(self, vcpu: int) -> int:
        intid = self.best(vcpu)
        if intid != SPURIOUS:
            key = self.key(vcpu, intid)
            self.active.add(key)
            self.latched.discard(key)
            self.running[vcpu].append(self.priority.get(key, 0) & 0xF8)
        return intid

    def end(self, vcpu: int, intid: int) -> None:
        self.active.discard(self.key(vcpu, intid))
        if self.running[vcpu]:
            self.running[vcpu].remove(min(self.running[vcpu]))


def step(draw: random.Random, gic: Gic, model: Model, served: list[list[int]]) -> None:
    """One random thing that a guest or a device does, to both."""
    vcpu, intid = draw.randrange(VCPUS), draw.choice(INTERRUPTS)
    key, bank, bit = model.key(vcpu, intid), intid // 32, 1 << intid % 32
    does = draw.randrange(9)
    if does == 0:
        level = draw.random() < 0.5
        if level and key in model.edge and key not in model.lines:
            model.latched.add(key)
        (model.lines.add if level else model.lines.discard)(key)
        gic.line(intid, level, vcpu)
    elif does in (1, 2, 3):
        at, changed = {1: (0x100, model.enabled), 2: (0x200, model.latched), 3: (0x100, model.enabled)}[does]
        clears = draw.random() < 0.3
        (changed.discard if clears else changed.add)(key)
        gic_write = gic.own if bank == 0 else gic.d
        gic_write(at + 0x80 * clears + 4 * bank, bit, vcpu=vcpu)
    elif does == 4:
        model.priority[key] = draw.randrange(256)
        gic.priority(intid, model.priority[key], vcpu)
    elif does == 5 and intid >= 32:
        model.target[intid] = vcpu
        if gic.version == 2:
            gic.d(0x800 + intid, 1 << vcpu, size=1)
        else:
            gic.d(0x6000 + 8 * intid, vcpu, size=8)
    elif does == 6:
        got = gic.ack(vcpu)
        assert got == model.take(vcpu)
        if got != SPURIOUS:
            served[vcpu].append(got)
    elif does == 7 and served[vcpu]:
        done = served[vcpu].pop()
        gic.eoi(done, vcpu)
        model.end(vcpu, done)
    elif does == 8:
        model.mask[vcpu] = draw.choice((0xF8, 0xF8, 0xF8, 0x80, 0x40)) & 0xF8
        if gic.version == 2:
            gic.c(4, model.mask[vcpu], vcpu=vcpu)
        else:
            gic.icc("PMR", model.mask[vcpu], vcpu)


@BOTH
@pytest.mark.parametrize("seed", range(20 if LONG else 3))
def test_against_the_model(make_gic: Callable[..., Gic], version: int, seed: int) -> None:
    draw = random.Random(seed)
    gic, model = make_gic(version, VCPUS, 64).start(), Model()
    served: list[list[int]] = [[] for _ in range(VCPUS)]
    model.mask = [0xF8] * VCPUS
    for intid in INTERRUPTS:
        for vcpu in range(VCPUS):
            model.enabled.add(model.key(vcpu, intid))
            model.priority[model.key(vcpu, intid)] = 0xA0
        if intid >= 32 and draw.random() < 0.5:
            model.edge.add((None, intid))
    for half in range(2, 6):
        gic.d(0xC00 + 4 * half, sum(2 << 2 * i for i in range(16) if (None, half * 16 + i) in model.edge))
    for _ in range(3000):
        step(draw, gic, model, served)
        for vcpu in range(VCPUS):
            assert gic.lines(vcpu) == (IRQ if model.best(vcpu) != SPURIOUS else 0)
            assert gic.running(vcpu) == min([*model.running[vcpu], 0xFF])
    for bank in (1, 2):
        for at, holds in ((0x200, model.pending), (0x300, model.active.__contains__)):
            assert gic.d(at + 4 * bank) == sum(1 << i for i in range(32) if holds((None, 32 * bank + i)))
    assert gic.bad() is None


def test_any_access() -> None:
    """Every access of any size to any place by any vcpu, under AddressSanitizer and UBSan; twice the same."""
    sanitize = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    program = compile_c("fuzz", "-O1", *sanitize, str(HERE / "fuzz.c"))
    for seed in range(1, 20 if LONG else 3):
        command = [str(program), str(seed), "300000" if LONG else "40000"]
        environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        runs = [subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment) for _ in range(2)]
        assert runs[0].returncode == 0, runs[0].stderr
        assert len(runs[0].stdout) == 17
        assert runs[0].stdout == runs[1].stdout


# ---- state from a file ----


@BOTH
def test_validation_lets_in_what_came_about(make_gic: Callable[..., Gic], version: int) -> None:
    gic = make_gic(version, 2, 64).start()
    gic.line(40, 1)
    gic.ack()
    assert gic.bad() is None


SPOILT: list[tuple[str, Callable[[Gic], None]]] = [
    ("GIC version", lambda gic: setattr(gic.dist, "version", 4)),
    ("number of SPIs", lambda gic: setattr(gic.dist, "spis", 33)),
    ("number of SPIs", lambda gic: setattr(gic.dist, "spis", 1 << 20)),
    ("GICD_CTLR", lambda gic: setattr(gic.dist, "enable", 2)),
    ("an SPI that is not there", lambda gic: setattr(gic.dist.spi[2], "pending", 1)),
    ("where an SPI goes", lambda gic: gic.dist.target.__setitem__(3, 9)),
    ("where an SPI goes", lambda gic: gic.dist.priority.__setitem__(64, 1)),
    ("an SGI", lambda gic: setattr(gic.cpus[0].gic.own, "lines", 1)),
    ("an SGI", lambda gic: gic.cpus[0].gic.sgi_from.__setitem__(2, 1)),
    ("ICFGR0 or ICFGR1", lambda gic: setattr(gic.cpus[1].gic.own, "edge", 0)),
    ("the processor interface's control or mask", lambda gic: setattr(gic.cpus[1].gic, "ctlr", 0x20)),
    ("the processor interface's control or mask", lambda gic: setattr(gic.cpus[1].gic, "pmr", 0xA1)),
    ("a binary point", lambda gic: gic.cpus[1].gic.bpr.__setitem__(0, 1)),
    ("a binary point", lambda gic: gic.cpus[1].gic.bpr.__setitem__(1, 8)),
    ("the processor's interrupt inputs", lambda gic: setattr(gic.cpus[1].gic, "lines_out", 1)),
    ("the processor's interrupt inputs", lambda gic: setattr(gic.cpus[1].gic, "pad", 1)),
]


@BOTH
@pytest.mark.parametrize(("complaint", "spoil"), SPOILT, ids=[f"{i}" for i in range(len(SPOILT))])
def test_validation(make_gic: Callable[..., Gic], version: int, complaint: str, spoil: Callable[[Gic], None]) -> None:
    gic = make_gic(version, 2, 64)
    spoil(gic)
    assert gic.bad() == complaint


@BOTH
def test_before_there_is_a_controller(make_gic: Callable[..., Gic], version: int) -> None:
    """All zeros: nothing reaches it and nothing is kept. Any state without one is no state."""
    gic = make_gic(version, 2)
    gic.ffi.memmove(gic.dist, bytes(gic.ffi.sizeof("struct vgic_dist")), gic.ffi.sizeof("struct vgic_dist"))
    assert gic.bad() == "state without an interrupt controller"
    gic.ffi.memmove(gic.cpus, bytes(gic.ffi.sizeof(gic.cpus)), gic.ffi.sizeof(gic.cpus))
    assert gic.bad() is None
    gic.line(27, 1)
    gic.line(40, 1)
    cell = gic.ffi.new("uint64_t *")
    for gpa in (0x03001000, 0x03002000, 0x03020000):
        assert gic.lib.vgic_mmio(gic.g, 0, gpa, 4, False, cell) == gic.lib.VGIC_ELSEWHERE
    assert gic.lib.vgic_sysreg(gic.g, 0, number(*ICC["IAR0"]), False, cell) == gic.lib.VGIC_ELSEWHERE
    assert gic.bad() is None
    gic.cpus[1].gic.lines_out = 1
    assert gic.bad() == "state without an interrupt controller"


def test_validation_of_one_version(make_gic: Callable[..., Gic]) -> None:
    """A GICv2 with what only a GICv3 has, and the other way round."""
    gic = make_gic(2)
    gic.cpus[0].gic.apr[1] = 1
    assert gic.bad() == "active priorities of group 1"
    gic = make_gic(3)
    gic.cpus[0].gic.ctlr = 8
    assert gic.bad() == "the processor interface's control or mask"
    gic = make_gic(3, 12)
    gic.dist.version = 2
    assert gic.bad() == "GIC version"
    gic = make_gic(2)
    gic.d(0xF20, 1, size=1)
    gic.cpus[0].gic.own.pending = 0
    assert gic.bad() == "an SGI"
