"""The `boot` fixture, also where the package (and so its pytest entry point) is not installed."""

from hv.testing.plugin import boot

__all__ = ["boot"]
