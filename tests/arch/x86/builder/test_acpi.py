"""ACPI tables: checksums, pointers, both ways of putting them into memory; what they say, as ACPICA reads it."""

import re
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hv.arch.x86.builder import acpi
from hv.arch.x86.builder.acpi import AcpiMachine, acpi_tables, firmware_files, placed
from hv.arch.x86.builder.e820 import ACPI_TABLES
from hv.arch.x86.builder.linked import Linked
from tools.fetch_debian import TARGET

PC = AcpiMachine(vcpus=4, memory=512 << 20)
PVH = AcpiMachine(vcpus=2, memory=512 << 20, pc=False)


class Memory:
    """Tables as they lie in memory, found as an operating system finds them."""

    def __init__(self, tables: Linked, address: int = ACPI_TABLES) -> None:
        self.rsdp, self._data = placed(tables, address)
        self._base = address

    def read(self, address: int, length: int) -> bytes:
        assert self._base <= address and address + length <= self._base + len(self._data)
        return self._data[address - self._base :][:length]

    def table(self, address: int) -> bytes:
        """The table at an address, its checksum right."""
        length = int.from_bytes(self.read(address + 4, 4), "little")
        data = self.read(address, length)
        assert data[:4] == b"FACS" or sum(data) & 0xFF == 0, data[:4]
        return data

    def listed(self, root: str = "XSDT") -> dict[bytes, bytes]:
        """Tables by signature; DSDT and FACS too."""
        rsdp = self.read(self.rsdp, 36)
        at, size = (int.from_bytes(rsdp[24:32], "little"), 8) if root == "XSDT" else (
            int.from_bytes(rsdp[16:20], "little"), 4)  # fmt: skip
        body = self.table(at)[36:]
        found = [self.table(int.from_bytes(body[i : i + size], "little")) for i in range(0, len(body), size)]
        (fadt,) = (one for one in found if one[:4] == b"FACP")
        found += [self.table(int.from_bytes(fadt[at : at + 4], "little")) for at in (36, 40)]
        return {one[:4]: one for one in found}


def test_the_rsdp_is_of_revision_2_and_both_its_checksums_are_right() -> None:
    memory = Memory(acpi_tables(PC))
    rsdp = memory.read(memory.rsdp, 36)
    assert (rsdp[:8], rsdp[15], sum(rsdp[:20]) & 0xFF, sum(rsdp) & 0xFF) == (b"RSD PTR ", 2, 0, 0)
    assert memory.rsdp % 16 == 0


def test_both_roots_list_the_same_tables() -> None:
    memory = Memory(acpi_tables(PC))
    assert memory.listed("RSDT") == memory.listed("XSDT")
    assert set(memory.listed()) == {b"FACP", b"APIC", b"HPET", b"DSDT", b"FACS"}
    assert set(Memory(acpi_tables(PVH)).listed()) == {b"FACP", b"APIC", b"DSDT", b"FACS"}


def test_fadt_names_the_ports_that_xen_gives_a_domain() -> None:
    fadt = Memory(acpi_tables(PC)).listed()[b"FACP"]
    blocks = struct.unpack_from("<IIIIIIII", fadt, 56)
    assert blocks == (0xB000, 0, 0xB004, 0, 0, 0xB008, 0xAFE0, 0)
    assert struct.unpack_from("<HIBB", fadt, 46) == (9, 0, 0, 0)
    assert struct.unpack_from("<BBBBQB", fadt, 116) == (1, 8, 0, 1, 0xCF9, 6)
    assert fadt[40:44] == fadt[140:144] and fadt[36:40] != bytes(4)
    moved = Memory(acpi_tables(AcpiMachine(1, 64 << 20, pm_base=acpi.SEABIOS_PM_BASE, smi_port=0xB2))).listed()[b"FACP"]
    assert struct.unpack_from("<HIBB", moved, 46) == (9, 0xB2, 0xF1, 0xF0)
    assert struct.unpack_from("<I", moved, 76) == (0x608,)


def test_the_hardware_of_a_pvh_domain_is_reduced() -> None:
    fadt = Memory(acpi_tables(PVH)).listed()[b"FACP"]
    assert not any(fadt[46:96]) and not any(fadt[116:132])
    assert struct.unpack_from("<I", fadt, 112)[0] >> 20 & 1


