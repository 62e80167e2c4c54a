"""Guest memory by linear address: the ends of the address space."""

from __future__ import annotations

import pytest

from hv.hypervisor import Hypervisor


@pytest.mark.parametrize("address", [0, (1 << 47) - 4, 1 << 47, (1 << 64) - 4, 1 << 64, (1 << 64) + 4])
def test_what_is_not_mapped_is_no_error_of_ours(address: int) -> None:
    vcpu = Hypervisor(memory_mib=2).create_domain("d", memory_mib=1).vcpus[0]
    assert vcpu.read(address, 8) is None
    assert vcpu.write(address, bytes(8)) is False
