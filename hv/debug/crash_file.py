"""A file to look back from a crash: moments of the run up to it, of which the last is the crash itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.builder.image import BuilderError
from hv.builder.load import load_kernel
from hv.debug.crash import plain
from hv.debug.moments import Moments
from hv.debug.recording import file_facts
from hv.debug.snapshot_file import save

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from hv.builder.image import KernelImage
    from hv.debug.crash import Crash
    from hv.hypervisor import Hypervisor
    from hv.snapshot import Snapshot

FIRST_GAP = 1 << 20
"""Instructions between two moments at first."""
MEMORY = 256 << 20
"""Bytes that the moments may take in all."""
MOST = 64
"""Moments in a file."""


def about_guest(kernel: str | Path | None, firmware: str | Path | None = None, **facts: Any) -> dict[str, Any]:
    """What a snapshot file says of its guest: the kernel, or what was entered in place of firmware, so that symbols can
    be found (both None: it was given none), and further facts. OSError: it cannot be read."""
    program = firmware if kernel is None else kernel
    return facts if program is None else {"kernel": list(file_facts(program)), **facts}


def kernel_image(about: dict[str, Any]) -> KernelImage | None:
    """The kernel that about_guest() named, for its symbols; None when that file is not there any more, or another."""
    try:
        path, digest = about["kernel"]
        return load_kernel(path) if file_facts(path).sha256 == digest else None
    except (BuilderError, OSError, KeyError, TypeError, ValueError):
        return None


def write_crash(
    path: str | Path, hv: Hypervisor, moments: Sequence[Snapshot], about: dict[str, Any], crash: Crash | None = None
) -> None:
    """Write `moments` of the run of `hv`, oldest first, and the state in which it is now. `crash`: why, if it
    has crashed. OSError."""
    save(path, hv, [*moments, hv.snapshot()], with_crash(about, crash))


def with_crash(about: dict[str, Any], crash: Crash | None) -> dict[str, Any]:
    """What a file says of its guest, with the crash in which it ends, or without one that it has had elsewhere."""
    kept = {name: value for name, value in about.items() if name != "crash"}
    return kept if crash is None else kept | {"crash": plain(crash)}


def moments_of(hv: Hypervisor) -> Moments:
    """What is to be kept of a run that may crash."""
    return Moments(hv, gap=FIRST_GAP, memory=MEMORY, most=MOST)
