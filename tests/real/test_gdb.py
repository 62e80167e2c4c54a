"""Debian's PV kernel under the real gdb, with symbols that gdb fetched itself: back to the last write of a variable."""

from __future__ import annotations

import re

import pytest

from tests.debug.served import Command, output_of, start_gdb
from tests.real.packages import kernel, ramdisk
from tests.real.test_timeline import BUSY, FAR, FUNCTION, WRITTEN

pytestmark = pytest.mark.real

COUNT = re.compile(r"^([\d,]+)$", re.MULTILINE)
HASH = re.compile(r"^([0-9a-f]{64})$", re.MULTILINE)


def test_back_to_the_last_write_of_a_variable_and_forwards_again() -> None:
    linux = ["--memory", "128", "--ramdisk", str(ramdisk(BUSY, "busy")), "--cmdline", "console=hvc0 quiet"]
    watched = f"*(unsigned long *)&{WRITTEN}"
    with Command("gdb", str(kernel()), *linux, "--listen", "0") as hv:
        said = output_of(
            start_gdb(hv.port, [
                f"monitor goto {FAR}", "maintenance flush register-cache",
                f"hbreak {FUNCTION}", "continue", "monitor position", "monitor state-hash", f"print {watched}",
                "delete", f"watch {watched}", "reverse-continue", "monitor position", f"print {watched}", "x/i $pc",
                "continue", "monitor position", f"print {watched}",
                "delete", f"hbreak {FUNCTION}", "continue", "monitor position", "monitor state-hash", "bt 2", "kill",
            ]),
            300,
        )  # fmt: skip
    there, written, behind, again = (int(count.replace(",", "")) for count in COUNT.findall(said))
    assert FAR < written < there == again
    assert behind == written + 1
    first, second = HASH.findall(said)
    assert first == second
    now, before, after = (int(value) for value in re.findall(r"^\$\d = (\d+)$", said, re.MULTILINE))
    assert now == after == before + 1
    assert said.count(f"in {FUNCTION} ()") >= 2
    assert re.search(rf"# 0x\w+ <{WRITTEN}>", said)
