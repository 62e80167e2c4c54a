"""The 8254 interval timer, and port 0x61, which shows and gates its third counter.

    0x40 - 0x42   the counters. 0 drives interrupt 0; 1 refreshed memory once; 2 makes the speaker's tone
    0x43          control word, counter latch, read-back
    0x61          bit 0 gate of counter 2, bit 1 speaker, bit 4 toggles with each memory refresh, bit 5 OUT of counter 2

A running counter costs nothing: it is computed when it is read, and only counter 0 sets a deadline, for the next rising
edge of its output. The line stays high between two edges, though OUT of a real one is low for a while before each.

Source: Intel 8254 data sheet; PIIX3 data sheet, section 2.5.6 (NMI status and control register).
"""

from __future__ import annotations

from dataclasses import dataclass

from hv.devices.bus import Region
from hv.devices.device import NEVER, Device, Machine
from hv.devices.pit_channel import NONE, Counter
from hv.devices.ticks import PIT_CLOCK
from hv.devices.values import replaced

COUNTERS, IRQ, PORT, SPEAKER_PORT = 3, 0, 0x40, 0x61
SPEAKER = 2
REFRESH_TICKS = 18
"""Of the clock, between two refreshes: 15 microseconds."""
GATE_BIT, KEPT_BITS, REFRESH_BIT, OUTPUT_BIT = 0x01, 0x0F, 0x10, 0x20
READ_BACK = 3


@dataclass
class PitState:
    """The counters, the writable bits of port 0x61, and interrupt 0: is it high, and is it the HPET's now?"""

    counters: tuple[Counter, ...] = (Counter(), Counter(), Counter(gate=False))
    control: int = 0
    line: bool = False
    replaced: bool = False


class Pit(Device):
    """The timer of a PC. After a reset no counter runs."""

    State = PitState
    state: PitState

    def __init__(self, machine: Machine, name: str = "pit") -> None:
        super().__init__(machine, name)
        machine.ports.map(Region(name, 4, self._read, self._write), PORT)
        machine.ports.map(Region(f"{name} speaker", 1, self._read_speaker, self._write_speaker), SPEAKER_PORT)

    def reset(self) -> None:
        """Power on, or the reset line."""
        super().reset()
        self.machine.set_timer(self, NEVER)
        self.machine.set_irq(IRQ, False)

    def replace(self, replaced: bool) -> None:
        """The HPET takes interrupt 0 over, or gives it back (legacy replacement)."""
        if replaced != self.state.replaced:
            self._drive(False)
            self.state.replaced = replaced
            if not replaced:
                self._drive(self._counter(0).output(self._tick))
            self._arm(self._tick)

    @property
    def speaker_period_ns(self) -> int:
        """Length of a period of the tone that sounds; 0: silence."""
        counter = self._counter(SPEAKER)
        sounds = self.state.control & 3 == 3 and counter.mode == 3 and counter.initial
        return PIT_CLOCK.ns(counter.initial) if sounds else 0

    # ---- time ----

    @property
    def _tick(self) -> int:
        return PIT_CLOCK.ticks(self.machine.now_ns)

    def _counter(self, number: int) -> Counter:
        return self.state.counters[number].settled(self._tick)

    def _put(self, number: int, counter: Counter) -> None:
        self.state.counters = replaced(self.state.counters, number, counter)

    def _drive(self, level: bool) -> None:
        if level != self.state.line and not self.state.replaced:
            self.state.line = level
            self.machine.set_irq(IRQ, level)

    def _arm(self, after: int) -> None:
        """Wait for the next rising edge that comes after a tick."""
        rise = NONE if self.state.replaced else self.state.counters[0].next_rise(after)
        self.machine.set_timer(self, NEVER if rise == NONE else PIT_CLOCK.ns(rise))

    def timer(self) -> None:
        """OUT of counter 0 rises."""
        self._put(0, self._counter(0))
        if self.state.replaced:
            return
        self._drive(False)
        self._drive(True)
        self._arm(self._tick)

    # ---- ports ----

    def _read(self, offset: int, size: int) -> int:
        if offset == COUNTERS:
            return 0xFF
        counter, value = self._counter(offset).read(self._tick)
        self._put(offset, counter)
        return value

    def _write(self, offset: int, size: int, value: int) -> None:
        if offset == COUNTERS:
            self._command(value)
        else:
            self._change(offset, self._counter(offset).write(self._tick, value))

    def _change(self, number: int, counter: Counter) -> None:
        self._put(number, counter)
        if number == 0:
            self._drive(counter.output(self._tick))
            self._arm(self._tick)

    def _command(self, value: int) -> None:
        number, access, mode, tick = value >> 6, value >> 4 & 3, value >> 1 & 7, self._tick
        if number == READ_BACK:
            self._read_back(value)
        elif access == 0:
            self._put(number, self._counter(number).latch_count(tick))
        else:  # modes 2 and 3 have two numbers each
            mode = mode & 3 if mode > 5 else mode
            self._change(number, self._counter(number).control(mode, access, bool(value & 1)))

    def _read_back(self, value: int) -> None:
        tick = self._tick
        for number in range(COUNTERS):
            if value >> 1 + number & 1:
                counter = self._counter(number)
                if not value & 0x20:
                    counter = counter.latch_count(tick)
                if not value & 0x10:
                    counter = counter.latch_status(tick)
                self._put(number, counter)

    def _read_speaker(self, offset: int, size: int) -> int:
        tick, counter = self._tick, self._counter(SPEAKER)
        refreshes = tick // REFRESH_TICKS
        changes = {(refreshes + 1) * REFRESH_TICKS, counter.next_change(tick)} - {NONE}
        self.machine.hold(SPEAKER_PORT, 1, PIT_CLOCK.ns(min(changes)))
        value = self.state.control | (REFRESH_BIT if refreshes & 1 else 0)
        return value | OUTPUT_BIT if counter.output(tick) else value

    def _write_speaker(self, offset: int, size: int, value: int) -> None:
        self.state.control = value & KEPT_BITS
        self._put(SPEAKER, self._counter(SPEAKER).set_gate(self._tick, bool(value & GATE_BIT)))


