"""The command's frame: help, version, usage errors, and what it leaves unimported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hv import abi
from hv.cli.main import COMMANDS, EXIT_NO_READER, main
from hv.testing.build import build_guest, find_guest
from tests.cli.machinecode import guest, shutdown


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS) and "examples:" in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("xenlab ")


@pytest.mark.parametrize("argv", [[], ["fly"], ["-x"]])
def test_a_wrong_command_is_one_line_and_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1 and shown.err.startswith("hv: ")


def test_info_of_a_missing_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "/nowhere/kernel"]) == 2
    assert capsys.readouterr().err == (
        "hv info: /nowhere/kernel: the kernel cannot be read: no such file or directory; "
        "give the path of a readable kernel file\n"
    )


@pytest.mark.parametrize("line", ["run", "run --stats", "trace", "trace -c", "why", "debug -x -"])
def test_whoever_read_the_output_has_left(line: str, tmp_path: Path) -> None:
    """`hv ... 2>&1 | head -0`: as a process that SIGPIPE ends, quietly."""
    script = tmp_path / "script"
    script.write_text("memory rip 500\n" * 50)
    command = [str(script) if word == "-" else word for word in line.split()]
    read, write = os.pipe()
    os.close(read)
    kernel = str(build_guest(find_guest("hello")))
    for both in (True, False) if command[0] in ("run", "debug") else (True,):
        done = subprocess.run(
            [sys.executable, "-m", "hv.cli.main", *command, kernel], stdin=subprocess.DEVNULL, stdout=write,
            stderr=write if both else subprocess.PIPE, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == EXIT_NO_READER
        assert not done.stderr
    os.close(write)


FILES = {
    "mine.c": (b"int x;", "it is a C file, no kernel; hv build mine.c makes one of it"),
    "a.snapshot": (b"xenlab\x1aS" + bytes(99), "it is a snapshot file, no kernel; open it with hv debug, or go on"),
    "a.rec": (b"xenlab\x1aR" + bytes(99), "it is a recording, no kernel; repeat it with hv replay"),
}


@pytest.mark.parametrize("command", ["run", "trace", "why", "info", "gdb"])
@pytest.mark.parametrize("name", FILES)
def test_files_that_are_known_but_are_no_kernels(
    command: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content, said = FILES[name]
    Path(name).write_bytes(content)
    assert main([command, name]) == 2
    assert capsys.readouterr().err.startswith(f"hv {command}: {name}: {said}")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "k", "--json", "/no/x"], "hv run: --json: /no/x cannot be written: no such file or directory; make"),
        (["run", "k", "--json", "/"], "hv run: --json: / cannot be written: is a directory; give a path that can be"),
        (["test", "hello", "--junit", "/no/x"], "hv test: --junit: /no/x cannot be written: no such file or directory"),
        (["debug", "k", "-x", "/no/x"], "hv debug: -x: /no/x cannot be read: no such file or directory; give a text"),
        (["replay", "/no/x"], "hv replay: /no/x: cannot be read: no such file or directory; "),
        (["snapshot", "info", "/no/x"], "hv snapshot: /no/x: cannot be read: no such file or directory; "),
        (["snapshot", "save"], "hv snapshot save: missing: FILE, --at; see hv snapshot save --help"),
        (["run", "k", "--memory", "99999999"], "hv run: --memory: 99999999 MiB is no size for a domain; give a number "
         "of MiB from 1 to 1,048,576"),
        (["debug", "empty"], "hv debug: empty: it is an empty file; give a kernel, a snapshot file or a recording"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said_once_and_in_words(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").touch()
    try:
        code = main(words)
    except SystemExit as left:
        code = int(str(left.code))
    err = capsys.readouterr().err
    assert code == 2 and err.startswith(said) and err.count("\n") == 1 and "Errno" not in err


def test_the_frame_imports_nothing_heavy() -> None:
    """Start-up time is a goal: what `hv run` of an ELF file does not need must not be imported."""
    code = (
        "import sys; import hv.cli.main, hv.builder.load, hv.arch.x86.builder.pv; "
        "print([m for m in ('capstone', 'elftools', 'lz4', 'zstandard', 'lzma', 'dataclasses', 'inspect', 'json', "
        "'argparse') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert shown.stdout == "[]\n"


def test_a_guest_imports_no_other_architecture(tmp_path: Path) -> None:
    kernel = tmp_path / "kernel"
    kernel.write_bytes(guest(shutdown(abi.SHUTDOWN_poweroff)))
    code = (
        f"import sys; from hv.cli.main import main; assert main(['run', {str(kernel)!r}, '--memory', '8']) == 0; "
        "print(sorted({m.split('.')[2] for m in sys.modules if m.startswith('hv.arch.')} & {'x86', 'arm'}))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert shown.stdout == "['x86']\n"
