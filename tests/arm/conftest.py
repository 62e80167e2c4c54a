"""The ARM interrupt controller, timer and power interface on a bench: the C files, compiled by themselves."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cffi import FFI

from tests.once import made_once

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
BUILD = ROOT / "build" / "tests" / "arm"
SOURCES = [
    *(ROOT / "native/xen/arm" / f"{name}.c"
      for name in ("vgic", "vgic_bad", "vgic_cpu", "vgic_files", "vgic_icc", "vgic_v2", "vgic_v3", "vtimer", "psci")),
]  # fmt: skip
FLAGS = ["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wno-sign-conversion", "-Wno-unused-parameter", "-Werror",
         "-g1", f"-I{ROOT / 'native'}"]  # fmt: skip

GICD, GICC = 0x03001000, 0x03002000
GICR, GICR_STRIDE, GICR_SGIS = 0x03020000, 0x20000, 0x10000
IRQ, FIQ = 1, 2
SPURIOUS = 1023


def compile_c(output: str, *extra: str) -> Path:
    """Compile SOURCES with the flags `extra` (which may name files); done once for each state of the sources."""
    headers = sorted((ROOT / "native/xen/arm").glob("*.h"))
    inputs = [*SOURCES, *headers, ROOT / "native/abi/arch/arm.h", *sorted(HERE.glob("*.[ch]"))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in inputs) + repr(extra).encode()).hexdigest()[:16]
    command = ["gcc", *FLAGS, *extra, *map(str, SOURCES)]
    return made_once(BUILD / f"{output}-{digest}", lambda made: subprocess.run([*command, "-o", str(made)], check=True))


@pytest.fixture(scope="session")
def native() -> tuple[FFI, Any]:
    """(ffi, lib). A finding of UndefinedBehaviorSanitizer ends the process."""
    ffi = FFI()
    text = subprocess.run(
        ["gcc", "-E", "-P", "-DXENLAB_CFFI", f"-I{ROOT / 'native'}", str(HERE / "harness.h")],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    ffi.cdef(text)
    sanitize = ("-fsanitize=undefined", "-fsanitize-undefined-trap-on-error")
    return ffi, ffi.dlopen(str(compile_c("arm", "-O1", "-shared", "-fPIC", *sanitize)))


class Aborted(Exception):
    """The access gets a data abort, or the register is undefined."""


class Gic:
    """An interrupt controller with its vcpus; accesses are made by vcpu 0 unless another is named."""

    def __init__(self, native: tuple[FFI, Any], version: int = 2, vcpus: int = 2, spis: int = 64) -> None:
        self.ffi, self.lib = native
        self.dist = self.ffi.new("struct vgic_dist *")
        self.cpus = self.ffi.new("struct arm_vcpu[]", vcpus)
        self.slots = self.ffi.new("uint16_t[]", list(range(vcpus)))
        whole = {"dist": self.dist, "all": self.cpus, "slot": self.slots, "vcpus": vcpus}
        self.g = self.ffi.new("struct vgic *", whole)
        assert self.lib.vgic_init(self.g, version, spis)
        self.version = version

    def access(self, gpa: int, size: int, value: int | None, vcpu: int) -> int:
        cell = self.ffi.new("uint64_t *", 0xDEAD if value is None else value)
        answer = self.lib.vgic_mmio(self.g, vcpu, gpa, size, value is not None, cell)
        if answer == self.lib.VGIC_ABORT:
            raise Aborted(f"{gpa:#x} {size}")
        assert answer == self.lib.VGIC_DONE
        return int(cell[0])

    def d(self, offset: int, value: int | None = None, size: int = 4, vcpu: int = 0) -> int:
        """A register of the distributor: read it, or write `value`."""
        return self.access(GICD + offset, size, value, vcpu)

    def c(self, offset: int, value: int | None = None, size: int = 4, vcpu: int = 0) -> int:
        """One of GICC's."""
        return self.access(GICC + offset, size, value, vcpu)

    def r(self, offset: int, value: int | None = None, size: int = 4, vcpu: int = 0, by: int = 0) -> int:
        """One of a vcpu's redistributor; its second frame begins at GICR_SGIS."""
        return self.access(GICR + vcpu * GICR_STRIDE + offset, size, value, by)

    def icc(self, name: str, value: int | None = None, vcpu: int = 0) -> int:
        """A system register."""
        return self.sysreg(ICC[name], value, vcpu)

    def sysreg(self, encoding: tuple[int, int, int, int, int], value: int | None = None, vcpu: int = 0) -> int:
        """A system register by its five numbers."""
        cell = self.ffi.new("uint64_t *", 0xDEAD if value is None else value)
        answer = self.lib.vgic_sysreg(self.g, vcpu, number(*encoding), value is not None, cell)
        if answer == self.lib.VGIC_ABORT:
            raise Aborted(str(encoding))
        assert answer == self.lib.VGIC_DONE
        return int(cell[0])

    def line(self, intid: int, level: bool | int, vcpu: int = 0) -> None:
        self.lib.vgic_set_line(self.g, vcpu, intid, bool(level))

    def lines(self, vcpu: int = 0) -> int:
        return int(self.lib.vgic_lines(self.g, vcpu))

    def bad(self) -> str | None:
        text = self.lib.vgic_bad(self.g)
        return None if text == self.ffi.NULL else bytes(self.ffi.string(text)).decode()

    # ---- the same words for both versions ----

    def start(self) -> Gic:
        """Everything on, all priorities pass, every interrupt enabled and of priority 0xa0."""
        self.d(0, 1 if self.version == 2 else 2)
        for vcpu in range(self.g.vcpus):
            if self.version == 2:
                self.c(0, 1, vcpu=vcpu)
                self.c(4, 0xFF, vcpu=vcpu)
            else:
                self.icc("IGRPEN1", 1, vcpu)
                self.icc("PMR", 0xFF, vcpu)
            self.own(0x100, 0xFFFFFFFF, vcpu)
            for intid in range(0, 32, 4):
                self.own(0x400 + intid, 0xA0A0A0A0, vcpu)
        for bank in range(1, self.dist.spis // 32 + 1):
            self.d(0x100 + 4 * bank, 0xFFFFFFFF)
            for intid in range(32 * bank, 32 * bank + 32, 4):
                self.d(0x400 + intid, 0xA0A0A0A0)
        return self

    def own(self, offset: int, value: int | None = None, vcpu: int = 0, size: int = 4) -> int:
        """A register of the first 32 interrupts, by its offset in the distributor."""
        if self.version == 2:
            return self.d(offset, value, size, vcpu)
        return self.r(GICR_SGIS + offset, value, size, vcpu)

    def priority(self, intid: int, value: int, vcpu: int = 0) -> None:
        if intid < 32:
            self.own(0x400 + intid, value, vcpu, size=1)
        else:
            self.d(0x400 + intid, value, size=1)

    def ack(self, vcpu: int = 0) -> int:
        return self.c(0xC, vcpu=vcpu) if self.version == 2 else self.icc("IAR1", vcpu=vcpu)

    def eoi(self, intid: int, vcpu: int = 0) -> None:
        if self.version == 2:
            self.c(0x10, intid, vcpu=vcpu)
        else:
            self.icc("EOIR1", intid, vcpu)

    def running(self, vcpu: int = 0) -> int:
        return self.c(0x14, vcpu=vcpu) if self.version == 2 else self.icc("RPR", vcpu=vcpu)


def number(op0: int, op1: int, crn: int, crm: int, op2: int) -> int:
    """ARM_SYSREG()."""
    return op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2


ICC = {
    "PMR": (3, 0, 4, 6, 0), "IAR0": (3, 0, 12, 8, 0), "EOIR0": (3, 0, 12, 8, 1), "HPPIR0": (3, 0, 12, 8, 2),
    "BPR0": (3, 0, 12, 8, 3), "AP0R0": (3, 0, 12, 8, 4), "AP0R1": (3, 0, 12, 8, 5), "AP1R0": (3, 0, 12, 9, 0),
    "AP1R1": (3, 0, 12, 9, 1), "DIR": (3, 0, 12, 11, 1), "RPR": (3, 0, 12, 11, 3), "SGI1R": (3, 0, 12, 11, 5),
    "ASGI1R": (3, 0, 12, 11, 6), "SGI0R": (3, 0, 12, 11, 7), "IAR1": (3, 0, 12, 12, 0), "EOIR1": (3, 0, 12, 12, 1),
    "HPPIR1": (3, 0, 12, 12, 2), "BPR1": (3, 0, 12, 12, 3), "CTLR": (3, 0, 12, 12, 4), "SRE": (3, 0, 12, 12, 5),
    "IGRPEN0": (3, 0, 12, 12, 6), "IGRPEN1": (3, 0, 12, 12, 7),
}  # fmt: skip


@pytest.fixture
def make_gic(native: tuple[FFI, Any]) -> Callable[..., Gic]:
    """make_gic(version, vcpus, spis): as a reset leaves it."""
    return lambda *arguments, **named: Gic(native, *arguments, **named)
