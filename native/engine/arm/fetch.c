/* fetch.c - instructions as the translator gets them: those that libunicorn takes for others are handed to it as undefined ones.
 *
 * LDC and STC of the coprocessors 14 and 15 are undefined to a guest (DDI 0406C, A5.6.1: 15 has none; 14's are the debug
 * channel, which is not there). libunicorn looks at one bit too few and executes them as MRRC and MCRR of the same bits, with
 * the address register and whatever Vd names as the two that are moved: a guest would have its stack pointer replaced.
 *
 * Not of Thumb: its instructions come in halves, and a half does not tell whether it is the first.
 */
#include "cpu.h"

enum { UDF = 0x07f000f0, CONDITION = 28, NEVER = 0xf };

extern uint32_t __real_cpu_ldl_code_aarch64(void *env, uint64_t va);
uint32_t __wrap_cpu_ldl_code_aarch64(void *env, uint64_t va);

/* Of the upper half of LDC and STC (110P UDWL) MRRC and MCRR (1100 010L) and what is undefined anyway (1100 000L) are none. */
static bool moves_memory(uint32_t upper) { return (upper & 0x0e00) == 0x0c00 && (upper & 0x01a0) != 0; }

static bool of_system(uint32_t lower) { return (lower >> 8 & 0xe) == 0xe; }

uint32_t __wrap_cpu_ldl_code_aarch64(void *env, uint64_t va)
{
    const uint32_t insn = __real_cpu_ldl_code_aarch64(env, va);
    const struct cpu *c = cpu_of_env(env);
    if (arm_is_narrow(c) && insn >> CONDITION != NEVER && moves_memory(insn >> 16) && of_system(insn))
        return (insn & 0xf0000000) | UDF;
    return insn;
}
