"""`make bench`: print the table, write build/bench.json. `make bench ARGS="loop traps"` runs the files named."""

from __future__ import annotations

import sys
from importlib import import_module

from tests.bench.measure import Row, heading, show, write

FILES = (
    "traps", "tracing", "loops", "hello", "linux", "memory", "timetravel", "gdb", "accesses", "shadow", "pc", "arm",
)  # fmt: skip


def main(names: list[str]) -> int:
    """Run the measurements of each file named, all of them by default."""
    rows: list[Row] = []
    heading()
    for name in names or FILES:
        for row in import_module(f"tests.bench.{name}").rows():
            rows.append(row)
            show(row)
    print(f"written: {write(rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
