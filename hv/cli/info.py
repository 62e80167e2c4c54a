"""`hv info KERNEL`: what the loader sees in a kernel file, for people or as JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TextIO

from hv.builder.image import BuilderError
from hv.builder.load import boot_module, load_kernel
from hv.builder.notes import show

if TYPE_CHECKING:
    from pathlib import Path

    from hv.builder.image import KernelImage


def describe(image: KernelImage) -> dict[str, Any]:
    """Everything that is known of `image`, as data that JSON can hold. Addresses and sizes are in bytes."""
    facts: dict[str, Any] = {
        "kernel": image.name,
        "kind": image.kind,
        "packing": list(image.packing),
        "version": image.version,
        "machine": image.machine,
        "bits": image.bits,
        "elf_entry": image.entry,
        "types": [],
        "segments": [
            {
                "paddr": part.paddr,
                "vaddr": part.vaddr,
                "filesz": len(part.data),
                "memsz": part.memsz,
                "flags": _flags(part.flags),
            }
            for part in image.segments
        ],
        "notes": None,
        "features": None,
    } | boot_module(image).describe(image)
    if image.notes is not None:
        facts["notes"] = {
            name: value for name, value in image.notes._asdict().items() if value is not None and value != ()
        }
        supported, required = image.notes.feature_sets()
        facts["features"] = {"supported": sorted(supported), "required": sorted(required)}
    return facts


def _flags(flags: int) -> str:
    return "".join(letter if flags & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))


def text(facts: dict[str, Any]) -> str:
    """`describe()`'s data as lines for people."""
    packed = f" packed with {', '.join(facts['packing'])}" if facts["packing"] else ""
    lines = [
        f"kernel    {facts['kernel']}",
        f"file      {facts['kind']}{packed}, {facts['bits']}-bit {facts['machine']}",
    ]
    if facts["version"]:
        lines.append(f"version   {facts['version']}")
    lines.append(f"types     {', '.join(facts['types']) or 'none: it cannot run as a Xen domain'}")
    if facts["pv_refused"]:
        lines.append(f"no PV     {facts['pv_refused']}")
    lines.append(f"entry     {facts['elf_entry']:#x} (ELF header)")
    if facts["pv"]:
        place = facts["pv"]
        lines.append(
            f"PV        entry {place['entry']:#x}, kernel {place['start']:#x}-{place['end']:#x}, "
            f"base {place['virt_base']:#x}"
        )
    lines.append("segments  paddr              vaddr              file       memory     rwx")
    lines += [
        f"          {part['paddr']:#018x} {part['vaddr']:#018x} {part['filesz']:#010x} {part['memsz']:#010x} "
        f"{part['flags']}"
        for part in facts["segments"]
    ]
    lines += _note_lines(facts)
    return "\n".join(lines) + "\n"


def _note_lines(facts: dict[str, Any]) -> list[str]:
    if facts["notes"] is None:
        return ["notes     none: no Xen notes and no section __xen_guest"]
    lines = [
        f"notes     from {'ELF notes' if facts['notes']['source'] == 'notes' else 'the section __xen_guest'}"
    ]
    for name, value in facts["notes"].items():
        if name != "source":
            shown = (
                ", ".join(_show(item) for item in value) if isinstance(value, tuple | list) else show(value)
            )
            lines.append(f"          {name.upper():<20} {shown}")
    for kind, names in facts["features"].items():
        if names:
            lines.append(f"features  {kind}: {', '.join(names)}")
    if facts["notes"].get("bsd_symtab") == "yes":
        lines.append("missing   BSD_SYMTAB: the kernel's symbol table is not loaded behind it")
    return lines


def _show(item: object) -> str:
    if isinstance(item, tuple):
        return "/".join(show(part) for part in item)
    return show(item)


def info(path: str | Path, as_json: bool = False, out: TextIO | None = None) -> None:
    """Print what the loader sees in the kernel at `path`. BuilderError when it is no kernel."""
    facts = describe(load_kernel(path))
    out = out or sys.stdout
    if as_json:
        import json

        json.dump(facts, out, indent=2)
        out.write("\n")
    else:
        out.write(text(facts))


def main(argv: list[str]) -> int:
    """`hv info ARGV...`: 0, or 2 when the file is no kernel."""
    from hv.cli.parser import Parser

    parser = Parser(
        prog="hv info",
        description="Print what the loader sees in a kernel: file type, entry, segments,\n"
        "Xen's notes and features, and which types of domain it can be.",
        epilog="examples: hv info vmlinuz; hv info --json guest.elf",
    )
    parser.add_argument("kernel", metavar="KERNEL", help="an ELF file, a bzImage, or one of these packed")
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    arguments = parser.parse_args(argv)
    try:
        info(arguments.kernel, arguments.json)
    except BuilderError as error:
        sys.stderr.write(f"hv info: {error}\n")
        return 2
    return 0
