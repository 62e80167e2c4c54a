"""The real gdb on a core file."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def look_at_core(core: Path, commands: list[str], kernel: Path | None = None, program: str = "gdb") -> str:
    """What gdb prints for `commands` on a core file; skips the test, saying so, where there is no such gdb."""
    gdb = shutil.which(program)
    if gdb is None:
        pytest.skip(f"{program} is not installed")
    # `make asan` loads the sanitizer's library into Python; gdb does not start with it
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    arguments = [part for command in commands for part in ("-ex", command)]
    return subprocess.run(
        [gdb, "-nx", "-batch", *arguments, *([str(kernel)] if kernel else []), "-c", str(core)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout
