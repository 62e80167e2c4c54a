"""Put network cards into a machine, and plug them in.

    networks = Networks()                                   # one for a hypervisor: its switches
    card = attach(platform, networks, parse_nic("user"), domain="guest", number=0, slot=4)
    host = serve(hv, domain, card, options)                 # sockets, for a NAT with a way out; poll() it
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from hv.devices.device import Device
from hv.devices.e1000 import E1000
from hv.devices.nic import NicDevice
from hv.devices.pci import PciMachine
from hv.devices.rtl8139 import Rtl8139
from hv.net.nat import Nat
from hv.net.options import NicOptions, default_mac
from hv.net.port import Port
from hv.net.switch import Switch

if TYPE_CHECKING:
    from hv.domain import Domain
    from hv.hypervisor import Hypervisor
    from hv.net.host import NatHost

CARDS: dict[str, Callable[[PciMachine, str, int, bytes], NicDevice]] = {"e1000": E1000, "rtl8139": Rtl8139}
DEFAULT_CARD = "e1000"


class Platform(PciMachine, Protocol):
    """A machine that devices are added to."""

    def add(self, device: Device) -> None:
        """Put a device into the machine."""


class Networks:
    """The switches of one hypervisor, by name; a name that is new makes a switch."""

    def __init__(self) -> None:
        self.switches: dict[str, Switch] = {}

    def switch(self, name: str) -> Switch:
        """The switch of that name."""
        return self.switches.setdefault(name, Switch(name))


class Attached(NamedTuple):
    """A card and the other end of its cable, both devices of the machine."""

    nic: NicDevice
    port: Port


def port_name(number: int) -> str:
    """The device that is the other end of a card's cable."""
    return f"net{number}"


def attach(
    platform: Platform, networks: Networks, options: NicOptions, *, domain: str, number: int, slot: int,
    rom: bytes = b"",
) -> Attached:  # fmt: skip
    """Add card `number` of a domain at a PCI slot, as "nic0" with "net0" behind it. rom: its option ROM (hv.net.roms),
    if it has one. ValueError: the model is no PCI card."""
    model = options.model or DEFAULT_CARD
    card = CARDS.get(model)
    if card is None:
        raise ValueError(f"model={model} is no PCI card; remedy: say one of {', '.join(CARDS)}")
    nic = card(platform, f"nic{number}", slot, options.mac or default_mac(domain, number))
    name = port_name(number)
    port = networks.switch(options.switch).port(platform, name) if options.switch else Nat(platform, name, options.nat)
    if rom:
        nic.attach_rom(rom)
    platform.add(nic)
    platform.add(port)
    port.plug(nic)
    return Attached(nic, port)


def serve(hv: Hypervisor, domain: Domain, nat: Nat, options: NicOptions) -> NatHost:
    """Serve a NAT with the host's sockets and files. Its poll() is to be called between slices, its close() when the
    run is over. While the guest waits for an answer, idle time passes as on the wall, unless `hv.idle` is somebody
    else's. OSError: a forwarded port cannot be listened on."""
    from hv.net.host import NatHost, Served
    from hv.net.standing import Thread

    def enter(data: bytes) -> None:
        hv.inputs.enter(domain, nat.name, data)

    def pace(waits: bool) -> None:
        if hv.idle is None or hv.idle == host.idle:
            hv.idle = host.idle if waits else None
    served = Served(options.policy, options.forwards, options.folder)
    host = NatHost(nat, served, Thread(hv.inputs, hv.state), enter)
    host.on_wait = pace
    return host
