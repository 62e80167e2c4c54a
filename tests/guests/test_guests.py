"""Every guest test of guests/tests, one pytest test each: its verdict, its header comment, its audit."""

from pathlib import Path

import pytest

from hv.testing.build import guest_sources
from hv.testing.runner import DomainUnderTest, Verdict

GUESTS = guest_sources("tests")
MAX_INSNS = 100_000_000


@pytest.mark.parametrize("source", GUESTS, ids=[path.stem for path in GUESTS])
def test_guest(source: Path) -> None:
    outcome = DomainUnderTest(source).run(MAX_INSNS).outcome()
    if outcome.verdict == Verdict.SKIP and not outcome.notes:
        pytest.skip(outcome.console.strip().splitlines()[-2])
    assert outcome.verdict == Verdict.SUCCESS, "\n".join([outcome.console, *outcome.notes])


def test_there_are_guests() -> None:
    assert len(GUESTS) >= 30
