"""`hv run --record`, `hv replay`, `hv snapshot` and `hv run --on-crash snapshot` from end to end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hv import abi
from hv.cli.main import main
from hv.debug.crash import from_about
from hv.debug.recording import read
from hv.debug.snapshot_file import load, save
from hv.testing.build import build_guest, find_guest
from tests.cli.machinecode import DATA_VA, LOOP, UD2, call, guest, repeat, say, shutdown

ROOT = Path(__file__).resolve().parents[2]
POWEROFF = shutdown(abi.SHUTDOWN_poweroff)
HELLO = guest(say("hello\n"), repeat(1000, b"\x90"), POWEROFF, text="hello\n")
SPIN = guest(say("hello\n"), LOOP, text="hello\n")
CRASH = guest(say("hello\n"), repeat(1 << 21, b"\x90"), UD2, text="hello\n")
BLOCK = call("sched_op", abi.SCHEDOP_poll, DATA_VA)  # of no port, without end
WAITS = guest(say("hello\n"), BLOCK, b"\xeb" + bytes([254 - len(BLOCK)]), text="hello\n")
SMALL = ("--memory", "8")


@pytest.fixture
def hv(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """hv("run", ...) -> (exit code, stdout, stderr), in a directory of its own with the kernels k, spin, crash."""
    monkeypatch.chdir(tmp_path)
    for name, content in (("k", HELLO), ("spin", SPIN), ("crash", CRASH)):
        (tmp_path / name).write_bytes(content)

    def go(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(list(arguments))
        except SystemExit as error:
            code = int(str(error.code))
        shown = capfd.readouterr()
        return code, shown.out, shown.err

    return go


def test_a_path_that_no_recording_can_hold(hv: Any, tmp_path: Path) -> None:
    """Bytes that are no UTF-8, as Python has them in a path."""
    odd = tmp_path / "odd\udcff"
    odd.write_bytes(HELLO)
    for files in ([str(odd)], ["k", "--ramdisk", str(odd)]):
        code, out, said = hv("run", *files, *SMALL, "--record", "r")
        assert (code, out, said.count("\n")) == (2, "", 1)
        assert "/odd" in said and ": cannot be read: its path is no UTF-8, as recordings have them" in said
    assert not (tmp_path / "r").exists()


def _hash(said: str) -> str:
    return said.split("state hash ")[1].split()[0]


def test_a_replay_is_the_same_run(hv: Any) -> None:
    code, out, err = hv("run", "k", *SMALL, "--record", "r", "--stats", "--cmdline", "a b", "--seed", "3")
    assert (code, out) == (0, "hello\n")
    again = hv("replay", "r")
    assert again[:2] == (0, "hello\n")
    assert "the same after 3,0" in again[2] and _hash(again[2]) == _hash(err)
    assert hv("run", "k", *SMALL, "--stats", "--cmdline", "a b", "--seed", "3")[2] == err


def test_a_replay_up_to_a_count_and_live_from_there(hv: Any) -> None:
    whole = hv("run", "k", *SMALL, "--record", "r", "--stats")
    part = hv("replay", "r", "--to", "1000", "--stats")
    assert part[0] == 0 and "at instruction 1,000; nothing differed" in part[2] and "max_insns" in part[2]
    live = hv("replay", "r", "--to", "1000", "--live", "--stats")
    assert live[:2] == (0, "hello\n") and live[2] == whole[2]
    stopped = hv("replay", "r", "--to", "1000", "--live", "--max-insns", "1500")
    assert stopped[0] == 7 and stopped[2] == "hv replay: stopped after --max-insns\n"


@pytest.mark.parametrize("limit", [("--max-insns", "50000"), ("--timeout", "0.0001"), ("--wall-timeout", "0.2")])
def test_a_run_that_was_stopped_is_recorded(hv: Any, limit: tuple[str, str]) -> None:
    assert hv("run", "spin", *SMALL, "--record", "r", *limit)[0] == 7
    code, out, err = hv("replay", "r")
    assert (code, out) == (0, "hello\n"), err


def test_a_run_that_crashed_is_recorded(hv: Any) -> None:
    assert hv("run", "crash", *SMALL, "--record", "r")[0] == 1
    code, _, err = hv("replay", "r")
    assert code == 0 and "crashed on vcpu 0" in err and "the same after" in err


def test_what_differs_is_exit_code_1(hv: Any, tmp_path: Path) -> None:
    from hv.debug.recording import write

    hv("run", "k", *SMALL, "--record", "r")
    recording = read("r")
    write("r", recording._replace(config=recording.config._replace(cmdline="other")))
    code, _, err = hv("replay", "r")
    assert code == 1
    assert err.startswith("hv replay: the run differs from the recording at instruction 3,0") and err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("replay", "k"), "is not a recording"),
        (("replay", "missing"), "cannot be read"),
        (("replay", "r", "--to", "-1"), "no count of instructions"),
        (("replay", "r", "--json", "/nowhere/f"), "cannot be written"),
        (("snapshot", "info", "r"), "is not a snapshot file"),
        (("snapshot", "load", "k"), "is not a snapshot file"),
        (("snapshot", "save", "f", "missing", "--at", "1"), "missing"),
        (("snapshot", "save", "f", "k", "--at", "-1"), "no count of instructions"),
        (("snapshot", "save", "/nowhere/f", "k", "--at", "1", *SMALL), "cannot be written"),
        (("run", "k", "--record", "/nowhere/f"), "cannot be written"),
        (("run", "k", "--on-crash", "snapshot", "--snapshot", "/nowhere/f"), "cannot be written"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_2(hv: Any, arguments: tuple[str, ...], why: str) -> None:
    hv("run", "k", *SMALL, "--record", "r")
    code, _, err = hv(*arguments)
    assert code == 2 and why in err and err.count("\n") == 1 and err.startswith(f"hv {arguments[0]}: ")


def test_a_changed_kernel_is_refused(hv: Any, tmp_path: Path) -> None:
    hv("run", "k", *SMALL, "--record", "r")
    (tmp_path / "k").write_bytes(SPIN)
    code, _, err = hv("replay", "r")
    assert code == 2 and "the kernel is not the one that was recorded" in err


def test_help_lists_exit_codes(hv: Any) -> None:
    for command in (("replay",), ("snapshot", "save"), ("snapshot", "load"), ("snapshot", "info"), ("snapshot",)):
        code, out, _ = hv(*command, "--help")
        assert code == 0 and "exit codes:" in out and "examples:" in out


def test_an_interrupted_run_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the guest runs, and while it waits: the file is there, and a replay ends in the same place."""
    (tmp_path / "spin").write_bytes(SPIN)
    (tmp_path / "wait").write_bytes(WAITS)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    for kernel, options in (("spin", []), ("wait", []), ("wait", ["--realtime"])):
        command = [sys.executable, "-m", "hv.cli.main", "run", kernel, "--memory", "16", "--record", "r", *options]
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stdin=pipe, stdout=pipe, stderr=pipe) as run:
            assert run.stdout is not None and run.stdin is not None and run.stderr is not None
            assert run.stdout.readline()
            if kernel == "wait":
                run.stdin.write(b"half a li")
                run.stdin.flush()
            time.sleep(0.3)
            run.send_signal(signal.SIGINT)
            said = run.stderr.read()
            assert run.wait() == 130, said
        assert said.strip() == b"hv run: interrupted"
        monkeypatch.chdir(tmp_path)
        recording = read(tmp_path / "r")
        assert recording.stop == "interrupted" and recording.end is not None
        if kernel == "wait":
            assert b"half a li" in [entry.data for entry in recording.inputs]
        assert main(["replay", str(tmp_path / "r")]) == 0


