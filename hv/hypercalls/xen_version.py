"""xen_version: what hypervisor this is. (XENVER_version itself is answered in C, native/xen/calls.c.)

We say what Xen 4.17 says to an unprivileged domain; features and capabilities are the architecture's. Sources:
xen/include/public/{version,features}.h, do_xen_version() in xen/common/kernel.c, xsm_xen_version() in
xen/include/xsm/dummy.h.
"""

from __future__ import annotations

from typing import Any

from hv import abi
from hv.arch import architecture
from hv.errors import XenError
from hv.hypercall import Context, hypercall

VERSION = 4 << 16 | 17
EXTRAVERSION = b".0"
COMPILE_INFO = {
    "compiler": b"xenlab", "compile_by": b"xenlab", "compile_domain": b"", "compile_date": b"",
}  # fmt: skip
CHANGESET = b"unavailable"
DENIED = b"<denied>"
PAGE_SIZE = 4096


def text(ctx: Context, value: bytes, size: int) -> int:
    """Write a string into a character array of `size` bytes, cut so that a zero byte ends it."""
    ctx.write(ctx.args[1], value[: size - 1].ljust(size, b"\0"))
    return 0


@hypercall("xen_version", sub=abi.XENVER_version)
def version(ctx: Context, arg: dict[str, Any]) -> int:
    """Major and minor version."""
    return VERSION


@hypercall("xen_version", sub=abi.XENVER_extraversion)
def extraversion(ctx: Context, arg: dict[str, Any]) -> int:
    """What follows the minor version."""
    return text(ctx, EXTRAVERSION, abi.XEN_EXTRAVERSION_LEN)


@hypercall("xen_version", sub=abi.XENVER_compile_info)
def compile_info(ctx: Context, arg: dict[str, Any]) -> int:
    """Who built it. Nothing about the host: guests on two machines must not differ."""
    ctx.write_struct("xen_compile_info", ctx.args[1], dict(COMPILE_INFO))
    return 0


@hypercall("xen_version", sub=abi.XENVER_capabilities)
def capabilities(ctx: Context, arg: dict[str, Any]) -> int:
    """The kinds of guest that can be run."""
    return text(ctx, architecture(ctx.abi, "interface").CAPABILITIES, abi.XEN_CAPABILITIES_INFO_LEN)


@hypercall("xen_version", sub=abi.XENVER_changeset)
def changeset(ctx: Context, arg: dict[str, Any]) -> int:
    """The revision it was built from."""
    return text(ctx, CHANGESET, abi.XEN_CHANGESET_INFO_LEN)


@hypercall("xen_version", sub=abi.XENVER_platform_parameters)
def platform_parameters(ctx: Context, arg: dict[str, Any]) -> int:
    """Where the hypervisor's part of the address space begins: translated domains have none there."""
    start = 0 if ctx.domain.translated else architecture(ctx.abi, "pv").virt_start(ctx.abi)
    ctx.write_struct("xen_platform_parameters", ctx.args[1], {"virt_start": start})
    return 0


@hypercall("xen_version", sub=abi.XENVER_get_features, arg="xen_feature_info")
def get_features(ctx: Context, arg: dict[str, Any]) -> int:
    """Feature bits, 32 at a time."""
    if arg["submap_idx"] >= abi.XENFEAT_NR_SUBMAPS:
        raise XenError("version_submap", submap=arg["submap_idx"], limit=abi.XENFEAT_NR_SUBMAPS)
    arg["submap"] = architecture(ctx.domain.abi, "interface").features(ctx.domain)
    return 0


@hypercall("xen_version", sub=abi.XENVER_pagesize)
def pagesize(ctx: Context, arg: dict[str, Any]) -> int:
    """The page size; the argument must be null."""
    if ctx.args[1] != 0:
        raise XenError("version_pagesize_argument", address=ctx.args[1])
    return PAGE_SIZE


@hypercall("xen_version", sub=abi.XENVER_guest_handle)
def guest_handle(ctx: Context, arg: dict[str, Any]) -> int:
    """The domain's UUID: zero, since nothing gives a domain one yet."""
    ctx.write(ctx.args[1], bytes(16))
    return 0


@hypercall("xen_version", sub=abi.XENVER_commandline)
def commandline(ctx: Context, arg: dict[str, Any]) -> int:
    """The hypervisor's command line, which an unprivileged domain is not shown."""
    return text(ctx, DENIED, abi.XEN_COMMANDLINE_LEN)


@hypercall("xen_version", sub=abi.XENVER_build_id)
def build_id(ctx: Context, arg: dict[str, Any]) -> int:
    """The hypervisor's build id, which an unprivileged domain is not shown."""
    raise XenError("version_build_id", domid=ctx.domain.domid)
