"""The back ends' side of xenbus: how the two ends of a split driver find each other through xenstore.

    front end (guest)     device/vbd/51712/state            back end (here)   backend/vbd/1/51712/state
    Initialising                                            InitWait: says what it can do
    Initialised           names its ring and event channel  Connected: has both
    Connected
    Closing, Closed       gives them up                     Closing, Closed: has neither
    Initialising          another driver begins             InitWait

Each end writes its own state and watches the other's. Facts: xen/include/public/io/xenbus.h; what a back end does in
which state: drivers/block/xen-blkback/xenbus.c and drivers/net/xen-netback/xenbus.c of Linux.

All that a device remembers is immutable: `xenbus` (its own state), `link` (what connects it with its front end) and
what a subclass has. Nothing of it lies in xenstore alone, and what the guest writes there is read, judged and copied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from hv import abi, evtchn
from hv.backend.granted import NotGranted
from hv.errors import XenError
from hv.shared_ring import RingError
from hv.xenstore.errors import StoreError
from hv.xenstore.paths import domain_path
from hv.xenstore.permissions import PRIVILEGED, Access, Permission

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hv.domain import Domain
    from hv.xenstore.store import Store

BACKENDS = f"{domain_path(PRIVILEGED)}/backend"
ONLINE = "online"
WORDS = 1 << 32
"""How many grant references, event channels and so on there are at most."""


class BackendError(Exception):
    """The front end has asked for what cannot be. One line, which goes to the guest as well."""


class Link(Protocol):
    """What connects a device with its front end. Immutable."""

    @property
    def ports(self) -> tuple[int, ...]:
        """Event channels, each once."""


class Bus(Protocol):
    """What a device needs of those who run it."""

    @property
    def store(self) -> Store:
        """Xenstore, used as domain 0."""

    def flush(self) -> None:
        """Nodes were changed in the middle of something: let the guests know."""

    def closed(self, device: XenbusDevice) -> None:
        """The device has closed and shall not come back (`online` is 0)."""


Twin = Callable[[], bool]
"""Whether the emulated device that a PV device shares its disk or cable with is plugged in."""


class XenbusDevice:
    """One device of one domain. Subclasses: `kind`, and the methods that raise NotImplementedError here."""

    kind: ClassVar[str]
    """Name of the kind of device in xenstore: vbd, vif."""
    twin: Twin | None = None
    """Of a device that is there as an emulated one too: front ends connect when that was unplugged."""

    def __init__(self, bus: Bus, domain: Domain, number: int) -> None:
        self.bus = bus
        self.domain = domain
        self.number = number
        self.token = f"{self.kind}/{domain.domid}/{number}"
        self.back = f"{BACKENDS}/{self.token}"
        self.front = f"{domain_path(domain.domid)}/device/{self.kind}/{number}"
        self.xenbus = int(abi.XenbusStateInitialising)
        self.link: Any = None
        """The link while there is one (Link)."""

    # ---- what a kind of device is ----

    def advertise(self) -> Mapping[str, object]:
        """Nodes of the back end that say what it can do."""
        raise NotImplementedError

    def details(self) -> Mapping[str, object]:
        """Nodes of the back end that the front end reads when both are connected."""
        return {}

    def negotiate(self) -> Link:
        """Read what the front end wants. BackendError: that cannot be."""
        raise NotImplementedError

    def attach(self, link: Any) -> Any:
        """Look at the rings for the first time; the link from then on. NotGranted, RingError."""
        raise NotImplementedError

    def event(self) -> None:
        """The front end has sent an event. NotGranted, RingError: its rings are broken."""
        raise NotImplementedError

    # ---- nodes ----

    def create(self, back: Mapping[str, object], front: Mapping[str, object]) -> None:
        """Write the device's nodes as the toolstack does, and watch the front end."""
        domid, store = self.domain.domid, self.bus.store
        initialising = {"state": int(abi.XenbusStateInitialising)}
        ends = (
            (self.back, PRIVILEGED, domid, {
                "frontend": self.front, "frontend-id": domid, ONLINE: 1, **initialising, **back,
            }),
            (self.front, domid, PRIVILEGED, {"backend": self.back, "backend-id": PRIVILEGED, **initialising, **front}),
        )  # fmt: skip
        for path, owner, reader, nodes in ends:
            store.remove_if_there(path)
            store.mkdir(PRIVILEGED, path)
            store.set_permissions(
                PRIVILEGED, path, (Permission(Access.NONE, owner), Permission(Access.READ, reader))
            )
            self._write(path, nodes)

    def begin_again(self, back: Mapping[str, object], front: Mapping[str, object]) -> None:
        """The machine was reset, or its domain begins anew: as after create()."""
        self.disconnect()
        self.xenbus = int(abi.XenbusStateInitialising)
        self.create(back, front)

    def remove(self) -> None:
        """Take the device's nodes away."""
        for path in (self.back, self.front):
            self.bus.store.remove_if_there(path)

    def wanted(self, name: str, otherwise: str | None = None) -> str:
        """A node of the front end's. BackendError: it is not there and there is no `otherwise`."""
        try:
            return self.bus.store.read(PRIVILEGED, f"{self.front}/{name}").decode("latin-1")
        except StoreError:
            if otherwise is None:
                raise BackendError(f"{self.front}/{name} is missing") from None
            return otherwise

    def wanted_number(self, name: str, limit: int, otherwise: int | None = None) -> int:
        """A node of the front end's that holds a decimal number below `limit`. BackendError: it holds none."""
        text = self.wanted(name, None if otherwise is None else str(otherwise))
        if not (text.isascii() and text.isdigit()) or len(text) > 10 or int(text) >= limit:
            raise BackendError(f"{self.front}/{name} is no number below {limit}: {text[:20]!a}")
        return int(text)

    def one_queue(self) -> None:
        """BackendError: the front end wants more queues than the one that it was offered."""
        if self.wanted_number("multi-queue-num-queues", WORDS, 1) != 1:
            raise BackendError(f"{self.front}/multi-queue-num-queues: one queue was offered")

    def _write(self, path: str, nodes: Mapping[str, object]) -> None:
        for name, value in nodes.items():
            self.bus.store.write(PRIVILEGED, f"{path}/{name}", str(value).encode())

    def _switch(self, state: int) -> None:
        """Change our own state; the front end hears of it by its watch."""
        if state != self.xenbus:
            self.xenbus = int(state)
            self._write(self.back, {"state": self.xenbus})

    # ---- the state machine ----

    def changed(self) -> None:
        """The front end's state has changed, or may have."""
        try:
            state = self.wanted_number("state", abi.XenbusStateReconfigured + 1, 0)
        except BackendError:
            state = int(abi.XenbusStateUnknown)
        match state:
            case abi.XenbusStateInitialising:
                waits = self.twin is not None and self.twin()
                idle = self.xenbus in (abi.XenbusStateInitialising, abi.XenbusStateClosed)
                if self.link is None and idle and not waits:
                    self._write(self.back, self.advertise())
                    self._switch(abi.XenbusStateInitWait)
            case abi.XenbusStateInitialised | abi.XenbusStateConnected:
                if self.link is None and self.xenbus == abi.XenbusStateInitWait:
                    self._connect()
            case abi.XenbusStateClosing:
                self._switch(abi.XenbusStateClosing)
            case abi.XenbusStateClosed | abi.XenbusStateUnknown:
                if state == abi.XenbusStateUnknown and self.xenbus == abi.XenbusStateInitialising:
                    return
                self.disconnect()
                self._switch(abi.XenbusStateClosed)
                if not self._online():
                    self.bus.closed(self)

    def _online(self) -> bool:
        try:
            return self.bus.store.read(PRIVILEGED, f"{self.back}/{ONLINE}") != b"0"
        except StoreError:
            return False

    def ask_to_close(self) -> None:
        """The toolstack wants the device away: the front end is asked to let go of it, and may take its time."""
        self._write(self.back, {ONLINE: 0})
        self._switch(abi.XenbusStateClosing)
        self.changed()

    def _connect(self) -> None:
        try:
            link = self.negotiate()
            self._bind(link.ports)
            self.link = link  # from here on disconnect() undoes it
            self.link = self.attach(link)
        except (BackendError, NotGranted, RingError) as error:
            self.fatal(str(error))
            return
        self._write(self.back, self.details())
        self._switch(abi.XenbusStateConnected)
        self.served()

    def fatal(self, reason: str) -> None:
        """The front end has broken the protocol, as far as we can tell: it is let go of, and told why."""
        self.disconnect()
        error = f"{domain_path(PRIVILEGED)}/error/backend/{self.token}"
        self._write(error, {"error": f"{abi.ERRNOS['EINVAL']} {reason}"[:256]})
        self._switch(abi.XenbusStateClosing)

    def disconnect(self) -> None:
        """Let go of the front end's event channels; of its pages nothing is held."""
        if self.link is not None:
            self._unbind(self.link.ports)
            self.link = None

    # ---- event channels ----

    def _bind(self, ports: tuple[int, ...]) -> None:
        """Take the other end of the front end's event channels, all or none. BackendError."""
        c, d = self.domain.hv.native, self.domain.c
        bound: list[int] = []
        try:
            for port in ports:
                if port in self.domain.host_ports:
                    raise BackendError(f"event channel {port} is connected with another back end")
                evtchn.connect_host(c, d, port)
                bound.append(port)
                self.domain.connect_host_port(port, self._served_event)
        except (BackendError, XenError) as error:
            self._unbind(tuple(bound))
            raise BackendError(str(error)) from None

    def _unbind(self, ports: tuple[int, ...]) -> None:
        for port in ports:
            self.domain.host_ports.pop(port, None)
            evtchn.disconnect_host(self.domain.hv.native, self.domain.c, port)

    def notify(self, port: int) -> None:
        """Send the front end an event. One that has closed the port hears nothing."""
        evtchn.host_notify(self.domain.hv.native, self.domain.c, port)

    def served(self) -> None:
        """Serve the rings as far as there is something in them."""
        if self.link is None:
            return
        try:
            self.event()
        except (NotGranted, RingError) as error:
            self.fatal(str(error))

    def _served_event(self) -> None:
        self.served()
        if self.link is None:
            self.bus.flush()  # it was fatal

    # ---- state ----

    def contents(self) -> Any:
        """What a subclass remembers beside the link, as an immutable value."""
        return None

    def set_contents(self, saved: Any) -> None:
        """Become what contents() gave."""

    def save(self) -> tuple[Any, ...]:
        """All of the state."""
        return self.xenbus, self.link, self.contents()

    def load(self, saved: tuple[Any, ...]) -> None:
        """Become what save() described, after forget(). Event channels themselves are in the arena, and so are there
        already."""
        self.xenbus, self.link, contents = saved
        self.set_contents(contents)
        for port in self.link.ports if self.link is not None else ():
            self.domain.connect_host_port(port, self._served_event)

    def forget(self) -> None:
        """Have no link any more, without the guest noticing: the state is about to be another, or the domain goes."""
        for port in self.link.ports if self.link is not None else ():
            self.domain.host_ports.pop(port, None)
        self.link = None

    def canonical(self) -> bytes:
        """For the state hash."""
        return repr((self.token, self.xenbus, self.link)).encode()
