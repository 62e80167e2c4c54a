"""Screenshots, for `hv screenshot` and for programs: the screen of a domain that is here, `screen_of()` and
`find_screen()`, or of one in a snapshot file as a PNG, `snapshot_png()`.

Looking changes nothing: a screenshot can be taken between any two slices of a run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.devices.screen import Screen
from hv.devices.vga import Vga

if TYPE_CHECKING:
    from pathlib import Path

    from hv.domain import Domain
    from hv.hypervisor import Hypervisor


class NoScreenError(Exception):
    """There is nothing to take a picture of, in one line."""


def screen_of(domain: Domain) -> Screen:
    """The screen of a domain. NoScreenError: it has no VGA."""
    platform = domain.platform
    for device in platform.devices.values() if platform is not None else ():
        if isinstance(device, Vga):
            return Screen(device)
    raise NoScreenError(
        f"domain {domain.name}: it has no screen; remedy: run the guest under full virtualisation (hv run --type hvm)"
    )


def find_screen(hv: Hypervisor, name: str | None = None) -> Screen:
    """The screen of the domain of this name or number; without one, of the first domain that has any. NoScreenError:
    there is none."""
    domains = sorted(hv.domains.values(), key=lambda domain: domain.domid)
    if name is not None:
        for domain in domains:
            if name in (domain.name, str(domain.domid)):
                return screen_of(domain)
        known = ", ".join(domain.name for domain in domains) or "none"
        raise NoScreenError(f"{name}: there is no such domain; remedy: name one of these: {known}")
    refused = NoScreenError("there is no domain; remedy: give a snapshot of a guest")
    for domain in domains:
        try:
            return screen_of(domain)
        except NoScreenError as error:
            refused = error
    raise refused


def snapshot_png(path: str | Path, name: str | None = None, moment: int = -1) -> bytes:
    """The screen in a snapshot file, at its last moment or another. NoScreenError; SnapshotFileError, OSError: it is no
    file to read; IndexError: it has no such moment."""
    from hv.debug.snapshot_file import load  # takes the debugger's modules along

    loaded = load(path)
    if moment != -1:
        loaded.hv.restore(loaded.snapshots[moment])
    return find_screen(loaded.hv, name).png()
