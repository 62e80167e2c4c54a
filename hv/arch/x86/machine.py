"""What x86 sets up in a hypervisor that is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.native import check, lib

if TYPE_CHECKING:
    from hv.hypervisor import Hypervisor

_PAGING = {"walk": lib.HV_PAGING_WALK, "shadow": lib.HV_PAGING_SHADOW}


def prepare(hv: Hypervisor) -> None:
    """Choose how addresses of PVH and HVM guests are translated. KeyError: by none of hv.hypervisor.PAGING."""
    check(lib.hv_set_paging(hv.native, _PAGING[hv.paging]), f"paging {hv.paging}")
