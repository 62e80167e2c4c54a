"""Connect a built domain to the back ends that domain 0 would run: its console and its xenstore."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from hv import abi, evtchn
from hv.arch import architecture
from hv.backend.console import ConsoleBackend, ConsoleState
from hv.native import lib
from hv.shared_ring import Window
from hv.toolstack.backends import Backends

if TYPE_CHECKING:
    from hv.domain import Domain
    from hv.hypervisor import Hypervisor
    from hv.xenstore.daemon import Xenstored
    from hv.xenstore.state import StoreState

PAGE_SIZE = 4096
Sink = Callable[[bytes], object]


class SavedConsole(NamedTuple):
    """A console in a snapshot: the back end's state, and how many bytes the guest had printed."""

    state: ConsoleState
    printed: int


class Console:
    """A domain's console: the PV ring and the hypercall console_io come together here.

    `sink` gets what the guest prints, as it comes; without one it is kept for `text()`. `feed()` types. When time
    goes back, what is printed again is not shown again.
    """

    def __init__(self, domain: Domain, sink: Sink | None = None) -> None:
        self.domain = domain
        self.sink = sink
        self.output = bytearray()
        self.printed = 0
        """Bytes printed up to now."""
        self.shown = 0
        """Bytes given to the sink, which cannot be taken back."""
        window = frame_window(domain, lambda: int(domain.c.console_frame))
        self.ring = ConsoleBackend(window, lambda: notify(domain, int(domain.c.console_port)), self.print)
        self.after_restart()
        domain.console_sink = self.print
        domain.services["console"] = self

    def after_restart(self) -> None:
        """Serve the ring of a domain that has just been built, or built again."""
        self.domain.hold_ring(lib.HV_RING_CONSOLE)
        self.ring.state = ConsoleState()
        self.domain.connect_host_port(int(self.domain.c.console_port), self._event)

    def before_restart(self) -> None:
        """The domain is about to begin anew."""

    def print(self, data: bytes) -> None:
        """The guest has printed."""
        self.printed += len(data)
        if self.sink is None:
            self.output += data
            return
        new = self.printed - self.shown
        if new > 0:
            self.shown = self.printed
            self.sink(data[-new:])

    def feed(self, data: bytes) -> None:
        """Type: the guest gets the bytes when its ring has room."""
        if self.ring.state.broken:
            return
        self.domain.hv.inputs.enter(self.domain, "console", data)
        self.shown = min(self.shown, self.printed)  # a run that goes another way prints other things

    def accept(self, data: bytes) -> None:
        """What was typed enters: at the PV console once the guest has used that, else at the first serial port, where
        there is one that leads here."""
        platform, machine = self.domain.platform, self.domain.machine
        serial = None if platform is None else platform.devices.get("serial0")
        elsewhere = machine is not None and not machine.serial_console
        if serial is None or elsewhere or self.ring.used:
            self.ring.type(data)
        else:
            serial.accept(data)

    def save(self) -> SavedConsole:
        """For a snapshot."""
        return SavedConsole(self.ring.state, self.printed)

    def load(self, saved: SavedConsole) -> None:
        """From a snapshot. What was printed after it is taken back, where it was kept."""
        self.ring.state, self.printed = saved
        del self.output[self.printed :]

    def text(self) -> str:
        """What the guest has printed so far (when there is no sink), as text."""
        return self.output.decode("utf-8", "replace")

    def canonical(self) -> bytes:
        """For the state hash: what waits to be typed. What was printed is no state."""
        return repr((self.ring.state.waiting, self.ring.state.broken)).encode()

    def close(self) -> None:
        """The domain goes away: nothing is typed or printed any more."""
        self.ring.state = self.ring.state._replace(broken="the domain is gone")

    def _event(self) -> None:
        self.ring.serve()


class XenstoreHost:
    """The one xenstored of a Hypervisor. It starts when somebody first asks it something.

    Many test guests never do, and importing it would be a quarter of such a guest's whole run. What a domain can see
    before its first request is the server's part of its ring's page, and that is written at once.
    """

    def __init__(self) -> None:
        self._daemon: Xenstored | None = None
        self._waiting: list[StoreClient] = []
        self.watchers: list[Callable[[str], None]] = []
        """Back ends of the domains: called with the token of each watch of domain 0's that has fired."""
        self._serving = False

    @property
    def daemon(self) -> Xenstored:
        """Xenstored, with every domain connected that was introduced."""
        if self._daemon is None:
            from hv.xenstore.daemon import Xenstored

            self._daemon = Xenstored()
        while self._waiting:
            self._waiting.pop(0).introduce(self._daemon)
        return self._daemon

    def serve(self) -> None:
        """Serve the guests' requests, let back ends answer what has changed, and so on until nothing moves. What a back
        end changes meanwhile is served by whoever began."""
        if self._serving:
            return
        self._serving = True
        try:
            daemon = self.daemon
            daemon.serve()
            while events := daemon.events():
                for _, token in events:
                    for watcher in tuple(self.watchers):
                        watcher(token)
                daemon.serve()
        finally:
            self._serving = False

    def connect(self, domain: Domain, memory_kib: int) -> StoreClient:
        """Introduce a domain whose store ring has been set up."""
        client = StoreClient(self, domain, memory_kib)
        self.introduce(client)
        return client

    def introduce(self, client: StoreClient) -> None:
        """Have the daemon serve a client, when there is one."""
        self._waiting.append(client)

    def remove(self, client: StoreClient) -> None:
        """The client's domain goes away."""
        if client in self._waiting:
            self._waiting.remove(client)
        elif self._daemon is not None:
            from hv.xenstore.domain import remove_nodes

            self._daemon.release(client.domain.domid)
            remove_nodes(self._daemon.store, client.domain.domid)


