"""Hypercalls and traps against the stock Unicorn Python binding doing the same work."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tests.bench import stock_binding
from tests.bench.guests import nanoseconds_each
from tests.bench.measure import Row, measure

STOCK = "stock Unicorn Python binding"
STOCK_ROUNDS = 4000
# name, guest, command line, iterations (few, many), baseline, goal
TRAPS: list[tuple[str, str, str, int, int, Callable[[int], float], str]] = [
    ("hypercall_null_c", "hypercalls", "sub=0", 100_000, 2_100_000, stock_binding.null_hypercall, "<= 1/150"),
    ("hypercall_null_python", "hypercalls", "sub=7", 10_000, 110_000, stock_binding.null_hypercall, "<= 1/8"),
    ("gp_emulation", "gp_emulation", "", 100_000, 1_100_000, stock_binding.gp_emulation, "<= 1/50"),
    ("pf_bounce", "pf_bounce", "", 50_000, 550_000, stock_binding.pf_bounce, "<= 1/50"),
]


def rows() -> list[Row]:
    """One line each, in nanoseconds."""
    return [
        measure(
            name,
            "ns",
            partial(nanoseconds_each, guest, cmdline, few, many),
            STOCK,
            partial(_nanoseconds_of, stock),
            goal=goal,
        )
        for name, guest, cmdline, few, many, stock, goal in TRAPS
    ]


def _nanoseconds_of(stock: Callable[[int], float]) -> float:
    return stock(STOCK_ROUNDS) / STOCK_ROUNDS * 1e9
