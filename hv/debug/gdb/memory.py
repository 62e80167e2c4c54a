"""Memory for gdb's m, M and X packets: by linear address, or machine memory after Qqemu.PhyMemMode:1 (QEMU's name)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv import changes
from hv.debug.gdb.errors import Refused
from hv.debug.memory import LAST_ADDRESS, pieces, read_linear, read_machine

if TYPE_CHECKING:
    from hv.vcpu import Vcpu


def read(vcpu: Vcpu, address: int, length: int, *, physical: bool) -> bytes:
    """As much as there is, at least one byte if any was asked for. Refused."""
    data = read_machine(vcpu.domain.hv, address, length) if physical else read_linear(vcpu, address, length)
    if length and not data:
        raise Refused(f"nothing is mapped at {address:#x}")
    return data


def write(vcpu: Vcpu, address: int, data: bytes, *, physical: bool) -> None:
    """All or nothing. Refused."""
    if address + len(data) > LAST_ADDRESS + 1:
        raise Refused("that is behind the last address")
    if not data:
        return
    places = [(address, len(data))] if physical else list(pieces(vcpu, address, len(data)))
    if sum(length for _, length in places) < len(data):
        raise Refused(f"not all of {len(data)} bytes at {address:#x} are mapped")
    writes, at = [], 0
    for place, length in places:
        writes.append((place, data[at : at + length]))
        at += length
    try:
        changes.change_memory(vcpu.domain.hv, writes)
    except changes.ChangeRefused as refusal:
        raise Refused(str(refusal)) from None
