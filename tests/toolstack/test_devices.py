"""`--disk` and `--nic`: what they mean, what is wrong with them in one line, and what the guest gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from hv.builder.image import BuilderError
from hv.cli.main import main
from hv.net import roms
from hv.net.options import parse_nic
from hv.testing.build import build_guest, find_guest
from hv.toolstack.backends import backends_of
from hv.toolstack.devices import DiskOptions, parse_disk
from hv.toolstack.launch import GuestConfig, launch
from hv.toolstack.pc import FOLDERS_VARIABLE


@pytest.fixture(scope="module")
def kernel() -> str:
    return str(build_guest(find_guest("hello")))


def test_texts() -> None:
    assert parse_disk("a.img") == DiskOptions("a.img")
    assert parse_disk("a b.img,format=qcow2,bus=xvd,ro") == DiskOptions("a b.img", "qcow2", "xvd", True)
    assert parse_nic("switch=lan").model == "" and parse_nic("user,model=e1000").model == "e1000"


@pytest.mark.parametrize("text", ["", ",ro", "a,format=vmdk", "a,bus=scsi", "a,readonly", "a,ro=1", "a,"])
def test_texts_that_mean_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="remedy: ") as caught:
        parse_disk(text)
    assert "\n" not in str(caught.value)


def test_disks_and_interfaces_come_in_order(kernel: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(bytes(1000))
    config = GuestConfig(
        memory_mib=8, disks=(parse_disk(f"{tmp_path}/one"), parse_disk(f"{tmp_path}/two,ro")),
        nics=(parse_nic("switch=lan"), parse_nic("user,allow=none")),
    )  # fmt: skip
    guest = launch(kernel, config)
    assert list(backends_of(guest.domain).devices) == ["vbd/1/51712", "vbd/1/51728", "vif/1/0", "vif/1/1"]
    assert guest.store.daemon.store.read(0, "/local/domain/0/backend/vbd/1/51728/params") == b"raw:two"
    assert guest.store.daemon.store.read(0, "/local/domain/0/backend/vbd/1/51728/mode") == b"r"


@pytest.mark.parametrize(("option", "text", "said"), [
    ("disks", DiskOptions("/nowhere/x.img"), "--disk: /nowhere/x.img: No such file or directory; give"),
    ("nics", parse_nic("switch=lan,model=e1000"), "--nic: only an HVM domain has a place for a card (e1000); say"),
])  # fmt: skip
def test_what_cannot_be_is_said_in_one_line(kernel: str, option: str, text: object, said: str) -> None:
    with pytest.raises(BuilderError) as caught:
        launch(kernel, GuestConfig(memory_mib=8)._replace(**{option: (text,)}))
    assert str(caught.value).startswith(said) and "\n" not in str(caught.value)


def test_on_the_command_line(kernel: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(4096))
    assert main(["run", kernel, "--memory", "8", "--disk", f"{image},ro", "--nic", "switch=lan"]) == 0
    assert main(["run", kernel, "--memory", "8", "--disk", f"{tmp_path}/none"]) == 2
    assert "hv run: --disk: " in capfd.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["run", kernel, "--disk", f"{image},bus=scsi"])
    assert ended.value.code == 2 and "bus=scsi: unknown; remedy" in capfd.readouterr().err
    recorded, saved = str(tmp_path / "r"), str(tmp_path / "s")
    assert main(["run", kernel, "--memory", "8", "--disk", str(image), "--record", recorded]) == 0
    assert main(["replay", recorded]) == 0
    assert main(["snapshot", "save", saved, kernel, "--memory", "8", "--disk", str(image), "--at", "1000"]) == 0


@pytest.fixture
def bios(tmp_path: Path) -> str:
    """A BIOS image that does nothing for ever, from the reset vector on."""
    path = tmp_path / "bios.bin"
    path.write_bytes(bytes(65536 - 16) + b"\xeb\xfe" + bytes(14))
    return str(path)


@pytest.mark.parametrize(("text", "card"), [
    ("user", "e1000"), ("user,allow=none,model=rtl8139", "rtl8139"), ("switch=lan", "e1000"),
])  # fmt: skip
def test_a_pc_has_cards(bios: str, text: str, card: str) -> None:
    assert main(["run", "--type", "hvm", "--firmware", bios, "--max-insns", "1000", "--nic", text]) == 7
    guest = launch(None, GuestConfig(kind="hvm", firmware=bios, memory_mib=8, nics=(parse_nic(text),)))
    assert type(guest.domain.services["nic0"]).__name__.lower() == card
    assert "net0" in guest.domain.services


def test_booting_from_the_network_needs_a_card_and_its_rom(
    bios: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(roms, "INSTALLED", ("/nowhere",))
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path))
    run = ["run", "--type", "hvm", "--firmware", bios, "--max-insns", "1000"]
    card = ["--nic", "user,model=rtl8139"]
    for given, said in (
        (["--boot", "n"], "--boot n: the PC has no network card; give it one, as --nic user"),
        (["--boot", "cn", *card], "--boot n: there is no pxe-rtl8139.rom in /nowhere; install the package ipxe-qemu"),
    ):
        assert main([*run, *given]) == 2
        shown = capfd.readouterr().err
        assert said in shown and shown.count("\n") == 1
    assert main([*run, *card]) == main([*run, *card, "--boot", "c"]) == 7
    (tmp_path / "pxe-rtl8139.rom").write_bytes(b"\x55\xaa\1" + bytes(509))
    assert main([*run, *card, "--boot", "n"]) == 7


def test_a_pc_has_pv_devices_behind_its_own(bios: str, tmp_path: Path) -> None:
    disks = [tmp_path / name for name in ("ide.img", "pv.img")]
    for path in disks:
        path.write_bytes(bytes(1 << 20))
    given = ["--disk", str(disks[0]), "--disk", f"{disks[1]},bus=xvd", "--nic", "user,model=xen", "--nic", "user"]
    assert main(["run", "--type", "hvm", "--firmware", bios, "--max-insns", "1000", *given]) == 7
    config = GuestConfig(
        kind="hvm", firmware=bios, memory_mib=8, disks=tuple(parse_disk(text) for text in given[1:4:2]),
        nics=tuple(parse_nic(text) for text in given[5::2]),
    )  # fmt: skip
    domain = launch(None, config).domain
    assert list(backends_of(domain).devices) == ["vbd/1/768", "vif/1/0", "vbd/1/51728", "vif/1/1"]
    assert {"nic0", "net0", "vif1-net"} <= set(domain.services) and "nic1" not in domain.services
    alone = launch(None, config._replace(xen_platform=False)).domain
    assert list(backends_of(alone).devices) == ["vbd/1/51712", "vif/1/0"]
    assert "xen-platform" not in alone.services and "debug-xen" in alone.services
