"""Fixtures of the tests of native/."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.native.ptbench import Bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A bench whose books must balance when the test ends."""
    made = Bench()
    assert made.audit() == ""
    yield made
    assert made.audit() == ""
