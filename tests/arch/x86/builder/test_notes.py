"""Xen's notes, in both forms, and how a kernel is placed by them."""

from __future__ import annotations

import struct

import pytest

from hv import abi
from hv.arch.x86.builder.placement import pv_placement
from hv.builder.image import BuilderError
from hv.builder.load import parse_kernel
from tests.builder.elfwriter import BASE, Load, elf, note, pv_kernel, pv_notes


def notes_of(raw: bytes, bits: int = 64):  # type: ignore[no-untyped-def]
    image = parse_kernel("k", elf([Load(0x1000, b"code")], raw, 0x1000, bits=bits))
    assert image.notes is not None
    return image.notes


def test_every_note_has_its_typed_value() -> None:
    raw = b"".join(
        [
            note(abi.XEN_ELFNOTE_ENTRY, 0x1000),
            note(abi.XEN_ELFNOTE_HYPERCALL_PAGE, 0x2000),
            note(abi.XEN_ELFNOTE_VIRT_BASE, 0x3000),
            note(abi.XEN_ELFNOTE_PADDR_OFFSET, 0x4000),
            note(abi.XEN_ELFNOTE_XEN_VERSION, "xen-3.0"),
            note(abi.XEN_ELFNOTE_GUEST_OS, "linux"),
            note(abi.XEN_ELFNOTE_GUEST_VERSION, "6.1"),
            note(abi.XEN_ELFNOTE_LOADER, "generic"),
            note(abi.XEN_ELFNOTE_PAE_MODE, "yes"),
            note(abi.XEN_ELFNOTE_FEATURES, "!writable_page_tables|dom0"),
            note(abi.XEN_ELFNOTE_BSD_SYMTAB, "yes"),
            note(abi.XEN_ELFNOTE_HV_START_LOW, 0x5000, 4),
            note(abi.XEN_ELFNOTE_L1_MFN_VALID, struct.pack("<QQQQ", 1, 0, 3, 1)),
            note(abi.XEN_ELFNOTE_SUSPEND_CANCEL, 1, 4),
            note(abi.XEN_ELFNOTE_INIT_P2M, 0x6000),
            note(abi.XEN_ELFNOTE_MOD_START_PFN, 1),
            note(abi.XEN_ELFNOTE_PHYS32_ENTRY, 0x7000, 4),
            note(abi.XEN_ELFNOTE_SUPPORTED_FEATURES, 1 << abi.XENFEAT_hvm_callback_vector, 4),
            note(0x4711, 1),
            note(abi.XEN_ELFNOTE_ENTRY, 0xBAD, owner=b"GNU\0"),
        ]
    )
    notes = notes_of(raw)
    assert notes._asdict() == {
        "source": "notes",
        "entry": 0x1000,
        "hypercall_page": 0x2000,
        "virt_base": 0x3000,
        "paddr_offset": 0x4000,
        "xen_version": "xen-3.0",
        "guest_os": "linux",
        "guest_version": "6.1",
        "loader": "generic",
        "pae_mode": "yes",
        "features": "!writable_page_tables|dom0",
        "supported_features": 0x100,
        "bsd_symtab": "yes",
        "hv_start_low": 0x5000,
        "l1_mfn_valid": ((1, 0), (3, 1)),
        "suspend_cancel": 1,
        "init_p2m": 0x6000,
        "mod_start_pfn": 1,
        "phys32_entry": 0x7000,
        "unknown": (0x4711,),
    }
    supported, required = notes.feature_sets()
    assert supported == {"writable_page_tables", "dom0", "hvm_callback_vector"}
    assert required == {"writable_page_tables"}


def test_l1_mfn_valid_is_pairs_of_the_class_size() -> None:
    raw = note(abi.XEN_ELFNOTE_L1_MFN_VALID, struct.pack("<II", 1, 1)) + note(
        abi.XEN_ELFNOTE_ENTRY, 0x1000, 4
    )
    assert notes_of(raw, 32).l1_mfn_valid == ((1, 1),)


def test_the_same_note_twice_may_agree_but_not_contradict() -> None:
    assert notes_of(note(abi.XEN_ELFNOTE_ENTRY, 0x1000) * 2).entry == 0x1000
    with pytest.raises(BuilderError, match="two Xen notes ENTRY contradict each other: 0x1000 and 0x1001"):
        notes_of(note(abi.XEN_ELFNOTE_ENTRY, 0x1000) + note(abi.XEN_ELFNOTE_ENTRY, 0x1001))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (note(abi.XEN_ELFNOTE_ENTRY, b"abc"), "ENTRY at .* malformed: it has 3 bytes"),
        (note(abi.XEN_ELFNOTE_LOADER, b"\xff\0"), "LOADER at .* malformed: its text is not ASCII"),
        (note(abi.XEN_ELFNOTE_LOADER, "x" * 5000), "LOADER .* at most 4096"),
        (note(abi.XEN_ELFNOTE_L1_MFN_VALID, b"12345678"), "L1_MFN_VALID .* not pairs of 8-byte values"),
        (note(abi.XEN_ELFNOTE_FEATURES, "!perpetual_motion"), "requires the feature !perpetual_motion"),
        (note(abi.XEN_ELFNOTE_ENTRY, 0x1000)[:-4], "ENTRY .* last 4 bytes lie behind the end"),
        (struct.pack("<III", 0x7FFFFFFF, 4, 1), "note at .* reaches past the end"),
    ],
)
def test_malformed_notes(raw: bytes, words: str) -> None:
    with pytest.raises(BuilderError, match=words) as caught:
        notes_of(raw)
    assert "\n" not in str(caught.value)


