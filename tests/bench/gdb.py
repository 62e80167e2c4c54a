"""The GDB remote protocol: single steps a second, ours and QEMU's server driven by the same client; and steps back."""

from __future__ import annotations

import random
import statistics
import subprocess
import time
from contextlib import contextmanager
from shutil import which
from socket import create_server
from typing import TYPE_CHECKING

from tests.bench.gdb_client import Client
from tests.bench.guests import MEMORY_MIB, guest
from tests.bench.hello import disk
from tests.bench.measure import Row, measure
from tests.bench.processes import HV, environment
from tests.bench.timetravel import BUSY, POSITIONS, RUN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STEPS = 2000
RANGE_SECONDS = 0.5
STEP = b"vCont;s:p1.1;c:p1.-1"
"""What gdb sends for stepi."""


def rows() -> list[Row]:
    """Steps a second: the more the better. One packet a step, as stepi makes them; and over a range, as the steps of
    source lines are made where a server offers that, which QEMU's does not."""
    theirs = _qemu if which("qemu-system-x86_64") else None
    name = "qemu-system-x86_64 -accel tcg -gdb"
    return [
        measure("gdb_steps", "1/s", lambda: _ours(_steps), name, theirs, goal=">= 5"),
        measure("gdb_range_steps", "1/s", lambda: _ours(_range_steps), name + ", single steps", theirs, goal=">= 5"),
        Row("gdb_reverse_step", reverse_step(), "ms", None, None, None, "<= 20"),
    ]


def _steps(client: Client) -> float:
    client.start()
    for _ in range(100):
        client.ask(STEP)
    start = time.perf_counter()
    for _ in range(STEPS):
        reply = client.ask(STEP)
    seconds = time.perf_counter() - start
    if not reply.startswith(b"T05"):
        raise RuntimeError(f"a step ended with {reply!r}")
    return STEPS / seconds


def _range_steps(client: Client) -> float:
    """Through everything, until Ctrl-C."""
    client.start()
    start = time.perf_counter()
    client.send(b"vCont;r0,ffffffffffffffff:p1.1")
    time.sleep(RANGE_SECONDS)
    client.socket.sendall(b"\x03")
    client.answer()
    seconds = time.perf_counter() - start
    return int(client.monitor("position").replace(",", "")) / seconds


@contextmanager
def _server(command: list[str]) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _free_port() -> int:
    with create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _ours(steps: Callable[[Client], float]) -> float:
    port = _free_port()
    tour = [str(guest("tour")), "--memory", str(MEMORY_MIB), "--cmdline", "rounds=1000"]
    command = [*HV, "gdb", *tour, "--listen", str(port)]
    with _server(command), Client(port) as client:
        return steps(client)


def _qemu() -> float:
    port = _free_port()
    machine = ["-display", "none", "-nodefaults", "-drive", f"file={disk()},format=raw,if=ide"]
    command = ["qemu-system-x86_64", "-accel", "tcg", "-S", "-gdb", f"tcp:127.0.0.1:{port}", *machine]
    with _server(command), Client(port) as client:
        return _steps(client)


def reverse_step() -> float:
    """Milliseconds of one `bs`, the median of 100 from uniformly random places of Debian's kernel's first RUN
    instructions, with at most 1 GiB of snapshots. QEMU's took 140 to 900 ms where it was measured."""
    from tests.real.packages import kernel, ramdisk

    port, rng, times = _free_port(), random.Random(1), []
    guest = [str(kernel()), "--ramdisk", str(ramdisk(BUSY, "busy")), "--cmdline", "console=hvc0 quiet"]
    with _server([*HV, "gdb", *guest, "--memory", "128", "--listen", str(port)]), Client(port, timeout=120) as client:
        client.start()
        client.monitor(f"goto {RUN}")
        for _ in range(POSITIONS):
            client.monitor(f"goto {rng.randrange(1, RUN)}")
            start = time.perf_counter()
            reply = client.ask(b"bs")
            times.append((time.perf_counter() - start) * 1000)
            if not reply.startswith(b"T05"):
                raise RuntimeError(f"a step back ended with {reply!r}")
    return statistics.median(times)
