"""Sessions that documents show, run anew: what they say is what a reader gets.

    python -m tests.sessions        writes what the runs say into the pages, where it is not what they show

`test_sessions.py` compares. In a page, an indented block that begins with `$ hv` is commands with what they print
(stdout, then stderr), all in one folder, empty at first; one that begins with `(hv)` is a session of the debugger with
the tour. A block with `#include <guest.h>` is the file that the sentence before it ends with: `mine.c`:
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from hv.testing.build import build_guest, find_guest

ROOT = Path(__file__).resolve().parent.parent
PAGES = {"README.md": None, "docs/arm.md": "arm64", "docs/debug.md": "pv64"}
"""The pages, and what the tour of their sessions of the debugger is built for; None: those are not whole sessions."""
_BLOCK = re.compile(r"((?:^    .*\n(?:\n(?=    ))*)+)", re.MULTILINE)
_SECONDS = re.compile(r"\(\d+\.\d\d s\)")


def rewritten(page: str) -> str:
    """A page's text with what its sessions print now."""
    parts = _BLOCK.split((ROOT / page).read_text())
    with tempfile.TemporaryDirectory() as folder:
        for at in range(1, len(parts), 2):
            block = re.sub("^    ", "", parts[at], flags=re.MULTILINE)
            if "#include <guest.h>\n" in block:
                (named,) = re.findall(r"`(\w+\.c)`:\n\n$", parts[at - 1])
                (Path(folder) / named).write_text(block)
            else:
                parts[at] = _indented(_session(block, Path(folder), PAGES[page]), parts[at])
    return "".join(parts)


def _session(block: str, folder: Path, tour: str | None) -> str:
    if block.startswith("$ hv "):
        lines = re.findall(r"^\$ (.*)", block, re.MULTILINE)
        return "".join(f"$ {line}\n{_hv(shlex.split(line)[1:], folder)}" for line in lines)
    # Both sessions of docs/debug.md and docs/arm.md begin so; other blocks show how a command looks.
    if tour is not None and block.startswith("(hv) break-hypercall "):
        commands = [word for line in re.findall(r"^\(hv\) (.*)", block, re.MULTILINE) for word in ("--command", line)]
        return _hv(["debug", str(build_guest(find_guest("tour"), tour)), "--memory", "8", *commands], folder)
    return block


def _hv(words: list[str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "hv.cli.main", *words], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return (done.stdout + done.stderr).replace("\n\n", "\n").lstrip("\n")


def _indented(text: str, before: str) -> str:
    """As a block of a page; how long a run took stays as the page has it, and so does what follows it."""
    shown = _SECONDS.findall(before)
    text = _SECONDS.sub(lambda found: shown.pop(0) if shown else found[0], text)
    return "".join(f"    {line}".rstrip() + "\n" for line in text.splitlines())


def main() -> int:
    """Write the pages that are out of date, and name them."""
    for page in PAGES:
        text = rewritten(page)
        if text != (ROOT / page).read_text():
            (ROOT / page).write_text(text)
            print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
