"""Xen's notes in a kernel: how it wants to be loaded, as typed values.

Two forms: ELF notes of the owner "Xen" (xen/include/public/elfnote.h) and the older section `__xen_guest`,
one text of `NAME=value` pairs. Both end up in one XenNotes. As in Xen's libelf a text ends at its NUL,
whatever length its note claims: that of grub's i386 image (2.06) reaches past the end of the file.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from hv import abi
from hv.builder.image import BuilderError

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_NOTES = 65536
_MAX_TEXT = 4096

FEATURE_NAMES = (
    "writable_page_tables",
    "writable_descriptor_tables",
    "auto_translated_physmap",
    "supervisor_mode_kernel",
    "pae_pgdir_above_4gb",
    "hvm_callback_vector",
    "dom0",
)


class RawNote(NamedTuple):
    """One note of the owner "Xen": its type, its bytes, and the offset in the file it was found at."""

    type: int
    data: bytes
    offset: int
    missing: int = 0  # bytes that it claims to have behind the end of the file


class XenNotes(NamedTuple):
    """What the kernel says to Xen.

    None: it does not say. Addresses are linear ones unless the name tells otherwise.
    """

    source: str = "notes"  # "notes" or "__xen_guest"
    entry: int | None = None
    hypercall_page: int | None = None
    virt_base: int | None = None
    paddr_offset: int | None = None
    xen_version: str | None = None
    guest_os: str | None = None
    guest_version: str | None = None
    loader: str | None = None
    pae_mode: str | None = None
    features: str | None = None
    supported_features: int | None = None  # bit XENFEAT_* each
    bsd_symtab: str | None = None
    hv_start_low: int | None = None
    l1_mfn_valid: tuple[tuple[int, int], ...] | None = (
        None  # (mask, value) of an invalid L1 entry's frame bits
    )
    suspend_cancel: int | None = None
    init_p2m: int | None = None
    mod_start_pfn: int | None = None
    phys32_entry: int | None = None  # physical
    unknown: tuple[int, ...] = ()  # types that we have no name for

    def feature_sets(self) -> tuple[frozenset[str], frozenset[str]]:
        """(supported, required) feature names, from FEATURES and SUPPORTED_FEATURES together."""
        words = [word for word in (self.features or "").split("|") if word]
        required = {word[1:] for word in words if word.startswith("!")}
        supported = {word.lstrip("!") for word in words}
        mask = self.supported_features or 0
        supported |= {name for name in FEATURE_NAMES if mask >> getattr(abi, f"XENFEAT_{name}") & 1}
        return frozenset(supported), frozenset(required)


def split(name: str, data: memoryview, start: int, end: int) -> list[RawNote]:
    """The notes with the owner "Xen" in data[start:end].

    BuilderError when the range or a note leaves the file.
    """
    if end > len(data):
        raise BuilderError(
            name,
            f"its notes at {start:#x}-{end:#x} reach past the end of the file at {len(data):#x}",
            "the file is truncated; fetch or build it again",
        )
    found: list[RawNote] = []
    at = start
    seen = 0
    while at + 12 <= end:
        namesz, descsz, kind = struct.unpack_from("<III", data, at)
        body = at + 12 + (namesz + 3 & ~3)
        seen += 1
        if body > len(data) or seen > MAX_NOTES:
            raise BuilderError(
                name,
                f"the note at {at:#x} (number {seen}, name of {namesz} bytes) reaches past the end of "
                f"the file at {len(data):#x}",
                f"link the kernel again, with at most {MAX_NOTES} notes",
            )
        if bytes(data[at + 12 : at + 12 + namesz]).rstrip(b"\0") == b"Xen":
            missing = max(0, body + descsz - len(data))
            found.append(RawNote(kind, bytes(data[body : body + descsz]), at, missing))
        at = body + (descsz + 3 & ~3)
    return found


def _number(raw: RawNote, bits: int) -> int:
    _complete(raw)
    if len(raw.data) not in (1, 2, 4, 8):
        raise ValueError(f"it has {len(raw.data)} bytes, a number has 1, 2, 4 or 8")
    return int.from_bytes(raw.data, "little")


def _complete(raw: RawNote) -> None:
    if raw.missing:
        raise ValueError(f"its last {raw.missing} bytes lie behind the end of the file")


def _text(raw: RawNote, bits: int) -> str:
    text, end, _ = raw.data.partition(b"\0")
    if not end:
        _complete(raw)
    if len(text) > _MAX_TEXT:
        raise ValueError(f"its text has {len(text)} bytes, at most {_MAX_TEXT} are read")
    try:
        return text.decode("ascii")
    except UnicodeDecodeError:
        raise ValueError("its text is not ASCII") from None


def _pairs(raw: RawNote, bits: int) -> tuple[tuple[int, int], ...]:
    _complete(raw)
    size = bits // 8
    if not raw.data or len(raw.data) % (2 * size):
        raise ValueError(f"it has {len(raw.data)} bytes, not pairs of {size}-byte values")
    values = [int.from_bytes(raw.data[at : at + size], "little") for at in range(0, len(raw.data), size)]
    return tuple(zip(values[::2], values[1::2], strict=True))


# field of XenNotes, which is also the name of the note: how its bytes are read
_FIELDS: dict[str, Callable[[RawNote, int], Any]] = {
    "entry": _number,
    "hypercall_page": _number,
    "virt_base": _number,
    "paddr_offset": _number,
    "xen_version": _text,
    "guest_os": _text,
    "guest_version": _text,
    "loader": _text,
    "pae_mode": _text,
    "features": _text,
    "supported_features": _number,
    "bsd_symtab": _text,
    "hv_start_low": _number,
    "l1_mfn_valid": _pairs,
    "suspend_cancel": _number,
    "init_p2m": _number,
    "mod_start_pfn": _number,
    "phys32_entry": _number,
}


def parse(name: str, raw: list[RawNote], bits: int) -> XenNotes:
    """Make sense of notes.

    BuilderError: a note of the wrong size, or the same note twice with different contents.
    """
    by_type = {getattr(abi, f"XEN_ELFNOTE_{field.upper()}"): field for field in _FIELDS}
    values: dict[str, Any] = {}
    unknown: list[int] = []
    for note in raw:
        field = by_type.get(note.type)
        if field is None:
            unknown.append(note.type)
            continue
        try:
            value = _FIELDS[field](note, bits)
        except ValueError as error:
            raise BuilderError(
                name,
                f"its Xen note {field.upper()} at {note.offset:#x} is malformed: {error}",
                "see xen/include/public/elfnote.h for its form",
            ) from None
        if values.setdefault(field, value) != value:
            raise BuilderError(
                name,
                f"two Xen notes {field.upper()} contradict each other: {show(values[field])} and "
                f"{show(value)} at {note.offset:#x}",
                "keep one of them",
            )
    notes = XenNotes(unknown=tuple(unknown), **values)
    _check_features(name, notes)
    return notes


# names in `__xen_guest`: field, and whether the value is a number
_GUEST_NAMES = {
    "LOADER": ("loader", False),
    "GUEST_OS": ("guest_os", False),
    "GUEST_VER": ("guest_version", False),
    "XEN_VER": ("xen_version", False),
    "PAE": ("pae_mode", False),
    "BSD_SYMTAB": ("bsd_symtab", False),
    "FEATURES": ("features", False),
    "VIRT_BASE": ("virt_base", True),
    "VIRT_ENTRY": ("entry", True),
    "ELF_PADDR_OFFSET": ("paddr_offset", True),
    "HYPERCALL_PAGE": ("hypercall_page", True),
}


def parse_guest_section(name: str, content: bytes) -> XenNotes:
    """Read the section `__xen_guest`:

    "NAME=value,NAME=value". HYPERCALL_PAGE is a page number counted from VIRT_BASE.
    """
    text = content.split(b"\0", 1)[0].decode("ascii", "replace")
    values: dict[str, Any] = {"source": "__xen_guest"}
    for item in text.split(","):
        key, _, value = item.strip().partition("=")
        field, numeric = _GUEST_NAMES.get(key, ("", False))
        if not field:
            continue
        parsed: int | str = value or "yes"
        if numeric:
            try:
                parsed = int(value, 0)
            except ValueError:
                raise BuilderError(
                    name,
                    f"{key}={value} in its section __xen_guest is not a number",
                    "write it as 0x... or in decimal",
                ) from None
        if values.setdefault(field, parsed) != parsed:
            raise BuilderError(
                name,
                f"{key} stands twice in its section __xen_guest, as {show(values[field])} and {show(parsed)}",
                "keep one of them",
            )
    if "hypercall_page" in values:
        values["hypercall_page"] = (values["hypercall_page"] << 12) + values.get("virt_base", 0)
    notes = XenNotes(**values)
    _check_features(name, notes)
    return notes


def _check_features(name: str, notes: XenNotes) -> None:
    """A feature that is required and that nobody knows is an error; one that is merely supported is not."""
    unknown = sorted(notes.feature_sets()[1] - set(FEATURE_NAMES))
    if unknown:
        raise BuilderError(
            name,
            f"it requires the feature !{unknown[0]}, which Xen does not have",
            f"known features are {', '.join(FEATURE_NAMES)}",
        )


def show(value: object) -> str:
    """A note's value for people: numbers in hexadecimal, text in quotes."""
    if isinstance(value, bool) or not isinstance(value, int):
        return repr(value) if isinstance(value, str) else str(value)
    return f"{value:#x}"
