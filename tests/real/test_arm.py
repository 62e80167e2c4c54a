"""Debian's kernels for ARM with a busybox shell on the Xen console, unmodified."""

import pytest

from hv.arch import kinds
from tests.real.conversation import finished, linux

pytestmark = [pytest.mark.real, pytest.mark.skipif("arm64" not in kinds(), reason="built without the ARM engine")]


@pytest.mark.parametrize(("package", "vcpus"), [
    ("linux-image-arm64:arm64", 1), ("linux-image-cloud-arm64:arm64", 4), ("linux-image-armmp-lpae:armhf", 1),
])
def test_shell_commands_poweroff(package: str, vcpus: int) -> None:
    done = linux(vcpus, package)
    assert finished(done) and f"\ncpus {vcpus}" in done.text
