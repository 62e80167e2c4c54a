"""`hv trace` from end to end: what it prints and writes, and that it says what is wrong with its command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from hv import abi
from hv.cli.main import main
from hv.testing.build import build_guest, find_guest
from tests.cli.machinecode import DATA_VA, LOOP, UD2, call, guest, repeat, say, shutdown, store
from tests.debug.test_coverage import read_drcov, read_lcov
from tests.debug.test_perfetto import check

ROOT = Path(__file__).resolve().parents[2]
POWEROFF = shutdown(abi.SHUTDOWN_poweroff)
SEND_ON_NO_PORT = store(DATA_VA, 999) + call("event_channel_op", abi.EVTCHNOP_send, DATA_VA)
HELLO = guest(say("hello\n"), SEND_ON_NO_PORT, POWEROFF, text="hello\n")


class Result:
    """Exit code, stdout, stderr."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def hv(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    """hv(command, kernel bytes or name of a guest, *options) -> Result"""

    def go(command: str, kernel: bytes | str, *options: str) -> Result:
        path = tmp_path / "kernel"
        if isinstance(kernel, bytes):
            path.write_bytes(kernel)
        else:
            path = build_guest(find_guest(kernel))
        try:
            code = main([command, str(path), "--memory", "16", *options])
        except SystemExit as error:
            code = int(str(error.code))
        shown = capfd.readouterr()
        return Result(code, shown.out, shown.err)

    return go


def test_lines_like_strace(hv: Any) -> None:
    result = hv("trace", HELLO)
    assert (result.code, result.out) == (0, "hello\n")
    assert result.err.splitlines() == [
        '             5 d1v0   console_io(CONSOLEIO_write, count=6, "hello\\n") = 0',
        "            11 d1v0   event_channel_op(EVTCHNOP_send, {port=999}) = -EINVAL [evtchn_port_range] port 999 is "
        "none of this domain's event channels; ports are below 64",
        "            17 d1v0   sched_op(SCHEDOP_shutdown, {reason=SHUTDOWN_poweroff}) = 0",
    ]


def test_filters_and_a_file(hv: Any, tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    result = hv("trace", HELLO, "-e", "hypercall=sched_op,iret", "-e", "switch", "-o", str(path))
    assert (result.code, result.err) == (0, "")
    lines = [line[22:].split("(")[0] for line in path.read_text().splitlines()]
    assert lines == ["switch from nobody", "sched_op", "switch from d1v0"]


@pytest.mark.parametrize("sub", ["send", "EVTCHNOP_send"])
def test_single_suboperations_are_a_filter(hv: Any, sub: str) -> None:
    assert names(hv("trace", "evtchn_loopback", "-e", f"hypercall=event_channel_op.{sub}")) == {"EVTCHNOP_send"}
    some = f"hypercall=event_channel_op.{sub},sched_op"
    assert names(hv("trace", "evtchn_loopback", "-e", some)) == {"EVTCHNOP_send", "SCHEDOP_shutdown"}
    all_of_it = names(hv("trace", "evtchn_loopback", "-e", some, "-e", "hypercall=event_channel_op"))
    assert all_of_it > {"EVTCHNOP_send", "EVTCHNOP_close", "SCHEDOP_shutdown"}


def names(result: Result) -> set[str]:
    """The sub-operations in a trace."""
    assert result.code == 0
    return set(re.findall(r" d1v0 +\w+\((\w+)", result.err))


def test_live_and_file_say_the_same(hv: Any, tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    live = hv("trace", "evtchn_loopback", "-e", "all")
    hv("trace", "evtchn_loopback", "-e", "all", "-o", str(path))
    assert path.read_text() == live.err and "upcall port 4" in live.err


def test_sums(hv: Any) -> None:
    result = hv("trace", guest(repeat(7, call("xen_version", 0, 0)), SEND_ON_NO_PORT, POWEROFF), "-c")
    rows = {line.split()[-1]: line.split() for line in result.err.splitlines()[1:]}
    assert rows["xen_version.XENVER_version"][3] == "7"
    assert rows["event_channel_op.EVTCHNOP_send"][3:5] == ["1", "1"]
    assert rows["total"][2:4] == ["9", "1"]
    assert sum(int(row[1].replace(",", "")) for name, row in rows.items() if name != "total") == int(rows["total"][1])


def test_json_lines(hv: Any, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    result = hv("trace", HELLO, "-e", "all", "--json", str(path))
    assert (result.code, result.err) == (0, "")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["switch", *["hypercall"] * 3, "switch"]
    assert lines[2]["call"]["content"] == {"arg": {"port": 999}} and lines[2]["result"] == -22
    assert lines[2]["refused"]["facts"] == {"port": 999, "limit": 64}
    assert lines[0]["from_domid"] is None and lines[-1]["domid"] is None


def test_a_time_line(hv: Any, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    assert hv("trace", "evtchn_loopback", "--perfetto", str(path)).code == 0
    slices, arrows = check(json.loads(path.read_text())["traceEvents"])
    assert arrows == 4 and (1, 0) in slices


@pytest.mark.parametrize("command", ["trace", "run"])
def test_coverage(hv: Any, tmp_path: Path, command: str) -> None:
    lines, blocks = tmp_path / "out.info", tmp_path / "out.drcov"
    assert hv(command, "hello", "--coverage", str(lines), "--drcov", str(blocks)).code == 0
    assert any(file.hits.get("test_main") for file in read_lcov(lines.read_text()).values())
    assert read_drcov(blocks.read_bytes())[2]


def test_coverage_without_lines_says_so(hv: Any, tmp_path: Path) -> None:
    result = hv("run", HELLO, "--coverage", str(tmp_path / "out.info"))
    assert result.code == 0 and "has no source lines; build it with -g" in result.err


def test_a_crash_is_reported_with_the_last_traps(hv: Any, tmp_path: Path) -> None:
    result = hv("trace", guest(repeat(40, call("xen_version", 0, 0)), UD2), "-e", "all", "-o", str(tmp_path / "out"))
    assert result.code == 1
    lines = result.err.split("last 16 traps:\n")[1].splitlines()
    assert len(lines) == 16 and "#UD" in lines[-1] and "switch" not in result.err


def test_the_trace_is_written_however_the_run_ends(hv: Any, tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    result = hv("trace", guest(call("xen_version", 0, 0), LOOP), "--max-insns", "1000", "-o", str(path))
    assert result.code == 7 and "stopped after --max-insns" in result.err and "xen_version" in path.read_text()


@pytest.mark.parametrize(("options", "said"), [
    (["-e", "hypercal"], "hv trace: -e hypercal: there is no kind 'hypercal'; give one of hypercall, trap"),
    (["-e", "hypercall=sched"], "hv trace: -e hypercall=sched: there is no hypercall 'sched'; did you mean sched_op"),
    (["-e", "hypercall=sched_op.yeld"], "hv trace: -e hypercall=sched_op.yeld: sched_op has no sub-operation"),
    (["-o", "/nowhere/x"], "hv trace: --output: /nowhere/x cannot be written"),
    (["--perfetto", "/nowhere/x"], "hv trace: --perfetto: /nowhere/x cannot be written"),
    (["--vcpus", "0"], "hv trace: --vcpus: 0 is no number of vcpus; give 1 to 64"),
])  # fmt: skip
def test_mistakes_are_one_line(hv: Any, options: list[str], said: str) -> None:
    result = hv("trace", HELLO, *options)
    assert result.code == 2 and result.err.startswith(said) and result.err.count("\n") == 1


def test_what_is_no_kernel(hv: Any) -> None:
    result = hv("trace", b"nothing")
    assert result.code == 2 and result.err.startswith("hv trace: ") and result.err.count("\n") == 1


def test_help(hv: Any, capfd: pytest.CaptureFixture[str]) -> None:
    for command in ("trace", "why"):
        with pytest.raises(SystemExit) as left:
            main([command, "--help"])
        shown = capfd.readouterr().out
        assert left.value.code == 0 and "examples:" in shown and "exit codes:" in shown and "--max-insns" in shown


EXAMPLES = re.findall(r"^    hv (\w+) (\w+)\.elf([^#\n]*)", (ROOT / "docs" / "trace.md").read_text(), re.M)


@pytest.mark.parametrize(("command", "name", "options"), EXAMPLES)
def test_the_examples_of_the_documentation_run(
    hv: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, name: str, options: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = hv(command, name, *options.split())
    assert result.code == 0 and "Test result: SUCCESS" in result.out
    for file in re.findall(r"\S+\.(?:txt|json|jsonl|info|drcov)\b", options):
        assert (tmp_path / file).stat().st_size > 100
