"""Resident memory of a domain: what each further running hello guest adds to the process."""

from __future__ import annotations

from pathlib import Path

from hv.builder.load import load_kernel
from hv.builder.start import start_pv
from hv.hypervisor import Hypervisor
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
    hv = Hypervisor(memory_mib=DOMAINS * DOMAIN_MIB)
    image = load_kernel(guest("hello"))
    before = _resident_mb()
    for number in range(DOMAINS):
        start_pv(hv.create_domain(f"hello{number}", memory_mib=DOMAIN_MIB), image)
    hv.run()
    return (_resident_mb() - before) / DOMAINS
