/* machine.h - what x86 has in every machine, for its tables (machine.c). */
#ifndef XENLAB_X86_MACHINE_H
#define XENLAB_X86_MACHINE_H
#include "../arch.h"

bool x86_frames_ok(struct validation *c);             /* validate_frames.c */

/* Where a trap is counted. INT is no exception but what has an instruction of its own (INT1, INT3, INTO): a BIOS's calls 0x10
 * to 0x1e count at 0x30 to 0x3e, 0x20 to 0x2f at their own numbers, all others last (hv/arch/x86/exceptions.py names them). */
static inline unsigned x86_trap_counter(const struct trap *trap)
{
    uint32_t vector = trap->vector;

    if (!(trap->flags & TRAP_SOFTWARE) || vector == 1 || vector == 3 || vector == 4)
        return hv_trap_index(vector);
    if (vector >= 0x10 && vector < 0x1f)
        return vector + 0x20;
    return vector >= 0x20 && vector < 0x30 ? vector : HV_TRAPS - 1;
}

#endif
