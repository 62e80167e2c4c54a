/* traps.c (arm32) - what kind of exception it is, in the words of AArch64's syndromes: the class, and fault status, access. */
#include <guest.h>

enum { ENTRY_UNDEFINED = 1, ENTRY_SVC, ENTRY_PREFETCH_ABORT, ENTRY_DATA_ABORT, ENTRY_IRQ = 6, ENTRY_FIQ = 7 };
enum { MODE_MASK = 0x1f, MODE_USER = 0x10, FSR_WNR = 1 << 11, FSR_CM = 1 << 13, DEBUG_EVENT = 0x22 };

void trap_arrived(struct regs *r)
{
    bool user = (r->flags & MODE_MASK) == MODE_USER;
    uint32_t status = 0;

    r->far = 0;
    switch (r->entry) {
    case ENTRY_SVC:
        r->vector = EC_SVC32;
        break;
    case ENTRY_PREFETCH_ABORT:
        status = cp15_read(0, 5, 0, 1);                 /* IFSR, IFAR */
        r->far = cp15_read(0, 6, 0, 2);
        r->vector = (status & ISS_FSC) == DEBUG_EVENT ? EC_BKPT32 : user ? EC_IABT_USER : EC_IABT;
        break;
    case ENTRY_DATA_ABORT:
        status = cp15_read(0, 5, 0, 0);                 /* DFSR, DFAR */
        r->far = cp15_read(0, 6, 0, 0);
        r->vector = user ? EC_DABT_USER : EC_DABT;
        break;
    case ENTRY_IRQ:
        r->vector = TRAP_IRQ;
        break;
    case ENTRY_FIQ:
        r->vector = TRAP_FIQ;
        break;
    default:                                            /* undefined: at the instruction, which has two bytes in Thumb state */
        r->ip -= r->flags & 1 << 5 ? 2 : 4;
        r->vector = EC_UNKNOWN;
        break;
    }
    r->esr = r->vector << 26 | (status & ISS_FSC) | (status & FSR_WNR ? ISS_WNR : 0) | (status & FSR_CM ? ISS_CM : 0);
    trap_entry(r);
}
