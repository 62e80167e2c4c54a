"""States of devices that a file may bring: with what passes the checks, a guest can do nothing that harms the host."""

from __future__ import annotations

import copy
import json
import os
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hv.debug.fields import FieldError
from hv.debug.saved_devices import device_shape
from hv.debug.saved_disks import DiskParts
from hv.debug.shapes import Shape, plain
from hv.devices.device import Device
from hv.devices.screen import Screen
from hv.devices.usb import IN, OUT, SETUP, UsbDevice
from hv.devices.usb_storage import UsbStorage
from hv.devices.vga import Vga
from hv.disk.overlay import Overlay
from hv.toolstack.launch import Guest
from tests.debug import pc_tour
from tests.debug.damage import number
from tests.devices.ata_driver import disk_of
from tests.devices.machine import TestMachine

TRIALS = int(os.environ.get("XENLAB_DAMAGES", "60"))
"""States that are tried of each device."""
ACCESSES = 12
MOMENTS = (0, 1_100, 14_500, 40_200, 57_800)


def leaves(value: Any, path: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Where the numbers, flags, texts and bytes of a plain value are."""
    if not isinstance(value, list):
        yield path
        return
    for index, item in enumerate(value):
        yield from leaves(item, (*path, index))


def other(value: Any, rng: random.Random) -> Any:
    """Another value of the type, likely to be one that still passes."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return rng.choice((number(rng, 8), number(rng, 16), number(rng, 32), number(rng, 62), -1, value + 1, value - 1))
    if isinstance(value, str) and len(value) % 2 == 0 and set(value) <= set("0123456789abcdef"):
        length = rng.choice((len(value) // 2, rng.randrange(600), 1, 12, 512))
        return rng.randbytes(length).hex()
    return rng.choice(("", "in", "out", "give", "ask", "stored", "move_slice", "execute", "verify_slice", "chs"))


def changed(value: Any, rng: random.Random) -> Any:
    """A state with some of its values replaced."""
    made = [copy.deepcopy(value)]
    for path in rng.sample(places := list(leaves(made[0], (0,))), min(len(places), rng.choice((1, 1, 2, 4, 12)))):
        holder = made
        for index in path[:-1]:
            holder = holder[index]
        holder[path[-1]] = other(holder[path[-1]], rng)
    return made[0]


def usb_request(rng: random.Random) -> bytes:
    """Often one that the device has."""
    kind = rng.choice((0x80, 0x81, 0x00, 0x01, 0x21, 0xA1, rng.randrange(256)))
    return bytes([kind, rng.randrange(12), rng.randrange(3), rng.randrange(4), 0, 0, rng.choice((0, 8, 64)), 0])


def poke(guest: Guest, device: Device, rng: random.Random) -> None:
    """Accesses of every width to what the device answers, time that comes, frames and keys, a look at the screen."""
    platform = guest.domain.platform
    for bus in (platform.ports, platform.memory):
        for region in [region for region in bus._regions if region.base is not None]:
            for _ in range(ACCESSES if region.size < 4096 else 3):
                at, size = region.base + rng.randrange(region.size), rng.choice((1, 2, 4))
                if rng.random() < 0.5:
                    bus.read(at, size)
                else:
                    bus.write(at, size, number(rng, 8 * size))
    for _ in range(6):
        device.timer()
    device.accept(rng.choice((b"press a\nrelease a", b"move 3 4\nat 5 6\nwheel 3", rng.randbytes(70))))
    if isinstance(device, UsbDevice):
        for _ in range(ACCESSES):
            out = rng.randbytes(rng.choice((0, 31, 64)))
            kind, data = rng.choice(((SETUP, usb_request(rng)), (IN, b""), (OUT, out)))
            device.token(kind, rng.choice((0, 0, 1, 2)), data)
    if isinstance(device, Vga):
        Screen(device).png()
    device.canonical()


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Guest:
    folder: Path = pc_tour.prepare(tmp_path_factory.mktemp("pc"))
    return pc_tour.start(folder, much=True)


def described(device: Device) -> tuple[Any, Shape]:
    """A device's state as plain data, and the shape that reads it."""
    overlays: list[Overlay] = []

    def add(overlay: Overlay) -> int:
        overlays.append(overlay)
        return len(overlays) - 1

    return plain(device.save(), add), device_shape(device, DiskParts([], overlays).overlay)


def names(guest: Guest) -> list[str]:
    return list(guest.domain.platform.devices)


def test_states_come_back_as_they_were(guest: Guest) -> None:
    """Of the very types, for the state hash is of their text."""
    for count in MOMENTS:
        guest.hv.run(max_insns=count)
        for name, device in guest.domain.platform.devices.items():
            written, shape = described(device)
            read = shape(json.loads(json.dumps(written)), name)
            assert read == device.save() and repr(read) == repr(device.save())


def test_states_that_pass_are_harmless(guest: Guest) -> None:
    start = guest.hv.snapshot()
    taken: dict[str, int] = {}
    for index, name in enumerate(names(guest)):
        guest.hv.restore(start)
        device = guest.domain.platform.devices[name]
        good, shape = described(device)
        for trial in range(TRIALS):
            rng = random.Random(index * 1_000_003 + trial)
            try:
                state = shape(changed(good, rng), name)
            except FieldError:
                continue
            taken[name] = taken.get(name, 0) + 1
            guest.hv.restore(start)
            try:
                device.load(state)
                poke(guest, device, rng)
            except Exception as error:
                raise AssertionError(f"{name}, trial {trial}: {state!r}") from error
    guest.hv.restore(start)
    assert len(taken) > 12 and min(taken.values()) > TRIALS // 20, taken


STORAGE = {"stage": "in", "length": 512, "moved": 128, "buffered": 64, "expected": 1024}


@pytest.mark.parametrize(("fields", "good"), [
    ({}, True), ({"length": 1025}, False), ({"moved": 513}, False), ({"buffered": 129}, False),
    ({"stage": "status", "length": 0}, False), ({"stage": "out", "buffer": bytes(128)}, True),
    ({"stage": "out", "buffer": bytes(129)}, False),
])  # fmt: skip
def test_how_far_a_transfer_of_a_usb_disk_can_be(tmp_path: Path, fields: dict[str, Any], good: bool) -> None:
    disk = UsbStorage(TestMachine(), disk_of(tmp_path, bytes(4096)))
    for name, value in (STORAGE | fields).items():
        setattr(disk.state, name, value)
    written, shape = described(disk)
    if good:
        assert shape(written, "disk") == disk.save()
    else:
        with pytest.raises(FieldError, match="no disk does that"):
            shape(written, "disk")


def test_what_is_no_command_block_leaves_a_usb_disks_transfer_as_it_was(tmp_path: Path) -> None:
    """Else the next snapshot file would not be taken."""
    disk = UsbStorage(TestMachine(), disk_of(tmp_path, bytes(4096)))
    disk.state.configuration = 1
    inquiry = bytes([0x12, 0, 0, 0, 36, 0])
    assert disk.token(OUT, 2, struct.pack("<4sIIBBB16s", b"USBC", 1, 36, 0x80, 0, 6, inquiry)) == b""
    assert len(disk.token(IN, 1)) == 36 and len(disk.token(IN, 1)) == 13
    disk.token(OUT, 2, struct.pack("<4sIIBBB16s", b"NONE", 2, 0, 0x80, 0, 6, inquiry))
    written, shape = described(disk)
    assert disk.state.lost and shape(written, "disk") == disk.save()
