"""The same conversation in several processes: what must not differ between them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def outcomes(guest: str, seeds: tuple[str, ...] = ("1", "2")) -> set[str]:
    """What `python -m tests.real.conversation GUEST` prints with each PYTHONHASHSEED, all at the same time."""
    runs = [
        subprocess.Popen([sys.executable, "-m", "tests.real.conversation", guest], cwd=ROOT, text=True,
                         env={**os.environ, "PYTHONHASHSEED": seed}, stdout=subprocess.PIPE)
        for seed in seeds
    ]
    said = {run.communicate(timeout=1200)[0] for run in runs}
    assert all(run.returncode == 0 for run in runs)
    return said
