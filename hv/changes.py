"""What a debugger changes in a machine: memory and registers.

A change is an input like any other: it comes through the gate (hv.inputs, service "debugger") with its place in time,
is remembered, and enters again when the run is repeated. Its data is JSON, so that recordings can hold it:

    {"memory": [[machine address, hexadecimal bytes], ...]}
    {"vcpu": slot, "registers": {name: hexadecimal bytes, little-endian, ...}}

Not everything may be changed. What the hypervisor relies on (page tables, descriptor tables, its own frames, segments,
control registers) is refused: a guest changes those by hypercalls, which are checked.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hv import physical
from hv.arch import architecture
from hv.inputs import Moment
from hv.native import lib

if TYPE_CHECKING:
    from hv.hypervisor import Hypervisor
    from hv.vcpu import Vcpu

PAGE_SHIFT, PAGE = 12, 4096
_TABLES = {lib.PGT_l1: "page table", lib.PGT_l2: "page table", lib.PGT_l3: "page table", lib.PGT_l4: "page table",
           lib.PGT_seg: "descriptor table"}  # fmt: skip


class ChangeRefused(Exception):
    """What was to be changed may not be: one line that says why. Nothing has changed."""


def change_memory(hv: Hypervisor, writes: list[tuple[int, bytes]]) -> None:
    """Write these bytes at these machine addresses, now, as one input. ChangeRefused."""
    _enter(hv, {"memory": [[address, data.hex()] for address, data in writes]})


def change_registers(vcpu: Vcpu, values: dict[str, bytes]) -> None:
    """Set registers by name, now, as one input. ChangeRefused."""
    registers = {name: value.hex() for name, value in values.items()}
    _enter(vcpu.domain.hv, {"vcpu": vcpu.slot, "registers": registers})


def _enter(hv: Hypervisor, change: dict[str, Any]) -> None:
    if hv.inputs.moment is Moment.INSIDE:
        raise ChangeRefused("nothing can be changed between a delivery and the handler's first instruction; step first")
    _check(hv, change)
    hv.inputs.change(json.dumps(change, separators=(",", ":")).encode())


def apply(hv: Hypervisor, data: bytes) -> None:
    """A change enters. ChangeRefused: it is not one, or not one of this machine."""
    try:
        change = json.loads(data)
    except (ValueError, RecursionError):
        raise ChangeRefused("this is no change that a debugger made") from None
    try:
        _check(hv, change)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError):
        raise ChangeRefused("this is no change that a debugger made") from None
    for address, text in change.get("memory", ()):
        physical.write(hv.c, address, bytes.fromhex(text))
    if "registers" in change:
        vcpu = hv.vcpus[change["vcpu"]]
        state = vcpu.state()
        for name, text in change["registers"].items():
            _settable(vcpu)[name].put(state, bytes.fromhex(text))
        vcpu.set_state(state)


def _check(hv: Hypervisor, change: dict[str, Any]) -> None:
    """ChangeRefused, or the exceptions of data that is no change at all."""
    for address, text in change.get("memory", ()):
        size = len(bytes.fromhex(text))
        if not isinstance(address, int) or address < 0:
            raise ValueError(address)
        for frame in range(address >> PAGE_SHIFT, (address + max(size, 1) - 1 >> PAGE_SHIFT) + 1):
            _check_frame(hv, frame)
    if "registers" in change:
        vcpu = hv.vcpus[change["vcpu"]]
        for name, text in change["registers"].items():
            if name not in _settable(vcpu):
                how = "itself" if vcpu.domain.translated else "by a hypercall"
                raise ChangeRefused(f"{name} cannot be changed from here: the guest changes it {how}")
            refusal = _settable(vcpu)[name].refuse(bytes.fromhex(text))
            if refusal:
                raise ChangeRefused(f"{name}: {refusal}")


def _settable(vcpu: Vcpu) -> dict[str, Any]:
    found: dict[str, Any] = architecture(vcpu.domain.kind.abi, "settable").registers(vcpu)
    return found


def _check_frame(hv: Hypervisor, frame: int) -> None:
    if frame >= int(hv.state.frames):
        raise ChangeRefused(f"there is no machine frame {frame:#x}")
    page = lib.hv_pages(hv.native)[frame]
    if page.owner in (lib.OWNER_NONE, lib.OWNER_XEN):
        whose = "nobody's" if page.owner == lib.OWNER_NONE else "the hypervisor's"
        raise ChangeRefused(f"machine frame {frame:#x} is {whose}")
    kind = _TABLES.get(page.type_info >> lib.PGT_TYPE_SHIFT)
    if kind and (page.type_info & lib.PGT_COUNT_MASK or page.ref_info & lib.PGC_PARTIAL):
        raise ChangeRefused(f"machine frame {frame:#x} is a {kind}: the guest changes it by a hypercall")
