"""The real gdb, and it on a core file."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def find_gdb(program: str) -> str:
    """Where that gdb is. Where there is none, skips the test, saying so; CI, which installs it, fails."""
    found = shutil.which(program)
    if found is None and not os.environ.get("CI"):
        pytest.skip(f"{program} is not installed")
    assert found is not None, f"{program} is not installed"
    return found


def environment() -> dict[str, str]:
    """gdb's: `make asan` loads the sanitizer's library into Python; gdb does not start with it."""
    return {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


def look_at_core(core: Path, commands: list[str], kernel: Path | None = None, program: str = "gdb") -> str:
    """What gdb prints for `commands` on a core file."""
    arguments = [part for command in commands for part in ("-ex", command)]
    return subprocess.run(
        [find_gdb(program), "-nx", "-batch", *arguments, *([str(kernel)] if kernel else []), "-c", str(core)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout
