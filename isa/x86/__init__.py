"""x86: what the architecture is, as data."""
