"""The command's frame: help, version, usage errors, and what it leaves unimported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hv.cli.main import COMMANDS, main


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


def test_the_frame_imports_nothing_heavy() -> None:
    """Start-up time is a goal: what `hv run` of an ELF file does not need must not be imported."""
    code = (
        "import sys; import hv.cli.main, hv.builder.load, hv.builder.pv; "
        "print([m for m in ('capstone', 'elftools', 'lz4', 'zstandard', 'lzma', 'dataclasses', 'inspect', 'json', "
        "'argparse') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert shown.stdout == "[]\n"
