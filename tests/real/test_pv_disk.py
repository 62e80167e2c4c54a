"""Debian's kernels with xen-blkfront and xen-netfront, unmodified: ext4 on /dev/xvda, eth0 on a switch or a NAT."""

import hashlib
import random
from pathlib import Path
from typing import cast

import pytest

from hv.backend.block import BlockBackend
from hv.disk.opening import open_image
from hv.hypervisor import Stop
from hv.net.options import NicOptions, parse_nic
from hv.toolstack.backends import attach_disk, attach_nic, backends_of, detach_disk
from hv.toolstack.devices import DiskOptions
from hv.toolstack.launch import Guest, GuestConfig, launch
from tests.real import initramfs, packages
from tests.real.disks import check_ext4, make_ext4, read_ext4
from tests.real.modules import load, modules

pytestmark = pytest.mark.real

BIG = random.Random(5).randbytes(3_000_000)
MAX_INSNS = 20_000_000_000
CLOUD, ARM64, ARMHF = "linux-image-cloud-amd64", "linux-image-cloud-arm64:arm64", "linux-image-armmp-lpae:armhf"
DISK = """
mkdir -p /mnt; mount -t ext4 /dev/xvda /mnt
cat /mnt/greeting
md5sum /mnt/big
md5sum /mnt/big | cut -c1-32 > /mnt/sum
cp /mnt/big /mnt/copy
rm /mnt/greeting; mkdir /mnt/folder; i=0; while [ $i -lt 200 ]; do echo $i > /mnt/folder/$i; i=$((i+1)); done
sync; umount /mnt
mount -t ext4 -o ro /dev/xvda /mnt && cmp /mnt/big /mnt/copy && echo same; ls /mnt/folder | wc -l; umount /mnt
"""


def linux(tmp_path: Path, commands: str, package: str = CLOUD, **config: object) -> Guest:
    """Debian's kernel with the PV drivers loaded, about to run these commands."""
    found = modules("xen-blkfront", "xen-netfront", "crc32c_generic", "ext4", package=package)
    arch = package.partition(":")[2] or "amd64"
    ramdisk = initramfs.write(tmp_path / "initramfs.gz", packages.busybox(arch), load(found) + commands, found)
    made = GuestConfig(memory_mib=192, cmdline="console=hvc0 quiet", ramdisk=ramdisk)
    beside = cast("Guest | None", config.pop("beside", None))
    return launch(packages.kernel(package), made._replace(**config), beside=beside)  # type: ignore[arg-type]


def ext4(tmp_path: Path) -> Path:
    return make_ext4(tmp_path / "disk.img", 24, {"greeting": b"hello from ext4\n", "big": BIG})


def disk_of(guest: Guest) -> BlockBackend:
    return cast("BlockBackend", next(iter(backends_of(guest.domain).devices.values())))


def contents(guest: Guest, path: Path) -> Path:
    """What is on the guest's disk by now, as a file."""
    disk = disk_of(guest).disk
    path.write_bytes(disk.read(0, disk.sectors))
    return path


@pytest.mark.parametrize("package", [CLOUD, "linux-image-amd64"])
def test_an_ext4_disk_is_read_and_written(tmp_path: Path, package: str) -> None:
    image = ext4(tmp_path)
    before = hashlib.sha256(image.read_bytes()).digest()
    guest = linux(tmp_path, DISK, package, disks=(DiskOptions(str(image)),))
    assert guest.hv.run(max_insns=MAX_INSNS).stop is Stop.SHUTDOWN, guest.console.text()
    said = guest.console.text()
    digest = hashlib.md5(BIG).hexdigest()
    assert "hello from ext4" in said and f"{digest}  /mnt/big" in said and "\nsame\r\n200" in said, said
    after = contents(guest, tmp_path / "after.img")
    check_ext4(after)
    assert read_ext4(after, "copy") == BIG and read_ext4(after, "folder/199") == b"199\n"
    assert read_ext4(after, "sum") == digest.encode() + b"\n" and read_ext4(after, "greeting") == b""
    assert hashlib.sha256(image.read_bytes()).digest() == before and guest.hv.audit() == ""


def test_a_read_only_disk(tmp_path: Path) -> None:
    commands = "mkdir -p /mnt; mount -t ext4 /dev/xvda /mnt; cat /mnt/greeting; cat /sys/block/xvda/ro; echo x > /mnt/y"
    guest = linux(tmp_path, commands, disks=(DiskOptions(str(ext4(tmp_path)), read_only=True),))
    guest.hv.run(max_insns=MAX_INSNS)
    said = guest.console.text()
    assert "hello from ext4\r\n1" in said and "Read-only file system" in said, said
    assert disk_of(guest).disk.overlay.count == 0


def test_the_same_again_and_from_the_middle_and_in_a_fork(tmp_path: Path) -> None:
    image = ext4(tmp_path)

    def fresh() -> Guest:
        return linux(tmp_path, DISK, disks=(DiskOptions(str(image)),))

    whole = fresh()
    end = whole.hv.run(max_insns=MAX_INSNS)
    want = whole.hv.state_hash
    guest = fresh()
    disk = disk_of(guest)
    while not disk.disk.overlay.count:  # it has begun to write
        guest.hv.run(max_insns=guest.hv.instructions + 5_000_000)
    guest.hv.run(max_insns=guest.hv.instructions + 20_000_000)
    middle, blocks = guest.hv.snapshot(), disk.disk.overlay.count
    child = guest.hv.fork()
    assert guest.hv.run(max_insns=MAX_INSNS) == end and guest.hv.state_hash == want
    assert disk.disk.overlay.count > blocks
    guest.hv.restore(middle)
    assert disk.disk.overlay.count == blocks
    assert guest.hv.run(max_insns=MAX_INSNS) == end and guest.hv.state_hash == want
    assert child.run(max_insns=MAX_INSNS) == end and child.state_hash == want