def test_a_run_that_the_host_ended_is_recorded(hv: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of ours: the recording is what is needed to look for it."""
    from hv import hypercall

    serve = hypercall.serve

    def broken(machine: Any, vcpu: Any, out: Any) -> None:
        if machine.instructions > 1000:
            raise ZeroDivisionError
        serve(machine, vcpu, out)

    with monkeypatch.context() as patched, pytest.raises(ZeroDivisionError):
        patched.setattr(hypercall, "serve", broken)
        hv("run", "k", *SMALL, "--record", "r")
    assert read("r").end is None
    code, _, err = hv("replay", "r")
    assert code == 0 and "was cut off; nothing differed" in err


def test_numbers_beyond_reason_are_refused_or_mean_the_same(hv: Any) -> None:
    assert hv("run", "k", *SMALL, "--quantum", str(1 << 70))[0] == 2
    assert hv("run", "k", *SMALL, "--seed", str(-(1 << 70) - 5), "--record", "r")[0] == 0
    assert hv("replay", "r")[0] == 0


# ---- snapshots ----


def test_a_run_goes_on_from_a_file(hv: Any) -> None:
    whole = hv("run", "k", *SMALL, "--stats")
    assert hv("snapshot", "save", "f", "k", *SMALL, "--at", "1000") == (0, "hello\n", "")
    code, out, err = hv("snapshot", "load", "f", "--stats")
    assert (code, out, err) == (0, "", whole[2])
    code, out, err = hv("snapshot", "load", "f", "--max-insns", "1200")
    assert (code, err) == (7, "hv snapshot: stopped after --max-insns\n")


def test_a_guest_that_ends_before_is_saved_there(hv: Any) -> None:
    code, _, err = hv("snapshot", "save", "f", "k", *SMALL, "--at", "1000000")
    assert code == 0 and "came to instruction 3,0" in err
    assert hv("snapshot", "load", "f")[0] == 0


def test_what_is_in_a_file_is_said(hv: Any) -> None:
    hv("snapshot", "save", "f", "k", *SMALL, "--at", "1000", "--cmdline", "x\x1b[2J")
    code, out, _ = hv("snapshot", "info", "f")
    assert code == 0 and "at          1,000 instructions" in out and "d1 guest (1 vcpus)" in out
    assert "\x1b" not in out and "cmdline: x?[2J" in out
    code, out, _ = hv("snapshot", "info", "f", "--json")
    facts = json.loads(out)
    assert code == 0 and facts["memory_mib"] == 8 and facts["moments"][0]["instructions"] == 1000
    assert facts["about"]["kernel"][0].endswith("/k")


def test_a_crash_leaves_a_file(hv: Any, tmp_path: Path) -> None:
    code, _, err = hv("run", "crash", *SMALL, "--on-crash", "snapshot", "--stats")
    assert code == 1
    assert "moments up to the crash; hv debug crash.snapshot opens them" in err and "crashed on vcpu 0" in err
    loaded = load("crash.snapshot")
    counts = [snapshot.retired for snapshot in loaded.snapshots]
    assert counts[:2] == [0, 1 << 20] and len(counts) > 4
    assert loaded.hv.state_hash == _hash(err)
    loaded.hv.restore(loaded.snapshots[0])
    loaded.hv.run()
    assert loaded.hv.state_hash == _hash(err)
    code, _, shown = hv("snapshot", "load", "crash.snapshot")
    assert code == 1 and shown == err[err.index("domain guest"):].split("hv run: ")[0]
    assert "#UD" in shown.split("last ")[1]
    _, shown, _ = hv("snapshot", "info", "crash.snapshot")
    assert f"crash: at instruction {counts[-1]:,}: a trap for which" in shown and " (#UD)\n" in shown


def test_a_crash_whose_traps_are_not_known_is_not_said_to_have_had_none(hv: Any) -> None:
    assert hv("run", "crash", *SMALL, "--on-crash", "snapshot", "--snapshot", "f")[0] == 1
    loaded = load("f")
    assert from_about(loaded.about) is not None
    crash = loaded.about["crash"]
    broken = [{"when": 1}, crash | {"when": -1}, crash | {"traps": [[1] * 11]}, "x", None]
    for number, other in enumerate(broken):
        path = f"g{number}"
        save(path, loaded.hv, loaded.snapshots, loaded.about | {"crash": other})
        code, _, shown = hv("snapshot", "load", path)
        assert code == 1 and "last traps: they are not in the file" in shown
        assert "the next instruction; a page fault would not be in the file" in shown and "no page fault" not in shown
        assert hv("snapshot", "info", path)[0] == 0


def test_no_crash_leaves_no_file(hv: Any, tmp_path: Path) -> None:
    assert hv("run", "k", *SMALL, "--on-crash", "snapshot", "--snapshot", "f")[0] == 0
    assert not (tmp_path / "f").exists()
    assert hv("run", "crash", *SMALL, "--on-crash", "snapshot", "--snapshot", "f")[0] == 1
    assert load("f").about["kernel"][0].endswith("/crash")


@pytest.mark.parametrize(("guest", "env", "why"), [
    ("crash_shutdown", "pvh64", "the guest itself said so (SCHEDOP_shutdown)"),
    ("crash_triple", "pvh64", "triple fault"),
    ("crash_shutdown", "hvm64", "the guest itself said so (SCHEDOP_shutdown)"),
])  # fmt: skip
def test_whole_processors_too(hv: Any, guest: str, env: str, why: str) -> None:
    kernel = str(build_guest(find_guest(guest), env))
    made = ("--type", "hvm", "--firmware", kernel) if env == "hvm64" else (kernel,)
    kept = ("--on-crash", "snapshot", "--snapshot", "f", "--record", "r", "--stats")
    run = ("run", *made, "--memory", "16", *kept)
    code, _, err = hv(*run)
    assert code == 1 and "moments up to the crash" in err
    loaded = load("f")
    assert loaded.hv.state_hash == _hash(err) and loaded.hv.audit() == ""
    loaded.hv.restore(loaded.snapshots[0])
    loaded.hv.run()
    assert loaded.hv.state_hash == _hash(err)
    code, _, shown = hv("replay", "r")
    assert "the same after" in shown and _hash(shown) == _hash(err)
    commands = ("--command", "reverse-step 3", "--command", "backtrace")
    code, out, _ = hv("debug", "f", "--line", *commands)
    assert code == 0 and why in out and "test_main" in out


def test_what_a_recording_says_of_the_processor(hv: Any) -> None:
    """What a triple fault is, and that there is the forced emulation prefix: else a replay would be another run."""
    triple = str(build_guest(find_guest("crash_triple"), "pvh64"))
    code, _, err = hv("run", triple, *SMALL, "--triple-fault", "reboot", "--fep", "--record", "r", "--stats")
    assert code == 0
    _, _, shown = hv("replay", "r")
    assert "the same after" in shown and _hash(shown) == _hash(err)


def test_a_guest_that_begins_anew_has_no_place_in_a_file(hv: Any) -> None:
    code, _, err = hv("snapshot", "save", "f", "k", *SMALL, "--on-reboot", "restart", "--at", "100")
    assert code == 2 and "no place for a guest that begins anew; leave out restart" in err and err.count("\n") == 1


def _bios(path: Path, code: bytes) -> str:
    """Firmware whose reset vector holds 16 bytes of code at most."""
    path.write_bytes(bytes(65536 - 16) + code.ljust(16, b"\0"))
    return str(path)


def test_a_pc_too(hv: Any, tmp_path: Path) -> None:
    bios = _bios(tmp_path / "bios", b"\xba\xf8\x03\xb0\x41\xee\xfe\x06\0\x10\xeb\xf7")  # COM1, and a count at 0x1000
    _bios(tmp_path / "other", b"\xeb\xfe")
    (tmp_path / "disk").write_bytes(b"disk" * 1024)
    made = ("--type", "hvm", "--firmware", "bios", "--memory", "16", "--disk", "disk", "--nic", "user,allow=none")
    _, said, err = hv("run", *made, "--vga", "none", "--max-insns", "5000", "--record", "r", "--stats")
    assert said.startswith("AAAA")
    _, again, shown = hv("replay", "r")
    assert again == said and "the same after 5,000" in shown and _hash(shown) == _hash(err)
    (tmp_path / "other").replace(bios)
    code, _, shown = hv("replay", "r")
    assert code == 2 and "the firmware is not the one that was recorded" in shown and shown.count("\n") == 1
