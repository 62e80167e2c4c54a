"""A file to look back from a crash: moments of the run up to it, of which the last is the crash itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.builder.image import BuilderError
from hv.builder.load import load_kernel
from hv.debug.recording import file_facts
from hv.debug.snapshot_file import save

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from hv.builder.image import KernelImage
    from hv.hypervisor import Hypervisor
    from hv.snapshot import Snapshot

FIRST_GAP = 1 << 20
"""Instructions between two moments at first."""
MEMORY = 256 << 20
"""Bytes that the moments may take in all."""


def about_guest(kernel: str | Path, **facts: Any) -> dict[str, Any]:
    """What a snapshot file says of its guest: the kernel, so that symbols can be found, and further facts."""
    return {"kernel": list(file_facts(kernel)), **facts}


def kernel_image(about: dict[str, Any]) -> KernelImage | None:
    """The kernel that about_guest() named, for its symbols; None when that file is not there any more, or another."""
    try:
        path, digest = about["kernel"]
        return load_kernel(path) if file_facts(path).sha256 == digest else None
    except (BuilderError, OSError, KeyError, TypeError, ValueError):
        return None


def write_crash(path: str | Path, hv: Hypervisor, moments: Sequence[Snapshot], about: dict[str, Any]) -> None:
    """Write `moments` of the run of `hv`, oldest first, and the state in which it is now. OSError."""
    save(path, hv, [*moments, hv.snapshot()], about)


class Moments:
    """Moments of a run from its start on, at growing distances. `due`: the count at which `reached()` is to be called.

    When they take more than MEMORY, every second one is given up and the gaps double; the first stays.
    """

    def __init__(self, hv: Hypervisor, gap: int = FIRST_GAP, memory: int = MEMORY) -> None:
        self._hv = hv
        self._gap = gap
        self._memory = memory
        self.snapshots = [hv.snapshot()]
        self.due = hv.instructions + gap

    def reached(self) -> None:
        """The run stands at `due`: keep this moment."""
        self.snapshots.append(self._hv.snapshot())
        while len(self.snapshots) > 2 and self.snapshots[-1].held > self._memory:
            del self.snapshots[1::2]
            self._gap *= 2
        if len(self.snapshots) >= 64:
            del self.snapshots[1::2]
            self._gap *= 2
        self.due = self._hv.instructions + self._gap
