"""What `--nic TEXT` means.

    user[,model=e1000|rtl8139][,mac=ADDRESS][,allow=DESTINATION]...[,hostfwd=tcp|udp:[ADDRESS]:PORT-[GUEST]:PORT]...
        [,tftp=FOLDER][,bootfile=NAME]
    switch=NAME[,model=...][,mac=...]

Without `allow`, a guest behind the NAT reaches what the user reaches, but for the host's own loopback (hv.net.policy).
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hv.net import headers
from hv.net.listeners import Forward
from hv.net.nat import NatConfig
from hv.net.policy import Policy, parse_policy

PV_MODEL = "xen"
"""A PV interface; the other models are cards of a PC."""
MODELS = ("e1000", "rtl8139", PV_MODEL)
DEFAULT_ALLOW = ("any",)
_ONCE = {"model", "mac", "tftp", "bootfile"}
_OF_USER = {"allow", "hostfwd", "tftp", "bootfile"}
_FORWARD = re.compile(r"(tcp|udp):([0-9.]*):([0-9]{1,5})-([0-9.]*):([0-9]{1,5})")


class NicOptions(NamedTuple):
    """One network card. `switch`: the name of the switch that it is plugged into; empty: a NAT of its own, with all
    that follows. `model`: one of MODELS, empty: the usual one of the domain. `mac`: None: default_mac()."""

    switch: str = ""
    model: str = ""
    mac: bytes | None = None
    policy: Policy = Policy()
    forwards: tuple[Forward, ...] = ()
    folder: Path | None = None
    bootfile: str = ""
    told: NatConfig | None = None
    """Of a machine out of a file: what its NAT had been told, whatever is granted now."""

    @property
    def nat(self) -> NatConfig:
        """What the NAT's part in the machine is told."""
        return self.told or NatConfig(bool(self.policy.grants), self.folder is not None, self.bootfile)


def parse_nic(text: str, allow: Sequence[str] = DEFAULT_ALLOW) -> NicOptions:
    """Read the text of a `--nic` option. allow: what is granted where it says nothing; tests say "none". ValueError: it
    is none; one line that says what to do."""
    kind, *rest = text.split(",")
    head, _, name = kind.partition("=")
    if (head, bool(name)) not in (("user", False), ("switch", True)):
        raise ValueError(f"{kind or 'nothing'}: no kind of network; remedy: user or switch=NAME")
    given: dict[str, list[str]] = {}
    for word in rest:
        key, _, value = word.partition("=")
        if key not in _ONCE | _OF_USER or not value:
            raise ValueError(f"{word}: unknown; remedy: NAME=VALUE with one of {', '.join(sorted(_ONCE | _OF_USER))}")
        if name and key in _OF_USER:
            raise ValueError(f"{word}: a switch has no {key}; remedy: give it with --nic user")
        given.setdefault(key, []).append(value)
        if key in _ONCE and len(given[key]) > 1:
            raise ValueError(f"{word}: {key} was given before; remedy: give it once")
    model = given.get("model", [""])[0]
    if model and model not in MODELS:
        raise ValueError(f"model={model}: no such card; remedy: one of {', '.join(MODELS)}")
    mac = parse_mac(given["mac"][0]) if "mac" in given else None
    if name:
        return NicOptions(name, model, mac)
    folder = Path(given["tftp"][0]) if "tftp" in given else None
    if folder is not None and not folder.is_dir():
        raise ValueError(f"tftp={folder}: no folder; remedy: name one whose files the guest may read")
    return NicOptions(
        "", model, mac, parse_policy(given.get("allow", allow)),
        tuple(parse_forward(value) for value in given.get("hostfwd", ())), folder, given.get("bootfile", [""])[0],
    )  # fmt: skip


def parse_mac(text: str) -> bytes:
    """From 52:54:00:12:34:56. ValueError: it is not the address of one card."""
    if not re.fullmatch(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", text) or int(text[:2], 16) & 1:
        raise ValueError(f"mac={text}: not a card's address; remedy: such as 52:54:00:12:34:56, the first byte even")
    return bytes.fromhex(text.replace(":", ""))


def parse_forward(text: str) -> Forward:
    """From tcp:127.0.0.1:8080-:80. Without an address of the host's, only its loopback listens; without one of the
    guest's, it is the one that DHCP gives first."""
    match = _FORWARD.fullmatch(text)
    try:
        if match is None:
            raise ValueError(text)
        protocol, host, host_port, guest, guest_port = match.groups()
        ports = int(host_port), int(guest_port)
        if not all(0 < port < 65536 for port in ports):
            raise ValueError(text)
        addresses = (str(ipaddress.IPv4Address(host or "127.0.0.1")), ipaddress.IPv4Address(guest or "0.0.0.0").packed)
    except ValueError:
        raise ValueError(
            f"hostfwd={text}: not a forwarding; remedy: tcp|udp:[ADDRESS]:PORT-[GUEST]:PORT, such as tcp::8080-:80"
        ) from None
    kind = headers.TCP if protocol == "tcp" else headers.UDP
    return Forward(kind, addresses[0], ports[0], addresses[1], ports[1])


def default_mac(domain: str, number: int) -> bytes:
    """A card's Ethernet address when none is given: of Xen's range, the same on every run, and another for each domain
    name and card."""
    return b"\x00\x16\x3e" + hashlib.sha256(f"{domain}/{number}".encode()).digest()[:3]
