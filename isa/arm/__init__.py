"""ARM: what the architecture is, as data."""
