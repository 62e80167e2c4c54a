"""The calendar of a MC146818: seconds since 1970 as its registers' bytes, and back.

Source: Motorola MC146818A data sheet, "Address map" and "Time, calendar and alarm locations".
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

DAY = 86_400
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_DAYS = datetime.date.max.toordinal()
BINARY, HOURS_24 = 0x04, 0x02
"""Bits of register B that say how the bytes are meant."""
PM = 0x80
ANY = 0xC0
"""An alarm byte with both upper bits set means any value."""


class Fields(NamedTuple):
    """Contents of the time and calendar registers, in the order of TIME_REGISTERS."""

    second: int
    minute: int
    hour: int
    weekday: int
    day: int
    month: int
    year: int
    century: int


class Form(NamedTuple):
    """How numbers are written: BCD or binary, hours from 0 to 23 or 1 to 12 with a bit for the afternoon."""

    binary: bool
    hours_24: bool

    @classmethod
    def of(cls, register_b: int) -> Form:
        """As register B says."""
        return cls(bool(register_b & BINARY), bool(register_b & HOURS_24))

    def number(self, value: int) -> int:
        """A number as a byte."""
        return value if self.binary else value // 10 << 4 | value % 10

    def value(self, byte: int) -> int:
        """The number that a byte means."""
        return byte if self.binary else (byte >> 4) * 10 + (byte & 15)

    def hour(self, hour: int) -> int:
        """An hour, 0 to 23, as a byte."""
        if self.hours_24:
            return self.number(hour)
        return self.number((hour + 11) % 12 + 1) | (PM if hour >= 12 else 0)

    def hour_value(self, byte: int) -> int:
        """The hour that a byte means."""
        if self.hours_24:
            return self.value(byte)
        return self.value(byte & ~PM) % 12 + (12 if byte & PM else 0)


def encode(seconds: int, weekday_shift: int, form: Form) -> bytes:
    """The registers at a time. weekday_shift: days by which the guest has set the day of the week apart."""
    days, rest = divmod(seconds, DAY)
    date = datetime.date.fromordinal((_EPOCH + days - 1) % _DAYS + 1)
    weekday = (date.toordinal() + weekday_shift) % 7 + 1
    century, year = divmod(date.year, 100)
    plain = form.number
    return bytes((
        plain(rest % 60), plain(rest // 60 % 60), form.hour(rest // 3600), plain(weekday), plain(date.day),
        plain(date.month), plain(year), plain(century),
    ))  # fmt: skip


def decode(raw: Sequence[int], form: Form) -> tuple[int, int]:
    """(seconds since 1970, weekday_shift) that the registers mean. What is no time is taken as far as it goes: month 0
    for January, day 31 of a short month for a day of the next one."""
    fields = Fields(*raw)
    value = form.value
    year = value(fields.century) % 100 * 100 + value(fields.year) % 100
    month = min(max(value(fields.month), 1), 12)
    first = datetime.date(max(year, 1), month, 1).toordinal()
    ordinal = min(first + min(max(value(fields.day), 1), 31) - 1, _DAYS)
    seconds = value(fields.second) + 60 * value(fields.minute) + 3600 * form.hour_value(fields.hour)
    return (ordinal - _EPOCH) * DAY + seconds, (value(fields.weekday) - 1 - ordinal) % 7


def next_alarm(after: int, alarm: Sequence[int], form: Form) -> int | None:
    """The first second after `after` that the alarm bytes (second, minute, hour) match; None: they match none."""
    seconds, minutes = _matching(alarm[0], form, False), _matching(alarm[1], form, False)
    hours = _matching(alarm[2], form, True)
    if not (seconds and minutes and hours):
        return None
    day, rest = divmod(after + 1, DAY)
    for midnight, least in ((day * DAY, rest), ((day + 1) * DAY, 0)):
        for hour in (hour for hour in hours if hour >= least // 3600):
            for minute in (minute for minute in minutes if 60 * hour + minute >= least // 60):
                for second in seconds:
                    if 3600 * hour + 60 * minute + second >= least:
                        return midnight + 3600 * hour + 60 * minute + second
    raise AssertionError("every day has a second that matches")


@lru_cache(256)
def _matching(byte: int, form: Form, of_hours: bool) -> tuple[int, ...]:
    """The values that an alarm byte matches."""
    count, encode_one = (24, form.hour) if of_hours else (60, form.number)
    return tuple(value for value in range(count) if byte & ANY == ANY or encode_one(value) == byte)
