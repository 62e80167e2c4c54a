"""GRUB as Debian builds it for PV domains, unmodified."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.real import packages
from tests.real.conversation import Outcome, finished, grub
from tests.real.processes import outcomes

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def plain() -> Outcome:
    return grub()


def test_prompt_command_halt(plain: Outcome) -> None:
    assert finished(plain)
    assert "GNU GRUB" in plain.text and "typed x86_64" in plain.text


@pytest.mark.parametrize("limit", [1, 7, 512])
def test_block_limits_change_nothing(plain: Outcome, limit: int) -> None:
    assert grub(block_limit=limit) == plain


def test_code_flushes_change_nothing(plain: Outcome) -> None:
    assert grub(flush_seed=5) == plain


def test_processes_agree(plain: Outcome) -> None:
    assert len(outcomes("grub", ("1", "2", "random"))) == 1


def test_command_line(tmp_path: Path) -> None:
    """`hv run` with the keys on stdin: exit 0, the console on stdout and nothing else."""
    hv = Path(sys.executable).with_name("hv")
    done = subprocess.run([hv, "run", packages.grub(), "--memory", "64", "--wall-timeout", "60"],
                          input="halt\n", capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    assert "grub>" in done.stdout and done.stderr == ""
