"""Recordings of ARM guests with anything changed in them: refused in a line, another run, or the same."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from pathlib import Path

import pytest

from hv.builder.image import BuilderError
from hv.debug import container
from hv.debug.recording import KIND, Recorder, RecordingError, read
from hv.debug.replay import Difference, Replay
from hv.inputs import ReplayError
from hv.testing.build import build_guest, find_guest
from hv.toolstack.launch import GuestConfig, launch
from tests.debug.damage import change

TRIES = 5_000 if os.environ.get("XENLAB_LONG_FUZZ") else 120
MACHINES = {"arm64": (("gic_version", "v3"), ("vuart", "sbsa_uart")), "arm32": ()}
MEMORY_MIB = 16
MOST_MIB = 256
"""More is not tried: it would be taken from the host's memory as the recording says."""


def recorded(path: Path, env: str) -> Path:
    """A guest that waits for a line, typed in two pieces."""
    kernel = build_guest(find_guest("console_ring"), env)
    config = GuestConfig(memory_mib=MEMORY_MIB, vcpus=2, cmdline="a=1 b", machine=MACHINES[env])
    guest = launch(kernel, config)
    recorder = Recorder(guest.hv, config, kernel)
    guest.hv.run(max_insns=500)
    guest.console.feed(b"on")
    guest.hv.run()
    guest.console.feed(b"e two\n")
    recorder.write(path, guest.hv.run().stop.value)
    return path


def attempt(path: Path) -> str:
    """What comes of a file."""
    try:
        recording = read(path)
        if recording.config.memory_mib > MOST_MIB:
            return "large"
        replay = Replay(recording)
        replay.run()
    except (RecordingError, BuilderError, Difference, ReplayError) as error:
        assert "\n" not in str(error)
        return type(error).__name__
    assert replay.guest.hv.audit() == ""
    return "repeated"


@pytest.mark.parametrize("env", MACHINES)
def test_a_changed_recording(tmp_path: Path, env: str) -> None:
    good, path = recorded(tmp_path / "good", env), tmp_path / "f"
    assert attempt(good) == "repeated"
    draw, seen = random.Random(env), Counter[str]()
    for _ in range(TRIES):
        with container.Reader(good, KIND) as reader:
            parts = {name: reader.json(name) for name in (b"ABOU", b"INPU")}
        change(parts[draw.choice((b"ABOU", b"ABOU", b"INPU"))], draw)
        container.write(path, KIND, {name: [json.dumps(part).encode()] for name, part in parts.items()})
        seen[attempt(path)] += 1
    assert {"repeated", "RecordingError", "Difference"} <= set(seen), seen
