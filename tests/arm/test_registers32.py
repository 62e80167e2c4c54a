"""What the debugger and reports say of an AArch32 vcpu's registers."""

from __future__ import annotations

from hv.arch.arm.report import register_lines
from hv.testing.runner import DomainUnderTest, Options


def test_every_bank_has_its_names() -> None:
    """The guest gives IRQ and abort mode stack pointers, and ends in supervisor mode."""
    dom = DomainUnderTest("arm_calls32", Options(env="arm32"))
    dom.run(5_000_000)
    (vcpu,) = dom.domain.vcpus
    value = {name: read(vcpu) for name, read in vcpu.arch.OTHERS.items()}
    assert (value["sp_irq"], value["sp_abt"]) == (0x5000, 0x6000)
    assert value["sp_svc"] == vcpu.registers["sp"] and value["lr_svc"] == vcpu.registers["lr"]
    assert value["ifsr"] & 0x3F == 0x22  # the BKPT that came last
    assert value["ttbcr"] >> 31 == 1 and "spsr_svc" in value and "spsr_usr" not in value
    shown = " ".join(register_lines(vcpu)).split()
    assert shown[shown.index("sp_irq") + 1] == "5000" and "elr_el1" not in shown
