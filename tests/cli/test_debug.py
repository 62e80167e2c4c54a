"""`hv debug` without a screen: lines, scripts, exit codes."""

from __future__ import annotations

import io
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from hv.cli.debug import COMMAND
from hv.cli.main import main
from hv.debug.debugger import Debugger
from hv.debug.line_mode import PROMPT, LineMode
from hv.debug.recording import Recorder
from hv.debug.target import open_target
from hv.testing.build import build_guest, find_guest
from hv.testing.runner import resolve
from hv.toolstack.launch import GuestConfig, launch
from tests.cli.machinecode import LOOP, guest

MEMORY = ("--memory", "8")


@pytest.fixture(scope="module")
def kernel() -> str:
    return str(build_guest(find_guest("tour"), "pv64"))


def run(*arguments: str) -> int:
    return main(["debug", *arguments])


def test_commands_print_what_they_say_and_where_they_lead(kernel: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(kernel, *MEMORY, "--command", "break-hypercall event_channel_op.send if port == 3", "--command", "c")
    out = capsys.readouterr().out.splitlines()
    assert code == 0
    assert out[0] == f"{PROMPT}break-hypercall event_channel_op.send if port == 3"
    assert out[1] == "1: hypercall event_channel_op.send if port == 3"
    assert out[2] == f"{PROMPT}c"
    assert out[3].startswith("stop point: hypercall event_channel_op.send if port == 3 at instruction ")
    assert re.match(r"[\d,]+  d1v0  0x\w+ hypercall_page\+0x408$", out[4])
    assert out[5].endswith("syscall")
    assert out[6] == "   event_channel_op(EVTCHNOP_send, {port=3})"
    assert len(out) == 7


def test_the_guests_console_stands_behind_bars(kernel: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(kernel, *MEMORY, "--cmdline", "rounds=2", "--command", "c", "--command", "g 0", "--command", "c") == 0
    out = capsys.readouterr().out
    assert out.count("| round 1\n| round 2\n| Test result: SUCCESS\n") == 2


def test_a_command_line_may_be_of_any_bytes(kernel: str) -> None:
    command = [sys.executable, "-m", "hv.cli.main", "debug", kernel, *MEMORY, "--command", b"type \xff"]
    strict = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(command, capture_output=True, text=True, env=strict, stdin=subprocess.DEVNULL, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{PROMPT}type \\udcff\n2 bytes typed at instruction 0\n"


def test_a_script_from_a_file_comes_before_commands(
    kernel: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "script"
    script.write_text("# to the third instruction\n\n  step 2\nstep\n")
    assert run(kernel, *MEMORY, "--command", "position", "-x", str(script)) == 0
    assert capsys.readouterr().out.endswith(f"{PROMPT}position\n3\n")


def test_the_first_command_that_fails_ends_a_script(
    kernel: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "script"
    script.write_text("step\n\nbreak tour_grnat\nstep\n")
    assert run(kernel, *MEMORY, "-x", str(script), "--command", "position") == 1
    captured = capsys.readouterr()
    assert captured.err == (
        f"hv debug: {script}:3: break tour_grnat: break: tour_grnat: no such symbol; the nearest is tour_grant\n"
    )
    assert captured.out.count(PROMPT) == 2
    assert run(kernel, *MEMORY, "--command", "step", "--command", "nonsense") == 1
    assert capsys.readouterr().err == "hv debug: --command:2: nonsense: there is no command nonsense; help lists them\n"


def test_stdin_is_a_script_when_it_is_no_terminal(
    kernel: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("step 4\nposition\nquit\nnonsense\n"))
    assert run(kernel, *MEMORY, "--line") == 0
    assert f"{PROMPT}position\n4\n{PROMPT}quit\n" in capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", io.StringIO("nonsense\n"))
    assert run(kernel, *MEMORY) == 1
    assert "hv debug: stdin:1: nonsense" in capsys.readouterr().err


def test_what_cannot_be_used_is_said_in_one_line(
    kernel: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(str(tmp_path / "missing")) == 2
    assert re.match(r"hv debug: .*missing.*\n$", capsys.readouterr().err)
    assert run(kernel, "-x", str(tmp_path / "missing")) == 2
    said = capsys.readouterr().err
    assert re.match(r"hv debug: -x: .*missing cannot be read: .*; give a text file of commands\n$", said)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\0")
    assert run(kernel, "-x", str(tmp_path / "binary")) == 2
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(SystemExit) as leaving:
        run(kernel, "--max-insns", "3")
    assert leaving.value.code == 2
    with pytest.raises(SystemExit) as leaving:
        run("--help")
    assert leaving.value.code == 0
    assert "exit codes:" in capsys.readouterr().out


def opened(kernel: str, **others: object) -> Debugger:
    options = {**vars(COMMAND.parse([kernel, *MEMORY])), **others}
    return open_target(kernel, SimpleNamespace(**options))


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, even where a shell that runs the tests in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_a_movement(tmp_path: Path, interruptible: None) -> None:
    kernel = tmp_path / "loop"
    kernel.write_bytes(guest(LOOP))
    debugger = opened(str(kernel))
    printed = io.StringIO()
    mode = LineMode(debugger, printed.write)
    asked = debugger.poll
    assert asked is not None

    def poll() -> bool:
        if debugger.hv.instructions > 3_000_000:
            os.kill(os.getpid(), signal.SIGINT)
        return asked()

    debugger.poll = poll
    mode.execute("continue")
    assert printed.getvalue().startswith("interrupted at instruction ")
    there = debugger.hv.instructions
    assert there > 3_000_000
    debugger.poll = asked
    mode.execute("step")
    assert debugger.hv.instructions == there + 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_prompt_on_a_terminal(kernel: str) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "hv.cli.main", "debug", "--line", kernel, *MEMORY]
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True)
    os.close(theirs)
    os.write(ours, b"step 2\n\nnonsense\nposition\nquit\n")
    out = b""
    try:
        while part := os.read(ours, 4096):
            out += part
    except OSError:  # how Linux says that the other end of a terminal is closed
        pass
    assert child.wait() == 0
    text = out.decode().replace("\r", "")
    assert "_start" in text
    assert "at instruction 2\n" in text
    assert "at instruction 4\n" in text  # an empty line repeats the step
    assert "there is no command nonsense" in text
    assert "\n4\n" in text
    os.close(ours)


def test_hostile_console_output_moves_no_cursor(kernel: str) -> None:
    debugger = opened(kernel)
    printed = io.StringIO()
    mode = LineMode(debugger, printed.write)
    debugger.domain.services["console"].print(b"\x1b[2Jred\x07 \xff\r\nnext\n")  # type: ignore[attr-defined]
    mode.execute("step")
    assert printed.getvalue().startswith("| .[2Jred. \ufffd\n| next\nat instruction 1\n")


# ---- files instead of kernels ----


@pytest.fixture
def crashed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """A snapshot file of a guest that has crashed."""
    path = str(tmp_path / "c.snapshot")
    kernel = str(resolve("crash_double")[0])
    assert main(["run", kernel, "--memory", "16", "--on-crash", "snapshot", "--snapshot", path]) == 1
    capsys.readouterr()
    return path


def test_a_crash_is_opened_before_its_instruction_and_goes_back(
    crashed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = ["where", "position", "backtrace", "reverse-step 100", "goto 0", "continue", "position"]
    assert run(crashed, *(word for command in commands for word in ("--command", command))) == 0
    out = capsys.readouterr().out
    first, _, rest = out.partition(f"{PROMPT}position")
    place = r"^[\d,]+  d1v0  .* test_main\+\S+ \(crash_double.c:13\)\n-> 0x[0-9a-f]+  ud2$"
    assert re.search(place, first, re.MULTILINE)
    crash = rest.split()[0]
    assert re.search(r"#2 0x[0-9a-f]+ _start", rest)
    assert f"at instruction {int(crash.replace(',', '')) - 100:,}\n" in rest
    assert out.startswith(f"the guest crashes here, at instruction {crash}: ")
    assert "at instruction 0\n" in rest
    assert rest.rstrip().endswith(f"position\n{crash}")


def test_going_back_in_a_snapshot_file_does_not_print_the_console_again(
    crashed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(crashed, "--command", "reverse-step 3") == 0
    assert "|" not in capsys.readouterr().out
    assert run(crashed, "--command", "goto 0", "--command", "continue") == 0
    assert capsys.readouterr().out.count("| Test result: SUCCESS\n") == 1


def test_a_snapshot_of_the_debugger_is_opened_by_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "f.snapshot")
    steps = ["goto 20_000", "state-hash", f"snapshot {path}"]
    kernel = str(resolve("tour")[0])
    assert run(kernel, *MEMORY, *(word for command in steps for word in ("--command", command))) == 0
    out = capsys.readouterr().out
    digest = re.search(r"[0-9a-f]{64}", out)
    assert digest is not None
    assert f"moments up to instruction 20,000 in {path}" in out
    again = ["state-hash", "goto 5000", "goto 20000", "state-hash", "break tour_store", "continue"]
    assert run(path, *(word for command in again for word in ("--command", command))) == 0
    out = capsys.readouterr().out
    assert out.count(digest.group()) == 2
    assert re.search(r"stop point: .*tour_store \(tour.c:\d+\) at instruction", out)
    assert run(kernel, *MEMORY, "--command", f"snapshot {tmp_path}/no/where") == 1
    assert "no/where cannot be written: No such file" in capsys.readouterr().err


def test_a_recording_is_repeated_under_the_debugger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, kernel = str(tmp_path / "run.rec"), str(resolve("tour")[0])
    guest = launch(kernel, GuestConfig(memory_mib=16))
    recorder = Recorder(guest.hv, GuestConfig(memory_mib=16), kernel)
    guest.hv.run(max_insns=30_000)
    guest.console.feed(b"typed\n")
    guest.hv.run(max_insns=50_000)
    recorder.write(path, "max_insns")
    commands = ["goto 50000", "state-hash", "goto 10000", "goto 50000", "state-hash"]
    assert run(path, *(word for command in commands for word in ("--command", command))) == 0
    assert capsys.readouterr().out.count(guest.hv.state_hash) == 2


def test_damaged_files_are_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for magic in (b"xenlab\x1aS", b"xenlab\x1aR"):
        path = tmp_path / "damaged"
        path.write_bytes(magic + bytes(100))
        assert run(str(path)) == 2
        assert re.match(r"hv debug: .*damaged: .*; remedy: .*\n$", capsys.readouterr().err)