def until(guest: Guest, text: str) -> None:
    """Run until the guest has printed a text."""
    guest.hv.run(max_insns=guest.hv.instructions + MAX_INSNS, poll=lambda: text in guest.console.text())
    assert text in guest.console.text(), guest.console.text()[-2000:]


def test_hot_plug(tmp_path: Path) -> None:
    commands = """
    until [ -b /dev/xvdb ]; do sleep 0.1; done; echo $(cat /sys/block/xvdb/size) sectors came
    dd if=/dev/xvdb of=/dev/null bs=64k 2>/dev/null
    while [ -b /dev/xvdb ]; do sleep 0.1; done; echo it has gone
    ifconfig -a | grep -c eth0
    """
    guest = linux(tmp_path, commands)
    until(guest, "READY")
    guest.hv.run(until_ns=guest.hv.now_ns + 3_000_000_000)
    attach_disk(guest.domain, open_image(str(ext4(tmp_path))), name="xvdb")
    until(guest, "49152 sectors came")
    guest.hv.run(until_ns=guest.hv.now_ns + 1_000_000_000)
    attach_nic(guest.domain, NicOptions(switch="lan"))
    detach_disk(guest.domain, "xvdb")
    until(guest, "it has gone\r\n1")
    assert [device.kind for device in backends_of(guest.domain).devices.values()] == ["vif"]


@pytest.mark.parametrize("kernels", [(CLOUD, CLOUD), (CLOUD, ARM64), (ARMHF, ARM64)], ids=["x86", "x86-arm64", "arm"])
def test_two_guests_on_a_switch(tmp_path: Path, kernels: tuple[str, str]) -> None:
    """Of either architecture, and in each run the same."""

    def commands(me: int) -> str:
        other = 3 - me
        return f"""
        ifconfig eth0 10.1.1.{me} up
        until ping -c 1 -W 1 10.1.1.{other} >/dev/null; do :; done
        ping -c 3 -s 1400 10.1.1.{other}
        {"nc -l -p 7 < /init | cat" if me == 1 else "sleep 2; nc 10.1.1.1 7 </dev/null | md5sum"}
        sleep 3
        """

    wire = parse_nic("switch=lan")
    paths = [tmp_path / str(me) for me in (1, 2)]
    for path in paths:
        path.mkdir()

    def both() -> tuple[Guest, Guest]:
        one = linux(paths[0], commands(1), kernels[0], machine_mib=400, name="one", nics=(wire,))
        return one, linux(paths[1], commands(2), kernels[1], name="two", nics=(wire,), beside=one)

    one, two = both()
    assert one.hv.run(max_insns=MAX_INSNS).stop is Stop.SHUTDOWN, one.console.text() + two.console.text()
    for guest in (one, two):
        assert "3 packets received, 0% packet loss" in guest.console.text(), guest.console.text()
    found = modules("xen-blkfront", "xen-netfront", "crc32c_generic", "ext4", package=kernels[0])
    init = initramfs.init(load(found) + commands(1))
    assert hashlib.md5(init).hexdigest() in two.console.text()  # TCP, whose sums the front end leaves blank
    assert one.hv.audit() == ""
    again = both()[0].hv
    again.run(max_insns=MAX_INSNS)
    assert (again.instructions, again.state_hash) == (one.hv.instructions, one.hv.state_hash)


def test_shells_of_two_architectures_ping_each_other(tmp_path: Path) -> None:
    """Each with two vcpus and a shell on its console, where the commands are typed; the same in each run."""

    def talk() -> tuple[int, str, list[str]]:
        guests: list[Guest] = []
        for me, package in enumerate((CLOUD, ARM64), 1):
            path = tmp_path / str(me)
            path.mkdir(exist_ok=True)
            commands = f"ifconfig eth0 10.1.1.{me} up\n{initramfs.SHELL}"
            guests.append(linux(path, commands, package, machine_mib=400, name=f"guest{me}", vcpus=2,
                                nics=(parse_nic("switch=lan"),), beside=guests[0] if guests else None))
        for guest in guests:
            until(guest, initramfs.PROMPT)
        for me, guest in enumerate(guests, 1):
            guest.console.feed(b"until ping -c 1 -W 1 10.1.1.%d >/dev/null; do :; done; ping -c 3 10.1.1.%d; "
                               b"echo cpus $(grep -c ^processor /proc/cpuinfo) of $(uname -m)\n" % (3 - me, 3 - me))
        for guest in guests:
            until(guest, "\ncpus 2 of ")
        for guest in guests:
            guest.console.feed(b"exit\n")
        hv = guests[0].hv
        assert hv.run(max_insns=MAX_INSNS).stop is Stop.SHUTDOWN and hv.audit() == ""
        return hv.instructions, hv.state_hash, [guest.console.text() for guest in guests]

    first = talk()
    for text, machine in zip(first[2], ("x86_64", "aarch64"), strict=True):
        assert "3 packets received, 0% packet loss" in text and f"cpus 2 of {machine}" in text, text
    assert talk() == first


def test_dhcp_from_the_nat(tmp_path: Path) -> None:
    show = "printf '#!/bin/busybox sh\\n[ -n \"$ip\" ] && echo got $ip\\n' > /tmp/s; chmod +x /tmp/s\n"
    commands = show + "ifconfig eth0 up; udhcpc -i eth0 -n -q -s /tmp/s"
    guest = linux(tmp_path, commands, nics=(parse_nic("user,allow=none"),))
    guest.hv.run(max_insns=MAX_INSNS)
    assert "got 10.0.2.15" in guest.console.text(), guest.console.text()
