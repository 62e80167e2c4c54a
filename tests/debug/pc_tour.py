"""A small PC that uses its disks and its screen (pc_tour.c), and a straight run of it in a process of its own.

    python -m tests.debug.pc_tour FOLDER COUNT...

prints the state hash at each count, in ascending order.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from hv.debug.timeline import Position
from hv.net.options import parse_nic
from hv.toolstack.devices import DiskOptions
from hv.toolstack.launch import Guest, GuestConfig, launch
from tests.devices.flat32 import compiled

MEMORY_MIB = 4
SECTORS = 400


def prepare(folder: Path) -> Path:
    """Compile the program and make its disks in a folder, which is then what config_of() wants."""
    (folder / "tour.elf").write_bytes(compiled(folder, (Path(__file__).parent / "pc_tour.c").read_text()))
    for name in ("disk.img", "cd.iso"):
        (folder / name).write_bytes(random.Random(name).randbytes(512 * SECTORS))
    return folder


def config_of(folder: Path, *, much: bool = False) -> GuestConfig:
    """`much`: with network cards, and a USB with a disk, a tablet and a keyboard, beside what the program uses."""
    disks = (DiskOptions(str(folder / "disk.img")), DiskOptions(str(folder / "cd.iso"), cdrom=True))
    config = GuestConfig(kind="hvm", firmware=folder / "tour.elf", memory_mib=MEMORY_MIB, disks=disks)
    if not much:
        return config
    cards = tuple(parse_nic(nic, ("none",)) for nic in ("user", "switch=lan,model=rtl8139"))
    usb = DiskOptions(str(folder / "cd.iso"), bus="usb")
    return config._replace(disks=(*disks, usb), nics=cards, usb=("tablet", "keyboard"))


def start(folder: Path, *, much: bool = False) -> Guest:
    """The PC, before its first instruction."""
    return launch(None, config_of(folder, much=much))


def hashes(folder: Path, positions: Iterable[Position]) -> dict[Position, str]:
    """What the state hash is at each of these places, in a run without snapshots or stop points."""
    wanted = sorted(set(positions), key=lambda place: place.count)
    command = [sys.executable, "-m", "tests.debug.pc_tour", str(folder), *(str(place.count) for place in wanted)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(zip(wanted, done.stdout.split(), strict=True))


def main(folder: Path, counts: list[int]) -> None:
    guest = start(folder)
    for count in counts:
        guest.hv.run(max_insns=count)
        print(guest.hv.state_hash)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(word) for word in sys.argv[2:]])
