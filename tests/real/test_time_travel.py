"""Time travel under SeaBIOS: back and forth in the middle of its mode change and of its disk transfer."""

from pathlib import Path
from typing import Any

import pytest

from hv.debug import stops
from hv.debug.mode import mode_of
from hv.debug.timeline import Timeline, Why
from hv.toolstack.devices import DiskOptions
from hv.toolstack.launch import Guest
from tests.real.screens import pc

pytestmark = pytest.mark.real

# INT 10h: mode 13h; INT 13h: four sectors from the second on to 0000:8000; stop. DL is the drive that was booted from.
CODE = bytes.fromhex("31c0 8ed8 8ec0 b81300 cd10 b80402 b90200 b600 bb0080 cd13 fa f4")
CHAIN_4, MOST = 8, 100_000_000


def booted(image: Path) -> Guest:
    image.write_bytes(CODE.ljust(510, b"\0") + b"\x55\xaa" + bytes(range(256)) * 64)
    return pc(memory_mib=32, disks=(DiskOptions(str(image)),))


def in_the_middle(devices: dict[str, Any]) -> str:
    """Of what the guest is."""
    vga = devices["vga"].state
    if devices["ide"].drives[0].state.moving:
        return "a transfer"
    return "a mode change" if vga.sequencer[4] & CHAIN_4 and vga.graphics[5] & 0x40 == 0 else ""


def test_in_the_middle_of_what_the_firmware_does(tmp_path: Path) -> None:
    guest = booted(tmp_path / "disk")
    timeline, devices = Timeline(guest.hv), guest.domain.platform.devices
    start = timeline.run([stops.instruction(0x7C00)], limit=MOST)
    assert start.why is Why.STOP_POINT
    assert mode_of(guest.domain.vcpus[0]).name == "real mode"
    places: dict[str, int] = {}
    while guest.hv.instructions < start.position.count + 400_000 and len(places) < 2:
        if timeline.step(37).why is not Why.LIMIT:
            break
        places.setdefault(in_the_middle(devices), guest.hv.instructions)
        places.pop("", None)
    assert set(places) == {"a mode change", "a transfer"}
    straight, expected = booted(tmp_path / "disk"), {}
    for count in sorted({count + more for count in places.values() for more in (-1, 0, 1)}):
        straight.hv.run(max_insns=count)
        expected[count] = straight.hv.state_hash
    for what, count in sorted(places.items()):
        for move in (0, -1, 2, -1):
            timeline.goto(guest.hv.instructions + move if move else count)
            assert guest.hv.state_hash == expected[guest.hv.instructions]
        assert in_the_middle(devices) == what
    assert timeline.run_back([stops.instruction(0x7C00)]).position == start.position
    timeline.goto(MOST)
    straight.hv.run(max_insns=MOST)
    assert guest.hv.state_hash == straight.hv.state_hash
    assert guest.domain.read_physical(0x8000, 512) == bytes(range(256)) * 2
