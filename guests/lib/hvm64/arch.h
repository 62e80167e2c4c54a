/* arch.h (hvm64) - a 64-bit guest on a whole processor: ring 0 and long mode are its own. Entered by PVH, or as firmware. */
#ifndef GUEST_ARCH_HVM64_H
#define GUEST_ARCH_HVM64_H

#define BAD_POINTER 0x0000400000001000 /* nothing is mapped there, ever */
#define IST_STACK_END 0x1000            /* of #DF and NMI, behind struct percpu */
#define KERNEL_CS 0x08
#define KERNEL_SS 0x10
#define USER_CS32 0x1b                  /* where SYSRET wants them: compat code, data, 64-bit code */
#define USER_SS 0x23
#define USER_CS 0x2b
#define KERNEL_CS32 0x30
#define SPARE_SELECTOR 0x50             /* from here on a test may put its own descriptors */
#define USER_EXIT_INT 0x80              /* open to ring 3 anyway: user_call() comes back by SYSCALL */
#define PAGING_LEVELS 4

#ifndef __ASSEMBLER__
#include <stdint.h>

struct gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};
#endif
#include <processor.h>
#endif
