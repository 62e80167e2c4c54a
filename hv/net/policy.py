"""Which destinations a guest may reach through the host's sockets.

A policy is a list of grants; what none of them names is refused. Texts, as `--nic user,allow=TEXT` has them:

    any                     every address but the host's own loopback, link-local and other special ones; and dns
    none                    nothing
    dns                     the host's name server, as 10.0.2.3
    host[:PORTS]            the host's loopback, as 10.0.2.2
    ADDRESS[/BITS][:PORTS]  IPv4 addresses; PORTS is a number or FIRST-LAST
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple

from hv.net.nat import DNS, GATEWAY, NETWORK

DNS_PORT = 53
_EVERYWHERE = ipaddress.IPv4Network("0.0.0.0/0")
_GATEWAY = ipaddress.IPv4Network((GATEWAY, 32))
_DNS = ipaddress.IPv4Network((DNS, 32))
ALL_PORTS = (0, 65535)


class Grant(NamedTuple):
    """Addresses, as the guest uses them, with the first and the last port. special: loopback and the like too."""

    network: ipaddress.IPv4Network
    ports: tuple[int, int] = ALL_PORTS
    special: bool = True


def is_special(address: ipaddress.IPv4Address) -> bool:
    """Whether an address is no place in the world outside: loopback, link-local (where clouds answer for the host),
    multicast, reserved."""
    return (
        address.is_loopback or address.is_link_local or address.is_multicast or address.is_reserved
        or address.is_unspecified or address.packed[0] == 0
    )  # fmt: skip


class Policy:
    """What is granted."""

    def __init__(self, grants: Iterable[Grant] = ()) -> None:
        self.grants = tuple(grants)

    def allows(self, address: bytes, port: int) -> bool:
        """Whether the guest may speak to a port of an address."""
        where = ipaddress.IPv4Address(address)
        inside = address[:3] == NETWORK
        return any(
            where in grant.network and grant.ports[0] <= port <= grant.ports[1]
            and (grant.special or not (inside or is_special(where)))
            for grant in self.grants
        )  # fmt: skip


def parse_policy(texts: Iterable[str]) -> Policy:
    """From texts as above. ValueError: one of them is no grant."""
    return Policy(grant for text in texts for grant in _grants(text))


def _grants(text: str) -> list[Grant]:
    if text == "none":
        return []
    dns = Grant(_DNS, (DNS_PORT, DNS_PORT))
    if text in ("any", "dns"):
        return [dns] if text == "dns" else [dns, Grant(_EVERYWHERE, special=False)]
    name, _, ports = text.partition(":")
    try:
        network = _GATEWAY if name == "host" else ipaddress.IPv4Network(name)
        return [Grant(network, parse_ports(ports) if ports or ":" in text else ALL_PORTS)]
    except ValueError:
        raise ValueError(
            f"allow={text}: not a destination; remedy: any, none, dns, host[:PORTS] or ADDRESS[/BITS][:PORTS]"
        ) from None


def parse_ports(text: str) -> tuple[int, int]:
    """From "80" or "8000-8010". ValueError: it is neither."""
    first, dash, last = text.partition("-")
    if not (first.isascii() and first.isdigit()) or (dash and not (last.isascii() and last.isdigit())):
        raise ValueError(text)
    low, high = int(first), int(last if dash else first)
    if not 0 <= low <= high <= 65535:
        raise ValueError(text)
    return low, high
