"""A switch between the domains of one hypervisor: frames go to the port behind which their target was last seen.

What a switch has learned lies with its ports, so that it is saved with the domains that the ports belong to: an address
is known to one port at most. Frames that nobody knows the target of, and those to groups, go to all other ports in the
order in which they were plugged in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hv.devices.device import Machine
from hv.net.port import Port, PortState

ADDRESSES = 256
"""Addresses that one port remembers; the longest unseen is forgotten first."""


@dataclass
class SwitchPortState(PortState):
    """`known`: addresses that have sent from behind this port, the last seen last."""

    known: tuple[bytes, ...] = ()


class Switch:
    """A switch by name. It has no state of its own, but for who is plugged in."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ports: list[SwitchPort] = []

    def port(self, machine: Machine, name: str) -> SwitchPort:
        """A new port, for a card of `machine`."""
        port = SwitchPort(machine, name, self)
        self.ports.append(port)
        return port

    def forward(self, source: SwitchPort, frame: bytes) -> None:
        """A frame has come in at a port."""
        target, sender = frame[:6], frame[6:12]
        if not sender[0] & 1:
            for port in self.ports:
                port.learn(sender, port is source)
        if not target[0] & 1:
            for port in self.ports:
                if target in port.state.known:
                    if port is not source:
                        port.deliver(frame)
                    return
        for port in self.ports:
            if port is not source:
                port.deliver(frame)


class SwitchPort(Port):
    """One port of a switch: a device of the domain whose card is plugged in."""

    State: type[Any] = SwitchPortState

    def __init__(self, machine: Machine, name: str, switch: Switch) -> None:
        super().__init__(machine, name)
        self.switch = switch

    def sent(self, frame: bytes) -> None:
        """To the other ports."""
        self.switch.forward(self, frame)

    def learn(self, address: bytes, here: bool) -> None:
        """`address` has sent from behind this port, or (not `here`) from behind another."""
        known = self.state.known
        if here and (not known or known[-1] != address):
            self.state.known = (*(k for k in known if k != address), address)[-ADDRESSES:]
        elif not here and address in known:
            self.state.known = tuple(k for k in known if k != address)

    def close(self) -> None:
        """The domain goes away."""
        if self in self.switch.ports:
            self.switch.ports.remove(self)
