"""What `hv debug` is to debug: a kernel to launch, a snapshot file, or a recording to be repeated."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from hv.builder.image import BuilderError
from hv.cli.session import config_of
from hv.debug import recording, snapshot_file
from hv.debug.container import is_of
from hv.debug.crash import crash_of, crashed, from_about
from hv.debug.crash_file import about_guest, kernel_image
from hv.debug.debugger import Debugger
from hv.debug.replay import Replay
from hv.debug.symbols import Symbols
from hv.debug.timeline import Timeline
from hv.toolstack.launch import Guest, launch

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["open_target"]


def open_target(path: str | Path | None, options: Any) -> Debugger:
    """A debugger that stands at the beginning of a guest's run, or at the last moment of a snapshot file: of a crash,
    before the instruction that brought it about. `options`: those of `hv debug`, by name; those of the guest are for
    kernels only. `path`: None for a PC without a kernel.

    BuilderError or container.FileFormatError, one line, when the file cannot be used.
    """
    memory = options.snapshot_memory << 20
    if path is None:
        return _of_options(path, options, memory)
    if is_of(path, snapshot_file.KIND):
        return _moments(path, memory)
    if os.path.isfile(path) and not os.path.getsize(path):
        raise BuilderError(str(path), "it is an empty file", "give a kernel, a snapshot file or a recording")
    if is_of(path, recording.KIND):
        recorded = recording.read(path)
        paths = (facts and facts.path for facts in (recorded.kernel, recorded.firmware))
        return _launched(about_guest(*paths), Replay(recorded).guest, memory)
    return _of_options(path, options, memory)


def _of_options(path: str | Path | None, options: Any, memory: int) -> Debugger:
    guest = launch(path, config_of(options))
    return _launched(about_guest(path, options.firmware), guest, memory)


def _launched(about: dict[str, Any], guest: Guest, memory: int) -> Debugger:
    debugger = Debugger(guest.hv, timeline=Timeline(guest.hv, memory=memory), symbols=Symbols(guest.image))
    debugger.about = about
    return debugger


def _moments(path: str | Path, memory: int) -> Debugger:
    loaded = snapshot_file.load(path)
    if not loaded.hv.domains:
        raise BuilderError(str(path), "there is no domain in it", "give a file that has one")
    timeline = Timeline(loaded.hv, memory=memory, moments=loaded.snapshots)
    debugger = Debugger(loaded.hv, timeline=timeline, symbols=Symbols(kernel_image(loaded.about)))
    debugger.about = loaded.about
    crash = from_about(loaded.about) or crash_of(loaded.hv)
    if crash is not None and crash.when == loaded.hv.instructions and crashed(loaded.hv):
        debugger.opened = f"the guest crashes here, at instruction {crash.when:,}: {crash}"
    debugger.goto(loaded.hv.instructions)
    return debugger
