"""ARM kernels that are broken anywhere, and what else a user gives: a line that says so, or a sound domain.

A device tree is never taken from the user; it is made of what the options say (hv/arch/arm/devicetree.py), so those are
tried instead. XENLAB_LONG_FUZZ=1 tries many more.
"""

from __future__ import annotations

import gc
import gzip
import os
import random
import struct
from collections import Counter
from pathlib import Path

import pytest

from hv.builder.image import BuilderError
from hv.builder.load import parse_kernel
from hv.toolstack.launch import GuestConfig, launch
from tests.arch.arm.dtb import read
from tests.arch.arm.test_images import RAM, image, zboot, zimage
from tests.builder.elfwriter import Load, elf
from tests.debug.damage import number

TRIES = 10_000 if os.environ.get("XENLAB_LONG_FUZZ") else 150
OFTEN = 16
"""So many tries from one look at the process' memory to the next."""
RUN = 300
GROWTH = 512 << 20
"""Bytes by which all of that may make the process larger: what is kept of 64 processors for those that come next."""
MEMORY_MIB = 8
CODE = bytes.fromhex("1f2003d5") * 62 + bytes.fromhex("ffffff17" * 2)
"""Of AArch64; to AArch32 it is something else, and that is as good."""

Header = tuple[tuple[str, int], ...]
"""Places of numbers: format and offset."""
IMAGE_HEADER: Header = (("<Q", 8), ("<Q", 16), ("<Q", 24), ("<I", 56))
ZIMAGE_HEADER: Header = tuple(("<I", at) for at in range(36, 52, 4))
ZBOOT_HEADER: Header = (("<I", 8), ("<I", 12))
ELF64_HEADER: Header = (
    *(("<H", at) for at in (4, 16, 18, 52, 54, 56, 58, 60, 62)), *(("<Q", at) for at in (24, 32, 40)),
    *(("<I", 64 + at) for at in (0, 4)), *(("<Q", 64 + at) for at in range(8, 56, 8)),
)  # fmt: skip
ELF32_HEADER: Header = (
    *(("<H", at) for at in (4, 16, 18, 40, 42, 44, 46, 48, 50)), *(("<I", at) for at in (24, 28, 32)),
    *(("<I", 52 + at) for at in range(0, 32, 4)),
)  # fmt: skip
PACKED = gzip.compress(image(), mtime=0)
KERNELS: dict[str, tuple[bytes, Header]] = {
    "Image": (image()[:64] + CODE, IMAGE_HEADER),
    "zImage": (zimage(end=52 + len(CODE))[:52] + CODE, ZIMAGE_HEADER),
    "packed EFI Image": (zboot(PACKED), ZBOOT_HEADER),
    "gzip": (PACKED, (("<I", 4), ("<I", len(PACKED) - 4), ("<I", len(PACKED) - 8))),
    "ELF of 64 bits": (elf([Load(RAM, CODE)], entry=RAM, machine=183), ELF64_HEADER),
    "ELF of 32 bits": (elf([Load(RAM, CODE)], entry=RAM, bits=32, machine=40), ELF32_HEADER),
}


def damaged(name: str, draw: random.Random) -> bytes:
    """Numbers of the header replaced by ones that matter, bytes changed anywhere, and the file cut."""
    whole, header = KERNELS[name]
    content = bytearray(whole)
    for _ in range(draw.choice((0, 1, 1, 2))):
        form, at = draw.choice(header)
        struct.pack_into(form, content, at, number(draw, 8 * struct.calcsize(form)))
    for _ in range(draw.choice((0, 0, 1, 4))):
        content[draw.randrange(len(content))] = draw.randrange(256)
    return bytes(content[: draw.choice((None, None, None, draw.randrange(1, len(content))))])


def asked(draw: random.Random) -> GuestConfig:
    """What goes into the device tree, most often as it should be."""
    text = draw.choice(("", "console=hvc0", "x" * draw.randrange(1 << 17), "ä" * 9, "a\0b", "\udcff", "\n\x1b\x01"))
    gic = draw.choice(((), (("gic_version", "v3"),)))
    vcpus = draw.choice((1, 1, 1, 2, 8, 9, 64, 0, -1, 65, 129))
    memory = draw.choice((MEMORY_MIB, MEMORY_MIB, MEMORY_MIB, 1, 2, 3, 0, -1, 1 << 20, 1 << 40))
    return GuestConfig(memory_mib=memory, vcpus=vcpus, cmdline=text, machine=gic)


def resident() -> int:
    gc.collect()  # a hypervisor and its domains know each other
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def attempt(content: bytes, config: GuestConfig) -> str:
    """What became of it."""
    try:
        kernel = parse_kernel("k", content)
        guest = launch(kernel, config)
    except BuilderError as error:
        assert "\n" not in str(error)
        return error.problem
    guest.hv.run(max_insns=RUN)
    assert guest.hv.audit() == ""
    return "runs"


@pytest.mark.parametrize("name", KERNELS)
def test_a_broken_kernel_is_refused_or_runs(name: str) -> None:
    draw, before, seen = random.Random(name), resident(), Counter[str]()
    assert attempt(KERNELS[name][0], GuestConfig(memory_mib=MEMORY_MIB)) == "runs"
    for trial in range(TRIES):
        seen[attempt(damaged(name, draw), GuestConfig(memory_mib=MEMORY_MIB))] += 1
        assert trial % OFTEN or resident() - before < GROWTH
    assert seen["runs"] and len(seen) > 2, seen


def test_whatever_goes_into_the_device_tree_is_refused_or_in_it(tmp_path: Path) -> None:
    draw, before, runs = random.Random(3), resident(), 0
    kernel, path = parse_kernel("k", KERNELS["Image"][0]), tmp_path / "ramdisk"
    for trial in range(TRIES):
        assert trial % OFTEN or resident() - before < GROWTH
        config = asked(draw)
        size = draw.choice((0, 0, 1, 4096, draw.randrange(1, MEMORY_MIB << 20), MEMORY_MIB << 20, 64 << 20))
        if size:
            with open(path, "wb") as file:
                file.truncate(size)
            config = config._replace(ramdisk=path)
        try:
            guest = launch(kernel, config)
        except BuilderError as error:
            assert "\n" not in str(error)
            continue
        runs += 1
        at = guest.built.device_tree
        length = int.from_bytes(guest.domain.read_physical(at + 4, 4))
        root = read(guest.domain.read_physical(at, length))
        chosen = root.node("chosen")
        assert chosen.texts("bootargs") == [config.cmdline]
        assert len(root.node("cpus").children) == config.vcpus
        assert root.node(f"memory@{RAM:x}").ranges() == [(RAM, config.memory_mib << 20)]
        if size:
            start, end = (int.from_bytes(chosen.properties[f"linux,initrd-{what}"]) for what in ("start", "end"))
            assert start >= RAM and size <= end - start < size + 4096 and end <= RAM + (config.memory_mib << 20)
        guest.hv.run(max_insns=RUN)
        assert guest.hv.audit() == ""
    assert TRIES // 30 < runs < TRIES * 9 // 10
