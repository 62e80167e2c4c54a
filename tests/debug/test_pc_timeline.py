"""Time travel of PCs: in the middle of a disk transfer or of a change of the screen's mode, everything is there as in a
straight run, whichever way one came, and however code is cut into blocks."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hv.debug import stops
from hv.debug.timeline import Position, Timeline, Why
from hv.native import lib
from hv.testing.build import build_guest, find_guest
from hv.testing.disks import NumberedImage
from hv.toolstack.devices import DiskOptions
from hv.toolstack.launch import Guest, GuestConfig, launch
from tests.debug import pc_tour

END = 80_000
"""Beyond the end of the tour."""
LIMITS = (1, 7, 512)
DATA_SEQUENCER, CRTC_ROWS = 2, 6
Moment = Callable[[dict[str, Any]], bool]
MOMENTS: dict[str, Moment] = {
    "a block that is read by PIO": lambda devices: _drive(devices, 0).moving == "in",
    "a block that is written by PIO": lambda devices: _drive(devices, 0).moving == "out",
    "a bus master that reads": lambda devices: _drive(devices, 0).dma == "in",
    "a bus master that writes": lambda devices: _drive(devices, 0).dma == "out",
    "a packet of a CD-ROM drive": lambda devices: _drive(devices, 1).moving == "in",
    "half of a mode's registers": lambda devices: _half_a_mode(devices["vga"].state),
    "a linear mode, drawn in part": lambda devices: bool(devices["vga"].state.vbe[4] & 1),
}


def _drive(devices: dict[str, Any], number: int) -> Any:
    return devices["ide"].drives[number].state


def _half_a_mode(vga: Any) -> bool:
    """The sequencer is that of the planar mode, the CRTC's vertical total still that of text, or not set at all."""
    return vga.sequencer[DATA_SEQUENCER] == 0x0F and vga.crtc[CRTC_ROWS] != 0x0B


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pc_tour.prepare(tmp_path_factory.mktemp("pc"))


def middles(guest: Guest, step: int = 40) -> dict[str, int]:
    """The first count, of every `step`th, at which each of the moments is."""
    found: dict[str, int] = {}
    devices = guest.domain.platform.devices
    for count in range(0, END, step):
        guest.hv.run(max_insns=count)
        for name, moment in MOMENTS.items():
            if name not in found and moment(devices):
                found[name] = count
    return found


def test_in_the_middle_of_everything(folder: Path) -> None:
    """Back from there and to there again, a step at a time and from afar; each place is that of a straight run."""
    places = middles(pc_tour.start(folder))
    assert set(places) == set(MOMENTS)
    guest = pc_tour.start(folder)
    timeline, seen = Timeline(guest.hv, interval=4000), dict[Position, str]()

    def note() -> None:
        assert seen.setdefault(timeline.position, guest.hv.state_hash) == guest.hv.state_hash

    for name, count in sorted(places.items(), key=lambda place: -place[1]):
        timeline.goto(count)
        assert MOMENTS[name](guest.domain.platform.devices), name
        for move in (-1, -1, 1, 1, -700, 1400, -700):
            note()
            timeline.step(move)
        timeline.goto(0)
        timeline.goto(count)
        note()
        before = guest.hv.snapshot()
        guest.hv.run()
        end = guest.hv.state_hash
        guest.hv.restore(before)
        note()
        guest.hv.run()
        assert guest.hv.state_hash == end
        timeline.goto(count)
    straight = pc_tour.hashes(folder, seen)
    assert [str(place) for place in seen if seen[place] != straight[place]] == []


def test_movements_at_random(folder: Path) -> None:
    """To instructions and to accesses to memory that a disk is read to, both ways."""
    guest = pc_tour.start(folder)
    timeline, rng, seen = Timeline(guest.hv, interval=3000), random.Random(5), dict[Position, str]()
    points = [
        [stops.access(0x200000, 512)], [stops.access(0x220000, 4096)], [stops.access(0x200400, 8, stops.READ)],
        [stops.access(0x250000, 4)],
    ]  # fmt: skip
    whole = pc_tour.start(folder)
    whole.hv.run()
    met = 0
    for _ in range(160):
        match rng.randrange(5):
            case 0:
                moved = timeline.goto(rng.randrange(END))
            case 1:
                moved = timeline.step(rng.choice((1, -1, rng.randrange(-1500, 1500))))
            case 2 | 3:
                moved = timeline.run(rng.choice(points))
            case _:
                moved = timeline.run_back(rng.choice(points))
        if moved.why is Why.SHUTDOWN:
            assert guest.hv.state_hash == whole.hv.state_hash
            continue
        met += moved.why is Why.STOP_POINT
        assert seen.setdefault(moved.position, guest.hv.state_hash) == guest.hv.state_hash
    assert met > 20 and len(seen) > 45
    straight = pc_tour.hashes(folder, seen)
    assert [str(place) for place in seen if seen[place] != straight[place]] == []


@pytest.mark.parametrize("limit", LIMITS)
def test_block_limits_change_nothing(folder: Path, limit: int) -> None:
    """A run of blocks of any length is in the same state in the middle of everything, and can be moved through."""
    usual = pc_tour.start(folder)
    counts = [*sorted(middles(usual, 400).values()), END]
    expected = pc_tour.hashes(folder, [Position(count) for count in counts])
    guest = pc_tour.start(folder)
    lib.machine_set_block_limit(guest.hv.machine, limit)
    timeline = Timeline(guest.hv, interval=5000)
    for count in (*counts, *counts[::-1]):
        timeline.goto(count)
        assert guest.hv.state_hash == expected[Position(count)], count


# ---- a PV disk of a PC ----


def pv_disk(folder: Path) -> Guest:
    """A guest test of PV disks, on a PC."""
    contents = NumberedImage(256)
    (folder / "numbered.img").write_bytes(contents.read(0, contents.size))
    disks = (DiskOptions(str(folder / "numbered.img"), bus="xvd"),)
    kernel = build_guest(find_guest("blk_rw"), "hvm64")
    return launch(None, GuestConfig(kind="hvm", firmware=kernel, memory_mib=8, disks=disks))


@pytest.mark.parametrize("limit", LIMITS)
def test_a_pv_disk_of_a_pc(tmp_path: Path, limit: int) -> None:
    """Where requests are in its ring, and between its notes of what was written and the answers."""
    whole = pv_disk(tmp_path)
    send = stops.hypercall("event_channel_op", "send")
    places, expected = [], {}
    timeline = Timeline(whole.hv)
    while (moved := timeline.run([send])).why is Why.STOP_POINT:
        places.append(moved.position.count)
    assert moved.why is Why.SHUTDOWN and len(places) > 20
    end = whole.hv.state_hash
    chosen = sorted({count + more for count in places[:: len(places) // 8] for more in (0, 1)})
    straight = pv_disk(tmp_path)
    for count in chosen:
        straight.hv.run(max_insns=count)
        expected[count] = straight.hv.state_hash
    guest = pv_disk(tmp_path)
    lib.machine_set_block_limit(guest.hv.machine, limit)
    timeline = Timeline(guest.hv, interval=chosen[-1] // 7)
    for count in (*chosen, *chosen[::-1], *chosen[::2]):
        timeline.goto(count)
        assert guest.hv.state_hash == expected[count]
    timeline.goto(1 << 40)
    assert guest.hv.state_hash == end
