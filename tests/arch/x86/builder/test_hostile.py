"""Kernels that somebody has tampered with: whatever the bytes, the loader says BuilderError or builds a domain."""

from __future__ import annotations

import random
import struct

import pytest

from hv.arch.x86.builder.pv import PvConfig, build_pv
from hv.builder.image import BuilderError
from hv.builder.load import parse_kernel
from hv.cli.info import describe, text
from tests.arch.x86.builder.test_pv import FakeHost
from tests.builder.elfwriter import Load, elf, pv_kernel, pv_notes

WILD = (0, 1, 2, 7, 0xFF, 0xFFF, 0x1000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 47, 1 << 52, 1 << 63, (1 << 64) - 1)
ROUNDS = 800


def samples() -> list[bytes]:
    legacy = b"XEN_VER=xen-3.0,GUEST_OS=linux,VIRT_BASE=0x100000,HYPERCALL_PAGE=0x0,LOADER=generic\0"
    return [
        pv_kernel(b"\xf4", mod_start_pfn=1, init_p2m=0x8000000000, features="!writable_page_tables|dom0"),
        elf(
            [Load(0x100000, bytes(0x1000)), Load(0x103000, b"data")],
            entry=0x100000,
            sections={"__xen_guest": (1, legacy)},
        ),
        elf([Load(0x1000, bytes(64))], pv_notes(), 0x1000, bits=32),
    ]


def tamper(content: bytes, rng: random.Random) -> bytes:
    """One to four changes: a wild number in a header or note, a flipped byte, a cut, a doubled piece."""
    data = bytearray(content)
    # headers and notes are at the two ends; the middle is the kernel's code
    interesting = [*range(0x100), *range(max(0, len(data) - 0x300), len(data))]
    for _ in range(rng.randint(1, 4)):
        at = rng.choice(interesting) % max(len(data), 1)
        kind = rng.randrange(6)
        if kind <= 2:
            size = rng.choice((1, 2, 4, 8))
            value = rng.choice(WILD) + rng.randint(-1, 1) & (1 << 8 * size) - 1
            data[at : at + size] = value.to_bytes(size, "little")
        elif kind == 3 and data:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 4:
            del data[at : at + rng.choice((1, 4, 0x40))]
        else:
            data[at:at] = data[at : at + rng.choice((1, 4, 0x40))]
    return bytes(data)


@pytest.mark.parametrize("number", range(3))
def test_tampered_kernels_are_refused_or_built(number: int) -> None:
    rng = random.Random(number)
    sample = samples()[number]
    refused = built = 0
    for _ in range(ROUNDS):
        content = tamper(sample, rng)
        try:
            image = parse_kernel("k", content)
            assert text(describe(image))
            build_pv(FakeHost(), image, PvConfig(2048))
            built += 1
        except BuilderError as error:
            assert str(error).startswith(("k: ", "--memory: ")) and "\n" not in str(error)
            refused += 1
    assert refused > ROUNDS // 10 and refused + built == ROUNDS
    assert built > 0 or number == 2  # a 32-bit kernel is not built yet


def test_a_setup_header_full_of_lies() -> None:
    rng = random.Random(9)
    plain = bytearray(0x400) + pv_kernel()
    plain[0x1FE:0x200], plain[0x202:0x206] = b"\x55\xaa", b"HdrS"
    struct.pack_into("<H", plain, 0x206, 0x20F)
    for _ in range(ROUNDS):
        data = bytearray(plain)
        for _ in range(rng.randint(1, 4)):
            struct.pack_into("<I", data, rng.choice((0x1F1, 0x206, 0x20E, 0x248, 0x24C)), rng.choice(WILD) & 0xFFFFFFFF)
        with pytest.raises(BuilderError):
            parse_kernel("k", bytes(data))
