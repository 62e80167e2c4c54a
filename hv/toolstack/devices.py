"""What devices a guest is launched with: `--disk` and `--nic` as data, and putting them into the domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from hv.builder.image import BuilderError

if TYPE_CHECKING:
    from hv.domain import Domain
    from hv.net.host import NatHost
    from hv.net.nat import Nat
    from hv.net.options import NicOptions

FORMATS = ("raw", "qcow2")
BUSES = ("xvd", "ide", "usb")
"""Buses that a disk can be on: the PV disk, and the IDE controller and the USB of an HVM domain."""


class DiskOptions(NamedTuple):
    """One disk. `format`: None: what the file looks like; `bus`: one of BUSES, empty: the usual one of the domain."""

    path: str
    format: str | None = None
    bus: str = ""
    read_only: bool = False
    cdrom: bool = False


def parse_disk(text: str) -> DiskOptions:
    """Read `FILE[,format=raw|qcow2][,bus=xvd|ide|usb][,ro]`, the text of a `--disk` option. ValueError: it is none; one
    line that says what to do."""
    path, *rest = text.split(",")
    if not path:
        raise ValueError(f"{text or 'nothing'}: no file; remedy: FILE[,format=raw|qcow2][,bus=xvd][,ro]")
    found = DiskOptions(path)
    for word in rest:
        key, _, value = word.partition("=")
        if word == "ro":
            found = found._replace(read_only=True)
        elif key == "format" and value in FORMATS:
            found = found._replace(format=value)
        elif key == "bus" and value in BUSES:
            found = found._replace(bus=value)
        else:
            raise ValueError(f"{word}: unknown; remedy: format=raw, format=qcow2, bus=xvd, bus=ide, bus=usb or ro")
    return found


def parse_usb(text: str) -> tuple[str, ...]:
    """Read `NAME[,NAME...]`, the text of a `--usb` option. ValueError: it is none; one line that says what to do."""
    from hv.devices.pc_usb import USB_DEVICES

    names = tuple(text.split(","))
    if set(names) - set(USB_DEVICES) or len(set(names)) < len(names):
        remedy = f"one or more of {', '.join(USB_DEVICES)}, each once"
        raise ValueError(f"{text or 'nothing'}: no USB devices; remedy: {remedy}")
    return names


def add_devices(domain: Domain, disks: tuple[DiskOptions, ...], nics: tuple[NicOptions, ...]) -> None:
    """Give a new domain its devices, the first disk being xvda. BuilderError: one cannot be."""
    for disk in disks:
        if disk.bus not in ("", "xvd") or disk.cdrom:
            what = "a USB" if disk.bus == "usb" else "an IDE controller"
            raise BuilderError("--disk", f"only an HVM domain has {what}", "say --type hvm, or bus=xvd")
        _add_disk(domain, disk)
    for nic in nics:
        _add_nic(domain, nic)


def _add_disk(domain: Domain, options: DiskOptions) -> None:
    from hv.disk.image import ImageError
    from hv.disk.opening import open_image
    from hv.toolstack.backends import attach_disk

    try:
        image = open_image(options.path, options.format)
    except ImageError as error:
        raise BuilderError("--disk", *str(error).rsplit("; ", 1)) from None
    try:
        attach_disk(domain, image, read_only=options.read_only)
    except ValueError as error:
        raise BuilderError("--disk", str(error), "give fewer") from None


def _add_nic(domain: Domain, options: NicOptions) -> None:
    from hv.net.options import PV_MODEL
    from hv.toolstack.backends import attach_nic

    if options.model not in ("", PV_MODEL):
        problem = f"only an HVM domain has a place for a card ({options.model})"
        raise BuilderError("--nic", problem, "say model=xen, or none")
    try:
        attach_nic(domain, options)
    except ValueError as error:
        raise BuilderError("--nic", str(error), "give fewer") from None


NETWORK_SLICE = 1_000_000
"""Instructions at most between two looks at the sockets: a millisecond of guest time."""


def serve_networks(domain: Domain, nics: tuple[NicOptions, ...]) -> list[NatHost]:
    """Serve the NATs of a domain that was launched with these interfaces: each is to be polled between slices, and
    closed. BuilderError: a forwarded port cannot be listened on."""
    from hv.net import attach
    from hv.net.options import PV_MODEL
    from hv.toolstack import backends

    cards = [] if domain.machine is None else [options for options in nics if options.model != PV_MODEL]
    others = nics if domain.machine is None else [options for options in nics if options.model == PV_MODEL]
    ports = [(attach.port_name(number), options) for number, options in enumerate(cards)]
    ports += [(backends.port_name(number), options) for number, options in enumerate(others, len(cards))]
    hosts: list[NatHost] = []
    for name, options in ports:
        if options.switch:
            continue
        nat = cast("Nat", domain.services[name])
        try:
            hosts.append(attach.serve(domain.hv, domain, nat, options))
        except OSError as error:
            for host in hosts:
                host.close()
            raise BuilderError("--nic", f"a port cannot be forwarded: {error.strerror}", "choose another") from None
    if hosts:
        domain.hv.slice = min(domain.hv.slice, NETWORK_SLICE)
    return hosts
