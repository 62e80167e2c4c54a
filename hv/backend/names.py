"""Virtual device numbers of PV disks: xvda, xvdb ... as numbers that front ends make the same names of; hda to hdd for
disks that a PC has on its IDE controller as well.

Facts: docs/man/xen-vbd-interface.7.pandoc: major 202 with 16 minors a disk; beyond 16 disks 1 << 28 with 256 a disk.
IDE disks have majors 3 and 22 with 64 minors a disk, two disks each. Linux calls the latter xvda to xvdd.
"""

from __future__ import annotations

import re

MAX_DISKS = 26
"""xvda to xvdz."""
_MAJOR, _CLASSIC = 202, 16
_EXTENDED = 1 << 28
_IDE_MAJORS, _IDE_DISKS, _IDE_MINORS = (3, 22), 2, 64
_NAME = re.compile(r"xvd([a-z])")


def disk_number(index: int) -> int:
    """The number of disk `index`, 0 being xvda. ValueError: there are not so many."""
    if not 0 <= index < MAX_DISKS:
        raise ValueError(f"disk {index}: there are {MAX_DISKS}, xvda to xvdz")
    return _MAJOR << 8 | index << 4 if index < _CLASSIC else _EXTENDED | index << 8


def disk_name(index: int) -> str:
    """xvda for 0. ValueError as disk_number()."""
    disk_number(index)
    return f"xvd{chr(ord('a') + index)}"


def disk_index(name: str) -> int:
    """0 for xvda. ValueError: it is no such name."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name}: not a PV disk; remedy: xvda to xvdz")
    return ord(match[1]) - ord("a")


def ide_number(index: int) -> int:
    """The number of drive `index` of an IDE controller, 0 being hda. ValueError: there are not so many."""
    if not 0 <= index < _IDE_DISKS * len(_IDE_MAJORS):
        raise ValueError(f"IDE drive {index}: there are hda to hdd")
    return _IDE_MAJORS[index // _IDE_DISKS] << 8 | index % _IDE_DISKS * _IDE_MINORS


def ide_name(index: int) -> str:
    """hda for 0. ValueError as ide_number()."""
    ide_number(index)
    return f"hd{chr(ord('a') + index)}"