def test_a_text_may_claim_more_bytes_than_the_file_has() -> None:
    """As the note PAE_MODE of Debian's grub-i386-xen.bin, the last thing in its file."""
    assert notes_of(struct.pack("<III", 4, 12, abi.XEN_ELFNOTE_PAE_MODE) + b"Xen\0yes\0").pae_mode == "yes"


def test_a_note_segment_outside_the_file() -> None:
    with pytest.raises(BuilderError, match="its notes at .* reach past the end"):
        parse_kernel("k", elf([Load(0x1000, b"code")], b"\0" * 16, 0x1000, note_size=1 << 20))


def test_notes_in_a_section_are_found_without_a_segment() -> None:
    content = elf(
        [Load(0x1000, b"code")],
        entry=0x1000,
        sections={".note.Xen": (7, note(abi.XEN_ELFNOTE_ENTRY, 0x1002))},
    )
    image = parse_kernel("k", content)
    assert image.notes is not None and image.notes.entry == 0x1002


LEGACY = (
    b"GUEST_OS=linux,GUEST_VER=2.6,XEN_VER=xen-3.0,VIRT_BASE=0xC0000000,"
    b"HYPERCALL_PAGE=0x101,PAE=yes,LOADER=generic\0"
)


def test_the_legacy_section_is_understood() -> None:
    content = elf([Load(0xC0100000, bytes(0x2000))], entry=0xC0100000, sections={"__xen_guest": (1, LEGACY)})
    image = parse_kernel("k", content)
    assert image.notes is not None and image.notes.source == "__xen_guest"
    assert image.notes.hypercall_page == 0xC0101000
    place = pv_placement(image)
    # without ELF_PADDR_OFFSET the old form takes p_paddr for a linear address
    assert (place.offset, place.start, place.entry) == (0, 0xC0100000, 0xC0100000)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"VIRT_BASE=high\0", "VIRT_BASE=high in its section __xen_guest is not a number"),
        (b"LOADER=a,LOADER=b\0", "LOADER stands twice"),
    ],
)
def test_a_malformed_legacy_section(text: bytes, words: str) -> None:
    with pytest.raises(BuilderError, match=words):
        parse_kernel("k", elf([Load(0x1000, b"code")], entry=0x1000, sections={"__xen_guest": (1, text)}))


def test_placement_of_a_sound_kernel() -> None:
    place = pv_placement(parse_kernel("k", pv_kernel(init_p2m=0x8000000000, mod_start_pfn=1)))
    assert place._asdict() == {
        "virt_base": BASE,
        "offset": BASE,
        "start": BASE + 0x100000,
        "end": BASE + 0x103000,
        "entry": BASE + 0x100000,
        "hypercall_page": BASE + 0x101000,
        "init_p2m": 0x8000000000,
        "mod_start_pfn": True,
    }


def test_an_init_p2m_that_cannot_be_used_is_left_aside_as_xen_does() -> None:
    for where in (BASE + 0x40000000, 0x8000000123, 0xFFFF810000000000):
        assert pv_placement(parse_kernel("k", pv_kernel(init_p2m=where))).init_p2m is None


CONTRADICTIONS: list[tuple[dict[str, int | str | None], str]] = [
    ({"virt_base": None}, "PADDR_OFFSET .* without VIRT_BASE"),
    ({"entry": BASE}, "entry 0xffffffff80000000 lies outside the kernel"),
    ({"entry": BASE + 0x103000}, "lies outside the kernel"),
    ({"hypercall_page": BASE + 0x101008}, "HYPERCALL_PAGE .* is not a page of the kernel"),
    ({"hypercall_page": BASE + 0x103000}, "HYPERCALL_PAGE .* is not a page of the kernel"),
    ({"paddr_offset": 0x200000}, "below its VIRT_BASE"),
    ({"virt_base": BASE + 1}, "not at a page boundary"),
    ({"virt_base": 0x7FFFFFF00000, "entry": 0x7FFFFFF00000}, "not a canonical one"),
    ({"virt_base": 0xFFFF800000000000, "entry": 0xFFFF800000100000}, "Xen's own part of the address space"),
    ({"init_p2m": BASE + 0x102000}, "INIT_P2M .* lies inside the kernel"),
    ({"xen_version": "xen-2.0"}, "XEN_VERSION says xen-2.0"),
    ({"xen_version": None}, "XEN_VERSION says nothing"),
    ({"loader": "special"}, "loader special and name the system test"),
    ({"xen_version": None, "phys32_entry": 0x100000}, "no PV entry, only PHYS32_ENTRY"),
]


@pytest.mark.parametrize(("changes", "words"), CONTRADICTIONS)
def test_notes_that_contradict_each_other(changes: dict[str, int | str | None], words: str) -> None:
    image = parse_kernel("k", pv_kernel(**changes))
    with pytest.raises(BuilderError, match=words) as caught:
        pv_placement(image)
    assert "\n" not in str(caught.value)


def test_a_kernel_without_notes_is_no_xen_kernel() -> None:
    with pytest.raises(BuilderError, match="no Xen kernel"):
        pv_placement(parse_kernel("k", elf([Load(0x1000, b"code")], entry=0x1000)))


def test_pv_notes_helper_knows_its_notes() -> None:
    assert pv_notes(entry=None).count(b"Xen\0") == 6
