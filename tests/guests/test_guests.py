"""Every guest test of guests/tests, and the tour, one pytest test each: its verdict, its header comment, its audit."""

from pathlib import Path

import pytest

from hv.arch import kinds
from hv.testing.build import ENVIRONMENTS, guest_sources
from hv.testing.metadata import read_metadata
from hv.testing.runner import DomainUnderTest, Options, Verdict
from tests.toolstack.bootsector import has_firmware

GUESTS = [*guest_sources("tests"), *guest_sources("demos")]
MAX_INSNS = 100_000_000


CASES = [
    (path, env) for path in GUESTS for env in read_metadata(path).environments
    if env in ENVIRONMENTS and ENVIRONMENTS[env].kind in kinds()
]  # fmt: skip
"""Whose kind of domain there is: an architecture may be missing."""


@pytest.mark.parametrize(("source", "env"), CASES, ids=[f"{path.stem}-{env}" for path, env in CASES])
def test_guest(source: Path, env: str) -> None:
    if ENVIRONMENTS[env].loaded and not has_firmware():
        pytest.skip("SeaBIOS is not installed; remedy: apt install seabios")
    outcome = DomainUnderTest(source, Options(env=env)).run(MAX_INSNS).outcome()
    if outcome.verdict == Verdict.SKIP and not outcome.notes:
        pytest.skip(outcome.console.strip().splitlines()[-2])
    assert outcome.verdict == Verdict.SUCCESS, "\n".join([outcome.console, *outcome.notes])


def test_there_are_guests() -> None:
    assert len(GUESTS) >= 30
