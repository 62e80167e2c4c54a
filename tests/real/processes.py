"""The same guest in several processes: what must not differ between them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST_SECONDS = 1200


def start(seed: str, module: str, *arguments: str) -> subprocess.Popen[str]:
    """`python -m MODULE ARGUMENTS` with this PYTHONHASHSEED; ended() waits for it."""
    command, env = [sys.executable, "-m", module, *arguments], {**os.environ, "PYTHONHASHSEED": seed}
    return subprocess.Popen(command, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE)


def ended(run: subprocess.Popen[str]) -> str:
    """What it has printed."""
    said = run.communicate(timeout=MOST_SECONDS)[0]
    assert run.returncode == 0
    return said


def outcomes(guest: str, seeds: tuple[str, ...] = ("1", "2")) -> set[str]:
    """What `python -m tests.real.conversation GUEST` prints with each PYTHONHASHSEED, all at the same time."""
    return {ended(run) for run in [start(seed, "tests.real.conversation", guest) for seed in seeds]}
