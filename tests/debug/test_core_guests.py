"""Core files of guests that crash, each kind of domain: what the real gdb makes of registers, callers and memory."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hv.cli.main import main
from hv.testing.build import build_guest, find_guest
from tests.debug.gdb import look_at_core

GUEST = """
#include <guest.h>

volatile unsigned long marker[2] = { 0x600df00d, 0x1234 };

static __attribute__((noinline)) void innermost(unsigned long depth)
{
    struct sched_shutdown crash = { .reason = SHUTDOWN_crash };

    marker[1] += depth;
    hcall(sched_op, SCHEDOP_shutdown, &crash);
    marker[0] = 0;
}

static __attribute__((noinline)) void outer(unsigned long depth)
{
    innermost(depth + 1);
    marker[1] = 1;
}

void test_main(void)
{
    outer(5);
    marker[1] = 2;
}
"""
EXIT_CRASHED = 1


@pytest.mark.parametrize("env", ["pv64", "pvh64", "pvh32", "arm64", "arm32"])
def test_gdb_shows_callers_and_memory(env: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "crashes.c"
    source.write_text(GUEST)
    kernel, core = build_guest(source, env), tmp_path / "core"
    assert main(["run", str(kernel), "--core", str(core)]) == EXIT_CRASHED
    assert f"core file in {core}\n" in capfd.readouterr().err
    program = "gdb-multiarch" if env.startswith("arm") else "gdb"
    shown = look_at_core(core, ["p/x marker", "backtrace"], kernel, program)
    assert "$1 = {0x600df00d, 0x123a}" in shown
    callers = shown[shown.index("$1") :]
    assert re.search(r"innermost \(depth=.*\n#\d .* outer \(depth=5\) .*\n#\d .* test_main \(\)", callers), shown


CIRCLES = """
#include <guest.h>

#define CIRCLE(table, next) for (unsigned i = 0; i < 512; i++) (table)[i] = (unsigned long)(next) | 3

static uint64_t tables[4][512] __attribute__((aligned(4096)));
volatile unsigned long marker = 0x600df00d;

void test_main(void)
{
    struct sched_shutdown crash = { .reason = SHUTDOWN_crash };

    for (unsigned level = 0; level < LEVELS; level++)
        CIRCLE(tables[level], tables[level + 1]);
    for (unsigned i = 0; i < 512; i++)
        tables[LEVELS][i] = LAST;
    sysreg_write(ttbr1_el1, tables[0]);
    sysreg_write(tcr_el1, (sysreg_read(tcr_el1) & ~(0xffffUL << 16)) | 0xb5100000);
    arch_isb();
    hcall(sched_op, SCHEDOP_shutdown, &crash);
}
"""


@pytest.mark.parametrize(("levels", "last"), [(3, "0"), (1, "0x40000701")])
def test_tables_that_lead_to_the_same_in_many_ways(levels: int, last: str, tmp_path: Path) -> None:
    """512 to the power of 4 pages, of which none is mapped, or all of memory 512 * 512 times, in blocks of 1 GiB: the
    file has the rest, after a bounded search."""
    source = tmp_path / "circles.c"
    source.write_text(f"enum {{ LEVELS = {levels}, LAST = {last} }};\n{CIRCLES}")
    kernel, core = build_guest(source, "arm64"), tmp_path / "core"
    assert main(["run", str(kernel), "--core", str(core)]) == EXIT_CRASHED
    assert "$1 = 0x600df00d" in look_at_core(core, ["p/x marker"], kernel, "gdb-multiarch")


def test_a_guest_that_does_not_crash_leaves_none_and_that_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    core = tmp_path / "core"
    assert main(["run", str(build_guest(find_guest("hello"), "arm64")), "--core", str(core)]) == 0
    assert f"hv run: no core file in {core}: the guest did not crash\n" in capfd.readouterr().err and not core.exists()
