"""What a packet is refused with."""


class Refused(Exception):
    """A packet that cannot be carried out: one line, which gdb shows where it shows any."""
