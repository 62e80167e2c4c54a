"""A copy of the tree without one architecture, and what must hold in it.

    python -m tests.arch.without x86      runs all neutral tests there, and says which parts fail

`test_without.py` runs the quick ones of them.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from tests import tree

FOLDERS = {
    "x86": (
        "hv/arch/x86", "native/engine/x86", "native/xen/x86", "isa/x86", "guests/lib/x86*", "guests/lib/pv*",
        "guests/lib/hvm*", "tests/arch/x86", "tests/isa/x86",
    ),
    "arm": (
        "hv/arch/arm", "native/engine/arm", "native/xen/arm", "isa/arm", "guests/lib/arm*", "tests/arch/arm",
        "tests/arm",
    ),
}  # fmt: skip
"""All that is an architecture's, its own tests included."""
NEUTRAL = (
    "tests/builder", "tests/devices", "tests/disk", "tests/isa", "tests/net", "tests/xenstore", "tests/toolstack/vnc",
    "tests/test_file_length.py", "tests/test_hypercall.py", "tests/test_schedulers.py", "tests/guests/test_guests.py",
)  # fmt: skip
"""Tests that need no guest, or take one of whichever architecture is there."""
QUICK = (
    "tests/builder", "tests/disk/test_disk.py", "tests/devices/test_bus.py", "tests/devices/test_pci_bus.py",
    "tests/devices/test_uart.py", "tests/net/test_options.py", "tests/test_file_length.py", "tests/test_hypercall.py",
    "tests/test_schedulers.py",
)  # fmt: skip
"""Some of them, of every kind."""
QUICK_GUESTS = (
    "tests/guests/test_guests.py", "-k", "evtchn_loopback-pvh64 or evtchn_loopback-arm64 or there_are_guests",
)  # fmt: skip

_IMPORT_ALL = """
import importlib, json, sys, traceback
from pathlib import Path

root, failed = Path.cwd(), {}
for path in sorted([*root.glob("hv/**/*.py"), *root.glob("isa/**/*.py")]):
    name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    try:
        module = importlib.import_module(name)
        assert Path(module.__file__).is_relative_to(root), f"{module.__file__} is of another tree"
    except Exception as error:
        frames = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
        own = [str(Path(file).relative_to(root)) for file in frames if Path(file).is_relative_to(root)]
        failed[name] = (own[-1] if own else "", repr(error))
print(json.dumps(failed))
"""


def copy(architecture: str) -> Path:
    """The tree without it, and its C compiled, unless that was done of the same files; by one process at a time."""
    with (tree.ROOT / "build" / f".without-{architecture}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = tree.copy_tree(f"without-{architecture}", FOLDERS[architecture])
        stamp, digest = found / ".built", _digest(found / "native")
        if not stamp.exists() or stamp.read_text() != digest:
            stamp.unlink(missing_ok=True)
            done = tree.build(found)
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
            stamp.write_text(digest)
    return found


def _digest(native: Path) -> str:
    """Of all that the module is made from."""
    made_of = hashlib.sha256(f"{sys.version} {metadata.version('unicorn')}".encode())
    for path in sorted(path for path in native.rglob("*") if path.suffix in (".c", ".h", ".S", ".def", ".py")):
        made_of.update(f"{path.relative_to(native)}\0".encode() + path.read_bytes())
    return made_of.hexdigest()


def run(found: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in a copy, on its own packages."""
    environment = {**os.environ, "PYTHONPATH": str(found)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=found, env=environment, capture_output=True, text=True, check=False
    )


def failed_imports(found: Path) -> dict[str, tuple[str, str]]:
    """Modules of `hv` and `isa` that cannot be imported: in which file that ended, and how."""
    done = run(found, "-c", _IMPORT_ALL)
    assert done.returncode == 0, done.stderr
    return {name: (file, error) for name, (file, error) in json.loads(done.stdout).items()}


def main(arguments: list[str]) -> int:
    """0: everything passed."""
    failed = []
    for architecture in arguments or FOLDERS:
        found = copy(architecture)
        for part in NEUTRAL:
            if part == "tests/isa" and not list((found / part).glob("*/test_*.py")):
                print(f"without {architecture}: {part}: has only {architecture}'s")
                continue
            done = tree.pytest(found, part)
            print(f"without {architecture}: {part}: {done.stdout.strip().splitlines()[-1]}")
            if done.returncode:
                failed.append(done.stdout + done.stderr)
    print("\n".join(failed)[-6000:])
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
