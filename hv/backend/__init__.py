"""Back ends of the split drivers: the half of a device that, on Xen, runs in the control domain."""
