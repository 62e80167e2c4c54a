"""The MC146818 real-time clock and its battery-backed memory (CMOS), ports 0x70 and 0x71, interrupt 8.

All of it follows from one number, the time at which the divider chain was zero (`origin`): the calendar, the periodic
rate and the update cycle are its ticks. Flags of register C are found out when somebody asks; only an interrupt that
is enabled, and whose flag is not up yet, sets a deadline. So an interrupt that nobody acknowledges costs nothing more.

The contents of the memory come with the machine: `contents` are bytes by register number, for instance
cmos_registers() of the domain builder (sizes of memory, number of processors) and boot_registers().

Source: Motorola MC146818A data sheet; PIIX4 data sheet, section 8.7 (NMI mask); SeaBIOS, src/hw/rtc.h, for the numbers
that a PC's firmware looks at, as QEMU fills them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from hv.devices.bus import Region
from hv.devices.device import NEVER, Device, Machine
from hv.devices.rtc_calendar import Form, decode, encode, next_alarm
from hv.devices.ticks import NS_PER_SECOND, RTC_CLOCK
from hv.devices.values import byte_replaced

PORT, IRQ, SIZE = 0x70, 8, 128
TIME_REGISTERS = (0x00, 0x02, 0x04, 0x06, 0x07, 0x08, 0x09, 0x32)
"""Second, minute, hour, day of the week, day, month, year, century."""
ALARM_REGISTERS = (0x01, 0x03, 0x05)
A, B, C, D = 0x0A, 0x0B, 0x0C, 0x0D
NMI_MASK = 0x80
# Register A
UPDATING, DIVIDER_RESET, RATE = 0x80, 0x60, 0x0F
# Registers B and C: enables, flags
PERIODIC, ALARM, UPDATE, SET, SQUARE_WAVE, REQUEST = 0x40, 0x20, 0x10, 0x80, 0x08, 0x80
CAUSES = PERIODIC | ALARM | UPDATE
VALID = 0x80
UPDATE_WARNING_NS = 244_141
"""UPDATING is up for so long before the registers change: 8 ticks."""
HALF_SECOND_NS = NS_PER_SECOND // 2
EQUIPMENT, BOOT_FLAG_1, BOOT_FLAG_2 = 0x14, 0x38, 0x3D
FPU, POINTER = 0x02, 0x04
"""Equipment byte: a coprocessor, a PS/2 mouse. No bit for a floppy drive."""
BOOT_CODES = {"a": 1, "c": 2, "d": 3, "n": 4}


def boot_registers(order: Iterable[str]) -> dict[int, int]:
    """The registers from which SeaBIOS takes what to boot, where no list in fw_cfg says better: up to three of floppy
    (a), disk (c), CD-ROM (d) and network (n). ValueError: another letter, or more of them."""
    letters = list(order)
    unknown = [letter for letter in letters if letter not in BOOT_CODES]
    if unknown or len(letters) > 3:
        raise ValueError(f"boot order {''.join(letters)}: up to three of {', '.join(BOOT_CODES)}")
    first, second, third = [BOOT_CODES[letter] for letter in letters] + [0] * (3 - len(letters))
    return {BOOT_FLAG_2: second << 4 | first, BOOT_FLAG_1: third << 4 | 1, EQUIPMENT: FPU | POINTER}


@dataclass
class RtcState:
    """`memory`: the bytes, but for those that are computed. `second`: calendar time at `origin_ns`, in seconds since
    1970. `held`: the time registers while the clock does not run (SET, or its divider is held in reset), else empty.
    `flags`: register C, as it was found out at `seen_ns`. `replaced`: interrupt 8 is the HPET's now."""

    memory: bytes = bytes(SIZE)
    index: int = 0
    nmi_masked: bool = False
    origin_ns: int = 0
    second: int = 0
    weekday_shift: int = 0
    held: bytes = b""
    flags: int = 0
    seen_ns: int = 0
    line: bool = False
    replaced: bool = False


