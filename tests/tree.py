"""A copy of the working tree under build/, to be built in another way (sanitizers) or with a fault planted in it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def copy_tree(name: str) -> Path:
    """Copy what git tracks, and new files that it does not ignore, to build/NAME; files that have not changed stay."""
    target = ROOT / "build" / name
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    wanted = {Path(os.fsdecode(item)) for item in listing.split(b"\0") if item}
    for path in sorted(wanted):
        source, copy = ROOT / path, target / path
        if not source.is_file():
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.exists() or copy.read_bytes() != source.read_bytes():
            shutil.copyfile(source, copy)
    return target


def build(tree: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Build the extension of a copied tree in place."""
    return subprocess.run(
        [sys.executable, "native/build.py"],
        cwd=tree,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def pytest(
    tree: Path, *arguments: str, timeout: float | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run pytest in a copied tree, on that tree's packages and not on the installed ones.

    Raises subprocess.TimeoutExpired, with all of its processes ended, after `timeout` seconds.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    process = subprocess.Popen(
        command,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)
