"""Disks: what a guest finds on one, and what it has written.

`image.py` says what an image file gives, `raw.py` and `qcow2.py` are the formats, `opening.py` finds the right one;
`overlay.py` holds what a guest wrote, `disk.py` puts both together; `keeping.py` brings the overlay into files.
Why it is built so: docs/adr/0006.
"""
