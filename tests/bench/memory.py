"""Resident memory of a domain: what each further running hello guest adds to the process."""

from __future__ import annotations

from pathlib import Path

from hv.toolstack.launch import GuestConfig, launch
from tests.bench.guests import guest
from tests.bench.measure import Row, measure

DOMAINS = 8
DOMAIN_MIB = 16
PAGE_KIB = 4


def rows() -> list[Row]:
    """In MB a domain; there is no baseline."""
    return [measure("domain_memory", "MB", _each)]


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_KIB / 1024


def _each() -> float:
    config = GuestConfig(memory_mib=DOMAIN_MIB, machine_mib=DOMAIN_MIB * (DOMAINS + 2))
    first = launch(guest("hello"), config)
    before = _resident_mb()
    others = [launch(guest("hello"), config, beside=first) for _ in range(DOMAINS)]
    first.hv.run()
    each = (_resident_mb() - before) / DOMAINS
    assert all("SUCCESS" in other.console.text() for other in others)
    return each
