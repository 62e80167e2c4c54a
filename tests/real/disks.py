"""File systems in files, made and judged by e2fsprogs without root."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

_TOOLS = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}


def _call(*command: str | Path) -> bytes:
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, env=_TOOLS).stdout


def make_ext4(image: Path, mib: int, files: dict[str, bytes], folders: Iterable[str] = ()) -> Path:
    """An ext4 file system with these files, by their paths and mode 755, and empty folders, in the file `image`."""
    tree = image.with_suffix(".tree")
    tree.mkdir()
    for folder in folders:
        (tree / folder).mkdir()
    for name, data in files.items():
        path = tree / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o755)
    _call("mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, image, f"{mib}M")
    return image


def check_ext4(image: Path) -> None:
    """e2fsck finds nothing wrong. CalledProcessError: it does."""
    _call("e2fsck", "-f", "-n", image)


def read_ext4(image: Path, name: str) -> bytes:
    """A file of a file system."""
    return _call("debugfs", "-R", f"cat {name}", image)
