"""The generic timer's registers and interrupts (DDI 0487 D11.2)."""

from __future__ import annotations

from typing import Any

import pytest
from cffi import FFI

from .conftest import number

REGISTERS = {
    "CNTFRQ": (3, 3, 14, 0, 0), "CNTPCT": (3, 3, 14, 0, 1), "CNTVCT": (3, 3, 14, 0, 2), "CNTP_TVAL": (3, 3, 14, 2, 0),
    "CNTP_CTL": (3, 3, 14, 2, 1), "CNTP_CVAL": (3, 3, 14, 2, 2), "CNTV_TVAL": (3, 3, 14, 3, 0),
    "CNTV_CTL": (3, 3, 14, 3, 1), "CNTV_CVAL": (3, 3, 14, 3, 2),
}  # fmt: skip
VIRTUAL, PHYSICAL = 0, 1
OFFSET = 5000
ENABLE, IMASK, ISTATUS = 1, 2, 4
MOST = (1 << 64) - 1


class Timer:
    """A vcpu's timers; `now` is the system time."""

    def __init__(self, native: tuple[FFI, Any]) -> None:
        self.ffi, self.lib = native
        self.timer = self.ffi.new("struct vtimer[2]")
        self.now, self.kernel_control = OFFSET + 1000, 0

    def answer(self, name: str, value: int | None = None, el: int = 1) -> tuple[str, int]:
        cell = self.ffi.new("uint64_t *", 0 if value is None else value)
        said = self.lib.vtimer_sysreg(
            self.timer, OFFSET, self.kernel_control, el, self.now, number(*REGISTERS[name]), value is not None, cell
        )
        words = ("DONE", "ELSEWHERE", "UNDEFINED", "TRAP")
        return words[said], int(cell[0])

    def read(self, name: str) -> int:
        said, value = self.answer(name)
        assert said == "DONE"
        return value

    def write(self, name: str, value: int) -> None:
        assert self.answer(name, value)[0] == "DONE"

    def output(self, which: int) -> bool:
        return bool(self.lib.vtimer_output(self.timer, which, OFFSET, self.now))

    def deadline(self) -> int:
        return int(self.lib.vtimer_deadline(self.timer, OFFSET, self.now))


@pytest.fixture
def timer(native: tuple[FFI, Any]) -> Timer:
    return Timer(native)


def test_counts(timer: Timer) -> None:
    """D11.1.2: the virtual count is the physical one less the offset; 1 GHz, so a tick is a nanosecond."""
    assert timer.read("CNTFRQ") == 1_000_000_000
    assert timer.read("CNTPCT") == OFFSET + 1000
    assert timer.read("CNTVCT") == 1000


@pytest.mark.parametrize(("which", "prefix", "base"), [(VIRTUAL, "CNTV", 0), (PHYSICAL, "CNTP", OFFSET)])
def test_compare_value(timer: Timer, which: int, prefix: str, base: int) -> None:
    """D11.2.4: the condition is met from the compare value on, and shows in ISTATUS while the timer is enabled."""
    timer.write(f"{prefix}_CVAL", base + 2000)
    timer.write(f"{prefix}_CTL", ENABLE)
    assert timer.read(f"{prefix}_CVAL") == base + 2000
    assert not timer.output(which) and timer.deadline() == OFFSET + 2000
    timer.now = OFFSET + 1999
    assert not timer.output(which) and timer.read(f"{prefix}_CTL") == ENABLE
    timer.now = OFFSET + 2000
    assert timer.output(which) and timer.read(f"{prefix}_CTL") == ENABLE | ISTATUS
    assert timer.deadline() == 0
    timer.write(f"{prefix}_CTL", ENABLE | IMASK)
    assert not timer.output(which) and timer.read(f"{prefix}_CTL") == ENABLE | IMASK | ISTATUS
    timer.write(f"{prefix}_CTL", 0)
    assert not timer.output(which) and timer.read(f"{prefix}_CTL") == 0
    assert not timer.output(1 - which)


