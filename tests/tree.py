"""A copy of the working tree under build/, to be built in another way (sanitizers) or with a fault planted in it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPIED = ".copied"  # in a copy: the files that it was made of


def copy_tree(name: str, without: tuple[str, ...] = ()) -> Path:
    """Copy what git tracks, and new files that it does not ignore, to build/NAME; `without`: paths and patterns of
    paths that are left out, with all below. Files that have not changed stay, and what was copied once and is gone from
    the working tree goes: guests take every source of a folder."""
    target = ROOT / "build" / name
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    wanted = {path for item in listing.split(b"\0") if item and (ROOT / (path := Path(os.fsdecode(item)))).is_file()}
    wanted = {path for path in wanted if not any(_is_below(path, pattern) for pattern in without)}
    _forget(target, wanted)
    for path in sorted(wanted):
        source, copy = ROOT / path, target / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.exists() or copy.read_bytes() != source.read_bytes():
            shutil.copyfile(source, copy)
    (target / COPIED).write_text("".join(f"{path}\n" for path in sorted(wanted)))
    return target


def _is_below(path: Path, pattern: str) -> bool:
    return any(part.match(pattern) for part in (path, *path.parents) if len(part.parts) == pattern.count("/") + 1)


def _forget(target: Path, wanted: set[Path]) -> None:
    """Remove what an earlier copy holds and this one shall not; a copy without a list of its files goes as a whole."""
    listed = target / COPIED
    if not listed.exists():
        shutil.rmtree(target, ignore_errors=True)
        return
    for path in set(map(Path, listed.read_text().splitlines())) - wanted:
        (target / path).unlink(missing_ok=True)


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
