"""How `make bench` measures: ours and the baseline in turns within one run, medians, the ratio of the two."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "bench"
ROUNDS = 5


@dataclass(frozen=True)
class Row:
    """One line of the table. `ratio` is ours over the baseline's, None where there is no baseline."""

    name: str
    value: float
    unit: str
    baseline: str | None
    baseline_value: float | None
    ratio: float | None
    goal: str = ""


def measure(
    name: str,
    unit: str,
    ours: Callable[[], float],
    baseline: str | None = None,
    theirs: Callable[[], float] | None = None,
    *,
    rounds: int = ROUNDS,
    goal: str = "",
) -> Row:
    """Medians of `rounds` runs of each, alternated, so that a slow spell of the machine meets both."""
    mine: list[float] = []
    other: list[float] = []
    for _ in range(rounds):
        mine.append(ours())
        if theirs is not None:
            other.append(theirs())
    return compare(name, unit, mine, baseline, other, goal)


def compare(
    name: str, unit: str, mine: list[float], baseline: str | None = None, other: Sequence[float] = (), goal: str = ""
) -> Row:
    """The row of figures that were measured in turns."""
    value = statistics.median(mine)
    if not other:
        return Row(name, value, unit, None, None, None, goal)
    base = statistics.median(other)
    return Row(name, value, unit, baseline, base, value / base, goal)


def show(row: Row) -> None:
    """Print one line."""
    ratio = f"{row.ratio:8.4f}" if row.ratio is not None else " " * 8
    against = f"{row.baseline_value:14.2f} {row.baseline}" if row.baseline_value is not None else ""
    print(f"{row.name:<24}{row.value:14.2f} {row.unit:<10}{ratio}  {row.goal:<9}{against}")
    sys.stdout.flush()


def heading() -> None:
    """Print the names of the columns."""
    print(f"{'name':<24}{'value':>14} {'unit':<10}{'ratio':>8}  {'goal':<9}{'baseline':>14}")


def write(rows: list[Row]) -> Path:
    """Write build/bench.json: the rows without their goals."""
    path = ROOT / "build" / "bench.json"
    path.parent.mkdir(exist_ok=True)
    data = [{key: value for key, value in asdict(row).items() if key != "goal"} for row in rows]
    path.write_text(json.dumps(data, indent=1) + "\n")
    return path
