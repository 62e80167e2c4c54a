/* real.h (HVM) - code in real mode, on processor 1, which INIT and SIPI start there: @vcpus 2. Facts: Intel SDM volume 3,
 * 8.4.4.1, 20.1.4.
 */
#ifndef GUEST_HVM_REAL_H
#define GUEST_HVM_REAL_H

#define REAL_SEGMENT 0x9000
#define REAL_STACK_TOP 0x7000
#define REAL_RESULT 0x5800              /* guest-physical: struct real_result */

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

enum { REAL_DONE = 0xff };
/* Code ends with an interrupt of its own. */
#define REAL_END 0xcd, REAL_DONE

/* The first interrupt or exception that came, and the registers behind it (without what it pushed). */
struct real_result {
    uint32_t done, eax, ebx, ecx, edx, esi, edi, ebp, sp, ds, es, ss, vector, ip, cs, flags;
};

/* Run `code` at REAL_SEGMENT:0 with DS, ES and SS 0, until an interrupt or exception comes. */
const struct real_result *real_run(const uint8_t *code, size_t length);
#endif

#endif