class Rtc(Device):
    """The clock. `wallclock_ns`: time since 1970 at system time 0 (the hypervisor's, for one date everywhere).
    `contents`: bytes of its memory; ValueError: a number or a value that is none."""

    State = RtcState
    state: RtcState

    def __init__(
        self, machine: Machine, wallclock_ns: int, contents: Mapping[int, int] | None = None, name: str = "rtc"
    ) -> None:
        super().__init__(machine, name)
        memory = bytearray(SIZE)
        for number, value in ({A: 0x26, B: 0x02} | dict(contents or {})).items():
            if number not in range(SIZE):
                raise ValueError(f"{name}: there is no register {number:#x}")
            memory[number] = value
        state = self.state
        state.memory = bytes(memory)
        state.second, rest = divmod(wallclock_ns, NS_PER_SECOND)
        state.origin_ns = -rest
        machine.ports.map(Region(name, 2, self._read, self._write), PORT)

    def reset(self) -> None:
        """The reset line: time and memory stay; no interrupt is enabled or pending."""
        memory = bytearray(self.state.memory)
        memory[B] &= ~(CAUSES | SQUARE_WAVE)
        self.state = replace(
            self.state, memory=bytes(memory), index=0, nmi_masked=False, flags=0, seen_ns=self.machine.now_ns,
            line=False, replaced=False,
        )  # fmt: skip
        self.machine.set_irq(IRQ, False)
        self.machine.set_timer(self, NEVER)

    def replace(self, replaced: bool) -> None:
        """The HPET takes interrupt 8 over, or gives it back (legacy replacement)."""
        if replaced != self.state.replaced:
            if replaced:
                self._drive(False)
            self.state.replaced = replaced
            self._look()

    # ---- time ----

    @property
    def _form(self) -> Form:
        return Form.of(self.state.memory[B])

    @property
    def _divider_runs(self) -> bool:
        return self.state.memory[A] & DIVIDER_RESET != DIVIDER_RESET

    def _second_at(self, ns: int) -> int:
        return self.state.second + (ns - self.state.origin_ns) // NS_PER_SECOND

    def _time(self) -> bytes:
        """The time registers."""
        state = self.state
        return state.held or encode(self._second_at(self.machine.now_ns), state.weekday_shift, self._form)

    def _set_time(self, registers: bytes) -> None:
        """The calendar goes on from what the registers say; where the second begins does not change."""
        state = self.state
        second, state.weekday_shift = decode(registers, self._form)
        state.second += second - self._second_at(self.machine.now_ns)

    def _period_ticks(self) -> int:
        """Of the periodic interrupt, in ticks of RTC_CLOCK; 0: there is none."""
        rate = self.state.memory[A] & RATE
        if not rate or not self._divider_runs:
            return 0
        return 1 << (rate + 6 if rate <= 2 else rate - 1)

    def _alarm(self) -> list[int]:
        return [self.state.memory[number] for number in ALARM_REGISTERS]

    # ---- flags and interrupts ----

    def _next(self, cause: int, after_ns: int) -> int:
        """When a cause comes first after a time; NEVER: it does not."""
        state = self.state
        since = after_ns - state.origin_ns
        if cause == PERIODIC:
            period = self._period_ticks()
            if not period:
                return NEVER
            return state.origin_ns + RTC_CLOCK.ns((RTC_CLOCK.ticks(since) // period + 1) * period)
        if state.held:
            return NEVER
        here = self._second_at(after_ns)
        second = here + 1 if cause == UPDATE else next_alarm(here, self._alarm(), self._form)
        return NEVER if second is None else state.origin_ns + (second - state.second) * NS_PER_SECOND

    def _look(self) -> None:
        """Find out which flags are up by now, drive the line, and wait for what may interrupt next."""
        state, now = self.state, self.machine.now_ns
        deadlines = []
        enabled = state.memory[B]
        same_second = self._second_at(state.seen_ns) == self._second_at(now)
        for cause in (PERIODIC, ALARM, UPDATE):
            if not state.flags & cause and (enabled & cause or cause == PERIODIC or not same_second):
                when = self._next(cause, state.seen_ns)
                if NEVER != when <= now:
                    state.flags |= cause
                elif when != NEVER and enabled & cause:
                    deadlines.append(when)
        state.seen_ns = now
        self._drive(bool(state.flags & enabled & CAUSES))
        self.machine.set_timer(self, NEVER if state.replaced else min(deadlines, default=NEVER))

    def _drive(self, level: bool) -> None:
        if level != self.state.line and not self.state.replaced:
            self.state.line = level
            self.machine.set_irq(IRQ, level)

    def timer(self) -> None:
        """A cause that is enabled has come."""
        self._look()

    # ---- ports ----

    def _read(self, offset: int, size: int) -> int:
        if offset == 0:
            return 0xFF
        index, state = self.state.index, self.state
        if index in TIME_REGISTERS:
            return self._time()[TIME_REGISTERS.index(index)]
        if index == A:
            return state.memory[A] | (UPDATING if self._is_updating() else 0)
        if index == C:
            return self._take_flags()
        return VALID if index == D else state.memory[index]

    def _is_updating(self) -> bool:
        since = (self.machine.now_ns - self.state.origin_ns) % NS_PER_SECOND
        return not self.state.held and since >= NS_PER_SECOND - UPDATE_WARNING_NS

    def _take_flags(self) -> int:
        """Register C: reading it takes the flags down."""
        self._look()
        value = self.state.flags | (REQUEST if self.state.flags & self.state.memory[B] & CAUSES else 0)
        self.state.flags = 0
        self._look()
        return value

    def _write(self, offset: int, size: int, value: int) -> None:
        state = self.state
        if offset == 0:
            state.index, state.nmi_masked = value & ~NMI_MASK, bool(value & NMI_MASK)
        elif state.index in TIME_REGISTERS:
            self._write_time(TIME_REGISTERS.index(state.index), value)
        elif state.index in (A, B) or state.index in ALARM_REGISTERS:
            self._write_control(value)
        elif state.index not in (C, D):
            self._put(value)

    def _put(self, value: int) -> None:
        self.state.memory = byte_replaced(self.state.memory, self.state.index, value)

    def _write_time(self, at: int, value: int) -> None:
        self._look()
        registers = byte_replaced(self._time(), at, value)
        if self.state.held:
            self.state.held = registers
        else:
            self._set_time(registers)
        self._look()

    def _write_control(self, value: int) -> None:
        """Registers A and B, and the alarm. What they were decides up to now, what they are from now on."""
        state = self.state
        self._look()
        ran, time = self._divider_runs, self._time()
        self._put(value & ~UPDATING if state.index == A else value)
        if self._divider_runs and not ran:  # the first update comes half a second later
            state.origin_ns = self.machine.now_ns - HALF_SECOND_NS
        hold = bool(state.memory[B] & SET) or not self._divider_runs
        if hold:
            state.held = time
        elif state.held:
            state.held = b""
            self._set_time(time)
        self._look()
