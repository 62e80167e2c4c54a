"""What the header comment of a guest's C file says about it.

The first comment of the file carries one tag a line; text that goes on is indented under it::

    /* @title   what is tested, in a few words
     * @fact    the fact that must hold
     * @source  manual section or Xen header that says so
     * @env     pv64
     * @vcpus   1
     * @memory  32
     * @cmdline count=100
     * @traps   GP:3 PF:*
     * @shutdown poweroff
     * @restarts 2
     * @disk    64
     * @nic     nat
     * @cdrom   16
     * @usb     tablet
     * @fep     on
     */
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DEFAULT_MEMORY_MIB = 16
_COMMENT = re.compile(r"/\*(.*?)\*/", re.DOTALL)
_TAG = re.compile(r"^\s*\*?\s*@(\w+)\s*(.*)$")
_KNOWN = {"title", "fact", "source", "env", "vcpus", "memory", "cmdline", "traps", "insns", "shutdown", "disk",
          "nic", "cdrom", "usb", "restarts", "fep"}
NICS = {"nat": "e1000", "nat e1000": "e1000", "nat rtl8139": "rtl8139"}
"""What @nic may be: which card a PC has then."""
USB = ("tablet", "keyboard", "disk")


class MetadataError(ValueError):
    """The header comment of a guest is missing or wrong: one line that names the file and the tag."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """One guest's header comment."""

    name: str
    title: str
    fact: str
    source: str
    environments: tuple[str, ...]
    vcpus: int = 1
    memory_mib: int = DEFAULT_MEMORY_MIB
    cmdline: str = ""
    traps: tuple[tuple[str, int | None], ...] = ()
    """Expected traps: vector name without '#' and count, None for any number above zero."""
    max_insns: int | None = None
    """Instructions after which the guest has certainly hung; None: the runner's default."""
    shutdown: str = "poweroff"
    """How the domain must end: a name of SHUTDOWN_*."""
    restarts: int = 0
    """How often the domain must have begun anew; above 0 it does so at each reboot, and a triple fault is one."""
    disk_sectors: int = 0
    """Sectors of a PV disk, xvda, or of a PC's first drive; each begins with its own number
    (hv.testing.disks); 0: there is none."""
    nic: str = ""
    """A PC's network card (others have a PV interface), with a NAT that leads nowhere; "": none."""
    cdrom_blocks: int = 0
    """Of a PC: blocks of the CD in a drive behind the disk; each begins with the number of its first sector."""
    forced_emulation: bool = False
    """There is the forced emulation prefix (`hv run --fep`)."""
    usb: tuple[str, ...] = ()
    """What a PC's USB controllers have, in this order; the disk is as the others."""


def _tags(path: Path, text: str) -> dict[str, str]:
    comment = _COMMENT.search(text)
    if comment is None:
        wanted = "@title, @fact, @source and @env; begin the file with one (docs/guest-tests.md)"
        raise MetadataError(f"{path}: no header comment with {wanted}")
    tags: dict[str, str] = {}
    current = ""
    for line in comment.group(1).splitlines():
        match = _TAG.match(line)
        if match:
            current = match.group(1)
            if current not in _KNOWN:
                raise MetadataError(f"{path}: unknown tag @{current} (known: {', '.join(sorted(_KNOWN))})")
            if current in tags:
                raise MetadataError(f"{path}: @{current} is there twice")
            tags[current] = match.group(2).strip()
        elif not (words := line.strip().lstrip("*").strip()):
            current = ""  # an empty line ends the tags: what follows is prose
        elif current:
            tags[current] = f"{tags[current]} {words}".strip()
    return tags


def _switch(path: Path, tags: dict[str, str], tag: str) -> bool:
    if tags.get(tag, "on") != "on":
        raise MetadataError(f"{path}: @{tag} {tags[tag]}: it can only be on")
    return tag in tags


def _number(path: Path, tags: dict[str, str], tag: str, otherwise: int) -> int:
    text = tags.get(tag, "")
    if not text:
        return otherwise
    if not text.isdigit() or int(text) < 1:
        raise MetadataError(f"{path}: @{tag} must be a number above zero, not {text!r}")
    return int(text)


def _trap(path: Path, text: str) -> tuple[str, int | None]:
    name, colon, count = text.partition(":")
    if not colon or not (count == "*" or count.isdigit()):
        raise MetadataError(f"{path}: @traps wants NAME:COUNT or NAME:*, not {text!r}")
    return name, None if count == "*" else int(count)


def _nic(path: Path, text: str) -> str:
    if text and text not in NICS:
        raise MetadataError(f"{path}: @nic must be one of {', '.join(NICS)}, not {text!r}")
    return NICS.get(text, "")


def _usb(path: Path, text: str) -> tuple[str, ...]:
    words = tuple(text.split())
    if set(words) - set(USB) or len(set(words)) < len(words):
        raise MetadataError(f"{path}: @usb wants some of {', '.join(USB)}, not {text!r}")
    return words


def read_metadata(path: Path) -> Metadata:
    """The header comment of a guest's C file. Raises MetadataError."""
    tags = _tags(path, path.read_text(encoding="utf-8"))
    missing = [tag for tag in ("title", "fact", "source", "env") if not tags.get(tag)]
    if missing:
        raise MetadataError(f"{path}: the header comment lacks {', '.join('@' + tag for tag in missing)}")
    return Metadata(
        name=path.stem,
        title=tags["title"],
        fact=tags["fact"],
        source=tags["source"],
        environments=tuple(tags["env"].split()),
        vcpus=_number(path, tags, "vcpus", 1),
        memory_mib=_number(path, tags, "memory", DEFAULT_MEMORY_MIB),
        cmdline=tags.get("cmdline", ""),
        traps=tuple(_trap(path, word) for word in tags.get("traps", "").split()),
        max_insns=_number(path, tags, "insns", 0) or None,
        shutdown=tags.get("shutdown", "poweroff"),
        restarts=_number(path, tags, "restarts", 0),
        forced_emulation=_switch(path, tags, "fep"),
        disk_sectors=_number(path, tags, "disk", 0),
        nic=_nic(path, tags.get("nic", "")),
        cdrom_blocks=_number(path, tags, "cdrom", 0),
        usb=_usb(path, tags.get("usb", "")),
    )
