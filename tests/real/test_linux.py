"""Debian's kernels as PV domains with a busybox shell, unmodified."""

import pytest

from tests.real.conversation import Outcome, finished, linux
from tests.real.processes import outcomes

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def plain() -> Outcome:
    return linux()


def test_shell_commands_poweroff(plain: Outcome) -> None:
    assert finished(plain) and "\ncpus 1" in plain.text


@pytest.mark.parametrize(("package", "vcpus"), [
    ("linux-image-amd64", 4), ("linux-image-cloud-amd64", 1), ("linux-image-cloud-amd64", 4),
])
def test_other_kernels_and_vcpus(package: str, vcpus: int) -> None:
    done = linux(vcpus, package)
    assert finished(done) and f"\ncpus {vcpus}" in done.text


@pytest.mark.parametrize("limit", [7, 512])
def test_block_limits_change_nothing(plain: Outcome, limit: int) -> None:
    assert linux(block_limit=limit) == plain


def test_block_limit_of_1_with_4_vcpus_and_flushes() -> None:
    assert linux(vcpus=4, block_limit=1, flush_seed=3) == linux(vcpus=4)


@pytest.mark.parametrize("guest", ["linux", "linux4"])
def test_processes_agree(guest: str) -> None:
    assert len(outcomes(guest)) == 1