def _entries(madt: bytes) -> Iterator[bytes]:
    at = 44
    while at < len(madt):
        yield madt[at : at + madt[at + 1]]
        at += madt[at + 1]


def test_madt_has_xens_apic_identifiers_and_the_overrides() -> None:
    entries = list(_entries(Memory(acpi_tables(PC)).listed()[b"APIC"]))
    assert [(one[2], one[3]) for one in entries if one[0] == 0] == [(0, 0), (1, 2), (2, 4), (3, 6)]
    assert [struct.unpack("<BxII", one[2:]) for one in entries if one[0] == 1] == [(1, 0xFEC00000, 0)]
    assert [struct.unpack("<BBIH", one[2:]) for one in entries if one[0] == 2] == [(0, 0, 2, 0), (0, 9, 9, 0xD)]
    assert {one[0] for one in _entries(Memory(acpi_tables(PVH)).listed()[b"APIC"])} == {0, 4}


def test_facs_is_aligned() -> None:
    memory = Memory(acpi_tables(PC))
    assert int.from_bytes(memory.listed()[b"FACP"][36:40], "little") % 64 == 0


@pytest.mark.parametrize("vcpus", [0, 129])
def test_too_many_processors(vcpus: int) -> None:
    with pytest.raises(ValueError, match="1 to 128"):
        acpi_tables(AcpiMachine(vcpus, 64 << 20))


def test_a_device_that_no_table_knows() -> None:
    with pytest.raises(ValueError, match="no ACPI description for TOASTER"):
        acpi_tables(AcpiMachine(1, 64 << 20, devices=frozenset({"TOASTER", "RTC"})))


# ---- the table loader ----


def run_loader(files: dict[str, bytes], addresses: dict[str, int]) -> dict[str, bytes]:
    """What firmware does with etc/table-loader: allocate, add pointers, add checksums."""
    script, loaded = files[acpi.LOADER], dict[str, bytearray]()
    for at in range(0, len(script), 128):
        command, name = struct.unpack_from("<I56s", script, at)
        file = name.rstrip(b"\0").decode()
        if command == 1:
            align, zone = struct.unpack_from("<IB", script, at + 60)
            assert addresses[file] % align == 0 and zone in (1, 2)
            loaded[file] = bytearray(files[file])
        elif command == 2:
            to, offset, size = struct.unpack_from("<56sIB", script, at + 60)
            part = slice(offset, offset + size)
            value = int.from_bytes(loaded[file][part], "little") + addresses[to.rstrip(b"\0").decode()]
            loaded[file][part] = value.to_bytes(size, "little")
        else:
            assert command == 3
            offset, start, length = struct.unpack_from("<III", script, at + 60)
            loaded[file][offset] = (loaded[file][offset] - sum(loaded[file][start : start + length])) & 0xFF
    return {name: bytes(data) for name, data in loaded.items()}


def test_firmware_comes_to_the_same_tables() -> None:
    tables = acpi_tables(PC)
    addresses = {acpi.TABLES: 0x3FFE000, acpi.RSDP: 0xF5A10}
    assert run_loader(firmware_files(tables), addresses) == tables.place(addresses)


# ---- as ACPICA reads them ----


def tool(name: str) -> str:
    """A program of the Debian package acpica-tools; the test is skipped where there is none, and says so."""
    fetched = TARGET / "amd64" / "acpica-tools" / "usr" / "bin" / name
    found = shutil.which(name) or (str(fetched) if fetched.exists() else None)
    if found is None:
        pytest.skip(f"{name} is missing: python tools/fetch_debian.py acpica-tools")
    return found


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr


