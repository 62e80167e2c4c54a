"""`make asan`: the C code under AddressSanitizer and UndefinedBehaviorSanitizer, through all tests and the long fuzz.

The tree is copied to build/asan, built there with -fsanitize=address,undefined, and tested with the sanitizer's
library loaded before Python. The first finding ends the run with its report. `make asan ARGS=-x` passes pytest options.
"""

from __future__ import annotations

import subprocess
import sys

from tree import build, copy_tree, pytest

# Capstone binds its library "deep", which the sanitizers do not allow; without the flag it loads as any other.
NO_DEEP_BINDING = "import os\n\nif hasattr(os, 'RTLD_DEEPBIND'):\n    del os.RTLD_DEEPBIND\n"
SKIPPED = (
    "tests/bench", "tests/real", "tests/test_dependencies.py", "tests/test_file_length.py",
    "tests/arch/test_without.py",
)  # fmt: skip
"""What runs no C code of ours, or builds a copy of its own."""


def main(arguments: list[str]) -> int:
    """Build, test; the exit code is pytest's."""
    tree = copy_tree("asan")
    (tree / "sitecustomize.py").write_text(NO_DEEP_BINDING)
    built = build(tree, XENLAB_SANITIZE="1")
    if built.returncode:
        sys.stderr.write(built.stdout + built.stderr)
        return 1
    library = subprocess.run(["gcc", "-print-file-name=libasan.so"], check=True, capture_output=True, text=True).stdout
    ignored = [f"--ignore={path}" for path in SKIPPED]
    done = pytest(
        tree,
        *ignored,
        *(arguments or ["tests"]),
        LD_PRELOAD=library.strip(),
        # Python leaks by design; a report must end the process. What is freed and kept to catch its use (256 MiB
        # by itself) would pass for growth in the tests that bound it.
        ASAN_OPTIONS="detect_leaks=0:abort_on_error=0:halt_on_error=1:quarantine_size_mb=64",
        UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1",
        XENLAB_LONG_FUZZ="1",
        XENLAB_SANITIZE="1",  # the engine's harness is built by its tests
    )
    sys.stdout.write(done.stdout[-6000:])
    sys.stderr.write(done.stderr[-6000:])
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
