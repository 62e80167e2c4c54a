/* arch.h (hvm32) - a 32-bit guest on a whole processor, entered by PVH or as firmware. How it pages is its environment's choice:
 * GUEST_PAE (three levels), GUEST_PSE (4 MiB pages), or neither: not at all. */
#ifndef GUEST_ARCH_HVM32_H
#define GUEST_ARCH_HVM32_H

#define BAD_POINTER 0xc0001000          /* nothing is mapped there, and no memory is, ever */
#define KERNEL_CS 0x08
#define KERNEL_SS 0x10
#define USER_CS 0x1b
#define USER_CS32 0x1b
#define USER_SS 0x23
#define USER_EXIT_INT 0x8f              /* by which user_call() comes back */
#define KERNEL_CS32 0x08
#define SPARE_SELECTOR 0x48             /* from here on a test may put its own descriptors */
#ifdef GUEST_PAE
#define PAGING_LEVELS 3
#elif defined(GUEST_PSE)
#define PAGING_LEVELS 2
#else
#define PAGING_LEVELS 0
#endif

#ifndef __ASSEMBLER__
#include <stdint.h>

struct gate {
    uint16_t offset_low, selector;
    uint8_t reserved, type;
    uint16_t offset_high;
};
#endif
#include <processor.h>
#endif
