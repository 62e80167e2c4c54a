"""What a processor architecture is, as data: registers, page tables, exceptions. Imports nothing of `hv`."""
