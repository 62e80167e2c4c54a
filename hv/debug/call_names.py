"""What native/abi does not say of hypercalls: the names of their arguments, and which field holds which constants.

Data for hv/debug/calls.py. The names are those of Xen's headers and of xen/include/hypercall-defs.c (Xen 4.17).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from hv import abi

# name:kind for each argument. Kinds: `subop` the sub-operation; `n`, `x` a number; `uvmf` flags of update_va_mapping;
# `*` the sub-operation's structure; STRUCT a structure; `*[count]`, STRUCT[count], bytes[count] arrays of so many.
SIGNATURES: dict[str, str] = {
    "set_trap_table": "traps:trap_info[traps]",
    "mmu_update": "req:mmu_update[count] count:n success_count:x foreigndom:n",
    "set_gdt": "frame_list:x entries:n",
    "stack_switch": "ss:x esp:x",
    "set_callbacks": "event_address:x failsafe_address:x syscall_address:x",
    "fpu_taskswitch": "set:n",
    "set_debugreg": "reg:n value:x",
    "get_debugreg": "reg:n",
    "update_descriptor": "maddr:x desc:x",
    "memory_op": "cmd:subop arg:*",
    "multicall": "call_list:multicall_entry[nr_calls] nr_calls:n",
    "update_va_mapping": "va:x val:x flags:uvmf",
    "set_timer_op": "timeout:n",
    "xen_version": "cmd:subop arg:*",
    "console_io": "cmd:subop count:n buffer:bytes[count]",
    "grant_table_op": "cmd:subop uop:*[count] count:n",
    "vm_assist": "cmd:subop type:n",
    "update_va_mapping_otherdomain": "va:x val:x flags:uvmf domid:n",
    "iret": "",
    "vcpu_op": "cmd:subop vcpuid:n extra_args:*",
    "set_segment_base": "which:subop base:x",
    "mmuext_op": "op:mmuext_op[count] count:n success_count:x foreigndom:n",
    "nmi_op": "cmd:subop arg:*",
    "sched_op": "cmd:subop arg:*",
    "callback_op": "cmd:subop arg:*",
    "event_channel_op": "cmd:subop arg:*",
    "physdev_op": "cmd:subop arg:*",
    "hvm_op": "op:subop arg:*",
}

# Structures that Xen only writes: what is there when the call is made means nothing.
OUTPUT_ONLY = frozenset(
    {"xen_compile_info", "xen_platform_parameters", "vcpu_runstate_info", "vcpu_get_physid", "xen_build_id"}
)

# Sub-operations whose argument points to one number and to no structure: the number's name, and its code of `struct`.
POINTED: dict[str, tuple[str, str]] = {
    "XENMEM_current_reservation": ("domid", "<H"),
    "XENMEM_maximum_reservation": ("domid", "<H"),
    "XENMEM_maximum_gpfn": ("domid", "<H"),
}

# Which constants a field holds, by its name: in a structure or call, or in any ("").
PREFIXES: dict[tuple[str, str], str] = {
    ("", "dom"): "DOMID_",
    ("", "domid"): "DOMID_",
    ("", "remote_dom"): "DOMID_",
    ("", "foreigndom"): "DOMID_",
    ("", "foreign_domid"): "DOMID_",
    ("", "virq"): "VIRQ_",
    ("", "reason"): "SHUTDOWN_",
    ("evtchn_status", "status"): "EVTCHNSTAT_",
    ("mmuext_op", "cmd"): "MMUEXT_",
    ("vm_assist", "type"): "VMASST_TYPE_",
    ("callback_register", "type"): "CALLBACKTYPE_",
    ("callback_unregister", "type"): "CALLBACKTYPE_",
    ("xen_add_to_physmap", "space"): "XENMAPSPACE_",
    ("xen_add_to_physmap_batch", "space"): "XENMAPSPACE_",
    ("xen_remove_from_physmap", "space"): "XENMAPSPACE_",
}

# Names of constants with the prefix that are no value of the field.
_LIMITS = ("_MAX", "_MASK", "_FIRST_RESERVED", "_ARCH_0")
_ADDRESSES = (
    "addr", "address", "cs", "esp", "base", "va", "val", "ptr", "mfn", "gmfn", "gpfn", "pfn", "gfn", "desc", "frame",
    "frame_list", "extent_start", "maddr", "mfn_list", "h", "p", "buffer", "bitmap", "vcpumask", "linear_addr",
    "src_mfn", "control_gfn", "array_gfn", "flags", "handler_address", "success_count", "ss", "value", "ports",
    "host_addr", "new_addr", "dev_bus_addr", "arg", "uop", "op", "req", "traps", "call_list", "extra_args",
)  # fmt: skip

_MFN = frozenset({"MMUEXT_NEW_BASEPTR", "MMUEXT_NEW_USER_BASEPTR", "MMUEXT_UNPIN_TABLE", "MMUEXT_CLEAR_PAGE"})


def _mmuext_arg1(fields: dict[str, Any]) -> list[str]:
    command = abi.subop_name("mmuext_op", fields.get("cmd", -1))
    if command in _MFN or "_PIN_" in command or command == "MMUEXT_COPY_PAGE":
        return ["mfn"]
    return ["linear_addr"] if "INVLPG" in command or command == "MMUEXT_SET_LDT" else []


def _mmuext_arg2(fields: dict[str, Any]) -> list[str]:
    command = abi.subop_name("mmuext_op", fields.get("cmd", -1))
    if command.endswith("_MULTI"):
        return ["vcpumask"]
    return {"MMUEXT_SET_LDT": ["nr_ents"], "MMUEXT_COPY_PAGE": ["src_mfn"]}.get(command, [])


# Which members of a union count, told by the structure's other fields.
MEMBERS: dict[str, dict[str, Callable[[dict[str, Any]], list[str]]]] = {
    "mmuext_op": {"arg1": _mmuext_arg1, "arg2": _mmuext_arg2},
    "evtchn_status": {"u": lambda fields: {3: ["pirq"], 4: ["virq"]}.get(fields.get("status", -1), [])},
    "vcpu_register_runstate_memory_area": {"addr": lambda fields: ["h"]},
    "vcpu_register_time_memory_area": {"addr": lambda fields: ["h"]},
}


@cache
def constants(prefix: str) -> dict[int, str]:
    """The names of the constants with this prefix, by value."""
    return {
        value: name
        for name, value in sorted(vars(abi).items(), reverse=True)
        if name.startswith(prefix) and isinstance(value, int) and not name.endswith(_LIMITS)
    }


def constant_name(where: str, field: str, value: int) -> str | None:
    """The name of a constant in a field of the structure or call `where`; None when it has none."""
    prefix = PREFIXES.get((where, field)) or PREFIXES.get(("", field))
    if prefix is not None:
        return constants(prefix).get(value)
    if field in ("status",) and where.startswith("gnttab"):
        return constants("GNTST_").get(value)
    return None


def update_flags(value: int) -> str:
    """The flags of update_va_mapping: the flush and its scope, or the address of a set of vcpus."""
    kind = {abi.UVMF_TLB_FLUSH: "UVMF_TLB_FLUSH", abi.UVMF_INVLPG: "UVMF_INVLPG"}.get(value & abi.UVMF_FLUSHTYPE_MASK)
    scope = value & ~abi.UVMF_FLUSHTYPE_MASK
    if kind is None:
        return "UVMF_NONE" if value == abi.UVMF_NONE else hex(value)
    return f"{kind}|{ {abi.UVMF_LOCAL: 'UVMF_LOCAL', abi.UVMF_ALL: 'UVMF_ALL'}.get(scope, hex(scope)) }"


def is_address(name: str) -> bool:
    """Whether numbers of this name read better in hexadecimal."""
    return name in _ADDRESSES or name.endswith(("_address", "addr"))


def is_amount(name: str) -> bool:
    """Whether numbers of this name are counts or nanoseconds."""
    return name.endswith(("_ns", "timeout", "count")) or name.startswith("nr_")
