"""What `hv debug` is to debug: a kernel to launch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hv.debug.debugger import Debugger
from hv.debug.symbols import symbols_of
from hv.debug.timeline import Timeline
from hv.hypervisor import DEFAULT_QUANTUM
from hv.toolstack.launch import GuestConfig, launch

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["open_target"]


def open_target(path: str | Path, options: Any) -> Debugger:
    """A debugger that stands at the beginning of a guest's run. `options`: those of `hv debug`, by name.

    BuilderError, one line, when the file cannot be used.
    """
    config = GuestConfig(
        memory_mib=options.memory,
        vcpus=options.vcpus,
        cmdline=options.cmdline,
        ramdisk=options.ramdisk,
        quantum=options.quantum or DEFAULT_QUANTUM,
        seed=options.seed,
        scheduler=options.scheduler,
    )
    guest = launch(path, config)
    timeline = Timeline(guest.hv, memory=options.snapshot_memory << 20)
    return Debugger(guest.hv, timeline=timeline, symbols=symbols_of(guest.image))
