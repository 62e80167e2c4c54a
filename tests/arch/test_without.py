"""Either architecture may be missing: its folders are deleted from a copy of the tree, and the rest works there."""

from pathlib import Path

import pytest

from tests import tree
from tests.arch import without
from tests.builder.elfwriter import Load, elf, pv_kernel

AARCH64, START = 183, 0x4000_0000
MISSING = sorted(without.FOLDERS)


@pytest.fixture(scope="module", params=MISSING)
def missing(request: pytest.FixtureRequest) -> tuple[str, Path]:
    """The name of an architecture, and the tree without it."""
    return request.param, without.copy(request.param)


def test_every_module_can_be_imported(missing: tuple[str, Path]) -> None:
    failed = without.failed_imports(missing[1])
    said = [f"{name}: {error} in {file}" for name, (file, error) in failed.items()]
    assert not said, "\n".join(said)


@pytest.mark.parametrize("part", [without.QUICK, without.QUICK_GUESTS], ids=["neutral", "guests"])
def test_what_is_neutral_passes(missing: tuple[str, Path], part: tuple[str, ...]) -> None:
    done = tree.pytest(missing[1], *part, timeout=240)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]


@pytest.mark.parametrize("command", ["info", "run", "debug", "trace"])
def test_a_guest_of_it_is_refused_in_one_line(missing: tuple[str, Path], command: str, tmp_path: Path) -> None:
    kernel = tmp_path / "kernel"
    kernels = {"x86": pv_kernel(), "arm": elf([Load(START, bytes(64))], entry=START, machine=AARCH64)}
    kernel.write_bytes(kernels[missing[0]])
    done = without.run(missing[1], "-m", "hv.cli.main", command, str(kernel))
    machine = {"x86": "x86_64", "arm": "aarch64"}[missing[0]]
    have = {"x86": "aarch64, arm", "arm": "x86_64, i386"}[missing[0]]
    expected = f"hv {command}: {kernel}: it is for {machine}, which nothing here runs; give a kernel for {have}\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


def test_a_domain_of_its_kind_is_refused_in_one_line(tmp_path: Path) -> None:
    bios = tmp_path / "bios"
    bios.write_bytes(bytes(1 << 16))
    done = without.run(without.copy("x86"), "-m", "hv.cli.main", "run", "--type", "hvm", "--firmware", str(bios))
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "there are no hvm domains" in done.stderr and "; install all of xenlab" in done.stderr


def test_a_guest_s_source_for_what_is_missing_is_refused_in_one_line(missing: tuple[str, Path], tmp_path: Path) -> None:
    name = {"x86": "pv64", "arm": "arm64"}[missing[0]]
    (tmp_path / "one.c").write_text("void test_main(void) {}\n")
    done = without.run(missing[1], "-m", "hv.cli.main", "build", str(tmp_path / "one.c"), "--env", name)
    assert done.returncode == 2 and name in done.stderr and len(done.stderr.strip().splitlines()) == 1