@pytest.mark.parametrize("prefix", ["CNTV", "CNTP"])
def test_timer_value(timer: Timer, prefix: str) -> None:
    """D11.2.4: a signed distance of 32 bits from the count; the upper half of what is written is not there."""
    count = timer.read("CNTVCT" if prefix == "CNTV" else "CNTPCT")
    timer.write(f"{prefix}_TVAL", 0xABCD_0000_0000 | 500)
    assert timer.read(f"{prefix}_CVAL") == count + 500
    timer.now += 600
    assert timer.read(f"{prefix}_TVAL") == (-100) & 0xFFFFFFFF
    timer.write(f"{prefix}_TVAL", 0xFFFFFFFF)
    assert timer.read(f"{prefix}_CVAL") == count + 600 - 1


def test_compare_value_has_no_sign(timer: Timer) -> None:
    """TimerConditionMet compares unsigned: the largest value is never reached, 0 always is."""
    timer.write("CNTV_CTL", ENABLE)
    assert timer.output(VIRTUAL), "CVAL is 0 after a reset"
    timer.write("CNTV_CVAL", MOST)
    assert not timer.output(VIRTUAL)
    assert timer.deadline() == 0, "beyond the end of time"


def test_first_of_two_deadlines(timer: Timer) -> None:
    timer.write("CNTV_CVAL", 3000)
    timer.write("CNTP_CVAL", OFFSET + 2500)
    assert timer.deadline() == 0
    timer.write("CNTV_CTL", ENABLE)
    assert timer.deadline() == OFFSET + 3000
    timer.write("CNTP_CTL", ENABLE)
    assert timer.deadline() == OFFSET + 2500
    timer.write("CNTP_CTL", ENABLE | IMASK)
    assert timer.deadline() == OFFSET + 3000


def test_control_keeps_two_bits(timer: Timer) -> None:
    """CNTV_CTL_EL0: ISTATUS is read-only, the rest reserved."""
    timer.write("CNTV_CVAL", MOST)
    timer.write("CNTV_CTL", MOST)
    assert timer.read("CNTV_CTL") == ENABLE | IMASK
    assert timer.lib.vtimer_ok(timer.timer)
    timer.timer[0].ctl = ISTATUS
    assert not timer.lib.vtimer_ok(timer.timer)


@pytest.mark.parametrize("name", ["CNTFRQ", "CNTPCT", "CNTVCT"])
@pytest.mark.parametrize("el", [0, 1])
def test_read_only(timer: Timer, name: str, el: int) -> None:
    """The counts cannot be written, the frequency only at the highest exception level."""
    timer.kernel_control = 0x303
    assert timer.answer(name, 1, el)[0] == "UNDEFINED"


@pytest.mark.parametrize(
    ("bit", "names"),
    [
        (0, {"CNTPCT", "CNTFRQ"}),
        (1, {"CNTVCT", "CNTFRQ"}),
        (8, {"CNTV_TVAL", "CNTV_CTL", "CNTV_CVAL"}),
        (9, {"CNTP_TVAL", "CNTP_CTL", "CNTP_CVAL"}),
    ],
)
def test_rights_of_el0(timer: Timer, bit: int, names: set[str]) -> None:
    """CNTKCTL_EL1: EL0PCTEN, EL0VCTEN, EL0VTEN, EL0PTEN. EL1 needs none of them; what EL0 may not traps to EL1."""
    timer.kernel_control = 1 << bit
    for name in REGISTERS:
        assert timer.answer(name, el=1)[0] == "DONE"
        assert timer.answer(name, el=0)[0] == ("DONE" if name in names else "TRAP")


def test_other_registers_are_not_ours(timer: Timer) -> None:
    cell = timer.ffi.new("uint64_t *")
    for reg in (0, 0xFFFFFFFF, number(3, 0, 14, 1, 0), number(3, 3, 14, 1, 0), number(3, 3, 14, 2, 3)):
        said = timer.lib.vtimer_sysreg(timer.timer, 0, 0, 1, 0, reg, False, cell)
        assert said == timer.lib.VTIMER_ELSEWHERE
