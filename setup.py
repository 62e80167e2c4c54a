"""What pyproject.toml cannot say: the compiled part. Everything else is declared there.

`hv._native` is built by native/build.py, `hv._abi_data` is written by native/abi/gen.py; both go into the
wheel, so that installing one needs no compiler.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
ABI_GENERATOR = ROOT / "native" / "abi" / "gen.py"
# What guests are built from (hv/testing/build.py looks for it there when there is no checkout): folder, its place.
GUEST_KIT = (
    *((ROOT / "guests" / name, name) for name in ("lib", "tests", "demos")), (ROOT / "native" / "abi", "abi"),
)  # fmt: skip


class BuildPython(build_py):
    """Write the ABI tables before the list of Python modules is made: they are one of them."""

    def run(self) -> None:
        if ABI_GENERATOR.exists():
            subprocess.run([sys.executable, str(ABI_GENERATOR)], check=True, cwd=ROOT)
        super().run()
        if not self.editable_mode:
            for folder, name in GUEST_KIT:
                self.copy_sources(folder, Path(self.build_lib) / "hv" / "testing" / "kit" / name)

    def copy_sources(self, folder: Path, target: Path) -> None:
        """Headers and sources, with the folders they are in."""
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".c", ".h", ".S", ".ld", ".def"):
                copy = target / path.relative_to(folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)


setup(
    cmdclass={"build_py": BuildPython},
    cffi_modules=["native/build.py:ffibuilder"] if (ROOT / "native" / "build.py").exists() else [],
)
