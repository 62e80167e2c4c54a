"""vcpu_op(cmd, vcpu, argument): bringing vcpus up and down, their timers and their shared areas.

The vcpu is looked for before anything else, and the argument is read by each sub-operation when its turn
comes, so that the errnos come in Xen's order. What only one architecture has is in hv/arch/NAME/hypercalls.
Source: xen/include/public/vcpu.h; xen/common/domain.c of Xen 4.17.
"""

from __future__ import annotations

from typing import Any

from hv import abi, clock, evtchn
from hv.disposition import BLOCK, Disposition
from hv.errors import XenError
from hv.hypercall import Context, hypercall
from hv.native import ffi, lib
from hv.physical import PAGE_SHIFT, PAGE_SIZE, read, write
from hv.suboperations import named_vcpu, on_vcpu, vcpu_area

operation = on_vcpu(hypercall)

@hypercall("vcpu_op")
def unknown(ctx: Context, _arg: dict[str, Any]) -> int:
    """Any other command: ENOENT for a vcpu that is not there, else ENOSYS."""
    named_vcpu(ctx)
    raise XenError("unknown_subop", hypercall=ctx.nr, subop=ctx.subop)


# ---- up and down ----


@operation(abi.VCPUOP_up)
def up(ctx: Context, v: Any) -> int:
    """Let the vcpu run. EINVAL before it has a context."""
    if not v.initialised:
        raise XenError("vcpu_not_initialised", vcpu=v.id)
    if not v.online:
        v.online = 1
        lib.hv_runstate_set(ctx.hv.native, v, lib.RS_BLOCKED if v.blocked else lib.RS_RUNNABLE)
    return 0


@operation(abi.VCPUOP_down)
def down(ctx: Context, v: Any) -> int | Disposition:
    """Stop the vcpu until VCPUOP_up. The last one to go takes the domain with it: a power-off."""
    c, d = ctx.hv.native, ctx.domain.c
    if not any(other.online for other in evtchn.vcpus(c, d) if other.id != v.id):
        if not d.shut_down:
            d.shutdown_code, d.shut_down = abi.SHUTDOWN_poweroff, 1
        return BLOCK
    v.online = 0
    if v.slot == ctx.vcpu.slot:
        return BLOCK
    lib.hv_runstate_set(c, v, lib.RS_OFFLINE)
    return 0


@operation(abi.VCPUOP_is_up)
def is_up(ctx: Context, v: Any) -> int:
    """1 when the vcpu is up."""
    return int(bool(v.online))


# ---- run states ----


def _runstate(ctx: Context, v: Any) -> bytes:
    times = ffi.new("uint64_t[4]")
    lib.hv_runstate_times(ctx.hv.native, v, times)
    fields = {"state": v.runstate, "state_entry_time": v.runstate_since, "time": list(times)}
    return abi.layout("vcpu_runstate_info", ctx.abi).pack(fields)


@operation(abi.VCPUOP_get_runstate_info)
def get_runstate_info(ctx: Context, v: Any) -> int:
    """The state a vcpu is in, since when, and the time spent in each."""
    ctx.write(ctx.args[2], _runstate(ctx, v))
    return 0


@operation(abi.VCPUOP_register_runstate_memory_area)
def register_runstate_memory_area(ctx: Context, v: Any) -> int:
    """Where to keep the vcpu's run state up to date; it is filled in at once when it is mapped."""
    data = _runstate(ctx, v)
    v.runstate_va = vcpu_area(ctx, "vcpu_register_runstate_memory_area", len(data))
    lib.hv_copy_to_guest_kernel(ctx.hv.native, ctx.vcpu.c, v.runstate_va, data, len(data))
    return 0


# ---- timers ----


@operation(abi.VCPUOP_set_periodic_timer)
def set_periodic_timer(ctx: Context, v: Any) -> int:
    """VIRQ_TIMER at regular intervals while the vcpu runs."""
    arg = ctx.read_struct("vcpu_set_periodic_timer", ctx.args[2])
    clock.set_periodic(ctx.hv.native, v, arg["period_ns"])
    return 0


@operation(abi.VCPUOP_stop_periodic_timer)
def stop_periodic_timer(ctx: Context, v: Any) -> int:
    """No more of them."""
    clock.stop_periodic(v)
    return 0


def _own(ctx: Context, v: Any) -> None:
    if v.slot != ctx.vcpu.slot:
        raise XenError("vcpu_not_self", vcpu=v.id, caller=ctx.vcpu.id)


@operation(abi.VCPUOP_set_singleshot_timer)
def set_singleshot_timer(ctx: Context, v: Any) -> int:
    """VIRQ_TIMER once, at a system time. EINVAL for another vcpu; ETIME with VCPU_SSHOTTMR_future."""
    _own(ctx, v)
    arg = ctx.read_struct("vcpu_set_singleshot_timer", ctx.args[2])
    only_future = bool(arg["flags"] & abi.VCPU_SSHOTTMR_future)
    clock.set_singleshot(ctx.hv.native, v, arg["timeout_abs_ns"], only_future=only_future)
    return 0


@operation(abi.VCPUOP_stop_singleshot_timer)
def stop_singleshot_timer(ctx: Context, v: Any) -> int:
    """Disarm it."""
    _own(ctx, v)
    v.singleshot_deadline = 0
    return 0


# ---- shared areas ----


@operation(abi.VCPUOP_register_vcpu_info)
def register_vcpu_info(ctx: Context, v: Any) -> int:
    """Move the vcpu's vcpu_info into a page of the guest's own, once and for all; what is pending stays
    so."""
    arg = ctx.read_struct("vcpu_register_vcpu_info", ctx.args[2])
    c, d, offset = ctx.hv.native, ctx.domain.c, arg["offset"]
    frame = int(lib.hv_frame_of(c, d, arg["mfn"]))
    layout = abi.layout("vcpu_info", ctx.abi)
    if offset > PAGE_SIZE - layout.size or offset % layout.align:
        raise XenError("vcpu_info_offset", offset=offset, limit=PAGE_SIZE - layout.size)
    if v.info_pa and v.info_pa >> PAGE_SHIFT != d.shared_info_frame:
        raise XenError("vcpu_info_registered", vcpu=v.id)
    if v.slot != ctx.vcpu.slot and v.online:
        raise XenError("vcpu_online", vcpu=v.id)
    if lib.hv_get_page(c, frame, d.domid):
        raise XenError("vcpu_info_frame", frame=frame)
    if lib.hv_get_page_type(c, d, frame, lib.PGT_writable):
        lib.hv_put_page(c, frame)
        raise XenError("vcpu_info_frame", frame=frame)
    if frame == d.shared_info_frame:
        lib.hv_put_page_type(c, d, frame)  # it never goes away, and nobody would drop this reference
        lib.hv_put_page(c, frame)
    info = bytearray(layout.size)
    if v.info_pa:
        info[:] = read(c, v.info_pa, layout.size)
    else:
        info[layout.offset("evtchn_upcall_mask")] = 1
    # Every word of pending bits is marked for a look, so that nothing is lost on the way; one upcall may be
    # for nothing.
    selector = layout.offset("evtchn_pending_sel")
    size = layout.field_size("evtchn_pending_sel")
    info[selector : selector + size] = b"\xff" * size
    info[layout.offset("evtchn_upcall_pending")] = 0
    v.info_pa = (frame << PAGE_SHIFT) + offset
    write(c, v.info_pa, bytes(info))
    lib.hv_mark_events_pending(c, v)
    return 0
