"""Immutable values with one element replaced: what a device's state is made of (hv.devices.device)."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def replaced(values: tuple[T, ...], index: int, value: T) -> tuple[T, ...]:
    """`values` with one of them changed."""
    return (*values[:index], value, *values[index + 1 :])


def byte_replaced(values: bytes, index: int, value: int) -> bytes:
    """The same of bytes."""
    return values[:index] + bytes((value,)) + values[index + 1 :]
