"""The high precision event timer, 0xfed00000: a counter of 64 bits at 100 MHz, and three comparators.

Any comparator may be periodic, is 64 or 32 bits wide, and is wired to IOAPIC inputs 20 to 23; with legacy replacement
the first two are interrupts 0 and 8 instead, which the PIT and the clock lose. Messages (FSB) are not offered.

The counter is a difference of times, and a comparator that is periodic is moved on when it is looked at or due: an
HPET that runs costs nothing but the interrupts that are enabled. A comparator matches when the counter gets there, as
in hardware: one that is set into the past waits for the counter to come round.

Source: IA-PC HPET specification 1.0a, chapter 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from hv.devices.bus import Region
from hv.devices.device import NEVER, Device, Machine
from hv.devices.layout import HPET
from hv.devices.ticks import HPET_CLOCK, SHORTEST_NS
from hv.devices.values import replaced

SIZE, TIMERS = 0x400, 3
FEMTOSECONDS = 10_000_000
"""The counter's period."""
IDENTITY = 0x8086A201
"""Lower half of the capabilities: Intel, legacy replacement, 64 bits, 3 timers, revision 1."""
CAPABILITIES, CONFIGURATION, STATUS, COUNTER, FIRST_TIMER, TIMER_STEP = 0x00, 0x10, 0x20, 0xF0, 0x100, 0x20
ENABLE, LEGACY = 1, 2
LEVEL, INTERRUPT, PERIODIC, SET_VALUE, NARROW = 0x02, 0x04, 0x08, 0x40, 0x100
ROUTE_SHIFT, ROUTE_MASK = 9, 0x1F
CONFIGURABLE = LEVEL | INTERRUPT | PERIODIC | NARROW | ROUTE_MASK << ROUTE_SHIFT
CAN_PERIODIC, CAN_64 = 0x10, 0x20
ROUTES = 0x00F00000
"""IOAPIC inputs that a comparator may be wired to, a bit each; Xen's are the same."""
LEGACY_ROUTES = (0, 8)
ONES = (1 << 64) - 1
SHORTEST_TICKS = HPET_CLOCK.ticks(SHORTEST_NS)
FAR = HPET_CLOCK.ticks(1 << 62)
"""Ticks; a match that is further away is no deadline."""


class Replaced(Protocol):
    """A device that loses its interrupt to the HPET."""

    def replace(self, replaced: bool) -> None:
        """It loses the interrupt, or has it back."""


