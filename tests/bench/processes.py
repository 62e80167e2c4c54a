"""Whole programs: how long they take, how much processor time they use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass

from tests.bench.measure import ROOT

HV = [sys.executable, "-m", "hv.cli.main"]


@dataclass(frozen=True)
class Usage:
    """Of one process: seconds on the wall, seconds of user and system time together, exit code, its output."""

    wall: float
    cpu: float
    code: int
    output: bytes


def environment() -> dict[str, str]:
    """Python finds the sources, and may keep compiled files, as an installation does."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    return variables


def run(command: list[str], timeout: float = 300) -> Usage:
    """Run a command to its end, with nothing to read."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment()
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if wall > timeout:
        raise TimeoutError(f"{command[0]} took {wall:.0f} s")
    return Usage(wall, usage.ru_utime + usage.ru_stime, process.returncode, output)
