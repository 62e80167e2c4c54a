"""One of the three counters of an 8254: what its output and its count are at a tick, as a function of what was written.

A counter is an immutable value. Ticks are of ticks.PIT_CLOCK since time 0; a count that is written at tick T is in the
counting element at T + 1, as the data sheet has it. Nothing runs: `start` is the tick at which the count was loaded,
and the rest is arithmetic.

Source: Intel 8254 data sheet (231164), "Mode definitions".
"""

from __future__ import annotations

from typing import NamedTuple

from hv.devices.ticks import PIT_CLOCK, SHORTEST_NS

LOW_BYTE, HIGH_BYTE, BOTH_BYTES = 1, 2, 3
NONE = -1
SHORTEST_TICKS = PIT_CLOCK.ticks(SHORTEST_NS) + 1


class Counter(NamedTuple):
    """State of a counter. `reload` is what was written last, `initial` what the present cycle began with (0: nothing
    was written since the control word). `switch`: tick at which a periodic counter takes `reload` over, or NONE.
    `stopped`: ticks that had passed when the gate went low, or NONE. `low`: the first byte of a pair that is being
    written, or NONE. `latched`: bytes of a latched count that are still to be read; `status`: the latched status, or
    NONE."""

    mode: int = 3
    access: int = BOTH_BYTES
    bcd: bool = False
    gate: bool = True
    initial: int = 0
    reload: int = 0
    start: int = 0
    triggered: bool = False
    switch: int = NONE
    stopped: int = NONE
    low: int = NONE
    high_next: bool = False
    latched: bytes = b""
    status: int = NONE

    # ---- what can be seen ----

    @property
    def periodic(self) -> bool:
        """Rate generator or square wave."""
        return self.mode in (2, 3)

    @property
    def by_trigger(self) -> bool:
        """The gate's rising edge starts it."""
        return self.mode in (1, 5)

    @property
    def modulus(self) -> int:
        """Counts wrap to this minus 1."""
        return 10_000 if self.bcd else 0x10000

    def _elapsed(self, tick: int) -> int:
        return self.stopped if self.stopped != NONE else max(tick - self.start, 0)

    @property
    def _high(self) -> int:
        """For how many ticks of each period OUT is high."""
        return self.initial - 1 if self.mode == 2 else (self.initial + 1) // 2

    def output(self, tick: int) -> bool:
        """OUT. The counter must be settled()."""
        if self.initial == 0:
            return self.mode != 0
        elapsed = self._elapsed(tick)
        if self.mode == 0:
            return elapsed >= self.initial
        if self.mode == 1:
            return not self.triggered or elapsed >= self.initial
        if self.periodic:
            return not self.gate or elapsed % self.initial < self._high
        return elapsed != self.initial or (self.mode == 5 and not self.triggered)

    def value(self, tick: int) -> int:
        """The counting element, as the guest reads it. The counter must be settled()."""
        if self.initial == 0:
            return 0
        elapsed = self._elapsed(tick)
        if self.mode == 2:
            left = self.initial - elapsed % self.initial
        elif self.mode == 3:
            half = (self.initial + 1) // 2
            left = (self.initial & ~1) - 2 * (elapsed % self.initial % half)
        elif self.by_trigger and not self.triggered:
            left = self.reload
        else:
            left = self.initial - elapsed
        left %= self.modulus
        return int(str(left), 16) if self.bcd else left

    def next_rise(self, tick: int) -> int:
        """The first tick after `tick` at which OUT goes from low to high; NONE: it does not by itself. Of a periodic
        counter that is faster than SHORTEST_NS, only every so manyth."""
        if self.initial == 0 or not self.gate or (self.by_trigger and not self.triggered):
            return NONE
        if not self.periodic:
            end = self.start + self.initial + (self.mode in (4, 5))
            return end if end > tick else NONE
        if self.switch == NONE:
            step = self.initial * -(-SHORTEST_TICKS // self.initial)
            return self.start + max((tick - self.start) // step + 1, 1) * step
        if (self.switch - self.start) % self.initial == 0:
            return self.switch
        later = self.settled(self.switch)
        return later.start + later.initial

    def next_change(self, tick: int) -> int:
        """The first tick after `tick` at which OUT may be another; NONE: it stays as it is by itself. The counter must
        be settled()."""
        if self.initial == 0 or self.stopped != NONE or (self.by_trigger and not self.triggered):
            return NONE
        end = self.start + self.initial
        if not self.periodic:
            edges = (end, end + 1) if self.mode in (4, 5) else (end,)
            return next((edge for edge in edges if edge > tick), NONE)
        at = self._elapsed(tick) % self.initial
        edge = max(tick, self.start) - at + (self._high if at < self._high else self.initial)
        return edge if self.switch == NONE else min(edge, self.switch)

    # ---- what changes it ----

    def settled(self, tick: int) -> Counter:
        """With the new count of a periodic counter taken over, if it is time."""
        if self.switch == NONE or tick < self.switch:
            return self
        start = self.switch
        if (start - self.start) % self.initial:  # a square wave that has just gone low
            start -= (self.reload + 1) // 2
        return self._replace(initial=self.reload, start=start, switch=NONE)

    def control(self, mode: int, access: int, bcd: bool) -> Counter:
        """A control word: everything begins anew, and waits for a count."""
        return Counter(mode=mode, access=access, bcd=bcd, gate=self.gate)

    def write(self, tick: int, byte: int) -> Counter:
        """A byte of a count."""
        if self.access == BOTH_BYTES and self.low == NONE:
            waiting = self._replace(low=byte)
            return waiting._replace(initial=0) if self.mode == 0 else waiting
        low = {LOW_BYTE: byte, HIGH_BYTE: 0}.get(self.access, self.low)
        high = 0 if self.access == LOW_BYTE else byte
        return self._replace(low=NONE)._given(tick, self._number(high << 8 | low))

    def _number(self, raw: int) -> int:
        if self.bcd:
            raw = sum(min(raw >> 4 * digit & 15, 9) * 10**digit for digit in range(4))
        return raw or self.modulus

    def _given(self, tick: int, number: int) -> Counter:
        """A whole count was written. 1 is no count of the periodic modes; it is taken for 2."""
        if self.periodic:
            number = max(number, 2)
        new = self._replace(reload=number)
        if self.by_trigger and self.triggered:
            return new
        if self.periodic and self.initial:
            if not self.gate:
                return new
            at = max(tick - self.start, 0)
            half = (self.initial + 1) // 2
            rest = half if self.mode == 3 and at % self.initial < half else self.initial
            return new._replace(switch=self.start + at // self.initial * self.initial + rest)
        return new._replace(initial=number, start=tick + 1, stopped=NONE if self.gate or self.by_trigger else 0)

    def set_gate(self, tick: int, level: bool) -> Counter:
        """GATE changes."""
        if level == self.gate:
            return self
        new = self._replace(gate=level)
        if self.by_trigger:
            if not level or not self.initial:
                return new
            return new._replace(initial=self.reload, start=tick + 1, triggered=True)
        if not level:
            return new._replace(stopped=self._elapsed(tick), switch=NONE)
        if self.periodic:
            return new._replace(stopped=NONE, initial=self.reload, start=tick + 1)
        return new._replace(stopped=NONE, start=tick - self.stopped)

    def latch_count(self, tick: int) -> Counter:
        """Counter latch command: the first one holds until it is read."""
        if self.latched:
            return self
        value = self.value(tick).to_bytes(2, "little")
        parts = {LOW_BYTE: value[:1], HIGH_BYTE: value[1:]}
        return self._replace(latched=parts.get(self.access, value))

    def latch_status(self, tick: int) -> Counter:
        """Read-back command, status: OUT, null count, and the control word."""
        if self.status != NONE:
            return self
        null = self.initial == 0 or self.low != NONE or self.switch != NONE or tick < self.start
        return self._replace(
            status=self.output(tick) << 7 | null << 6 | self.access << 4 | self.mode << 1 | self.bcd
        )

    def read(self, tick: int) -> tuple[Counter, int]:
        """The guest reads the counter's port: what is left of it, and the byte."""
        if self.status != NONE:
            return self._replace(status=NONE), self.status
        if self.latched:
            return self._replace(latched=self.latched[1:]), self.latched[0]
        value = self.value(tick)
        if self.access != BOTH_BYTES:
            return self, value >> 8 if self.access == HIGH_BYTE else value & 0xFF
        return self._replace(high_next=not self.high_next), value >> 8 if self.high_next else value & 0xFF
