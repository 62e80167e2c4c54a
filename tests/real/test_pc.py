"""Debian's kernel on the PC of an HVM domain, unmodified: bzImage over SeaBIOS, its root file system on an IDE disk,
VGA console and keyboard, network cards, ACPI's way to power off; on four processors."""

import hashlib
import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, cast

import pytest

from hv.devices.ide import Ide
from hv.net.options import parse_nic
from hv.toolstack.devices import DiskOptions, serve_networks
from hv.toolstack.launch import Guest
from tests.real import packages, root_disk
from tests.real.disks import check_ext4, read_ext4
from tests.real.person import MOST, Person
from tests.real.screens import pc, picture, powers_off

pytestmark = pytest.mark.real

KERNEL, VCPUS = "linux-image-amd64", 4
KEPT = "console=tty0 quiet xen_emul_unplug=never"
"""Command line of a kernel that drives the emulated disks and cards."""
BIG = random.Random(7).randbytes(700_000)
# What udhcpc calls with what it was given.
LEASED = (
    r"printf '#!/bin/busybox sh\n[ $1 = bound ] || exit 0\n"
    r"ifconfig $interface $ip netmask $subnet; route add default gw $router dev $interface; echo got $ip\n' "
    ">/tmp/leased; chmod +x /tmp/leased"
)


@contextmanager
def web_server() -> Iterator[tuple[int, list[bytes]]]:
    """A server on the loopback that gives BIG and keeps what it is given: its port, and that."""
    kept: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(BIG)

        def do_POST(self) -> None:
            kept.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, kept
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pc")
    root_disk.ramdisk(folder / "initramfs.gz", "/dev/sda", "ata_piix", "sd_mod", package=KERNEL)
    return root_disk.root(folder / "root.img", "e1000", "8139too", package=KERNEL)


def contents(guest: Guest, path: Path) -> Path:
    """What is on the first IDE disk by now, as a file."""
    assert guest.domain.platform is not None
    drive = cast("Ide", guest.domain.platform.devices["ide"]).drives[0]
    assert drive is not None and drive.disk is not None
    path.write_bytes(drive.disk.read(0, drive.disk.sectors))
    return path


def test_disk_screen_keyboard_and_cards(disk: Path, tmp_path: Path) -> None:
    with web_server() as (port, kept), ExitStack() as stack:
        nics = tuple(parse_nic(f"user,model={card},allow=host:{port}") for card in ("e1000", "rtl8139"))
        guest = pc(
            packages.kernel(KERNEL), memory_mib=256, vcpus=VCPUS, cmdline=KEPT, nics=nics,
            disks=(DiskOptions(str(disk)),), ramdisk=disk.with_name("initramfs.gz"),
        )  # fmt: skip
        person = Person(guest)
        person.prompt()
        said = person.command("dmesg | grep -o 'PM: (supports.*'; nproc; mount | head -2")
        assert f"supports S0 S5)\n{VCPUS}\n" in said and "/dev/sda on / type ext4" in said, said
        person.command(LEASED)
        person.networks += serve_networks(guest.domain, nics)
        for host in person.networks:
            stack.enter_context(closing(host))
        for card, driver in (("eth0", "e1000"), ("eth1", "8139too")):
            said = person.command(
                f"basename $(readlink /sys/class/net/{card}/device/driver); ifconfig {card} up; "
                f"udhcpc -i {card} -n -q -s /tmp/leased 2>&1; "
                f"wget -qO /{card} http://10.0.2.2:{port}/; md5sum /{card}; "
                f"wget -qO /tmp/x --post-file /init http://10.0.2.2:{port}/; ifconfig {card} down"
            )
            assert driver in said and "got 10.0.2.15" in said and hashlib.md5(BIG).hexdigest() in said, said
        picture(guest, "debian-amd64")
        person.exit()
        powers_off(guest, MOST)
    after = contents(guest, tmp_path / "after.img")
    check_ext4(after)
    assert read_ext4(after, "eth0") == read_ext4(after, "eth1") == BIG
    assert kept == [read_ext4(after, "init")] * 2
