"""Files that several processes of one run of the tests want: one of them makes each, and the others wait for it."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path


def made_once(path: Path, make: Callable[[Path], object]) -> Path:
    """`path`. Where it is not there yet, make(temporary) writes it under another name, so it is never half there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            temporary = path.with_name(f".{path.name}.new")
            make(temporary)
            temporary.rename(path)
    return path
