"""Debian's kernel on a PC: boot over SeaBIOS, md5, processes, disks. One boot of each machine gives all figures."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from shutil import which

from tests.bench import marks
from tests.bench.measure import BUILD, Row, compare
from tests.bench.processes import HV

MEMORY_MIB = 256
DISK_MIB = 64
MD5_COPIES = 20
"""So many times the file of busybox (2 MB) is what md5 is computed of."""
FORKS = 200
ROUNDS = 3
KERNEL = "linux-image-amd64"
QEMU = "qemu-system-x86_64 -accel tcg"
DISKS = {
    "master": "$(ls /sys/bus/scsi/devices/0:0:0:0/block)",
    "slave": "$(ls /sys/bus/scsi/devices/0:0:1:0/block)",
    "xvda": "xvda",
}
"""The guest's names of the disks. Those of IDE go by where they are: which one is found first, and so becomes sda, is
chance under QEMU. The slave is driven without DMA."""
# Direct: through the driver into the program, past the page cache.
COMMANDS = """
forks() {{ n=0; while [ $n -lt {forks} ]; do /bin/true; n=$((n+1)); done; }}
copies() {{ n=0; while [ $n -lt {copies} ]; do cat /bin/busybox; n=$((n+1)); done; }}
part ready true
{load}
copies >/tmp/file
sleep 1
part md5 md5sum /tmp/file
part forks forks
{reads}
"""


def rows() -> list[Row]:
    """In user + system seconds, and for disks in MB a such second; QEMU has the same kernel, initramfs and disks."""
    ours: list[dict[str, float]] = []
    theirs: list[dict[str, float]] = []
    pv: list[dict[str, float]] = []
    for _ in range(ROUNDS):
        ours.append(marks.seconds(_ours()))
        if which("qemu-system-x86_64"):
            theirs.append(marks.seconds(_qemu()))
        pv.append(marks.seconds(_pv()))
    found = [
        compare(name, "s", [run[part] for run in ours], QEMU, [run[part] for run in theirs], goal)
        for name, part, goal in (
            ("linux_hvm_boot", marks.BOOT, "<= 1.0"),
            ("guest_md5", "md5", "<= 1.0"),
            ("guest_forks", "forks", "<= 1.0"),
        )
    ]
    found.append(compare("disk_ide_dma", "MB/s", _rates(ours, "master"), QEMU, _rates(theirs, "master"), ">= 0.5"))
    found.append(compare("disk_pv_over_ide", "MB/s", _rates(pv, "xvda"), "our IDE, PIO", _rates(ours, "slave"), ">= 3"))
    found.append(compare("disk_pv_over_dma", "MB/s", _rates(pv, "xvda"), "our IDE, DMA", _rates(ours, "master")))
    return found


def _rates(runs: list[dict[str, float]], disk: str) -> list[float]:
    return [DISK_MIB * (1 << 20) / 1e6 / run[disk] for run in runs]


@cache
def _kernel() -> str:
    from tests.real.packages import kernel

    return str(kernel(KERNEL))


@cache
def _ramdisk(*disks: str) -> str:
    """An initramfs with the drivers that these disks need."""
    from tests.real import initramfs, packages
    from tests.real.modules import load, modules

    found = modules("ata_piix", "sd_mod", "xen-blkfront", package=KERNEL)
    if "xvda" not in disks:
        found = {name: data for name, data in found.items() if "blkfront" not in name}
    insert = load(found).replace("libata.ko\n", "libata.ko force=1.01:pio4\n")
    reads = "\n".join(f"part {disk} dd if=/dev/{DISKS[disk]} of=/dev/null bs=1M iflag=direct" for disk in disks)
    commands = marks.SHELL + COMMANDS.format(load=insert, forks=FORKS, copies=MD5_COPIES, reads=reads)
    return str(initramfs.write(BUILD / f"initramfs-{disks[0]}.gz", packages.busybox(), commands, found))


@cache
def _disk() -> str:
    BUILD.mkdir(parents=True, exist_ok=True)
    path = BUILD / "disk.img"
    path.write_bytes(random.Random(1).randbytes(1 << 20) * DISK_MIB)
    return str(path)


def _ours() -> list[str]:
    firmware = _firmware() / "bios-256k.bin"
    return [
        *HV, "run", _kernel(), "--type", "hvm", "--memory", str(MEMORY_MIB), "--ramdisk", _ramdisk("master", "slave"),
        "--cmdline", "console=ttyS0 quiet", "--xen-platform", "off", "--firmware", str(firmware),
        "--disk", f"{_disk()},bus=ide", "--disk", f"{_disk()},bus=ide",
    ]  # fmt: skip


def _pv() -> list[str]:
    return [
        *HV, "run", _kernel(), "--type", "pvh", "--memory", str(MEMORY_MIB), "--ramdisk", _ramdisk("xvda"),
        "--cmdline", "console=hvc0 quiet", "--disk", _disk(),
    ]  # fmt: skip


def _qemu() -> list[str]:
    drives = [f"file={_disk()},format=raw,if=ide,index={index},snapshot=on" for index in (0, 1)]
    return [
        "qemu-system-x86_64", "-accel", "tcg", "-machine", "pc", "-m", str(MEMORY_MIB), "-display", "none",
        "-serial", "stdio", "-no-reboot", "-nic", "none", "-kernel", _kernel(), "-initrd", _ramdisk("master", "slave"),
        "-append", "console=ttyS0 quiet panic=-1", *(word for drive in drives for word in ("-drive", drive)),
    ]  # fmt: skip


@cache
def _firmware() -> Path:
    from tests.real.packages import package

    return package("seabios") / "usr" / "share" / "seabios"
