"""The PV devices of a domain: attached and detached as the toolstack does, while the domain runs or before.

    disk = attach_disk(domain, open_image("root.img"))                  # xvda; the guest's driver finds it
    attach_nic(domain, NicOptions(switch="lan"))
    detach_disk(domain, "xvda")                                         # asks the guest to let go of it

What devices there are is part of the domain's state, like all else: going back to a snapshot takes a disk away that was
attached since, and a fork has the disks of its parent, over the same image. So they are one service, `Backends`, whose
state says what each device was made of (immutable: an image, a name) and what has become of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from hv.toolstack.pv_specs import DISKS, NICS, CardSpec, DiskSpec, DriveSpec, NicSpec, Spec, nodes

if TYPE_CHECKING:
    from hv.backend.block import BlockBackend
    from hv.backend.net import NetBackend
    from hv.backend.xenbus import XenbusDevice
    from hv.devices.device import Device, Machine
    from hv.disk.image import Image
    from hv.domain import Domain
    from hv.net.attach import Networks
    from hv.net.options import NicOptions
    from hv.net.port import Port
    from hv.toolstack.connect import XenstoreHost
    from hv.xenstore.store import Store

SERVICE = "backends"
"""The name of the service of a domain that has its PV devices."""


class Backends:
    """The PV devices of one domain, by their tokens (hv.backend.xenbus.XenbusDevice). Implements its Bus."""

    def __init__(self, domain: Domain, host: XenstoreHost) -> None:
        self.domain = domain
        self._host = host
        self.devices: dict[str, XenbusDevice] = {}
        self._specs: dict[str, Spec] = {}
        domain.services[SERVICE] = self
        if domain.machine is not None:
            self._heed_unplugging()

    def _heed_unplugging(self) -> None:
        from hv.toolstack import twins

        device = twins.platform_device(self.domain)
        if device is not None:
            device.blacklisted, device.unplugged, device.was_reset = self._blacklisted, self._unplugged, self._reset

    # ---- hv.backend.xenbus.Bus ----

    @property
    def store(self) -> Store:
        """The store of the hypervisor's one xenstored."""
        return self._host.daemon.store

    def flush(self) -> None:
        """Let the guests know of what was changed."""
        self._host.serve()

    def closed(self, device: XenbusDevice) -> None:
        """The guest has let go of a device that is to be detached: it goes."""
        self._unwatch(device)
        device.remove()
        self._drop(device.token)

    # ---- attach, detach ----

    def attach(self, spec: Spec) -> XenbusDevice:
        """Add a device and let the guest know. ValueError: there is no such number, or no timer left."""
        device = self._add(spec)
        self._introduce(device)
        self.flush()
        return device

    def attach_twins(self) -> None:
        """Add the PV devices that a new PC's disks and cards are as well."""
        from hv.toolstack.twins import specs

        for spec in specs(self.domain):
            self.attach(spec)

    def _introduce(self, device: XenbusDevice) -> None:
        device.begin_again(*nodes(self.domain, device.number, self._specs[device.token]))
        self._host.daemon.watch(f"{device.front}/state", device.token)

    def detach(self, device: XenbusDevice, *, force: bool = False) -> None:
        """Ask the guest to let go of a device; it is gone when the guest has. force: without asking."""
        if force:
            device.disconnect()
            self.closed(device)
        else:
            device.ask_to_close()
        self.flush()

    def free_number(self, kinds: tuple[type[Spec], ...]) -> int:
        """The lowest number that no disk (interface) has, of pv_specs.DISKS (NICS)."""
        taken = {spec.number for spec in self._specs.values() if isinstance(spec, kinds)}
        return next(index for index in range(len(taken) + 1) if index not in taken)

    def taken(self, kinds: tuple[type[Spec], ...], number: int) -> bool:
        """Whether a disk (interface) has that number."""
        return any(isinstance(spec, kinds) and spec.number == number for spec in self._specs.values())

    def spec(self, device: XenbusDevice) -> Spec:
        """What a device was made of."""
        return self._specs[device.token]

    def specs(self) -> list[Spec]:
        """What all devices were made of, the oldest first."""
        return list(self._specs.values())

    def _event(self, token: str) -> None:
        device = self.devices.get(token)
        if device is not None:
            device.changed()

    def _add(self, spec: Spec) -> XenbusDevice:
        device = self._make(spec)
        if not self.devices:
            self._host.watchers.append(self._event)
        self.devices[device.token] = device
        self._specs[device.token] = spec
        return device

    def _drop(self, token: str) -> None:
        """Forget a device; what the guest sees of it is the caller's business."""
        device, spec = self.devices.pop(token), self._specs.pop(token)
        device.forget()
        if isinstance(spec, NicSpec):
            port = self.domain.services.pop(port_name(spec.number))
            port.close()
            self.domain.drop_timer(spec.timer)
        if not self.devices:
            self._host.watchers.remove(self._event)

    def _unwatch(self, device: XenbusDevice) -> None:
        self._host.daemon.unwatch(f"{device.front}/state", device.token)

    # ---- the PC around them ----

    def _blacklisted(self, product: int, build: int) -> bool:
        from hv.toolstack.twins import blacklisted

        return blacklisted(self.store, product, build)

    def _unplugged(self) -> None:
        """The guest has unplugged emulated devices: their twins begin."""
        self._lead_cables()
        for device in tuple(self.devices.values()):
            device.changed()
        self.flush()

    def _reset(self) -> None:
        """The machine was reset: all devices are as they were attached."""
        self._lead_cables()
        for token, device in tuple(self.devices.items()):
            device.begin_again(*nodes(self.domain, device.number, self._specs[token]))
        if self.devices:
            self.flush()

    def _lead_cables(self) -> None:
        for token, device in self.devices.items():
            spec = self._specs[token]
            if isinstance(spec, CardSpec):
                from hv.toolstack.twins import take_cable

                take_cable(self.domain, spec, device)

    # ---- making them ----

    def _make(self, spec: Spec) -> XenbusDevice:
        """A device of any kind, not yet among the devices."""
        if isinstance(spec, DiskSpec):
            return self._make_disk(spec)
        if isinstance(spec, NicSpec):
            return self._make_nic(spec)
        from hv.toolstack.twins import make_card, make_drive

        if isinstance(spec, DriveSpec):
            return make_drive(self, self.domain, spec)
        return make_card(self, self.domain, spec)

    def _make_disk(self, spec: DiskSpec) -> BlockBackend:
        """A disk, not yet among the devices. ValueError: no such number."""
        from hv.backend.block import BlockBackend
        from hv.backend.names import disk_number
        from hv.disk.disk import DEFAULT_LIMIT, Disk

        disk = Disk(spec.image, spec.read_only or spec.cdrom, DEFAULT_LIMIT if spec.limit is None else spec.limit)
        number = disk_number(spec.number)
        return BlockBackend(self, self.domain, number, disk, cdrom=spec.cdrom)

    def _make_nic(self, spec: NicSpec) -> NetBackend:
        """An interface with the other end of its cable, which is a service of the domain's of its own: what comes from
        outside enters there. ValueError: the domain has no timer left."""
        from hv.backend.net import NetBackend

        nic = NetBackend(self, self.domain, spec.number)
        clock = _Clock(self.domain, spec.timer)
        port = _port(cast("Machine", clock), self.domain.hv.networks, spec)
        try:
            clock.start(port)
        except ValueError:
            port.close()
            raise
        port.plug(nic)
        self.domain.services[port.name] = port
        return nic

    # ---- hv.domain.Service ----

    def save(self) -> tuple[tuple[Spec, tuple[Any, ...]], ...]:
        """What devices there are, and the state of each."""
        return tuple((self._specs[token], device.save()) for token, device in self.devices.items())

    def load(self, saved: tuple[tuple[Spec, tuple[Any, ...]], ...]) -> None:
        """Have just these devices. What the guest sees of them, nodes and event channels, is in store and arena."""
        if [spec for spec, _ in saved] != list(self._specs.values()):
            for token in tuple(self.devices):
                self._drop(token)
            for spec, _ in saved:
                self._add(spec)
        for device in self.devices.values():
            device.forget()  # all before any: one may have had the event channel that is another's by then
        for device, (_, state) in zip(self.devices.values(), saved, strict=True):
            device.load(state)
        self._lead_cables()

    def canonical(self) -> bytes:
        """For the state hash."""
        return b"".join(device.canonical() for device in self.devices.values())

    def accept(self, data: bytes) -> None:
        """Nothing from outside enters here: packets enter at the other end of an interface's cable."""
        raise ValueError("the back ends take no input from outside")

    def before_restart(self) -> None:
        """The domain is about to begin anew: the devices let go of what is the guest's, and keep what is theirs."""
        for device in self.devices.values():
            self._unwatch(device)
            device.disconnect()
            device.remove()

    def after_restart(self) -> None:
        """It has been built again: it finds the devices as a new domain would."""
        for device in self.devices.values():
            spec = self._specs[device.token]
            if isinstance(spec, NicSpec):
                cast("Port", self.domain.services[port_name(spec.number)]).reset()
            self._introduce(device)
        if self.devices:
            self.flush()

    def close(self) -> None:
        """The domain goes away, with its memory: its devices go without touching that."""
        for token, device in tuple(self.devices.items()):
            self._unwatch(device)
            device.remove()
            self._drop(token)


