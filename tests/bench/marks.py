"""A guest that says on its console what it is about to do: the processor time that each part of its run takes.

The host reads the console as it is written, and at each mark the processor time of the process that runs the guest: so
one boot gives many figures, and a guest's own idea of time does not matter.
"""

from __future__ import annotations

import ctypes
import subprocess
import time

from tests.bench.processes import environment

BEGIN, END = b"=begin", b"=end"
BOOT = "boot"
"""The part before the first mark."""
SHELL = f"""
part() {{ echo {BEGIN.decode()} $1; shift; "$@" >/dev/null 2>&1; echo {END.decode()} $?; }}
"""
"""Shell text that defines `part NAME COMMAND ...`."""


def seconds(command: list[str]) -> dict[str, float]:
    """User and system seconds of each part, of BOOT too. RuntimeError: a part fails, or the guest comes to no end."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment()
    )
    clock = _clock(process.pid)
    assert process.stdout is not None
    found: dict[str, float] = {}
    said, name, since = [], "", 0.0
    for line in process.stdout:
        now = time.clock_gettime(clock)
        said.append(line)
        words = line.split()
        if BEGIN in words:
            found.setdefault(BOOT, now)
            name, since = words[-1].decode(), now
        elif END in words:
            if words[-1] != b"0":
                raise RuntimeError(f"{command[0]}: {name} failed: {words[-1]!r}")
            found[name] = now - since
    if process.wait() != 0 or BOOT not in found:
        raise RuntimeError(f"{command[0]}: exit {process.returncode}: {b''.join(said[-10:])!r}")
    return found


def _clock(pid: int) -> int:
    """The clock of another process's processor time (clock_getcpuclockid(3))."""
    clock = ctypes.c_int()
    error = ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock))
    if error:
        raise OSError(error, "clock_getcpuclockid")
    return clock.value
