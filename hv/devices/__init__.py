"""The device model: the devices of a PC, as a guest under full virtualisation finds them. One file a device.

`device.py` says what a device is and what it may ask of its machine, `bus.py` how a guest's accesses find it, `pci.py`
what all PCI devices have in common, `registers.py` how registers are described as data.
"""
