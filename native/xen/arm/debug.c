/* debug.c - the debug registers of ARM guests, as Xen has them: there is the OS lock, and what would hold breakpoints and
 * watchpoints takes nothing. Facts: do_sysreg() in xen/arch/arm/arm64/vsysreg.c, do_cp14_32() in xen/arch/arm/vcpreg.c of Xen 4.17.
 */
#include "arm.h"

enum { OP_DEBUG = 2, COPROCESSOR_DEBUG = 14, FIRST_OF_BREAKPOINTS = 4, NARROW_BREAKPOINTS = 2, NARROW_WATCHPOINTS = 1 };
enum { READ = 1, WRITE = 2, FROM_USER = 4, WIDE = 8, NARROW = 16 };
#define OS_LOCK_MODEL (1 << 3)
#define DIDR_V7_1 (1 << 24 | 5 << 16)                 /* two breakpoints, one watchpoint */

static const struct entry { uint32_t number, what, value; } REGISTERS[] = {
    {ARM_SYSREG(0, 0, 0, 0, 0), READ | FROM_USER | NARROW, DIDR_V7_1},        /* DBGDIDR */
    {ARM_SYSREG(0, 0, 0, 1, 0), READ | FROM_USER | NARROW, 0},                /* DBGDSCRint */
    {ARM_SYSREG(0, 3, 0, 1, 0), READ | FROM_USER | WIDE, 0},                  /* MDCCSR_EL0 */
    {ARM_SYSREG(0, 0, 0, 2, 2), READ | WRITE | WIDE | NARROW, 0},             /* MDSCR_EL1, DBGDSCRext */
    {ARM_SYSREG(0, 0, 0, 7, 0), READ | WRITE | NARROW, 0},                    /* DBGVCR */
    {ARM_SYSREG(0, 0, 1, 0, 0), READ | WIDE, 0},                              /* MDRAR_EL1 */
    {ARM_SYSREG(0, 0, 1, 0, 4), WRITE | WIDE | NARROW, 0},                    /* OSLAR_EL1, DBGOSLAR */
    {ARM_SYSREG(0, 0, 1, 1, 4), READ | WIDE | NARROW, OS_LOCK_MODEL},         /* OSLSR_EL1, DBGOSLSR */
    {ARM_SYSREG(0, 0, 1, 3, 4), READ | WRITE | WIDE | NARROW, 0},             /* OSDLR_EL1, DBGOSDLR */
};

/* DBGBVRn, DBGBCRn, DBGWVRn, DBGWCRn. */
static bool is_breakpoint(const struct arm_sysreg *reg, bool narrow)
{
    if (reg->op1 || reg->crn || reg->op2 < FIRST_OF_BREAKPOINTS)
        return false;
    return !narrow || reg->crm < (reg->op2 < FIRST_OF_BREAKPOINTS + 2 ? NARROW_BREAKPOINTS : NARROW_WATCHPOINTS);
}

bool arm_is_debug(const struct arm_sysreg *reg)
{
    return reg->op0 == OP_DEBUG || (reg->op0 == 0 && reg->coproc == COPROCESSOR_DEBUG);
}

enum io_answer arm_debug(const struct arm_sysreg *reg, bool write, uint64_t *value)
{
    const bool narrow = reg->op0 != OP_DEBUG;
    const uint32_t number = ARM_SYSREG(0, reg->op1, reg->crn, reg->crm, reg->op2);
    struct entry found = {0, 0, 0};
    if (reg->wide)
        return IO_FAULT;
    if (is_breakpoint(reg, narrow))
        found.what = READ | WRITE | WIDE | NARROW;
    for (unsigned i = 0; i < sizeof REGISTERS / sizeof *REGISTERS; i++)
        if (REGISTERS[i].number == number && REGISTERS[i].what & (narrow ? NARROW : WIDE))
            found = REGISTERS[i];
    if (!(found.what & (write ? WRITE : READ)) || (reg->el == 0 && !(found.what & FROM_USER)))
        return IO_FAULT;
    if (!write)
        *value = found.value;
    return IO_DONE;
}
