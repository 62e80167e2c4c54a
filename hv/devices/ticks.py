"""Clocks whose frequency is no whole number of nanoseconds, as exact fractions: nothing drifts, however long a run is.

A clock's tick n comes at the first nanosecond at which n whole periods have passed since nanosecond 0. Counters of a
device are differences of tick numbers, its deadlines the times of ticks; neither adds up rounded periods.
"""

from __future__ import annotations

from typing import NamedTuple

NS_PER_SECOND = 1_000_000_000
SHORTEST_NS = 10_000
"""Interrupts of one periodic timer come no faster: those in between are merged with the next one, and the timer's phase
stays. Xen has 900 microseconds here. So a guest can ask for no more than 100,000 events of a timer in a second of its
time, and none of them moves the others; native/xen/x86/hvm/lapic.c has the same limit."""


class Clock(NamedTuple):
    """A frequency in Hz as a fraction."""

    numerator: int
    denominator: int = 1

    def ticks(self, ns: int) -> int:
        """How many ticks there have been at time `ns`."""
        return ns * self.numerator // (self.denominator * NS_PER_SECOND)

    def ns(self, ticks: int) -> int:
        """When a tick comes."""
        return -(-ticks * self.denominator * NS_PER_SECOND // self.numerator)


PIT_CLOCK = Clock(13_125_000, 11)
"""14.31818 MHz / 12 = 1.193182 MHz"""
PM_CLOCK = Clock(39_375_000, 11)
"""14.31818 MHz / 4 = 3.579545 MHz"""
RTC_CLOCK = Clock(32_768)
HPET_CLOCK = Clock(100_000_000)
