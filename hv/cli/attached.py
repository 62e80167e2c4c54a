"""What options connect a guest with beside its terminal: networks, a VNC server, a serial line, a file of frames."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from hv.builder.image import BuilderError, why_not

if TYPE_CHECKING:
    from hv.domain import Domain
    from hv.net.host import NatHost
    from hv.toolstack.attachments import Attachment
    from hv.toolstack.captures import DomainCapture
    from hv.toolstack.launch import GuestConfig
    from hv.toolstack.serial_line import FileLine, SocketLine
    from hv.toolstack.vnc.server import VncServer

OF_A_PC = (
    ("--boot", "boot order"), ("--firmware", "firmware"), ("--vga", "screen"), ("--vnc", "screen"),
    ("--usb", "USB"), ("--xen-platform", "platform device"), ("--serial", "serial port"),
)  # fmt: skip
"""Options that only an HVM domain has something for, and what that is."""
LONGEST_SLICE, FIRST_SLICE, SHORTEST_SLICE = 1_000_000, 50_000, 4_000
"""Instructions at most between two looks at who may type something."""
LONG_SECONDS, SHORT_SECONDS = 0.03, 0.01
"""Of the processor's time: when a slice has taken longer, the next one is shorter, and the other way round. A guest
that asks devices all the time executes few instructions in that time."""


class Attached:
    """All that is attached to one guest."""

    def __init__(self, options: Any, config: GuestConfig, domain: Domain) -> None:
        """BuilderError: the domain has nothing that an option is about, or an address or a file cannot be had."""
        self._options, self._config, self._hv = options, config, domain.hv
        self._networks: list[NatHost] = []
        self._vnc: VncServer | None = None
        self._line: FileLine | SocketLine | None = None
        self._capture: DomainCapture | None = None
        _check(options, domain)
        try:
            self._open(domain)
        except BuilderError:
            self.close()
            raise
        self._slice_began = time.process_time()

    @property
    def all(self) -> list[Attachment]:
        """Each of them."""
        others: list[Attachment] = [*self._networks]
        if self._vnc is not None:
            others.append(self._vnc)
        return others + [one for one in (self._line, self._capture) if one is not None]

    @property
    def awaits(self) -> bool:
        """Whether something may still come, though the guest does nothing."""
        return self._interactive or any(network.awaits for network in self._networks)

    @property
    def _interactive(self) -> bool:
        """Whether somebody may type something, and looks for what becomes of it."""
        return self._vnc is not None or (self._line is not None and self._line.awaits)

    def poll(self) -> None:
        """Look after each."""
        if self._interactive:
            taken = time.process_time() - self._slice_began
            if taken > LONG_SECONDS:
                self._hv.slice = max(self._hv.slice // 2, SHORTEST_SLICE)
            elif taken < SHORT_SECONDS:
                self._hv.slice = min(self._hv.slice * 2, LONGEST_SLICE)
        for one in self.all:
            one.poll()
        self._slice_began = time.process_time()

    def close(self) -> None:
        """The run is over."""
        for one in self.all:
            one.close()

    def _open(self, domain: Domain) -> None:
        options = self._options
        if getattr(options, "pcap", None):
            from hv.toolstack.captures import DomainCapture

            self._capture = DomainCapture(options.pcap, domain)
        serial = getattr(options, "serial", None)
        if serial is not None:
            from hv.toolstack.serial_line import open_line

            self._line = open_line(serial, domain)
        if getattr(options, "vnc", None):
            self._vnc = _serve(domain, options.vnc, options.vnc_password)
        if self._config.nics:
            from hv.toolstack.devices import serve_networks

            self._networks = serve_networks(domain, self._config.nics)
        if self._line is not None:
            sys.stderr.write(f"hv: the first serial port is at {self._line.address}\n")
        if self._interactive:
            self._hv.slice = FIRST_SLICE


def _check(options: Any, domain: Domain) -> None:
    """BuilderError: an option is about what the domain has not."""
    if getattr(options, "vnc_password", None) is not None and getattr(options, "vnc", None) is None:
        raise BuilderError("--vnc-password", "there is no VNC server to ask for it", "give --vnc as well")
    if domain.machine is not None:
        return
    for flag, what in OF_A_PC:
        if getattr(options, flag[2:].replace("-", "_"), None) is not None:
            raise BuilderError(flag, f"only an HVM domain has a {what}", "say --type hvm, or leave it out")


def _serve(domain: Domain, where: tuple[str, int], given: str | None) -> VncServer:
    from hv.toolstack.screenshot import NoScreenError, screen_of
    from hv.toolstack.vnc.auth import new_password, password_key
    from hv.toolstack.vnc.gate import GateInputs
    from hv.toolstack.vnc.server import LOOPBACK_HOSTS, VncServer, listen

    host, port = where
    if given == "" and host not in LOOPBACK_HOSTS:
        problem = f"without a password, everybody who reaches {host} would have the guest"
        raise BuilderError("--vnc", problem, "give a password, or leave out the host")
    password = new_password() if given is None else given or None
    if given:
        try:
            password_key(given)
        except ValueError as error:
            raise BuilderError("--vnc-password", str(error), "give another one") from None
    try:
        screen = screen_of(domain)
        server = VncServer(screen, GateInputs(domain), listen(host, port), password=password, name=domain.name)
    except NoScreenError:
        raise BuilderError("--vnc", "the machine has no screen (--vga none)", "say --vga std") from None
    except ValueError as error:  # UnicodeError, of a host's name, among them
        raise BuilderError("--vnc", str(error), "give another one") from None
    except OSError as error:
        problem = f"{host}:{port} cannot be listened on: {why_not(error)}"
        raise BuilderError("--vnc", problem, "give another [HOST:]PORT, or port 0") from None
    shown = "no password" if password is None else "password as given" if given else f"password {password}"
    sys.stderr.write(f"hv: VNC at {server.address[0]}::{server.address[1]}, {shown}\n")
    sys.stderr.flush()
    return server
