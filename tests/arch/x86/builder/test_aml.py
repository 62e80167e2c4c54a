"""The AML assembler: encodings by hand from the specification, and what it refuses."""

import pytest

from hv.arch.x86.builder import aml


@pytest.mark.parametrize(("given", "expected"), [
    ("PCI0", b"PCI0"), ("ISA", b"ISA_"), ("\\_SB.PCI0", b"\\\x2e_SB_PCI0"), ("\\", b"\\\0"),
    ("A.B.C", b"\x2f\x03A___B___C___"),
])  # fmt: skip
def test_names(given: str, expected: bytes) -> None:
    assert aml.path(given) == expected


@pytest.mark.parametrize("given", ["TOOLONG", "1ST", "A-B", "A..B"])
def test_names_that_are_none(given: str) -> None:
    with pytest.raises(ValueError, match="is no name"):
        aml.path(given)


@pytest.mark.parametrize(("value", "expected"), [
    (0, "00"), (1, "01"), (2, "0a02"), (255, "0aff"), (256, "0b0001"), (65536, "0c00000100"),
    (1 << 32, "0e0000000001000000"),
])  # fmt: skip
def test_integers(value: int, expected: str) -> None:
    assert aml.number(value).hex() == expected


def test_values_out_of_range() -> None:
    for value in (-1, 1 << 64):
        with pytest.raises(ValueError, match="no integer of 64 bits"):
            aml.number(value)
    with pytest.raises(ValueError, match="field of 64 bits"):
        aml.fields("X", aml.BYTE_ACCESS, ("Y", 64))


@pytest.mark.parametrize(("contents", "head"), [(10, "0b"), (62, "3f"), (63, "4104"), (4093, "4fff"), (4094, "810001")])
def test_package_lengths_count_themselves(contents: int, head: str) -> None:
    coded = aml.scope("AAAA", bytes(contents - 4))
    assert coded[1 : 1 + len(head) // 2].hex() == head
    assert len(coded) == 1 + len(head) // 2 + contents


def test_resource_descriptors() -> None:
    assert aml.eisa_id("PNP0A03").hex() == "0c41d00a03"
    assert aml.io(0x3F8, 8, 8).hex() == "4701f803f8030808"
    assert aml.irq(4).hex() == "221000"
    assert aml.shared_irq(5, 10, 11).hex() == "23200c18"
    assert aml.resources(aml.irq(1)).hex() == "11080a05220200" + "7900"
