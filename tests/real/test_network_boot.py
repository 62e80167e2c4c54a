"""iPXE as Debian builds it, the option ROM of a network card: DHCP and TFTP from the NAT, and what came is started."""

from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from hv.hypervisor import Stop
from hv.net.host import NatHost
from hv.net.options import parse_nic
from hv.toolstack.devices import serve_networks
from hv.toolstack.pc import FOLDERS_VARIABLE
from tests.real import packages
from tests.real.screens import console, pc, text
from tests.toolstack import bootsector

pytestmark = pytest.mark.real

MOST = 400_000_000
"""Instructions at most until the boot file is through: iPXE waits two seconds for a key, and asks its card meanwhile.
Were it not told that there are no routers and no second DHCP server, it would need 3,300,000,000."""
SLICE = 1_000_000
TELL = "CAME IN THE LAST BLOCK"
END = bootsector.SIZE - 64
PROGRAM = f"""
    mov ${0x7C00 + END}, %si
    call say
    cli
    hlt
"""
"""A boot file that says what its own end holds, and switches the machine off."""


def serve(hosts: list[NatHost]) -> bool:
    for host in hosts:
        host.poll()
    return False


@pytest.mark.parametrize("card", ["e1000", "rtl8139"])
def test_a_boot_file_comes_over_the_network(card: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDERS_VARIABLE, str(packages.package("ipxe-qemu") / "usr" / "lib" / "ipxe" / "qemu"))
    program = bootsector.assembled(PROGRAM)
    (tmp_path / "program").write_bytes(program[:END] + TELL.encode().ljust(64, b"\0"))
    nics = (parse_nic(f"user,model={card},allow=none,tftp={tmp_path},bootfile=program"),)
    guest = pc(memory_mib=16, boot="n", nics=nics)
    guest.hv.slice = SLICE
    with ExitStack() as stack:
        hosts = [stack.enter_context(closing(host)) for host in serve_networks(guest.domain, nics)]
        result = guest.hv.run(max_insns=MOST, poll=lambda: serve(hosts))
    said = text(guest)
    assert result.stop is Stop.SHUTDOWN, f"{result}; the screen says:\n{said}\nand the console:\n{console(guest)}"
    assert "iPXE" in said and "10.0.2.15" in said and "tftp://10.0.2.2/program" in said and TELL in said
    assert guest.hv.audit() == ""
