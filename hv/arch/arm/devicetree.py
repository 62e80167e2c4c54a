"""The device tree of a domain: what Xen's tools tell its kernel about it.

The blob is written by libfdt (the package pylibfdt; docs/adr/0012). Source: tools/libs/light/libxl_arm.c of Xen 4.17;
Devicetree Specification 0.4; Linux, Documentation/devicetree/bindings.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from hv import abi
from hv.builder.image import BuilderError

VERSION = "4.17"
"""Of Xen, in the names of the machine and the hypervisor."""
LEVEL_HIGH, LEVEL_LOW, ALL_CPUS = 4, 8, 0xF00
"""Flags in the third cell of an interrupt: its trigger; that it is the same on each processor."""
BAUD = 115200

Value = bytes | str | tuple[str, ...] | list[int]
"""Of a property: bytes as they are, a text, several texts, or cells of 32 bits."""


class Node(NamedTuple):
    """A node of the tree."""

    name: str
    properties: dict[str, Value]
    children: tuple[Node, ...] = ()


class Described(NamedTuple):
    """What the tree says of a domain. `machine`: aarch64 or arm; `banks` and `regions` (guest-physical addresses that
    are free for mappings of the guest's own): address and size in bytes; `ramdisk`: its first byte and the one behind
    it."""

    machine: str
    vcpus: int
    banks: tuple[tuple[int, int], ...]
    regions: tuple[tuple[int, int], ...]
    cmdline: str
    ramdisk: tuple[int, int] | None
    gic_version: int = 2
    uart: bool = False


class _Names(NamedTuple):
    cpu: str
    timer: str


_NAMES = {
    "aarch64": _Names("arm,armv8", "arm,armv8-timer"),
    "arm": _Names("arm,cortex-a15", "arm,armv7-timer"),
}


def affinity(vcpu: int) -> int:
    """MPIDR's affinity fields of a vcpu: sixteen in a cluster, as a GICv3's SGIs reach them."""
    return vcpu & 15 | vcpu >> 4 << 8


def tree(what: Described) -> Node:
    """The whole tree."""
    names = _NAMES[what.machine]
    gic = [abi.GUEST_PHANDLE_GIC]
    return Node("", {
        "model": f"XENVM-{VERSION}",
        "compatible": (f"xen,xenvm-{VERSION}", "xen,xenvm"),
        "interrupt-parent": gic,
        "#address-cells": [abi.GUEST_ROOT_ADDRESS_CELLS],
        "#size-cells": [abi.GUEST_ROOT_SIZE_CELLS],
    }, (
        _chosen(what),
        Node("cpus", {"#address-cells": [1], "#size-cells": [0]}, tuple(
            Node(f"cpu@{affinity(vcpu):x}", {
                "device_type": "cpu", "compatible": names.cpu, "enable-method": "psci", "reg": [affinity(vcpu)],
            })
            for vcpu in range(what.vcpus)
        )),
        Node("psci", {
            "compatible": ("arm,psci-1.0", "arm,psci-0.2", "arm,psci"), "method": "hvc",
            "cpu_off": [abi.PSCI_cpu_off], "cpu_on": [abi.PSCI_cpu_on],
        }),
        *(Node(f"memory@{bank[0]:x}", {"device_type": "memory", "reg": _ranges(bank)}) for bank in what.banks),
        _interrupt_controller(what.gic_version),
        Node("timer", {
            "compatible": names.timer,
            "interrupts": [cell for ppi in (
                abi.GUEST_TIMER_PHYS_S_PPI, abi.GUEST_TIMER_PHYS_NS_PPI, abi.GUEST_TIMER_VIRT_PPI,
            ) for cell in _interrupt(ppi, LEVEL_LOW)],
            "interrupt-parent": gic,
        }),
        Node("hypervisor", {
            "compatible": (f"xen,xen-{VERSION}", "xen,xen"),
            "reg": _ranges((abi.GUEST_GNTTAB_BASE, abi.GUEST_GNTTAB_SIZE), *what.regions),
            "interrupts": _interrupt(abi.GUEST_EVTCHN_PPI, LEVEL_LOW),
            "interrupt-parent": gic,
        }),
        *([Node("sbsa-pl011", {
            "compatible": "arm,sbsa-uart",
            "reg": _ranges((abi.GUEST_PL011_BASE, abi.GUEST_PL011_SIZE)),
            "interrupts": _interrupt(abi.GUEST_VPL011_SPI, LEVEL_HIGH),
            "interrupt-parent": gic,
            "current-speed": [BAUD],
        })] if what.uart else []),
    ))  # fmt: skip


def _chosen(what: Described) -> Node:
    properties: dict[str, Value] = {"bootargs": what.cmdline}
    if what.ramdisk is not None:
        properties["linux,initrd-start"] = struct.pack(">Q", what.ramdisk[0])
        properties["linux,initrd-end"] = struct.pack(">Q", what.ramdisk[1])
    return Node("chosen", properties)


_GIC = {
    2: (
        ("arm,cortex-a15-gic", "arm,cortex-a9-gic"),
        ("GUEST_GICD_BASE", "GUEST_GICD_SIZE", "GUEST_GICC_BASE", "GUEST_GICC_SIZE"),
    ),
    3: (
        ("arm,gic-v3",),
        ("GUEST_GICV3_GICD_BASE", "GUEST_GICV3_GICD_SIZE", "GUEST_GICV3_GICR0_BASE", "GUEST_GICV3_GICR0_SIZE"),
    ),
}
"""By version: what it is compatible with; address and size of its distributor, and of the other part."""


def _interrupt_controller(version: int) -> Node:
    compatible, names = _GIC[version]
    base, size, second, second_size = (abi.constant(name, "arm") for name in names)
    return Node(f"interrupt-controller@{base:x}", {
        "compatible": compatible,
        "#interrupt-cells": [3],
        "#address-cells": [0],
        "interrupt-controller": b"",
        "reg": _ranges((base, size), (second, second_size)),
        "linux,phandle": [abi.GUEST_PHANDLE_GIC],
        "phandle": [abi.GUEST_PHANDLE_GIC],
    })  # fmt: skip


def _interrupt(number: int, trigger: int) -> list[int]:
    """Cells of an interrupt by its number at the controller: private ones begin at 16, shared ones at 32."""
    private = number < 32
    return [int(private), number - (16 if private else 32), ALL_CPUS | trigger]


def _ranges(*ranges: tuple[int, int]) -> list[int]:
    """Addresses and sizes as the root's cells: two each."""
    return [cell for pair in ranges for word in pair for cell in (word >> 32, word & 0xFFFFFFFF)]


def blob(root: Node) -> bytes:
    """The tree in its flattened form. BuilderError: the library for that is missing, or a text has a NUL in it."""
    try:
        import libfdt
    except ModuleNotFoundError as error:
        if error.name not in ("libfdt", "_libfdt"):
            raise
        raise BuilderError("ARM guests", "they need the package pylibfdt", "pip install pylibfdt") from None
    out = libfdt.FdtSw(_HEADER + _room(root))  # it would grow for a property, but not for the mark of the end
    out.finish_reservemap()
    _write(out, root)
    made = out.as_fdt()
    return bytes(made.as_bytearray()[: made.totalsize()])


_HEADER = 0x80
"""Bytes of a tree without nodes, and some more."""


def _room(node: Node) -> int:
    """Bytes that a node may take at most, with its names in the block of strings."""
    own = sum(32 + len(name) + len(_bytes(name, value)) for name, value in node.properties.items())
    return 32 + len(node.name) + own + sum(map(_room, node.children))


def _write(out: Any, node: Node) -> None:
    out.begin_node(node.name)
    for name, value in node.properties.items():
        out.property(name, _bytes(name, value))
    for child in node.children:
        _write(out, child)
    out.end_node()


def _bytes(name: str, value: Value) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, list):
        return struct.pack(f">{len(value)}I", *value)
    texts: Sequence[str] = (value,) if isinstance(value, str) else value
    if any("\0" in text for text in texts):
        raise BuilderError(f"{name} of the device tree", "it has a NUL in it", "give a text without")
    return b"".join(text.encode() + b"\0" for text in texts)
