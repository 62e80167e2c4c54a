"""`--pcap FILE`: the frames of all network interfaces of a domain in one file, in the order in which they pass."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hv.builder.image import BuilderError, why_not
from hv.net.pcap import Capture
from hv.net.port import Port
from hv.toolstack.attachments import Attachment

if TYPE_CHECKING:
    from hv.domain import Domain


class DomainCapture(Attachment):
    """A capture of whatever passes the cables of a domain. BuilderError: it has none, or the file cannot be written."""

    def __init__(self, path: str, domain: Domain) -> None:
        self._ports = [service for service in domain.services.values() if isinstance(service, Port)]
        if not self._ports:
            raise BuilderError("--pcap", "the guest has no network interface", "give it one with --nic")
        try:
            self._capture = Capture(Path(path))
        except (OSError, ValueError) as error:
            problem = f"{path} cannot be written: {why_not(error)}"
            raise BuilderError("--pcap", problem, "give a path that can be written") from None
        for port in self._ports:
            port.tap = self._tap

    def _passed(self) -> int:
        """The number of the frame that passed last. Ports count their own, as part of their state; so when time goes
        back, so does this."""
        return sum(int(port.state.passed) for port in self._ports)

    def _tap(self, number: int, now_ns: int, frame: bytes) -> None:
        self._capture(self._passed(), now_ns, frame)

    def poll(self) -> None:
        """Have readers see what was written."""
        self._capture.flush()

    def close(self) -> None:
        """The capture is complete."""
        self._capture.close()
