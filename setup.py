"""What pyproject.toml cannot say: the compiled part. Everything else is declared there.

`hv._native` is built by native/build.py, `hv._abi_data` is written by native/abi/gen.py; both go into the
wheel, so that installing one needs no compiler.
"""

import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
ABI_GENERATOR = ROOT / "native" / "abi" / "gen.py"


class BuildPython(build_py):
    """Write the ABI tables before the list of Python modules is made: they are one of them."""

    def run(self) -> None:
        if ABI_GENERATOR.exists():
            subprocess.run([sys.executable, str(ABI_GENERATOR)], check=True, cwd=ROOT)
        super().run()


setup(
    cmdclass={"build_py": BuildPython},
    cffi_modules=["native/build.py:ffibuilder"] if (ROOT / "native" / "build.py").exists() else [],
)
