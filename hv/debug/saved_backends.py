"""PV devices as plain data, and back: what each was made of, and what its back end remembers. What the guest sees of
them is in xenstore and in the arena; requests are never under way between two instructions of a guest.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

from hv import abi
from hv.backend.block import MAX_RING_ORDER, BlockLink
from hv.backend.block_requests import PROTOCOLS, ring_layout
from hv.backend.names import MAX_DISKS
from hv.backend.net import NetLink
from hv.backend.net_frames import RX_ENTRY, TX_ENTRY
from hv.backend.ring import RingState
from hv.debug.fields import FieldError, flag, hexbytes, items, number
from hv.debug.saved_machine import nic_from, nic_plain
from hv.debug.saved_net import NAT, SWITCH_PORT
from hv.debug.shapes import U32, Shape, integer, many, maybe, one_of, plain, row
from hv.disk.overlay import BLOCK
from hv.native import lib
from hv.toolstack.backends import backends_of, port_name
from hv.toolstack.pv_specs import DISKS, CardSpec, DiskSpec, DriveSpec, NicSpec, Spec
from hv.toolstack.twins import specs as twin_specs

if TYPE_CHECKING:
    from hv.debug.saved_disks import DiskParts, Images, Overlays
    from hv.domain import Domain

MOST_DEVICES = 256
CHANNEL = integer(int(lib.HV_MAX_PORTS) - 1, 1)
STATE = integer(int(abi.XenbusStateReconfigured))
INDEX = integer(U32)
KINDS: dict[type[Spec], str] = {DiskSpec: "disk", NicSpec: "nic", DriveSpec: "drive", CardSpec: "card"}


class ReadBackends(NamedTuple):
    """The value of Backends.save(), and the shapes of what the ports of its interfaces save, by the ports' names."""

    saved: tuple[Any, ...]
    ports: dict[str, Shape]


# ---- writing ----


def backends_plain(saved: Any, where: tuple[Any, ...], images: Images, overlays: Overlays) -> list[Any]:
    """What Backends.save() gave; `where` tells domains apart. OSError: an image cannot be read."""
    found = []
    for spec, state in saved:
        kind = KINDS[type(spec)]
        written = functools.partial(overlays.add, disk=(*where, kind, spec.number))
        found.append([kind, _spec_plain(spec, images), plain(state, written)])
    return found


def _spec_plain(spec: Spec, images: Images) -> list[Any]:
    if isinstance(spec, (DriveSpec, CardSpec)):
        return [spec.number]
    if isinstance(spec, NicSpec):
        return [spec.number, spec.mac.hex(), nic_plain(spec.options), spec.timer]
    return [spec.number, images.add(spec.image, cdrom=False), spec.read_only, spec.cdrom, spec.limit]


# ---- reading ----


def _ring(entry: int, *pages: int) -> Shape:
    sizes = [row(many(INDEX, count, count), one_of(entry), INDEX, INDEX, make=RingState._make) for count in pages]

    def read(data: Any, what: str) -> Any:
        refs = items(items(data, what, 4, 4)[0], what, max(pages), 1)
        if len(refs) not in pages:
            raise FieldError(f"{what} has {len(refs)} pages")
        return sizes[pages.index(len(refs))](data, what)

    return read


def _block_link(data: Any, what: str) -> BlockLink:
    layout = one_of(*PROTOCOLS.values())(items(data, what, 3, 3)[2], what)
    ring = _ring(ring_layout(layout).entry, *(1 << order for order in range(MAX_RING_ORDER + 1)))
    link: BlockLink = row(ring, CHANNEL, one_of(layout), make=BlockLink._make)(data, what)
    return link


NET_LINK = row(_ring(TX_ENTRY, 1), _ring(RX_ENTRY, 1), CHANNEL, CHANNEL, flag, make=NetLink._make)
NIC_STATE = row(STATE, maybe(NET_LINK), one_of(None))


def backends_from(domain: Domain, data: Any, parts: DiskParts) -> ReadBackends:
    """The reverse of backends_plain(), for a domain that has no PV devices yet or those of another moment. FieldError:
    they cannot be."""
    saved: list[tuple[Spec, Any]] = []
    for entry in items(data, "PV devices", MOST_DEVICES):
        kind, spec, state = items(entry, "a PV device", 3, 3)
        if kind == "disk":
            saved.append(_disk_from(spec, state, parts))
        elif kind == "nic":
            saved.append(_nic_from(spec, state))
        elif kind in ("drive", "card"):
            saved.append(_twin_from(domain, kind, spec, state))
        else:
            raise FieldError("there is no such PV device")
    _check_numbers(domain, [spec for spec, _ in saved])
    ports = {
        port_name(spec.number): SWITCH_PORT if spec.options.switch else NAT
        for spec, _ in saved if isinstance(spec, NicSpec)
    }  # fmt: skip
    return ReadBackends(tuple(saved), ports)


def _disk_from(spec: Any, state: Any, parts: DiskParts) -> tuple[DiskSpec, Any]:
    index, image, read_only, cdrom, limit = items(spec, "a PV disk", 5, 5)
    found = parts.images[number(image, "image of a PV disk", len(parts.images) - 1)]
    made = DiskSpec(
        number(index, "number of a PV disk", MAX_DISKS - 1), found, flag(read_only, "a PV disk"),
        flag(cdrom, "a PV disk"), None if limit is None else number(limit, "limit of a PV disk", 1 << 62),
    )  # fmt: skip
    written = parts.overlay(-(-found.size // BLOCK))
    return made, row(STATE, maybe(_block_link), written)(state, f"PV disk {index}")


def _nic_from(spec: Any, state: Any) -> tuple[NicSpec, Any]:
    index, mac, options, timer = items(spec, "a PV interface", 4, 4)
    made = NicSpec(
        number(index, "number of a PV interface", 0xFFFF), hexbytes(mac, "a PV interface", exactly=6),
        nic_from(options, ("", "xen")), number(timer, "timer of a PV interface", int(lib.HV_TIMERS) - 1),
    )  # fmt: skip
    return made, NIC_STATE(state, f"PV interface {index}")


def _twin_from(domain: Domain, kind: str, spec: Any, state: Any) -> tuple[Spec, Any]:
    """A disk or a card that the domain's PC has; what was written to it is not kept here."""
    (index,) = items(spec, "a PV device", 1, 1)
    for known in twin_specs(domain):
        if KINDS[type(known)] == kind and known.number == index:
            shape = row(STATE, maybe(_block_link), one_of(None)) if isinstance(known, DriveSpec) else NIC_STATE
            return known, shape(state, f"{kind} {index}")
    raise FieldError("a PV device is of a disk or card that the machine has not")


def _check_numbers(domain: Domain, specs: list[Spec]) -> None:
    """Each device has its own number, and each interface a timer that nobody else has."""
    names = [(isinstance(spec, DISKS), spec.number) for spec in specs]
    timers = [spec.timer for spec in specs if isinstance(spec, NicSpec)]
    others = {number_ for number_ in domain.timers if number_ not in _own_timers(domain)}
    if len(set(names)) != len(names) or len(set(timers)) != len(timers) or others & set(timers):
        raise FieldError(f"domain {domain.domid} has a PV device twice")


def _own_timers(domain: Domain) -> set[int]:
    """Timers of the interfaces that the domain has at the moment."""
    return {spec.timer for spec in backends_of(domain).specs() if isinstance(spec, NicSpec)}