class StoreClient:
    """A domain's connection with xenstored."""

    def __init__(self, host: XenstoreHost, domain: Domain, memory_kib: int) -> None:
        self.host = host
        self.domain = domain
        self.memory_kib = memory_kib
        self._window = frame_window(domain, lambda: int(domain.c.store_frame))
        domain.services["xenstore"] = self
        self._write_page()

    def _write_page(self) -> None:
        domain, window = self.domain, self._window
        page = abi.layout("xenstore_domain_interface")
        domain.hold_ring(lib.HV_RING_STORE)
        # what StoreRing.start() says
        features = abi.XENSTORE_SERVER_FEATURE_RECONNECTION | abi.XENSTORE_SERVER_FEATURE_ERROR
        window.set_u32(page.offset("server_features"), features)
        window.set_u32(page.offset("connection"), abi.XENSTORE_CONNECTED)
        domain.connect_host_port(int(domain.c.store_port), self._event)

    def after_restart(self) -> None:
        """Serve the ring of a domain that has been built again."""
        self._write_page()
        self.host.introduce(self)

    def before_restart(self) -> None:
        """The domain is about to begin anew: xenstored forgets its ring and its nodes. It is started for that if nobody
        has asked it anything yet: whether somebody has (a snapshot does) must not show in what the store is later."""
        _ = self.host.daemon
        self.host.remove(self)

    def introduce(self, daemon: Xenstored) -> None:
        """Write the domain's nodes and connect its ring."""
        from hv.xenstore.domain import DomainNodes, write_nodes
        from hv.xenstore.ring import StoreRing

        domain, c = self.domain, self.domain.c
        port = int(c.store_port)
        nodes = DomainNodes(
            domid=domain.domid,
            name=domain.name,
            uuid=uuid_of(domain),
            vcpus=len(domain.vcpus),
            memory=self.memory_kib,
            max_memory=self.memory_kib,
            store_frame=int(c.store_frame),
            store_port=port,
            console_frame=int(c.console_frame),
            console_port=int(c.console_port),
        )
        write_nodes(daemon.store, nodes)
        ring = StoreRing(domain.domid, self._window, self._notify)
        daemon.introduce(ring, started=True)

    def canonical(self) -> bytes:
        """For the state hash: the digest of the whole store."""
        return self.host.daemon.digest()

    def save(self) -> StoreState:
        """For a snapshot: the whole store, which is immutable. Every domain's client saves the same one."""
        return self.host.daemon.store.state

    def load(self, saved: StoreState) -> None:
        """From a snapshot."""
        self.host.daemon.store.state = saved

    def accept(self, data: bytes) -> None:
        """Nothing from outside enters here: domain 0's part of the store changes by calls of the toolstack's own."""
        raise ValueError("xenstore takes no input from outside")

    def close(self) -> None:
        """The domain goes away: xenstored forgets its ring and its nodes."""
        self.host.remove(self)

    def _notify(self) -> None:
        notify(self.domain, int(self.domain.c.store_port))

    def _event(self) -> None:
        self.host.serve()


def reconnect(hv: Hypervisor) -> None:
    """Connect consoles and store to domains that were restored or forked, not built: `Hypervisor.connect`.

    What it writes into their pages is overwritten when their state is loaded, which comes next.
    """
    store = XenstoreHost()
    for slot in sorted(hv.domains):
        domain = hv.domains[slot]
        architecture(domain.abi, "boot").reconnect(domain)
        Console(domain)
        pages = int(domain.c.max_pages) if domain.origin is None else domain.origin.pages
        store.connect(domain, pages * PAGE_SIZE >> 10)
        Backends(domain, store)


def frame_window(domain: Domain, mfn: Callable[[], int]) -> Window:
    """Access to one machine frame for a ring, which the domain holds (Domain.hold_ring)."""
    return Window(
        lambda offset, length: domain.read(mfn() * PAGE_SIZE + offset, length),
        lambda offset, data: domain.write(mfn() * PAGE_SIZE + offset, data),
    )


def notify(domain: Domain, port: int) -> None:
    """Send the guest its event; a guest that has closed the port hears nothing."""
    evtchn.host_notify(domain.hv.native, domain.c, port)


def uuid_of(domain: Domain) -> str:
    """A uuid that is the same on every run: of the domain's name and number."""
    import hashlib

    digits = hashlib.sha256(f"{domain.name}/{domain.domid}".encode()).hexdigest()
    return "-".join((digits[:8], digits[8:12], f"4{digits[13:16]}", f"8{digits[17:20]}", digits[20:32]))
