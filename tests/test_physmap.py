"""The physmap of a translated domain when the machine has no memory left for its tables."""

from __future__ import annotations

import pytest

from hv import abi, physmap
from hv.domain import Domain
from hv.errors import XenError
from hv.hypercall import Context
from hv.hypervisor import Hypervisor

TABLE = 512
"""Entries of one table: the next one needs a frame of its own."""


@pytest.fixture
def domain() -> Domain:
    hv = Hypervisor(memory_mib=16)
    made = hv.create_domain("full", memory_mib=8, kind="pvh")
    made.map_frames(0, made.alloc_frames(2))
    return made


def _fill(domain: Domain) -> int:
    """Put one page wherever that takes a table more, until there is none; the guest frame that was refused."""
    (mfn,) = domain.alloc_frames(1)
    for gfn in range(TABLE, 1 << 27, TABLE):
        try:
            physmap.put(domain, gfn, mfn)
        except XenError as error:
            assert error.rule == "memory_exhausted" and error.errno == abi.XEN_ENOMEM
            return gfn
    raise AssertionError("the machine has memory without end")


def test_no_memory_for_a_table_is_an_errno_and_the_page_stays(domain: Domain) -> None:
    refused = _fill(domain)
    page = domain.frame_of(1)
    assert page is not None
    with pytest.raises(XenError) as caught:
        physmap.add(Context(domain.hv, domain.vcpus[0], 0, []), abi.XENMAPSPACE_gmfn, 1, refused)
    assert caught.value.rule == "memory_exhausted"
    assert domain.frame_of(1) == page and domain.frame_of(refused) is None
