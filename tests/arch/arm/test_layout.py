"""Where kernel, ramdisk and device tree of an ARM domain go, as Xen's tools place them."""

from __future__ import annotations

import pytest

from hv.arch.arm.layout import banks, place, regions
from hv.builder.image import BuilderError, KernelImage, Segment

MIB, GIB = 1 << 20, 1 << 30
RAM, HIGH = 0x40000000, 0x200000000


def kernel(start: int, size: int) -> KernelImage:
    part = Segment(start, start, memoryview(b""), size, 7)
    return KernelImage("k", "aarch64", 64, start, (part,), None, "Image", (), "")


def test_banks_and_what_is_free_behind_them() -> None:
    assert banks(128 * MIB) == ((RAM, 128 * MIB),)
    assert regions(127 * MIB) == ((RAM + 128 * MIB, 3 * GIB - 128 * MIB), (HIGH, (1 << 40) - HIGH))
    assert banks(4 * GIB) == ((RAM, 3 * GIB), (HIGH, GIB))
    assert regions(4 * GIB) == ((HIGH + GIB, (1 << 40) - HIGH - GIB),)
    assert regions(3 * GIB - 10 * MIB) == ((HIGH, (1 << 40) - HIGH),)  # 10 MiB are not worth a region
    with pytest.raises(BuilderError, match="more than an ARM domain has addresses for"):
        banks(2 << 40)


@pytest.mark.parametrize(("memory", "start", "size", "ramdisk", "tree", "expected"), [
    # enough memory: 128 MiB into it
    (256, RAM, 32 * MIB, 5 * MIB + 1, 3000, (RAM + 128 * MIB, RAM + 133 * MIB + 0x1000)),
    # less: as high as possible
    (64, RAM, 32 * MIB, MIB, 3000, (RAM + 63 * MIB - 0x1000, RAM + 64 * MIB - 0x1000)),
    # a kernel that lies over that place
    (256, RAM + 100 * MIB, 60 * MIB, MIB, 3000, (RAM + 255 * MIB - 0x1000, RAM + 256 * MIB - 0x1000)),
    # a kernel at the end of memory: below it
    (64, RAM + 40 * MIB, 24 * MIB, MIB, 3000, (RAM + 39 * MIB - 0x1000, RAM + 40 * MIB - 0x1000)),
    # no ramdisk
    (256, RAM, 32 * MIB, 0, 3000, (RAM + 128 * MIB, RAM + 128 * MIB)),
])  # fmt: skip
def test_places(memory: int, start: int, size: int, ramdisk: int, tree: int, expected: tuple[int, int]) -> None:
    layout = place(kernel(start, size), memory * MIB, ramdisk, tree)
    assert (layout.ramdisk, layout.device_tree) == expected


@pytest.mark.parametrize(("start", "size", "ramdisk", "words"), [
    (RAM, 65 * MIB, 0, "k: it lies at 0x40000000-0x44100000, and memory at 0x40000000-0x44000000; give"),
    (MIB, MIB, 0, "k: it lies at 0x100000-0x200000, and memory at"),
    (RAM, MIB, 63 * MIB, "ramdisk and device tree are 64516 KiB, for which there is no room"),
])  # fmt: skip
def test_what_does_not_fit_is_one_line(start: int, size: int, ramdisk: int, words: str) -> None:
    with pytest.raises(BuilderError) as caught:
        place(kernel(start, size), 64 * MIB, ramdisk, 4096)
    assert words in str(caught.value) and "\n" not in str(caught.value)
