"""A state that no processor could be in, put there from outside, is the guest's end and not the host's."""

from __future__ import annotations

import pytest

from hv.testing.runner import DomainUnderTest, Options


@pytest.mark.parametrize("env", ["pvh64", "pvh32"])
def test_a_task_register_without_a_tss(env: str) -> None:
    """libunicorn gives up when a stack is to come from it, and takes its process along."""
    whole = DomainUnderTest("soft_interrupts", Options(env=env)).run()
    among_the_rings = whole.instructions * 4 // 5
    dom = DomainUnderTest("soft_interrupts", Options(env=env)).run(among_the_rings)
    assert dom.shutdown is None
    vcpu = dom.domain.vcpus[0]
    state = vcpu.state()
    state.segments[7].attributes = 0
    vcpu.set_state(state)
    assert dom.run().shutdown == "crash"
