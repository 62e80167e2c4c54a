"""What a trace costs while the guest runs: hypercalls that are traced, against the same ones untraced."""

from __future__ import annotations

import time
from functools import partial

from hv.debug.filters import EVERYTHING
from hv.debug.records import Trap
from hv.debug.trace import Tracer
from hv.toolstack.launch import GuestConfig, launch
from tests.bench.guests import MEMORY_MIB, guest
from tests.bench.measure import Row, measure

# name, guest, command line
GUESTS = (
    ("trace_hypercall_c", "hypercalls", "sub=0 n=2000000"),
    ("trace_hypercall_python", "hypercalls", "sub=7 n=100000"),
    ("trace_pf_bounce", "pf_bounce", "n=300000"),
)


class _Nowhere:
    """A writer of nothing: what is written after the run is not what is measured."""

    filter = EVERYTHING

    def write(self, trap: Trap) -> None:
        """Forget it."""

    def close(self) -> None:
        """Nothing to do."""


def milliseconds(name: str, cmdline: str, traced: bool) -> float:
    """Milliseconds of a run with all kinds of records wanted, or with none."""
    one = launch(guest(name), GuestConfig(memory_mib=MEMORY_MIB, cmdline=cmdline))
    if not traced:
        start = time.perf_counter()
        one.hv.run()
        return (time.perf_counter() - start) * 1e3
    tracer = Tracer(one.hv, [_Nowhere()])
    one.hv.after_exit = tracer.flush
    start = time.perf_counter()
    one.hv.run()
    done = (time.perf_counter() - start) * 1e3
    tracer.drop()
    return done


def rows() -> list[Row]:
    """One line each, in milliseconds."""
    return [
        measure(
            name,
            "ms",
            partial(milliseconds, guest_name, cmdline, True),
            "untraced",
            partial(milliseconds, guest_name, cmdline, False),
            goal="<= 2",
        )
        for name, guest_name, cmdline in GUESTS
    ]
