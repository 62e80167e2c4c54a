"""The state hash: SHA-256 of the canonical form of everything that a run can change.

Canonical means: what two equal runs have in common byte for byte. Registers in architectural form (no lazy flags, no
segment caches of the engine's own making), the arena's structs in use, page_info and contents of every owned frame,
and what the back ends of each domain hold. Left out: free frames (nobody can see what is in them), caches, statistics,
and host addresses, of which there are none in the arena.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from hv.arch import architecture
from hv.native import ffi, lib, view

if TYPE_CHECKING:
    from hv.domain import Domain
    from hv.hypervisor import Hypervisor

PAGE_SIZE = 4096
PAGE_INFO_SIZE = ffi.sizeof("struct page_info")
GRANTS_PER_FRAME = 512


class Digest(Protocol):
    """The part of a hashlib object that is used."""

    def update(self, data: Any, /) -> None:
        """Take in more bytes."""


def state_hash(hv: Hypervisor) -> str:
    """The hash as 64 hexadecimal digits."""
    import hashlib  # OpenSSL comes with it: only who asks for a hash pays

    digest = hashlib.sha256()
    feed(hv, digest)
    return digest.hexdigest()


def register_hash(hv: Hypervisor) -> str:
    """The same of the clocks and the vcpus alone, in microseconds: runs that differ soon differ here."""
    import hashlib

    digest = hashlib.sha256(view(hv.state, ffi.offsetof("struct hv_state", "domains")))
    for slot in sorted(hv.domains):
        _feed_vcpus(hv.domains[slot], digest)
    return digest.hexdigest()


def feed(hv: Hypervisor, digest: Digest) -> None:
    """Give the canonical form of the whole state to `digest`, piece by piece."""
    state = hv.state
    digest.update(view(state, ffi.offsetof("struct hv_state", "domains")))
    for slot in sorted(hv.domains):
        _feed_domain(hv, hv.domains[slot], digest)
    for first, count, zero in owned_runs(hv):
        digest.update(struct.pack("<QQ?", first, count, zero))
        digest.update(view(lib.hv_pages(hv.native) + first, count * PAGE_INFO_SIZE))
        if not zero:
            digest.update(view(lib.machine_frame(hv.machine, first), count * PAGE_SIZE))


def owned_runs(hv: Hypervisor) -> Iterator[tuple[int, int, bool]]:
    """(first frame, count, whether they are zeros) of each run of neighbouring frames that somebody owns and that are
    alike in this. Zeros need not be digested, which is most of a small guest's memory."""
    first, zero = ffi.new("uint64_t *"), ffi.new("bool *")
    while count := int(lib.hv_owned_run(hv.native, first, zero)):
        yield first[0], count, zero[0]
        first[0] += count


def _feed_domain(hv: Hypervisor, domain: Domain, digest: Digest) -> None:
    digest.update(view(domain.c, ffi.sizeof("struct domain")))
    tables = (
        ("struct evtchn", hv.state.evtchn_offset, lib.HV_MAX_PORTS, lib.hv_evtchn_limit(domain.c)),
        ("struct active_grant", hv.state.grant_offset, lib.HV_MAX_GRANTS, domain.c.grant_frames * GRANTS_PER_FRAME),
    )
    arena = ffi.cast("char *", lib.machine_arena(hv.machine))
    for name, offset, capacity, used in tables:
        size = ffi.sizeof(name)
        digest.update(view(arena + offset + domain.slot * capacity * size, used * size))
    for part in architecture(domain.kind.abi, "canonical").of_domain(domain):
        digest.update(part)
    for handle, entry in _grant_mappings(hv, domain):
        digest.update(struct.pack("<I", handle) + entry)
    _feed_vcpus(domain, digest)
    for name, service in sorted(domain.services.items()):
        digest.update(name.encode())
        digest.update(service.canonical())


def _feed_vcpus(domain: Domain, digest: Digest) -> None:
    canonical = architecture(domain.kind.abi, "canonical")
    for vcpu in domain.vcpus:
        digest.update(view(vcpu.c, ffi.sizeof("struct vcpu")))
        for part in canonical.of_vcpu(vcpu):
            digest.update(part)
        digest.update(view(vcpu.state(), ffi.sizeof(vcpu.arch.STATE)))


def _grant_mappings(hv: Hypervisor, domain: Domain) -> Iterator[tuple[int, bytes]]:
    """(handle, struct maptrack) of each grant that the domain has mapped."""
    table = ffi.cast("struct maptrack *", ffi.cast("char *", lib.machine_arena(hv.machine)) + hv.state.maptrack_offset)
    table += domain.slot * lib.HV_MAX_MAPTRACK
    left = int(domain.c.maptrack_used)
    for handle in range(lib.HV_MAX_MAPTRACK):
        if left == 0:
            return
        if table[handle].flags:
            left -= 1
            yield handle, bytes(view(table + handle, ffi.sizeof("struct maptrack")))
