"""`hv info`'s text and data."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

from hv.cli.info import info
from tests.builder.elfwriter import BASE, Load, elf, note, pv_kernel

if TYPE_CHECKING:
    from pathlib import Path


def run(tmp_path: Path, content: bytes, as_json: bool = False) -> str:
    path = tmp_path / "kernel"
    path.write_bytes(content)
    out = io.StringIO()
    info(path, as_json, out)
    return out.getvalue()


def test_text_names_type_entry_segments_notes_and_features(tmp_path: Path) -> None:
    text = run(tmp_path, pv_kernel(features="!writable_page_tables|pae_pgdir_above_4gb", bsd_symtab="yes"))
    assert "file      ELF, 64-bit x86_64\n" in text
    assert "types     pv64\n" in text
    assert "PV        entry 0xffffffff80100000, kernel 0xffffffff80100000-0xffffffff80103000" in text
    assert "0x0000000000100000 0xffffffff80100000 0x00002000 0x00003000 rwx\n" in text
    assert "          LOADER               'generic'\n" in text
    assert "features  required: writable_page_tables\n" in text
    assert "missing   BSD_SYMTAB" in text


def test_json_is_the_same_as_data(tmp_path: Path) -> None:
    facts = json.loads(run(tmp_path, pv_kernel(), as_json=True))
    assert facts["types"] == ["pv64"] and facts["pv"]["virt_base"] == BASE
    assert facts["notes"]["entry"] == BASE + 0x100000 and "init_p2m" not in facts["notes"]


def test_a_kernel_that_only_pvh_can_boot(tmp_path: Path) -> None:
    text = run(tmp_path, elf([Load(0x1000, b"code")], note(18, 0x1000, 4), 0x1000, bits=32))
    assert "types     pvh\n" in text and "no PV     it has no PV entry, only PHYS32_ENTRY" in text


def test_a_kernel_without_notes(tmp_path: Path) -> None:
    text = run(tmp_path, elf([Load(0x1000, b"code")], entry=0x1000))
    assert "types     none" in text and "notes     none" in text
