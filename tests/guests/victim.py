"""Another domain beside a fuzzing guest: what it has must stay as it is."""

import hashlib
from typing import Any

FRAMES = 256


def add_victim(hv: Any) -> tuple[Any, list[int], bytes]:
    """A domain with memory of its own, already shut down, so that the run does not wait for it."""
    victim = hv.create_domain("victim", memory_mib=1)
    frames = list(victim.alloc_frames(FRAMES))
    assert len(frames) == FRAMES
    for frame in frames:
        victim.write(frame << 12, hashlib.sha256(str(frame).encode()).digest() * 128)
    victim.c.shut_down = 1
    return victim, frames, contents(victim, frames)


def contents(domain: Any, frames: list[int]) -> bytes:
    """A digest of these frames."""
    return hashlib.sha256(b"".join(bytes(domain.frame(frame)) for frame in frames)).digest()
