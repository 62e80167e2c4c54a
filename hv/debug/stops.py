"""Stop points: where a debugger wants the run to stop. C looks for them (native/xen/stops.c); setting them changes
nothing that a guest could notice, not even the count of its instructions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from hv import abi
from hv.native import check, ffi, lib

if TYPE_CHECKING:
    from hv.hypervisor import Hypervisor
    from hv.vcpu import Vcpu

ANY = int(lib.HV_STOP_ANY)
ANY_VALUE = (1 << 64) - 1
READ, WRITE, ACCESS = int(lib.WATCH_READ), int(lib.WATCH_WRITE), int(lib.WATCH_READ | lib.WATCH_WRITE)

Condition = Callable[["Vcpu"], bool]


@dataclass(frozen=True, eq=False)
class StopPoint:
    """One stop point; see `enum hv_stop_kind` (native/xen/xen.h) for what each kind means.

    domid, vcpu: whose, ANY for anybody's. condition: asked about the vcpu, standing there, each time it is met.
    label: what people called it.
    """

    kind: int
    value: int
    label: str
    size: int = 0
    sub: int = ANY_VALUE
    mask: int = ANY_VALUE
    kinds: int = 0
    domid: int = ANY
    vcpu: int = ANY
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A stop point that was met.

    `count` instructions had retired and the vcpu was about to execute `rip`; for an access that of the instruction
    which did it, and `address` the first byte; for an event `address` is the port, else the linear address of the
    instruction. `late`: not at the first moment of `count`.
    """

    point: StopPoint
    count: int
    rip: int
    address: int
    domid: int
    vcpu: int
    slot: int
    late: bool
    kinds: int


class Passed(NamedTuple):
    """Where a stop point (its number in the list, or ANY) does not count: at the count `when`, for the vcpu in `slot`
    that is about to execute `rip`."""

    when: int
    rip: int
    slot: int
    number: int = ANY


def instruction(address: int, label: str = "", **who: Any) -> StopPoint:
    """Before the instruction at a linear address."""
    return StopPoint(lib.HV_STOP_INSTRUCTION, address, label or f"{address:#x}", **who)


def access(address: int, size: int, kinds: int = WRITE, label: str = "", **who: Any) -> StopPoint:
    """Behind an access (READ, WRITE, ACCESS) to one of `size` bytes."""
    return StopPoint(lib.HV_STOP_ACCESS, address, label or f"{address:#x}", size=size, kinds=kinds, **who)


def hypercall(name: str, sub: str | int | None = None, **who: Any) -> StopPoint:
    """Before a hypercall, of one sub-operation or any; `name` may be "any". ValueError: there is none of that name."""
    if name == "any":
        return StopPoint(lib.HV_STOP_HYPERCALL, ANY_VALUE, "hypercall", **who)
    if name not in abi.HYPERCALL_NUMBERS:
        raise ValueError(f"there is no hypercall {name!r}; nearest: {', '.join(_nearest(name, abi.HYPERCALL_NUMBERS))}")
    number = abi.HYPERCALL_NUMBERS[name]
    if sub is None:
        return StopPoint(lib.HV_STOP_HYPERCALL, number, name, **who)
    sub_number = sub if isinstance(sub, int) else subop_number(name, sub)
    mask = abi.SUBOP_MASKS.get(name, 0xFFFFFFFF)
    return StopPoint(lib.HV_STOP_HYPERCALL, number, f"{name}.{sub}", sub=sub_number, mask=mask, **who)


def subop_number(name: str, sub: str) -> int:
    """The number of a sub-operation that the first argument names: `EVTCHNOP_send` or `send`. ValueError."""
    operations = abi.SUBOPS.get(name, {})
    known = {op.name: number for number, op in operations.items() if abi.subop_of(name, number) is not None}
    for full, number in known.items():
        if sub in (full, full.split("_", 1)[-1]):
            return number
    raise ValueError(f"{name} has no sub-operation {sub!r}; it has {', '.join(known) or 'none'}")


def _nearest(name: str, names: Iterable[str]) -> list[str]:
    import difflib

    return difflib.get_close_matches(name, list(names), 3, 0.3) or ["any"]


def trap(vector: int, label: str = "", **who: Any) -> StopPoint:
    """Before an exception is delivered."""
    return StopPoint(lib.HV_STOP_TRAP, vector, label or f"trap {vector}", **who)


def event(port: int | None, **who: Any) -> StopPoint:
    """When a port (None: any) has become pending."""
    value = ANY_VALUE if port is None else port
    return StopPoint(lib.HV_STOP_EVENT, value, f"event on port {'any' if port is None else port}", **who)


def set_stops(
    hv: Hypervisor, points: Sequence[StopPoint], before: int = 0, passed: Sequence[Passed] | None = None
) -> None:
    """Have C look for these and no others; `before`: note the last one met below that count, and do not stop. `passed`:
    what does not count; None: what would be met where the running vcpu stands. NativeError: there are too many."""
    stops = ffi.new("struct hv_stop[]", max(len(points), 1))
    for number, point in enumerate(points):
        stop = stops[number]
        stop.kind, stop.value, stop.bytes, stop.kinds = point.kind, point.value, point.size, point.kinds
        stop.sub, stop.mask, stop.domid, stop.vcpu, stop.id = point.sub, point.mask, point.domid, point.vcpu, number
    check(lib.hv_set_stops(hv.native, stops, len(points), before), f"{len(points)} stop points")
    if passed is not None:
        out = ffi.new("struct hv_stop_passed[]", max(len(passed), 1))
        for number, place in enumerate(passed):
            out[number].when, out[number].rip, out[number].slot, out[number].id = place
        check(lib.hv_stops_pass(hv.native, out, len(passed)), "stop points whose conditions do not hold")


def last_hit(hv: Hypervisor, points: Sequence[StopPoint]) -> Hit | None:
    """The stop point that ended the run, or the last one noted; None: none was met."""
    out = ffi.new("struct hv_stop_hit *")
    if not lib.hv_stop_hit(hv.native, out):
        return None
    return Hit(
        points[out.id], out.when, out.rip, out.address, out.domid, out.vcpu, out.slot, bool(out.late), out.kinds
    )
