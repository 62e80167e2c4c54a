"""`hv run` from end to end: exit codes, where output goes, reports, limits, and what the options write."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hv import abi
from hv.cli.main import main
from hv.cli.run import OPTIONS, parse, parser
from hv.testing.build import build_guest, find_guest
from tests.builder.elfwriter import BASE, Load, elf
from tests.cli.machinecode import DATA_VA, ENTRY, LOOP, UD2, call, guest, repeat, say, shutdown, store
from tests.debug.gdb import look_at_core

POWEROFF = shutdown(abi.SHUTDOWN_poweroff)
HELLO = guest(say("hello\n"), POWEROFF, text="hello\n")


class Result:
    """Exit code, stdout, stderr."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    """run(kernel bytes or path, *options) -> Result"""

    def go(kernel: bytes | str | Path, *options: str) -> Result:
        path = kernel
        if isinstance(kernel, bytes):
            path = tmp_path / "kernel"
            path.write_bytes(kernel)
        try:
            code = main(["run", str(path), "--memory", "8", *options])
        except SystemExit as error:
            code = int(str(error.code))
        shown = capfd.readouterr()
        return Result(code, shown.out, shown.err)

    return go


def test_poweroff_is_0_and_only_the_console_is_on_stdout(run: Any) -> None:
    result = run(HELLO, "--stats", "--why")
    assert (result.code, result.out) == (0, "hello\n")
    assert "console_io" in result.err and "state hash " in result.err
    assert "no hypercall was refused" in result.err


def test_json_is_the_statistics_as_data(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    assert run(HELLO, "--json", str(path)).code == 0
    facts = json.loads(path.read_text())
    assert facts["hypercalls"] == {"console_io": 1, "sched_op": 1} and facts["traps"] == {}
    assert facts["shutdown"] == "poweroff" and facts["stop"] == "shutdown"
    assert facts["instructions"] == 11 and facts["seconds"] == 11e-9
    assert len(facts["state_hash"]) == 64


def test_a_crash_is_1_with_a_report(run: Any) -> None:
    result = run(guest(store(0xDEAD000, 0x1122334455667788)))
    assert (result.code, result.out) == (1, "")
    report = result.err
    assert "domain guest (d1) crashed on vcpu 0: a trap for which the guest has registered no handler" in report
    assert f"rip {ENTRY + 10:016x}" in report and "rax 1122334455667788" in report
    assert f"-> {ENTRY + 10:#018x}" in report and "movabs dword ptr" not in report
    assert "stack at rsp:" in report
    assert "page walk of 0x000000000dead000: the last page fault (error 0x6)" in report
    assert "L4 frame" in report and "not present" in report
    assert "last 1 traps:" in report and "#PF                error 0x6 address 0xdead000" in report
    assert "call stack: the kernel has no symbols" in report


def test_a_crash_report_names_functions_and_lines(run: Any) -> None:
    source = find_guest("crash_double")
    line = next(number for number, text in enumerate(source.read_text().splitlines(), 1) if "ud2" in text)
    report = run(build_guest(source)).err
    assert re.search(rf"in guest kernel mode, at test_main\+0x[0-9a-f]+ \(crash_double\.c:{line}\)\n", report)
    stack = report.split("call stack (?: a guess):\n")[1].split("\n\n")[0].splitlines()
    assert stack[0].endswith(f" (crash_double.c:{line})")
    assert [entry.split()[1].partition("+")[0] for entry in stack] == ["test_main", "guest_start", "_start"]


def test_the_report_shows_the_last_16_traps(run: Any) -> None:
    result = run(guest(repeat(40, call("xen_version", abi.XENVER_version, 0)), UD2))
    assert result.code == 1
    lines = result.err.split("last 16 traps:\n")[1].splitlines()
    assert len([line for line in lines if " d1v0 " in line]) == 16
    assert "(XENVER_version, 0x0) = 0x40011" in lines[0] and "#UD" in lines[15]


def test_a_guest_that_says_it_crashed(run: Any) -> None:
    result = run(guest(shutdown(abi.SHUTDOWN_crash)))
    assert result.code == 1 and "crashed on vcpu 0: the guest itself said so" in result.err


def test_reboot_is_0_and_said(run: Any, tmp_path: Path) -> None:
    result = run(guest(shutdown(abi.SHUTDOWN_reboot)))
    assert result.code == 0 and result.err == (
        "hv run: the guest asked for reboot; it is not started again (--on-reboot restart does that)\n"
    )
    again = run(guest(shutdown(abi.SHUTDOWN_reboot)), "--on-reboot", "restart", "--max-insns", "50")
    assert again.code == 7 and "the guest has ended and begins anew (restart 1)" in again.err
    again = run(guest(b"\x90", UD2), "--on-crash", "restart", "--max-insns", "50")
    assert again.code == 7 and "begins anew (restart 1)" in again.err
    result = run(guest(UD2), "--on-reboot", "restart", "--record", str(tmp_path / "r"))
    assert result.code == 2 and "leave out --on-reboot restart" in result.err
    result = run(guest(UD2), "--on-crash", "restart", "--record", str(tmp_path / "r"))
    assert result.code == 2 and "leave out --on-crash restart" in result.err


def test_limits_are_7(run: Any) -> None:
    result = run(guest(LOOP), "--max-insns", "1000000", "--stats")
    assert result.code == 7 and "stopped after --max-insns" in result.err
    assert "1,000,000" in result.err
    result = run(guest(LOOP), "--timeout", "0.001", "--stats")
    assert result.code == 7 and "stopped at --timeout" in result.err and "0.001000" in result.err
    start = time.monotonic()
    assert run(guest(LOOP), "--wall-timeout", "0.2").code == 7
    assert time.monotonic() - start < 10


def test_a_guest_that_waits_for_ever_is_7(run: Any) -> None:
    code = call("vcpu_op", abi.VCPUOP_stop_periodic_timer, 0, 0) + call("sched_op", abi.SCHEDOP_block, 0)
    result = run(guest(code, LOOP))
    assert result.code == 7 and "the guest waits for ever" in result.err


def test_idle_time_costs_nothing_unless_it_is_real(run: Any) -> None:
    """A guest that sleeps until its timer, 0.3 s away."""
    sleep = call("vcpu_op", abi.VCPUOP_stop_periodic_timer, 0, 0)
    # struct sched_poll: ports (pointer), nr_ports, timeout
    poll = store(DATA_VA + 32, 0) + store(DATA_VA + 40, 0) + store(DATA_VA + 48, 300_000_000)
    poll += call("sched_op", abi.SCHEDOP_poll, DATA_VA + 32)
    for options, least in (((), 0.0), (("--realtime",), 0.25)):
        start = time.monotonic()
        result = run(guest(sleep, poll, POWEROFF), "--stats", *options)
        took = time.monotonic() - start
        assert result.code == 0 and "0.300000" in result.err
        assert least <= took < least + 10


BAD_INPUT = {
    "missing kernel": ("/nowhere", [], "the kernel cannot be read: no such file or directory"),
    "unreadable kernel": ("/", [], "the kernel cannot be read: is a directory"),
    "truncated ELF": (HELLO[:200], [], "the file is truncated or damaged"),
    "wrong machine": (elf([Load(0x1000, b"x")], machine=243), [], "another machine (RISC-V, e_machine 243)"),
    "not a kernel": (b"#!/bin/sh\n", [], "neither an ELF file nor a bzImage"),
    "no Xen kernel": (elf([Load(0x1000, b"x")], entry=0x1000), [], "no Xen kernel"),
    "contradicting notes": (guest(UD2, entry=BASE), [], "its entry 0xffffffff80000000 lies outside the kernel"),
    "larger than memory": (HELLO, ["--memory", "2"], "does not fit into 2 MiB of memory"),
    "missing ramdisk": (HELLO, ["--ramdisk", "/nowhere"], "/nowhere: the ramdisk cannot be read: no such file"),
    "a choice of another machine": (
        HELLO, ["--machine", "gic_version=v3"], "--machine: gic_version=v3 is no choice for x86_64; leave it out",
    ),
    "no choice at all": (HELLO, ["--machine", "gic_version"], "gic_version: each name wants =VALUE, and comes once"),
    "memory 0": (HELLO, ["--memory", "0"], "--memory: 0 MiB is no size for a domain"),
    "memory beyond the host": (HELLO, ["--memory", "1000000"], "is more than the host has"),
    "vcpus": (HELLO, ["--vcpus", "65"], "--vcpus: 65 is no number of vcpus; give 1 to 64"),
    "no vcpus": (HELLO, ["--vcpus", "0"], "--vcpus: 0 is no number of vcpus; give 1 to 64"),
    "command line in no UTF-8": (
        HELLO, ["--cmdline", "a\udcff"], "--cmdline: character 1 is no UTF-8; give the text in UTF-8",
    ),
    "json path": (HELLO, ["--json", "/nowhere/x"], "--json: /nowhere/x cannot be written"),
    "long command line": (HELLO, ["--cmdline", "x" * 2000], "--cmdline: its 2000 bytes do not fit"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_line_and_2(case: str, run: Any) -> None:
    kernel, options, words = BAD_INPUT[case]
    result = run(kernel, *options)
    assert (result.code, result.out) == (2, "")
    assert words in result.err and result.err.startswith("hv run: ") and result.err.count("\n") == 1


DAMAGED_DISKS = {
    "not qcow2": ("--disk", ",format=qcow2", b"QFI", "it does not begin as a qcow2 image does"),
    "cut-off qcow2": ("--disk", "", b"QFI\xfb" + bytes(40), "its header is cut off at 44 bytes"),
    "qcow2 of no version": ("--disk", "", b"QFI\xfb" + bytes(4096), "qcow2 version 0 is unknown"),
    "no disc": ("--cdrom", "", b"", "it is empty"),
    "raw disc": ("--cdrom", "", b"\0" + b"\xff" * 10 + b"\0" + bytes(2340), "it has raw CD sectors"),
    "qcow2 as a disc": ("--cdrom", "", b"QFI\xfb" + bytes(100), "it is a qcow2 image"),
}


@pytest.mark.parametrize("case", DAMAGED_DISKS)
def test_damaged_disks_are_one_line_and_2(case: str, run: Any, tmp_path: Path) -> None:
    option, behind, contents, words = DAMAGED_DISKS[case]
    (tmp_path / "image").write_bytes(contents)
    (tmp_path / "firmware").write_bytes(b"\xf4" * 4096)
    kind = ("--type", "hvm", "--firmware", str(tmp_path / "firmware"))
    result = run(HELLO, *kind, option, f"{tmp_path / 'image'}{behind}")
    assert (result.code, result.out) == (2, "")
    assert words in result.err and result.err.startswith(f"hv run: {option}: ") and result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--memory", "x"], "--memory: x is not a whole number"),
        (["--max-insns", "1e6"], "--max-insns: 1e6 is not a whole number"),
        (["--max-insns", "0"], "--max-insns: 0 is not a positive number below 2**62"),
        (["--timeout", "-1"], "--timeout: -1 is not a positive number of seconds"),
        (["--timeout", "soon"], "--timeout: soon is not a positive number of seconds"),
        (["--memroy", "32"], "there is no option --memroy, perhaps --memory is meant"),
        (["--fly"], "there is no option --fly"),
        (["two"], "two is an argument too many"),
        (["--type", "xyz"], "--type: invalid choice: 'xyz' (choose from"),
    ],
)
def test_usage_errors_are_2_and_one_line(options: list[str], said: str, run: Any) -> None:
    result = run(HELLO, *options)
    assert result.code == 2 and result.out == ""
    assert result.err.startswith(f"hv run: {said}") and result.err.endswith("; see hv run --help\n")
    assert result.err.count("\n") == 1


def test_a_snapshot_without_its_occasion_is_refused(run: Any, tmp_path: Path) -> None:
    result = run(HELLO, "--snapshot", str(tmp_path / "f"))
    assert (result.code, result.out) == (2, "") and "--on-crash snapshot" in result.err


def test_help_names_every_option(run: Any) -> None:
    result = run(HELLO, "--help")
    assert result.code == 0 and all(option.flag in result.out for option in OPTIONS)
    assert "exit codes:" in result.out and "examples:" in result.out


def test_both_parsers_agree() -> None:
    argv = ["k", "--memory", "64", "--stats", "--timeout", "1.5", "--cmdline", "a b", "--max-insns", "0x10"]
    argv += ["--type", "pv"]
    assert vars(parse(argv)) == vars(parser().parse_args(argv))
    assert vars(parse(["--why", "k"])) == vars(parser().parse_args(["--why", "k"]))
    assert parse(["k", "--memory=64"]).memory == 64          # argparse's own form


def test_the_forced_emulation_prefix_is_an_option(run: Any) -> None:
    kernel = build_guest(find_guest("forced_emulation"), "pvh64")
    assert "Test result: SUCCESS" in run(kernel, "--fep").out
    assert "unexpected #UD" in run(kernel).out
    refused = run(HELLO, "--fep")
    assert refused.code == 2 and "--fep" in refused.err and refused.err.count("\n") == 1


def test_a_trace_has_every_trap_and_changes_nothing(run: Any, tmp_path: Path) -> None:
    kernel = guest(repeat(20_000, call("xen_version", abi.XENVER_version, 0)), POWEROFF)
    plain, traced, lines = tmp_path / "plain", tmp_path / "traced", tmp_path / "lines"
    assert run(kernel, "--json", str(plain)).code == 0
    assert run(kernel, "--json", str(traced), "--trace", str(lines)).code == 0
    assert plain.read_text() == traced.read_text()
    traps = [json.loads(line) for line in lines.read_text().splitlines()]
    assert len(traps) == 20_001
    # six instructions a turn: the loads of two arguments and the number, syscall, and the loop's own two
    whens = [trap["when"] for trap in traps]
    assert whens == sorted(whens) and {b - a for a, b in itertools.pairwise(whens[:-1])} == {6}
    assert traps[0] == {
        "when": traps[0]["when"], "domid": 1, "vcpu": 0, "kind": "hypercall", "name": "xen_version", "number": 17,
        "rip": traps[0]["rip"], "args": traps[0]["args"], "result": 0x40011, "subop": "XENVER_version",
    }  # fmt: skip
    assert (traps[-1]["name"], traps[-1]["subop"]) == ("sched_op", "SCHEDOP_shutdown")


def test_why_names_the_rule_once_a_kind(run: Any) -> None:
    result = run(guest(repeat(5, call("sched_op", 77, 0)), POWEROFF), "--why")
    (line,) = [line for line in result.err.splitlines() if "sched_op" in line]
    assert "ENOSYS" in line and "77" in line and "(and 4 more of the kind)" in line


def test_a_core_file_that_gdb_opens(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "core"
    result = run(guest(store(DATA_VA, 0x1122334455667788), UD2), "--core", str(path))
    assert result.code == 1 and f"core file in {path}" in result.err
    shown = look_at_core(path, ["info registers rip", f"x/gx {DATA_VA:#x}", "x/i $rip"])
    assert f"{ENTRY + 20:#x}" in shown and "0x1122334455667788" in shown and "ud2" in shown


def test_ctrl_bracket_leaves_a_terminal_as_it_was(tmp_path: Path) -> None:
    kernel = tmp_path / "kernel"
    kernel.write_bytes(guest(say("ready\n"), LOOP, text="ready\n"))
    master, slave = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "hv.cli.main", "run", str(kernel), "--memory", "8"],
        stdin=slave, stdout=slave, stderr=subprocess.PIPE, cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    seen = b""
    while b"ready" not in seen:
        seen += os.read(master, 100)
    os.write(master, b"\x1d")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0 and err == b""
    os.close(master)
    os.close(slave)
