"""PV-on-HVM: Debian's kernel over SeaBIOS unplugs the PC's disk and card and drives PV ones, with four processors."""

import hashlib
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from hv.hypervisor import Stop
from hv.net.options import parse_nic
from hv.toolstack.backends import backends_of
from hv.toolstack.devices import DiskOptions, serve_networks
from hv.toolstack.launch import Guest
from tests.real import packages, root_disk
from tests.real.disks import check_ext4, read_ext4
from tests.real.screens import pc
from tests.real.test_pc import BIG, KERNEL, LEASED, contents, web_server

pytestmark = pytest.mark.real

MOST = 15_000_000_000
NIC = "user,mac=00:16:3e:00:00:07,allow=host:{port}"
COMMANDS = """
echo disks $(ls /sys/block); echo cards $(ls /sys/class/net) $(basename $(readlink /sys/class/net/eth0/device/driver))
echo address $(cat /sys/class/net/eth0/address) clock $(cat /sys/devices/system/clocksource/*/current_clocksource)
echo begins
dd if=/dev/zero of=/zeros bs=64k count=64 2>/dev/null; sync; md5sum /zeros
echo locks $(dmesg | grep -c 'PV spinlocks enabled') $(grep -c spinlock /proc/interrupts)
echo upcalls $(awk '/HYP:/ {{ print $2, $3, $4, $5 }}' /proc/interrupts)
{leased}
ifconfig eth0 up; udhcpc -i eth0 -n -q -s /tmp/leased 2>&1; wget -qO /big http://10.0.2.2:{port}/; md5sum /big
"""


def run_on(guest: Guest, text: str = "", poll: Callable[[], object] = lambda: None) -> Stop:
    """Until the guest has printed a text, or to its end."""

    def seen() -> bool:
        poll()
        return bool(text) and text in guest.console.text()

    return guest.hv.run(max_insns=guest.hv.instructions + MOST, poll=seen).stop


def test_xvda_and_a_vif_with_four_processors(tmp_path: Path) -> None:
    with web_server() as (port, _), ExitStack() as stack:
        ramdisk = root_disk.ramdisk(tmp_path / "initramfs.gz", "/dev/xvda", "xen-blkfront", package=KERNEL)
        commands = COMMANDS.format(port=port, leased=LEASED)
        image = root_disk.root(tmp_path / "root.img", "xen-netfront", package=KERNEL, commands=commands)
        nic = parse_nic(NIC.format(port=port))
        guest = pc(
            packages.kernel(KERNEL), memory_mib=256, vcpus=4, cmdline="console=ttyS0 quiet", ramdisk=ramdisk,
            disks=(DiskOptions(str(image)),), nics=(nic,),
        )  # fmt: skip
        run_on(guest, "begins")
        guest.hv.run(max_insns=guest.hv.instructions + 3_000_000)
        middle = guest.hv.snapshot()
        runs = []
        for _ in range(2):
            guest.hv.restore(middle)
            guest.hv.run(max_insns=guest.hv.instructions + 20_000_000)
            runs.append(guest.hv.state_hash)
        assert runs[0] == runs[1]
        (network,) = serve_networks(guest.domain, (nic,))
        stack.enter_context(closing(network))
        assert run_on(guest, poll=network.poll) is Stop.SHUTDOWN, guest.console.text()
    said = guest.console.text()
    for expected in (
        "root is /dev/xvda on / type ext4", "disks xvda\r", "cards eth0 lo vif", "address 00:16:3e:00:00:07 clock xen",
        f"{hashlib.md5(bytes(64 << 16)).hexdigest()}  /zeros", "got 10.0.2.15", f"{hashlib.md5(BIG).hexdigest()}  /big",
    ):  # fmt: skip
        assert expected in said, said
    upcalls = [int(word) for word in said.split("\nupcalls ")[1].split("\r")[0].split()]
    assert "\nlocks 1 4\r" in said and len(upcalls) == 4 and all(upcalls), said
    assert guest.domain.c.shutdown_code == 0 and guest.hv.audit() == ""
    assert [device.twin and device.twin() for device in backends_of(guest.domain).devices.values()] == [False, False]
    after = contents(guest, tmp_path / "after.img")
    check_ext4(after)
    assert read_ext4(after, "big") == BIG


def test_xvda_without_the_vector(tmp_path: Path) -> None:
    """Events come by the platform device's pin. One is pending already when Linux chooses that."""
    ramdisk = root_disk.ramdisk(tmp_path / "initramfs.gz", "/dev/xvda", "xen-blkfront", package=KERNEL)
    commands = "echo pin $(awk '/IO-APIC.*xen-platform-pci/ { print $2 }' /proc/interrupts) end"
    image = root_disk.root(tmp_path / "root.img", package=KERNEL, commands=commands)
    guest = pc(
        packages.kernel(KERNEL), memory_mib=128, cmdline="console=ttyS0 quiet xen_no_vector_callback", ramdisk=ramdisk,
        disks=(DiskOptions(str(image)),),
    )  # fmt: skip
    assert run_on(guest) is Stop.SHUTDOWN, guest.console.text()
    said = guest.console.text()
    assert "root is /dev/xvda on / type ext4" in said, said
    assert int(said.split("\npin ")[1].split()[0]) > 100, said
    assert guest.domain.c.shutdown_code == 0 and guest.hv.audit() == ""
