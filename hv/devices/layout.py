"""Where things are in the guest-physical memory of a PC, as Xen's HVM domains have it. One place for these addresses.

Facts: tools/firmware/hvmloader/config.h, xen/include/public/hvm/e820.h of Xen 4.17; Intel 440FX and PIIX3 data sheets.
"""

from __future__ import annotations

PAGE = 4096
LOW_RAM_END = 0xA0000
VGA = range(0xA0000, 0xC0000)
SHADOW = range(0xC0000, 0x100000)
"""RAM under ROMs: what is read and written there, the host bridge's PAM registers say."""
HOLE = range(LOW_RAM_END >> 12, SHADOW.stop >> 12)
"""Guest frames of video memory and ROMs, below 1 MiB."""
BIOS_WINDOW = range(0xE0000, 0x100000)
"""Where the end of the firmware shows below 1 MiB."""
MMIO_HOLE = range(0xF0000000, 0x100000000)
"""No RAM here; memory that does not fit below follows at 4 GiB."""
IOAPIC = 0xFEC00000
HPET = 0xFED00000
LAPIC = 0xFEE00000
FIRMWARE_END = 0x100000000
"""The firmware's last byte is the last below 4 GiB: the reset vector is 16 bytes before."""
