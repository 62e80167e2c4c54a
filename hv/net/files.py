"""The files of a folder that a guest may read by name, and nothing else of the host's."""

from __future__ import annotations

from pathlib import Path


def open_below(folder: Path, name: str) -> tuple[Path, int] | None:
    """The regular file that `name` means below `folder`, links followed, and its size in bytes; None: there is none, or
    it lies elsewhere."""
    try:
        root = folder.resolve(strict=True)
        path = (root / name.replace("\\", "/").lstrip("/")).resolve(strict=True)
        return (path, path.stat().st_size) if path.is_relative_to(root) and path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # no such file; a zero byte; a loop of links
        return None


def read_part(path: Path, offset: int, length: int) -> bytes | None:
    """Some bytes of a file, fewer at its end; None: it cannot be read any more."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(length)
    except (OSError, ValueError, OverflowError):
        return None
