"""memory_op's commands that only x86 has: the machine-to-phys table, memory maps, populate on demand.

Source: arch_memory_op(), subarch_memory_op() in xen/arch/x86/{mm,x86_64/mm}.c of Xen 4.17. Differs from it: a memory
map has at most HV_E820_ENTRIES entries; the frame lists of the machine-to-phys table for 32-bit guests
(XENMEM_machphys_compat_mfn_list) come with those guests.
"""

from __future__ import annotations

from typing import Any

from hv import abi
from hv.arch.x86.hypercalls import hypercall
from hv.errors import XenError
from hv.hypercall import Context
from hv.native import lib
from hv.suboperations import UNKNOWN, once

M2P_EXTENT_FRAMES = 512
E820_ENTRY = abi.layout("e820entry").size
arch = once(hypercall, UNKNOWN)


@arch(abi.XENMEM_machphys_mapping, "xen_machphys_mapping")
def machphys_mapping(ctx: Context, arg: dict[str, Any]) -> int:
    """Where the machine-to-phys table lies, and how far it can reach. Translated domains have none."""
    if ctx.domain.translated:
        raise XenError("subop_pv_only", hypercall=ctx.nr, subop=ctx.subop)
    arg["v_start"] = abi.constant("MACH2PHYS_VIRT_START", ctx.abi)
    arg["v_end"] = abi.constant("MACH2PHYS_VIRT_END", ctx.abi)
    arg["max_mfn"] = abi.constant("MACH2PHYS_NR_ENTRIES", ctx.abi) - 1
    return 0


@arch(abi.XENMEM_machphys_mfn_list, "xen_machphys_mfn_list")
def machphys_mfn_list(ctx: Context, arg: dict[str, Any]) -> int:
    """The frames of the machine-to-phys table, one for each 2 MiB of it."""
    state = ctx.hv.state
    first, frames = int(state.m2p_frame), int(state.m2p_frames)
    count = min(arg["max_extents"], -(-frames // M2P_EXTENT_FRAMES))
    if count:
        ctx.write_array("P", arg["extent_start"], [first + i * M2P_EXTENT_FRAMES for i in range(count)])
    arg["nr_extents"] = count
    return 0


@arch(abi.XENMEM_memory_map, "xen_memory_map")
def memory_map(ctx: Context, arg: dict[str, Any]) -> int:
    """The memory map that was set for the domain."""
    d = ctx.domain.c
    if d.e820_entries == 0:
        raise XenError("memory_map_unset", domid=ctx.domain.domid)
    arg["nr_entries"] = min(arg["nr_entries"], int(d.e820_entries))
    entries = [d.e820[i] for i in range(arg["nr_entries"])]
    pack = abi.layout("e820entry").pack
    data = b"".join(pack({"addr": int(e.addr), "size": int(e.size), "type": int(e.type)}) for e in entries)
    if data:
        ctx.write(arg["buffer"], data)
    return 0


@arch(abi.XENMEM_set_memory_map, "xen_foreign_memory_map")
def set_memory_map(ctx: Context, arg: dict[str, Any]) -> int:
    """Set the domain's own memory map, for whoever asks next."""
    entries, limit = arg["map"]["nr_entries"], int(lib.HV_E820_ENTRIES)
    if entries > limit:
        raise XenError("memory_map_entries", entries=entries, limit=limit)
    d, layout = ctx.own_domain(arg["domid"]).c, abi.layout("e820entry")
    data = ctx.read(arg["map"]["buffer"], entries * E820_ENTRY) if entries else b""
    for i in range(entries):
        fields = layout.unpack(data, i * E820_ENTRY)
        d.e820[i].addr, d.e820[i].size, d.e820[i].type = fields["addr"], fields["size"], fields["type"]
    d.e820_entries = entries
    return 0


@arch(abi.XENMEM_set_pod_target, "xen_pod_target")
@arch(abi.XENMEM_get_pod_target, "xen_pod_target")
def pod_target(ctx: Context, arg: dict[str, Any]) -> int:
    """Populate on demand: the control domain's."""
    ctx.find_domain(arg["domid"])
    raise XenError("memory_control_only", subop=ctx.subop)


def control_only(ctx: Context, arg: dict[str, Any]) -> int:
    """EPERM whatever the argument says."""
    raise XenError("memory_control_only", subop=ctx.subop)


def not_built_in(ctx: Context, arg: dict[str, Any]) -> int:
    """Guest memory on disk or shared between domains: not built in."""
    raise XenError("memory_not_built_in", subop=ctx.subop)


arch(abi.XENMEM_machine_memory_map)(control_only)
arch(abi.XENMEM_paging_op)(not_built_in)
arch(abi.XENMEM_sharing_op)(not_built_in)
