"""The tree that an ARM domain is given says what Xen's says, read back by a reader of our own."""

from __future__ import annotations

import sys

import pytest

from hv import abi
from hv.arch.arm.devicetree import Described, Node, blob, tree
from hv.builder.image import BuilderError
from tests.arch.arm.dtb import read

MIB = 1 << 20
PLAIN = Described("aarch64", 2, ((0x40000000, 128 * MIB),), ((0x48000000, 64 * MIB),), "console=hvc0 x=1", None)


def test_a_plain_domain() -> None:
    root = read(blob(tree(PLAIN)))
    assert list(root.children) == [
        "chosen", "cpus", "psci", "memory@40000000", "interrupt-controller@3001000", "timer", "hypervisor",
    ]  # fmt: skip
    assert root.texts("model") == ["XENVM-4.17"] and root.texts("compatible") == ["xen,xenvm-4.17", "xen,xenvm"]
    assert root.cells("#address-cells") == root.cells("#size-cells") == [2]
    assert root.node("chosen").properties == {"bootargs": b"console=hvc0 x=1\0"}
    assert root.node("memory@40000000").ranges() == [(0x40000000, 128 * MIB)]
    psci = root.node("psci")
    assert psci.texts("compatible")[0] == "arm,psci-1.0" and psci.texts("method") == ["hvc"]
    assert psci.cells("cpu_off") + psci.cells("cpu_on") == [1, 2]
    hypervisor = root.node("hypervisor")
    assert hypervisor.texts("compatible") == ["xen,xen-4.17", "xen,xen"]
    assert hypervisor.ranges() == [(0x38000000, 16 * MIB), (0x48000000, 64 * MIB)]
    assert hypervisor.cells("interrupts") == [1, 15, 0xF08]  # PPI 31
    timer = root.node("timer")
    assert timer.texts("compatible") == ["arm,armv8-timer"]
    assert timer.cells("interrupts") == [1, 13, 0xF08, 1, 14, 0xF08, 1, 11, 0xF08]  # 29, 30, 27


def test_every_interrupt_goes_to_the_controller() -> None:
    root = read(blob(tree(PLAIN._replace(uart=True))))
    (handle,) = root.node("interrupt-controller@3001000").cells("phandle")
    assert root.cells("interrupt-parent") == [handle]
    assert all(
        node.cells("interrupt-parent") == [handle] for node in root.children.values() if "interrupts" in node.properties
    )
    assert root.node("sbsa-pl011").cells("interrupts") == [0, 0, 0xF04]  # the first shared one
    assert root.node("sbsa-pl011").ranges() == [(0x22000000, 0x1000)]


@pytest.mark.parametrize(("version", "name", "ranges"), [
    (2, "arm,cortex-a15-gic", [(0x3001000, 0x1000), (0x3002000, 0x2000)]),
    (3, "arm,gic-v3", [(0x3001000, 0x10000), (0x3020000, 0x1000000)]),
])  # fmt: skip
def test_both_interrupt_controllers(version: int, name: str, ranges: list[tuple[int, int]]) -> None:
    gic = read(blob(tree(PLAIN._replace(gic_version=version)))).node("interrupt-controller@3001000")
    assert gic.texts("compatible")[0] == name and gic.ranges() == ranges
    assert gic.properties["interrupt-controller"] == b"" and gic.cells("#interrupt-cells") == [3]


def test_processors_are_numbered_as_a_gicv3_reaches_them() -> None:
    cpus = read(blob(tree(PLAIN._replace(vcpus=18, machine="arm")))).node("cpus")
    assert list(cpus.children)[14:] == ["cpu@e", "cpu@f", "cpu@100", "cpu@101"]
    assert cpus.node("cpu@101").cells("reg") == [0x101]
    assert {node.texts("compatible")[0] for node in cpus.children.values()} == {"arm,cortex-a15"}
    assert {node.texts("enable-method")[0] for node in cpus.children.values()} == {"psci"}


def test_two_banks_and_a_ramdisk() -> None:
    banks = ((0x40000000, 0xC0000000), (0x200000000, 1 << 30))
    root = read(blob(tree(PLAIN._replace(banks=banks, regions=(), ramdisk=(0x48000000, 0x48001000)))))
    assert root.node("memory@200000000").ranges() == [banks[1]]
    chosen = root.node("chosen").properties
    assert int.from_bytes(chosen["linux,initrd-start"]) == 0x48000000
    assert int.from_bytes(chosen["linux,initrd-end"]) == 0x48001000
    assert root.node("hypervisor").ranges() == [(abi.GUEST_GNTTAB_BASE, abi.GUEST_GNTTAB_SIZE)]


def test_a_long_command_line_and_one_with_a_nul() -> None:
    text = "x" * 100_000
    assert read(blob(tree(PLAIN._replace(cmdline=text)))).node("chosen").texts("bootargs") == [text]
    with pytest.raises(BuilderError, match="bootargs of the device tree: it has a NUL in it; give"):
        blob(tree(PLAIN._replace(cmdline="a\0b")))


def test_a_tree_of_any_size_has_room_for_its_end() -> None:
    """The library makes room by the kilobyte, and at some sizes not for what it writes last."""
    for length in range(0, 2048, 4):
        assert read(blob(tree(PLAIN._replace(cmdline="x" * length)))).node("chosen").texts("bootargs") == ["x" * length]


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "libfdt", None)
    with pytest.raises(BuilderError, match=r"^ARM guests: they need the package pylibfdt; pip install pylibfdt$"):
        blob(Node("", {}))
