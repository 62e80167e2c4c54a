"""The ELF reader: sound files give their segments, each malformed field its own line."""

from __future__ import annotations

import pytest

from hv.builder.image import BuilderError
from hv.builder.load import load_kernel, parse_kernel
from tests.builder.elfwriter import BASE, Load, elf, note, pv_kernel, pv_notes


def refused(content: bytes) -> str:
    with pytest.raises(BuilderError) as caught:
        parse_kernel("k", content)
    text = str(caught.value)
    assert "\n" not in text and text.startswith("k: ") and "; " in text
    return text


def test_a_sound_kernel_is_read() -> None:
    image = parse_kernel("k", pv_kernel(b"\x90\xf4"))
    assert (image.machine, image.bits, image.kind, image.packing) == ("x86_64", 64, "ELF", ())
    (segment,) = image.segments
    assert (segment.paddr, segment.vaddr, segment.memsz) == (0x100000, BASE + 0x100000, 0x3000)
    assert bytes(segment.data[:2]) == b"\x90\xf4" and len(segment.data) == 0x2000
    assert image.notes is not None and image.notes.virt_base == BASE


def test_segments_come_in_physical_order() -> None:
    image = parse_kernel("k", elf([Load(0x5000, b"b"), Load(0x1000, b"a")], entry=0x1000))
    assert [segment.paddr for segment in image.segments] == [0x1000, 0x5000]
    assert (image.paddr_start, image.paddr_end) == (0x1000, 0x5001)


def test_a_32_bit_file_is_read() -> None:
    image = parse_kernel("k", elf([Load(0x1000, b"code")], note(18, 0x1000, 4), 0x1000, bits=32))
    assert (image.machine, image.bits) == ("i386", 32)
    assert image.notes is not None and image.notes.phys32_entry == 0x1000


GOOD = elf([Load(0x1000, b"code" * 100)], entry=0x1000)

MALFORMED = {
    "nothing but the magic": (GOOD[:4], "begin"),
    "header cut off": (GOOD[:40], "cut off at 40"),
    "program headers cut off": (GOOD[:80], "program headers at 0x40 reach to 0x78"),
    "segment cut off": (GOOD[:-1], "segment 0 (400 bytes at 0x78) reaches past the end of the file"),
    "class": (GOOD[:4] + b"\3" + GOOD[5:], "ELF class 3"),
    "byte order": (GOOD[:5] + b"\2" + GOOD[6:], "byte order 2"),
    "machine": (elf([Load(0x1000, b"x")], machine=243), "another machine (RISC-V, e_machine 243)"),
    "machine and class": (elf([Load(0x1000, b"x")], machine=3), "does not go with machine i386"),
    "object file": (elf([Load(0x1000, b"x")], kind=1), "not an executable but a relocatable object"),
    "core file": (elf([Load(0x1000, b"x")], kind=4), "a core dump"),
    "no program headers": (elf([]), "no program headers"),
    "nothing to load": (elf([], pv_notes()), "no program header is loadable"),
    "p_memsz below p_filesz": (elf([Load(0x1000, b"code", memsz=3)]), "p_memsz 0x3 below p_filesz 0x4"),
    "overlap": (
        elf([Load(0x1000, b"code"), Load(0x1003, b"data")], entry=0x1000),
        "segments 0 and 1 overlap: 0x1000-0x1004 and 0x1003-0x1007",
    ),
    "same place": (elf([Load(0x1000, b"code"), Load(0x1000, b"data")], entry=0x1000), "overlap"),
    "segment outside": (elf([Load(0x1000, b"code", offset=1 << 40)]), "reaches past the end of the file"),
    "offset that wraps": (
        elf([Load(0x1000, b"code", offset=(1 << 64) - 2)]),
        "reaches past the end of the file",
    ),
    "physical address that wraps": (elf([Load((1 << 64) - 2, b"code")]), "ends at physical address"),
    "wild entry": (
        elf([Load(0x1000, b"code")], entry=0x2000),
        "entry point 0x2000 lies in none of its segments",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_file_gets_one_line(case: str) -> None:
    content, words = MALFORMED[case]
    assert words in refused(content)


def test_every_truncation_is_an_error_of_one_line() -> None:
    kernel = pv_kernel()
    for length in [*range(200), 0x1000, len(kernel) - 1]:
        refused(kernel[:length])


def test_files_that_cannot_be_read(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "empty").write_bytes(b"")
    for path, words in (
        (tmp_path / "none", "no such file"),
        (tmp_path, "is a directory"),
        (tmp_path / "empty", "empty"),
        ("nul\0path", "cannot be read"),
    ):
        with pytest.raises(BuilderError, match=words) as caught:
            load_kernel(path)
        assert "\n" not in str(caught.value)
