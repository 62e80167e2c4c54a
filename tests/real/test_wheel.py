"""`pip wheel .`: the wheel installs and runs in an empty environment, where there is no compiler."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.real import packages

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a clean copy of what git knows."""
    work = tmp_path_factory.mktemp("wheel")
    source = work / "source"
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{ROOT}", source], check=True, timeout=60)
    subprocess.run([sys.executable, "-m", "pip", "-q", "wheel", source, "--no-deps", "-w", work],
                   check=True, timeout=600)
    (made,) = work.glob("xenlab-*.whl")
    return made


def test_wheel_holds_what_it_needs(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "hv/_abi_data.py" in names and "isa/py.typed" in names
    kit = {name.removeprefix("hv/testing/kit/") for name in names if name.startswith("hv/testing/kit/")}
    assert kit >= {"lib/core/guest.h", "abi/xen.h", "tests/hello.c", "demos/tour.c", "demos/tour.h"}
    assert any(name.startswith("hv/_native") and name.endswith(".so") for name in names)
    assert not any(name.startswith(("tests", "guests", "native", "tools")) for name in names)


def test_wheel_runs_without_a_compiler(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    programs = tmp_path / "env" / "bin"
    # Only wheels, and nothing on the path but the new environment.
    subprocess.run([programs / "python", "-m", "pip", "-q", "install", "--only-binary", ":all:", wheel],
                   check=True, timeout=600, env={**os.environ, "PATH": str(programs)})
    done = subprocess.run([programs / "hv", "run", packages.grub(), "--memory", "64", "--wall-timeout", "60"],
                          input="halt\n", capture_output=True, text=True, timeout=90, check=False, cwd=tmp_path,
                          env={"PATH": str(programs)})
    assert done.returncode == 0, done.stderr
    assert "grub>" in done.stdout
    # The guests that the documents use are there; what they lack here is the compiler.
    done = subprocess.run([programs / "hv", "build", "tour", "--env", "arm64"], capture_output=True, text=True,
                          timeout=90, check=False, cwd=tmp_path, env={"PATH": str(programs)})
    assert (done.returncode, done.stderr) == (2, "hv build: the guest compiler is missing: pip install ziglang\n")
