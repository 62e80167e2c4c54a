"""Time as guests see it: one retired instruction is one nanosecond, and the TSC is that count (1 GHz).

System time and TSC are the same number, so `vcpu_time_info` holds one constant relation for ever: it is
written when a vcpu gets its page or a new one, and needs no update after that. Wall-clock time is system
time plus a configured start.

Timers are deadlines in `struct vcpu` and `struct domain`; native/xen/timer.c finds and fires them.
Functions take the hypervisor's C object `c`, a domain's `d`, a vcpu's `v`. Sources: xen/include/public/xen.h
(vcpu_time_info, shared_info), vcpu.h (timers); xen/arch/x86/time.c, xen/common/{domain,schedule}.c of Xen
4.17.
"""

from __future__ import annotations

from typing import Any

from hv import abi
from hv.arch import kind_numbered
from hv.errors import XenError
from hv.native import lib
from hv.physical import read_word, write

NS_PER_SECOND = 1_000_000_000
# 2024-01-01 00:00:00 UTC: a date must be something, and the same on every run.
DEFAULT_WALLCLOCK_NS = 1_704_067_200 * NS_PER_SECOND
# ns = (ticks << shift) * mul >> 32, as Xen scales 1 GHz.
TSC_SHIFT = 1
TSC_TO_SYSTEM_MUL = 0x8000_0000
DEFAULT_PERIOD_NS = 10_000_000  # PV vcpus are born with a ticker of 100 Hz
MIN_PERIOD_NS = 1_000_000
MAX_TIME_NS = (1 << 63) - 1  # Xen's s_time_t is signed
# set_timer_op: a time-out further away than this, or wrapped below zero, is an old Linux's "none"; it gets
# 100 ms.
FAR_AWAY_NS = 1 << 50
FAR_AWAY_INSTEAD_NS = 100_000_000

def guest_abi(d: Any) -> str:
    """The name of the domain's ABI, as `abi.layout` knows it."""
    kind = kind_numbered(d.type)
    return kind.narrow_abi if d.narrow else kind.abi


def now(c: Any) -> int:
    """System time in ns, exact at the current instruction."""
    return int(lib.hv_now(c))


def next_deadline(c: Any) -> int | None:
    """System time of the earliest armed timer; None: no timer is armed, only an outside event can wake
    anybody."""
    deadline = int(lib.hv_next_deadline(c))
    return None if deadline == 0xFFFF_FFFF_FFFF_FFFF else deadline


def fire_due(c: Any) -> int:
    """Expire every timer that is due at the current instruction: VIRQ_TIMER, the end of a poll, a watchdog.
    How many."""
    return int(lib.hv_fire_due(c))


# ---- what guests read ----


def _time_info(c: Any, d: Any, version: int) -> bytes:
    when = now(c)
    return abi.layout("vcpu_time_info", guest_abi(d)).pack({
        "version": version,
        "tsc_timestamp": when,
        "system_time": when,
        "tsc_to_system_mul": TSC_TO_SYSTEM_MUL,
        "tsc_shift": TSC_SHIFT,
        "flags": abi.XEN_PVCLOCK_TSC_STABLE_BIT,
    })  # fmt: skip


def update_vcpu_time(c: Any, v: Any) -> None:
    """Write the vcpu's time into its vcpu_info and, when registered, into its secondary area.

    Readers retry while `version` is odd or changed. Ours never see it odd, as no vcpu runs meanwhile; it
    goes up by 2.
    """
    d = lib.hv_state(c).domains[v.domain_slot]
    version = 2
    if v.info_pa:
        at = v.info_pa + abi.layout("vcpu_info", guest_abi(d)).offset("time")
        version = (read_word(c, at, 4) & ~1) + 2 & 0xFFFF_FFFF
        write(c, at, _time_info(c, d, version))
    if v.time_va:
        data = _time_info(c, d, version)
        # An area that is not mapped gets no news, as in Xen.
        lib.hv_copy_to_guest_kernel(c, v, v.time_va, data, len(data))


def update_wallclock(c: Any, d: Any) -> None:
    """Write the wall-clock time of system time 0 into shared_info."""
    lib.hv_update_wallclock(c, d)


def start_vcpu(c: Any, v: Any) -> None:
    """A PV vcpu comes to life: its ticker starts and its time page is filled in."""
    v.periodic_period = DEFAULT_PERIOD_NS
    v.periodic_next = now(c) + DEFAULT_PERIOD_NS
    update_vcpu_time(c, v)


# ---- timers ----


def set_timer(c: Any, v: Any, timeout: int) -> None:
    """set_timer_op: VIRQ_TIMER at this system time, 0 cancels; `timeout` is the guest's unsigned 64-bit
    number."""
    if timeout == 0:
        v.singleshot_deadline = 0
        return
    when = now(c)
    if timeout > MAX_TIME_NS or timeout - when >= FAR_AWAY_NS:
        timeout = when + FAR_AWAY_INSTEAD_NS
    v.singleshot_deadline = timeout


def set_singleshot(c: Any, v: Any, deadline: int, *, only_future: bool) -> None:
    """VCPUOP_set_singleshot_timer. ETIME: the time has passed and the caller asked to be told."""
    when = now(c)
    signed = deadline - (1 << 64) if deadline > MAX_TIME_NS else deadline
    if only_future and signed < when:
        raise XenError("timer_in_past", deadline=deadline, now=when)
    # What lies in the past fires at once; 0 would mean "off" to us.
    v.singleshot_deadline = max(signed, 1)


def set_periodic(c: Any, v: Any, period: int) -> None:
    """VCPUOP_set_periodic_timer. EINVAL: shorter than 1 ms, or not a time at all."""
    if not MIN_PERIOD_NS <= period <= MAX_TIME_NS:
        raise XenError("timer_period", period=period, minimum=MIN_PERIOD_NS)
    v.periodic_period = period
    v.periodic_next = min(now(c) + period, MAX_TIME_NS)


def stop_periodic(v: Any) -> None:
    """VCPUOP_stop_periodic_timer."""
    v.periodic_period = 0
    v.periodic_next = 0