class _Clock:
    """All that the other end of a cable wants of a machine: the time, and its one timer."""

    def __init__(self, domain: Domain, timer: int) -> None:
        self._domain = domain
        self._timer = timer

    def start(self, device: Device) -> None:
        """From now on the timer is that device's."""
        self._domain.add_timer(device.timer, self._timer)

    @property
    def now_ns(self) -> int:
        """System time."""
        return self._domain.hv.now_ns

    def set_timer(self, device: Device, deadline_ns: int) -> None:
        """Have the device called."""
        self._domain.set_timer(self._timer, deadline_ns)


def _port(machine: Machine, networks: Networks, spec: NicSpec) -> Port:
    name = port_name(spec.number)
    if spec.options.switch:
        return networks.switch(spec.options.switch).port(machine, name)
    from hv.net.nat import Nat

    return Nat(machine, name, spec.options.nat)


def port_name(index: int) -> str:
    """The service that is the other end of an interface's cable."""
    return f"vif{index}-net"


# ---- for the toolstack ----


def backends_of(domain: Domain) -> Backends:
    """The PV devices of a domain. ValueError: it was made without a xenstore."""
    found = domain.services.get(SERVICE)
    if found is None:
        raise ValueError(f"domain {domain.name} has no xenstore; remedy: launch it with hv.toolstack.launch")
    return cast("Backends", found)