@pytest.mark.parametrize("machine", [PC, PVH, AcpiMachine(128, 6 << 30)], ids=["pc", "pvh", "128 processors"])
def test_iasl_disassembles_every_table_and_compiles_it_again(machine: AcpiMachine, tmp_path: Path) -> None:
    iasl = tool("iasl")
    for signature, table in Memory(acpi_tables(machine)).listed().items():
        name = signature.decode()
        (tmp_path / f"{name}.aml").write_bytes(table)
        said = run(iasl, "-d", f"{name}.aml", cwd=tmp_path)
        source = (tmp_path / f"{name}.dsl").read_text()
        assert not re.search(r"(?i)\berror|invalid|unknown|unresolved|terminates", said + source), name
        again = run(iasl, "-oa", "-p", f"{name}2", f"{name}.dsl", cwd=tmp_path)
        assert "0 Errors" in again, again
        compiled = bytearray((tmp_path / f"{name}2.aml").read_bytes())
        if signature not in (b"DSDT", b"FACS"):
            compiled[9:10], compiled[28:36] = table[9:10], table[28:36]   # checksum and compiler
            assert bytes(compiled) == table, name


def evaluate(tmp_path: Path, *commands: str, machine: AcpiMachine = PC) -> str:
    """What the AML interpreter says of commands in its debugger."""
    program = tool("acpiexec")
    (tmp_path / "dsdt.aml").write_bytes(Memory(acpi_tables(machine)).listed()[b"DSDT"])
    return run(program, "-b", "; ".join(commands), "dsdt.aml", cwd=tmp_path)


def test_methods_run(tmp_path: Path) -> None:
    """acpiexec's ports and configuration space are bytes that keep what is written, zeros at first."""
    said = evaluate(
        tmp_path, "evaluate \\_SB.LNKC._CRS", "evaluate \\_SB.LNKC._DIS", "evaluate \\_SB.LNKC._STA",
        "evaluate \\_SB.LNKC._SRS (23 00 08 18 79 00)", "evaluate \\_SB.LNKC._CRS", "evaluate \\_SB.LNKC._STA",
        "evaluate \\_S5",
    )  # fmt: skip
    assert "AE_" not in said.replace("AE_OK", ""), said
    assert "ACPI Error" not in said and "ACPI Exception" not in said, said
    buffers = re.findall(r"\[Buffer\] Length 06 =\s+0000: ((?:[0-9A-F]{2} ){6})", said)
    assert buffers == ["23 01 00 18 79 00 ", "23 00 08 18 79 00 "]
    assert re.findall(r"_STA.*\n.*\[Integer\] = 0*([0-9A-F]+)", said) == ["9", "B"]
    assert len(re.findall(r"\[Integer\] = 0+\b", said)) == 4


def test_prt_follows_the_interrupt_model(tmp_path: Path) -> None:
    said = evaluate(tmp_path, "evaluate \\PICD", "evaluate \\_PIC 1", "evaluate \\PICD")
    assert re.findall(r"PICD.*\n.*\[Integer\] = 0*(\d)", said) == ["0", "1"]
    source = re.sub(r"\s+", " ", disassembled(tmp_path))
    assert re.search(r"Method \(_PRT.*?\{ If \(\\?PICD\) \{ Return \(APRT\).*?\} Return \(PPRT\)", source)


def disassembled(tmp_path: Path) -> str:
    """The DSDT of a PC as source text."""
    iasl = tool("iasl")
    (tmp_path / "dsdt.aml").write_bytes(Memory(acpi_tables(PC)).listed()[b"DSDT"])
    run(iasl, "-d", "dsdt.aml", cwd=tmp_path)
    return (tmp_path / "dsdt.dsl").read_text()


def test_prt_names_every_pin_of_every_slot(tmp_path: Path) -> None:
    """APRT and PPRT, which _PRT chooses by \\PICD, agree with the wiring of the bus."""
    source = re.sub(r"\s+", " ", disassembled(tmp_path)).replace("Zero", "0").replace("One", "1")
    rows = re.findall(r"\{ 0x(\w{4})FFFF, (\w+), (\S+), (\w+) \}", source)
    assert len(rows) == 2 * 31 * 4
    for slot, pin, source_name, gsi in rows[:124]:
        assert (source_name, int(gsi, 16)) == ("0", PC.wiring.gsi(int(slot, 16), int(pin, 16) + 1))
    for slot, pin, source_name, gsi in rows[124:]:
        link = "ABCD"[PC.wiring.link(int(slot, 16), int(pin, 16) + 1)]
        assert (source_name, gsi) == (f"\\_SB.LNK{link}", "0")
