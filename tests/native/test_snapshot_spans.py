"""A snapshot when every slot of a domain is in use: the list of what it saves is as long as it can be.

`make asan` sees its end.
"""

from __future__ import annotations

import pytest

from hv.hypervisor import Hypervisor
from hv.native import check, ffi, lib

KINDS = (lib.DOMAIN_PVH, lib.DOMAIN_HVM, lib.DOMAIN_ARM64, lib.DOMAIN_ARM32)
"""Those that have tables of their own."""


@pytest.mark.parametrize("first", KINDS)
def test_domains_of_several_kinds_fill_every_slot(first: int) -> None:
    hv = Hypervisor(memory_mib=4)
    for slot in range(lib.HV_MAX_DOMAINS):
        kind = KINDS[(KINDS.index(first) + slot) % len(KINDS)]
        assert check(lib.hv_domain_create(hv.native, 1 + slot, kind, 1), "a domain") == slot
    check(lib.hv_vcpu_create(hv.native, lib.HV_MAX_DOMAINS - 1, 0), "a vcpu")
    last = hv.state.domains[lib.HV_MAX_DOMAINS - 1]
    out = ffi.new("struct hv_snapshot **")
    assert lib.hv_snapshot_take(hv.native, out) == 0
    last.max_pages = 2
    assert lib.hv_snapshot_restore(hv.native, out[0]) == 0
    assert (last.used, last.max_pages) == (1, 1)
    lib.hv_snapshot_release(out[0])