class Comparator(NamedTuple):
    """`value`: the next match. `period`: what is added when it is periodic. `set_value`: the next write goes to `value`
    though the comparator is periodic."""

    configuration: int = 0
    value: int = ONES
    period: int = 0
    set_value: bool = False

    @property
    def mask(self) -> int:
        """The bits that are compared."""
        return 0xFFFFFFFF if self.configuration & NARROW else ONES

    @property
    def periodic(self) -> bool:
        """It sets itself anew at each match; with a period of 0 there is nothing to add."""
        return bool(self.configuration & PERIODIC) and self.period != 0

    @property
    def step(self) -> int:
        """Ticks between two matches that are seen to: whole periods, and no less than SHORTEST_NS."""
        return self.period * -(-SHORTEST_TICKS // self.period)

    def ahead(self, counter: int) -> int:
        """How many ticks from `counter` to the next match: 1 at least."""
        return (self.value - counter - 1 & self.mask) + 1

    def moved_on(self, counter: int) -> Comparator:
        """A periodic comparator that has matched, at the next match after `counter`."""
        behind = counter - self.value & self.mask
        return self._replace(value=self.value + (behind // self.step + 1) * self.step & self.mask)

    def shown(self, counter: int) -> int:
        """The comparator register: the first match after `counter`, those included that are merged with later ones."""
        if not self.periodic:
            return self.value
        return self.value - (self.ahead(counter) - 1) // self.period * self.period & self.mask


@dataclass
class HpetState:
    """`counter`: its value at time `since_ns`; it moves while `configuration` enables it. `checked`: the counter up to
    which matches have been seen to. `status`: comparators whose interrupt is level-triggered and pending, a bit each.
    `lines`: interrupts that are driven high, a bit each."""

    configuration: int = 0
    status: int = 0
    counter: int = 0
    since_ns: int = 0
    checked: int = 0
    timers: tuple[Comparator, ...] = (Comparator(),) * TIMERS
    lines: int = 0


class Hpet(Device):
    """The timers. `replaces`: who loses interrupts 0 and 8 to legacy replacement (the PIT and the clock)."""

    State = HpetState
    state: HpetState

    def __init__(self, machine: Machine, replaces: Sequence[Replaced] = (), name: str = "hpet") -> None:
        super().__init__(machine, name)
        self._replaces = tuple(replaces)
        machine.memory.map(Region(name, SIZE, self._read, self._write, (4, 8)), HPET)

    def reset(self) -> None:
        """Power on, or the reset line."""
        self._drive(0)
        super().reset()
        self._tell()
        self.machine.set_timer(self, NEVER)

    def _tell(self) -> None:
        for device in self._replaces:
            device.replace(bool(self.state.configuration & LEGACY))

    # ---- time ----

    def _counter(self) -> int:
        state = self.state
        if not state.configuration & ENABLE:
            return state.counter
        return state.counter + HPET_CLOCK.ticks(self.machine.now_ns - state.since_ns)

    def _set_counter(self, value: int) -> None:
        state = self.state
        state.counter = state.checked = value
        state.since_ns = self.machine.now_ns

    def _put(self, number: int, timer: Comparator) -> None:
        self.state.timers = replaced(self.state.timers, number, timer)

    def _look(self) -> None:
        """See to what has matched by now."""
        state, counter = self.state, self._counter()
        passed = counter - state.checked
        for number, timer in enumerate(state.timers):
            if timer.ahead(state.checked) <= passed:
                if timer.periodic:
                    self._put(number, timer.moved_on(counter))
                self._match(number, timer)
        state.checked = counter

    def _wait(self) -> None:
        """Set a deadline for the next match that interrupts. A level that is asserted already has nothing to add."""
        state = self.state
        waiting = [
            timer.ahead(state.checked)
            for number, timer in enumerate(state.timers)
            if self._interrupts(number, timer) and not state.status >> number & 1
        ]
        ticks = min(waiting, default=FAR) if state.configuration & ENABLE else FAR
        when = state.since_ns + HPET_CLOCK.ns(state.checked + ticks - state.counter)
        self.machine.set_timer(self, when if ticks < FAR else NEVER)

    def timer(self) -> None:
        """A comparator has matched."""
        self._look()
        self._wait()

    # ---- interrupts ----

    def _route(self, number: int, timer: Comparator) -> int | None:
        """The interrupt of a comparator; None: it is wired to nothing."""
        if self.state.configuration & LEGACY and number < len(LEGACY_ROUTES):
            return LEGACY_ROUTES[number]
        route = timer.configuration >> ROUTE_SHIFT & ROUTE_MASK
        return route if ROUTES >> route & 1 else None

    def _interrupts(self, number: int, timer: Comparator) -> bool:
        return bool(timer.configuration & INTERRUPT) and self._route(number, timer) is not None

    def _match(self, number: int, timer: Comparator) -> None:
        state, route = self.state, self._route(number, timer)
        if timer.configuration & LEVEL:
            state.status |= 1 << number
            self._levels()
        elif timer.configuration & INTERRUPT and route is not None:
            # The 8259A forgets an edge whose line goes low again before it is acknowledged: so legacy lines stay high.
            self._drive(state.lines & ~(1 << route))
            self._drive(state.lines | 1 << route)
            self._levels()

    def _levels(self) -> None:
        """Drive what is level-triggered and pending; a legacy line that had an edge stays as it is."""
        lines = 0
        for number, timer in enumerate(self.state.timers):
            route = self._route(number, timer)
            if route is None:
                continue
            if not timer.configuration & LEVEL:
                lines |= self.state.lines & 1 << route if route in LEGACY_ROUTES else 0
            elif self.state.status >> number & 1 and timer.configuration & INTERRUPT:
                lines |= 1 << route
        self._drive(lines)

    def _drive(self, lines: int) -> None:
        changed, self.state.lines = self.state.lines ^ lines, lines
        for line in range(changed.bit_length()):
            if changed >> line & 1:
                self.machine.set_irq(line, bool(lines >> line & 1))

    # ---- registers of 64 bits ----

    def _read(self, offset: int, size: int) -> int:
        return self._register(offset & ~7) >> 8 * (offset & 7)

    def _register(self, offset: int) -> int:
        self._look()
        state = self.state
        number, register = divmod(offset - FIRST_TIMER, TIMER_STEP)
        if number in range(TIMERS):
            timer = state.timers[number]
            if register == 0:
                return timer.configuration | CAN_PERIODIC | CAN_64 | ROUTES << 32
            return timer.shown(self._counter()) if register == 8 else 0
        values = {
            CAPABILITIES: FEMTOSECONDS << 32 | IDENTITY, CONFIGURATION: state.configuration, STATUS: state.status,
            COUNTER: self._counter() & ONES,
        }  # fmt: skip
        return values.get(offset, 0)

    def _write(self, offset: int, size: int, value: int) -> None:
        """A half that is not written stays what it is; of the status register it is zeros."""
        self._look()
        at, shift = offset & ~7, 8 * (offset & 7)
        mask = (1 << 8 * size) - 1 << shift & ONES
        value = value << shift & mask
        number, register = divmod(at - FIRST_TIMER, TIMER_STEP)
        if at == STATUS:
            self.state.status &= ~value
        elif at == CONFIGURATION:
            self._configure(self.state.configuration & ~mask | value)
        elif at == COUNTER:
            self._set_counter(self._counter() & ONES & ~mask | value)
        elif number in range(TIMERS) and register == 0 and mask & 1:
            self._configure_timer(number, value)
        elif number in range(TIMERS) and register == 8:
            self._set_comparator(number, mask, value)
        self._levels()
        self._wait()

    def _configure(self, value: int) -> None:
        self._set_counter(self._counter())
        self.state.configuration = value & (ENABLE | LEGACY)
        self._levels()
        self._tell()

    def _configure_timer(self, number: int, value: int) -> None:
        timer = self.state.timers[number]._replace(
            configuration=value & CONFIGURABLE, set_value=bool(value & PERIODIC and value & SET_VALUE)
        )
        self._put(number, timer._replace(value=timer.value & timer.mask, period=timer.period & timer.mask))
        if not value & LEVEL:
            self.state.status &= ~(1 << number)

    def _set_comparator(self, number: int, mask: int, value: int) -> None:
        timer = self.state.timers[number]
        if not timer.configuration & PERIODIC or timer.set_value:
            timer = timer._replace(value=(timer.value & ~mask | value) & timer.mask, set_value=False)
        if timer.configuration & PERIODIC:
            timer = timer._replace(period=(timer.period & ~mask | value) & timer.mask)
        self._put(number, timer)
