"""Snapshots, forks and steps back: Debian's kernel with 128 MiB, and a small guest for the forks."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from functools import cache, partial

from hv.debug import stops
from hv.debug.recording import Recorder
from hv.debug.timeline import Timeline
from hv.testing.runner import DomainUnderTest, Options
from hv.toolstack.launch import Guest, GuestConfig, launch
from tests.bench.measure import BUILD, Row, measure
from tests.real.packages import kernel, ramdisk

MEMORY_MIB = 128
RUN = 1_000_000_000
POSITIONS = 100
DIRTY_PAGES = 50
FORKS = 200
CONFIG = GuestConfig(memory_mib=MEMORY_MIB, cmdline="console=hvc0 quiet")
BUSY = "while :; do echo x; done > /dev/null"


def rows() -> list[Row]:
    """No baselines: nothing comparable runs here. QEMU's reverse stepping took 140 to 900 ms where it was measured."""
    return [
        measure("snapshot", "us", snapshot, goal="<= 2000"),
        measure("restore_50_dirty", "us", restore, goal="<= 100"),
        measure("fork_to_next_hypercall", "1/s", forks, goal=">= 2000"),
        measure("record_overhead", "s", _recorded, "the same run, not recorded", _plain, goal="<= 1.05"),
        measure("timeline_overhead", "s", _with_timeline, "the same run without", _plain, rounds=3),
        *steps_back(),
    ]


def linux() -> Guest:
    """Debian's kernel with a shell that is never idle."""
    guest = launch(str(kernel()), CONFIG._replace(ramdisk=str(ramdisk(BUSY, "busy"))))
    guest.console.sink = lambda data: None
    return guest


@cache
def booted() -> Guest:
    """The same, half a second of its time on, with all memory tracked."""
    guest = linux()
    guest.hv.run(max_insns=RUN // 2)
    guest.hv.snapshot()
    return guest


def _us(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e6


def snapshot() -> float:
    """After each 100,000 instructions more."""
    hv = booted().hv
    times = []
    for _ in range(20):
        hv.run(max_insns=hv.instructions + 100_000)
        times.append(_us(hv.snapshot))
    return statistics.median(times)


def restore() -> float:
    """With 50 pages written by the host, and the caches of a guest that has run on."""
    hv, domain = booted().hv, booted().domain
    saved = hv.snapshot()
    frames = [f for f in range(int(hv.state.frames)) if domain.frame(f)[:8] != bytes(8)]
    rng = random.Random(1)
    times = []
    for _ in range(20):
        hv.run(max_insns=hv.instructions + 1000)
        hv.restore(saved)
        for frame in rng.sample(frames, DIRTY_PAGES):
            domain.write(frame << 12, domain.read(frame << 12, 8))
        times.append(_us(lambda: hv.restore(saved)))
    return statistics.median(times)


def forks() -> float:
    """Fork, run to the next hypercall, discard: how often a second."""
    hv = _tour().hv
    point = [stops.hypercall("any")]

    def one() -> None:
        child = hv.fork()
        stops.set_stops(child, point)
        child.run()
        child.discard()

    one()
    return FORKS / (_us(lambda: [one() for _ in range(FORKS)]) / 1e6)


@cache
def _tour() -> DomainUnderTest:
    dom = DomainUnderTest("tour", Options(memory=32))
    dom.hv.run(max_insns=20_000)
    return dom


def _plain() -> float:
    return _boot(lambda guest, end: guest.hv.run(max_insns=end))


def _with_timeline() -> float:
    return _boot(lambda guest, end: Timeline(guest.hv).goto(end))


def _recorded() -> float:
    """As hv run --record does, the file included."""

    def run(guest: Guest, end: int) -> None:
        recorder = Recorder(guest.hv, CONFIG, str(kernel()))
        while (due := min(recorder.due, end)) > guest.hv.instructions:
            guest.hv.run(max_insns=due)
            if due == recorder.due:
                recorder.reached()
        BUILD.mkdir(parents=True, exist_ok=True)
        recorder.write(BUILD / "bench.rec", "max_insns")

    return _boot(run)


def _boot(run: Callable[[Guest, int], object]) -> float:
    guest = linux()
    start = time.perf_counter()
    run(guest, RUN)
    return time.perf_counter() - start


def steps_back() -> list[Row]:
    """One instruction back from uniformly random positions; and going to those, from each to the next."""
    guest = linux()
    timeline = Timeline(guest.hv, memory=1 << 30)
    timeline.goto(RUN)
    rng = random.Random(1)
    there, back = [], []
    for _ in range(POSITIONS):
        count = rng.randrange(1, RUN)
        there.append(_us(partial(timeline.goto, count)) / 1000)
        back.append(_us(lambda: timeline.step(-1)) / 1000)
    return [
        Row("reverse_step", statistics.median(back), "ms", None, None, None, "<= 20"),
        Row("goto_anywhere", statistics.median(there), "ms", None, None, None),
        Row("snapshots_held", timeline.moments.snapshots[-1].held / (1 << 20), "MiB", None, None, None, "<= 1024"),
    ]
