"""The states of a PC's devices as plain data, and back: each field checked, and what fields say together.

The devices themselves say what is there: a file is read for a machine whose devices have been made from its description
(hv.debug.saved_machine), and a device's state is what its `save()` gives, read by the shape of its class.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING, Any

from hv.debug.fields import FieldError, items
from hv.debug.saved_limits import LIMITS
from hv.debug.shapes import Shape, row, state_shape
from hv.devices.ata_disk import HardDisk
from hv.devices.hpet import Hpet
from hv.devices.ide import Ide
from hv.devices.pit import Pit
from hv.devices.pit_channel import NONE
from hv.devices.rtc import TIME_REGISTERS, Rtc
from hv.devices.usb_storage import UsbStorage
from hv.disk.image import SECTOR
from hv.net.port import Port

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hv.debug.saved_disks import OverlayShape
    from hv.devices.ata_drive import Drive, DriveState
    from hv.devices.device import Device

PACKET = 12
TRANSFER_STEPS = ("give", "ask", "stored", "move_slice", "verify_slice")
MOST_TICKS = 1 << 58
"""Between a match that was seen to and the counter: more than a machine's life."""


def states_digest() -> str:
    """SHA-256 of the fields that the states of devices have: files of others are not for us."""
    lines = [f"{cls.__name__} {' '.join(_names(cls))}" for cls in LIMITS]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _names(cls: Any) -> Sequence[str]:
    """Of the fields of a dataclass or a named tuple."""
    return [field.name for field in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else cls._fields


def device_shape(device: Device, overlay: OverlayShape) -> Shape:
    """The shape of what device.save() gives. `overlay`: the shapes of what was written to disks."""
    if isinstance(device, Ide):
        return _ide(device, overlay)
    if isinstance(device, Port):
        from hv.debug.saved_net import port_shape

        return port_shape(device)
    shape = state_shape(device.State, LIMITS)
    check = CHECKS.get(type(device))
    if check is not None:
        shape = _checked(shape, device.State, check)
    if isinstance(device, UsbStorage):
        return _and(shape, overlay(device.disk.overlay.capacity))
    return shape


def _and(shape: Shape, last: Shape) -> Shape:
    """What one shape says, and one value more."""

    def read(data: Any, what: str) -> Any:
        values = items(data, what, 1 << 16, 1)
        return (*shape(values[:-1], what), last(values[-1], what))

    return read


def _checked(shape: Shape, cls: type[Any], check: Callable[[Any, str], None]) -> Shape:
    """A shape whose values are those of a state that must pass a look at all of it as well."""

    def read(data: Any, what: str) -> Any:
        values = shape(data, what)
        check(cls(*values), what)
        return values

    return read


# ---- disks and their controller ----


def _ide(ide: Ide, overlay: OverlayShape) -> Shape:
    channels = row(*(
        row(state_shape(type(channel.state), LIMITS), state_shape(type(channel.master.state), LIMITS))
        for channel in ide.channels
    ))  # fmt: skip
    drives = row(*(_nothing if drive is None else _drive(drive, overlay) for drive in ide.drives))
    whole = state_shape(ide.State, LIMITS)
    # the controller's own state is its configuration space, which it saves as it is
    return row(lambda data, what: whole([data], what)[0], channels, drives)


def _nothing(data: Any, what: str) -> None:
    if data is not None:
        raise FieldError(f"{what}: there is no drive")


def _drive(drive: Drive, overlay: OverlayShape) -> Shape:
    state = _checked(
        state_shape(drive.State, LIMITS), drive.State,
        lambda state, what: _check_drive(state, what, disk=isinstance(drive, HardDisk)),
    )  # fmt: skip
    return row(state, _nothing if drive.disk is None else overlay(drive.disk.overlay.capacity))


def _check_drive(state: DriveState, what: str, *, disk: bool) -> None:
    """A step has a deadline; a transfer is within its length; what waits to be stored is whole sectors, or a packet."""
    reply: bytes = getattr(state, "reply", b"")
    waits = len(state.rest)
    stored = state.step == "stored"
    whole = waits == state.now and (waits % SECTOR == 0 if disk else waits == PACKET)
    under_way = state.moving or state.dma or state.step in TRANSFER_STEPS
    part = state.dma == "out" and waits < SECTOR and waits <= state.at
    good = (
        bool(state.step) == bool(state.deadline)
        and (state.at <= state.length or not under_way)
        and (not reply or state.length in (0, len(reply)))
        and (whole if stored else waits == 0 or part)
        and (state.step != "execute" or len(getattr(state, "packet", b"")) == PACKET)
        and (not state.dma or state.length > 0)
    )
    if not good:
        raise FieldError(f"{what}: no drive does that")


def _check_hpet(state: Any, what: str) -> None:
    if not 0 <= state.checked - state.counter < MOST_TICKS:
        raise FieldError(f"{what}: its counter has not been where it says")


def _check_pit(state: Any, what: str) -> None:
    for counter in state.counters:
        if counter.switch != NONE and not (counter.periodic and counter.initial and counter.reload):
            raise FieldError(f"{what}: no counter takes over a count like that")


def _check_rtc(state: Any, what: str) -> None:
    if len(state.held) not in (0, len(TIME_REGISTERS)):
        raise FieldError(f"{what}: it has not {len(state.held)} registers of time")


def _check_storage(state: Any, what: str) -> None:
    """What has moved is within what is to; what is kept of it was moved, or is the next to be."""
    moved = state.moved <= state.length <= state.expected
    kept = len(state.buffer) if state.stage == "out" else state.buffered
    if not moved or kept > state.moved:
        raise FieldError(f"{what}: no disk does that")


CHECKS: dict[type[Device], Callable[[Any, str], None]] = {
    Hpet: _check_hpet, Pit: _check_pit, Rtc: _check_rtc, UsbStorage: _check_storage,
}  # fmt: skip
"""What must be true of several fields together, by device."""
