"""A miss of the TLB answered by shadow page tables, against a walk of the guest's four levels and the p2m."""

from __future__ import annotations

from functools import partial

from tests.bench.guests import nanoseconds_each
from tests.bench.measure import Row, measure

PAGES = 64
"""That each round of guests/bench/refill.c accesses."""
FEW, MANY = 500, 30_500
REFILLS = [("shadow_refill", "edit=0", "<= 0.9"), ("shadow_table_edit", "edit=1", "")]


def rows() -> list[Row]:
    """In nanoseconds a page: a share of the flush, or the store to the entry, included."""
    return [
        measure(
            name,
            "ns",
            partial(_each, cmdline, "shadow"),
            "--paging walk",
            partial(_each, cmdline, "walk"),
            goal=goal,
        )
        for name, cmdline, goal in REFILLS
    ]


def _each(cmdline: str, paging: str) -> float:
    return nanoseconds_each("refill", cmdline, FEW, MANY, "pvh64", paging) / PAGES