def attach_disk(
    domain: Domain, image: Image, *, name: str | None = None, read_only: bool = False, cdrom: bool = False,
    limit: int | None = None,
) -> BlockBackend:  # fmt: skip
    """Attach a PV disk with the contents of `image`, as xvda ... or the first name that is free. What the guest writes
    stays in memory (hv.disk). ValueError: the name is none, or taken, or there are too many."""
    from hv.backend.names import disk_index, disk_name

    backends = backends_of(domain)
    index = backends.free_number(DISKS) if name is None else disk_index(name)
    spec = DiskSpec(index, image, read_only, cdrom, limit)
    if backends.taken(DISKS, index):
        raise ValueError(f"{disk_name(index)}: the domain has such a disk; remedy: give it another name")
    return cast("BlockBackend", backends.attach(spec))


def detach_disk(domain: Domain, name: str, *, force: bool = False) -> None:
    """Ask the guest to let go of a disk. force: take it away. ValueError: there is no such disk."""
    from hv.backend.names import disk_index

    _detach(domain, DiskSpec, disk_index(name), name, force)


def attach_nic(domain: Domain, options: NicOptions) -> NetBackend:
    """Attach a PV network interface, with a switch (of all domains of the hypervisor, by its name) or a NAT at the
    other end of its cable. ValueError: the domain has too many devices."""
    from hv.net.options import default_mac

    backends = backends_of(domain)
    index = backends.free_number(NICS)
    mac = options.mac or default_mac(domain.name, index)
    spec = NicSpec(index, mac, options, domain.free_timer())
    return cast("NetBackend", backends.attach(spec))


def detach_nic(domain: Domain, index: int, *, force: bool = False) -> None:
    """Ask the guest to let go of an interface. force: take it away. ValueError: there is no such interface."""
    _detach(domain, NicSpec, index, f"interface {index}", force)


def _detach(domain: Domain, kind: type[DiskSpec] | type[NicSpec], index: int, name: str, force: bool) -> None:
    backends = backends_of(domain)
    for device in backends.devices.values():
        spec = backends.spec(device)
        if isinstance(spec, kind) and spec.number == index:
            backends.detach(device, force=force)
            return
    raise ValueError(f"{name}: the domain has no such device")
