"""A PC's screen and keyboard, deterministically: wait until a text is on the screen, then press keys.

The screen is looked at between slices of the run, whose ends are exact instruction counts (tests.real.conversation).
Pictures go to build/pictures, for people to look at.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hv import abi
from hv.devices import keys
from hv.hypervisor import Stop
from hv.toolstack.launch import Guest, GuestConfig, launch
from hv.toolstack.screenshot import screen_of
from tests.real import packages

PICTURES = Path(__file__).resolve().parents[2] / "build" / "pictures"
LOOK = 10_000_000
"""Instructions between two looks at the screen."""


def pc(kernel: Path | None = None, **config: Any) -> Guest:
    """A PC with SeaBIOS, off, with what GuestConfig is given."""
    firmware = packages.package("seabios") / "usr" / "share" / "seabios" / "bios-256k.bin"
    guest = launch(kernel, GuestConfig(kind="hvm", firmware=firmware, **config))
    guest.hv.slice = LOOK
    return guest


def text(guest: Guest) -> str:
    """What is on the screen, in a text mode."""
    return "\n".join(screen_of(guest.domain).text())


def wait(guest: Guest, expected: str, most: int, meanwhile: Callable[[], None] = lambda: None) -> str:
    """Run until this is on the screen; the whole of it. It must come within `most` instructions from now. `meanwhile`
    is called before each look."""

    def shown() -> bool:
        meanwhile()
        return expected in text(guest)

    guest.hv.run(max_insns=guest.hv.instructions + most, poll=shown)
    seen = text(guest)
    assert expected in seen, f"{expected!r} did not come; the screen says:\n{seen}\nand the console:\n{console(guest)}"
    return seen


def console(guest: Guest) -> str:
    """The end of what the first serial port has said."""
    return guest.console.text()[-2000:]


def press(guest: Guest, *names: str) -> None:
    """Keys one after the other, by the names of hv/devices/keyboard_us.txt."""
    for name in names:
        guest.hv.inputs.enter(guest.domain, "keyboard", keys.chord(name))


def type_text(guest: Guest, line: str) -> None:
    """Text on the PC's keyboard."""
    guest.hv.inputs.enter(guest.domain, "keyboard", keys.typed(line))


def powers_off(guest: Guest, most: int) -> None:
    """Run until the guest is off, by itself, and all is in order."""
    result = guest.hv.run(max_insns=guest.hv.instructions + most)
    assert result.stop is Stop.SHUTDOWN, f"{result}; the screen says:\n{text(guest)}"
    assert guest.domain.c.shutdown_code == abi.SHUTDOWN_poweroff and guest.hv.audit() == ""


def picture(guest: Guest, name: str) -> bytes:
    """The screen as a PNG, kept as build/pictures/NAME.png."""
    png = screen_of(guest.domain).png()
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / f"{name}.png").write_bytes(png)
    return png
