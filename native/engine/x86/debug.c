/* debug.c - the debug registers: breakpoints on instructions and on data.
 *
 * libunicorn keeps the list of instruction breakpoints that DR7 arms; such a breakpoint ends its block without giving back the
 * instruction that it stops, which is settled here. A data breakpoint is a trap behind its instruction (AMD64 APM volume 2,
 * 13.1.4); how it becomes one is told in ../target/watch.c.
 */
#include "cpu.h"

enum { DR_TYPE_WRITE = 1, DR_TYPE_ACCESS = 3 };

extern void __real_helper_debug_x86_64(char *env);
void __wrap_helper_debug_x86_64(char *env);

void __wrap_helper_debug_x86_64(char *env)
{
    cpu_settle(cpu_of_env(env), RETURN_ADDRESS, 0);
    __real_helper_debug_x86_64(env);
}

static unsigned type_of(uint64_t dr7, int i) { return dr7 >> (16 + 4 * i) & 3; }

/* Is breakpoint i of `dr7` an armed one on data? */
static bool on_data(uint64_t dr7, int i)
{
    return dr7 >> 2 * i & 3 && (type_of(dr7, i) == DR_TYPE_WRITE || type_of(dr7, i) == DR_TYPE_ACCESS);
}

/* DR6 bits of the data breakpoints that have one of `size` bytes at `va`. */
uint32_t target_watched(struct cpu *c, uint64_t va, uint64_t size)
{
    static const uint8_t LENGTH[4] = {1, 2, 8, 4};
    uint64_t dr7 = ENV(uint64_t, U_ENV_DR + 56);
    uint32_t found = 0;
    for (int i = 0; i < 4; i++) {
        uint64_t length = LENGTH[dr7 >> (18 + 4 * i) & 3];
        uint64_t start = ENV(uint64_t, U_ENV_DR + 8 * i) & ~(length - 1);
        if (on_data(dr7, i) && va <= start + (length - 1) && start <= va + (size - 1))
            found |= 1u << i;
    }
    return found;
}

/* Of those, the ones that wait for this kind of access. */
uint32_t target_waiting(struct cpu *c, uint32_t found, bool write)
{
    for (int i = 0; i < 4; i++)
        if (!write && type_of(ENV(uint64_t, U_ENV_DR + 56), i) == DR_TYPE_WRITE)
            found &= ~(1u << i);
    return found;
}

void target_debug_exception(struct cpu *c, uint32_t found)
{
    ENV(uint64_t, U_ENV_DR + 48) |= found;
    c->settled = true;
    raise_exception_err_ra_x86_64(c->env, VECTOR_DB, 0, 0);
}

void cpu_watch_changed(struct cpu *c, uint64_t old_dr7)
{
    bool data = false;
    for (int i = 0; i < 4; i++)
        data |= on_data(old_dr7, i) || on_data(ENV(uint64_t, U_ENV_DR + 56), i);
    if (data)
        tlb_flush_x86_64(c->cs);
}

/* ---- MOV to and from a debug register, by a whole processor's ring 0 ---- */

extern void __real_helper_set_dr_x86_64(char *env, int reg, uint64_t value);
extern uint64_t __real_helper_get_dr_x86_64(char *env, int reg);
void __wrap_helper_set_dr_x86_64(char *env, int reg, uint64_t value);
uint64_t __wrap_helper_get_dr_x86_64(char *env, int reg);

/* DR7.GD: the access is a fault. */
static void general_detect(struct cpu *c, uintptr_t ra)
{
    enum { GD = 1 << 13, BD = 1 << 13 };
    if (!(ENV(uint64_t, U_ENV_DR + 56) & GD))
        return;
    ENV(uint64_t, U_ENV_DR + 56) &= ~(uint64_t)GD;
    ENV(uint64_t, U_ENV_DR + 48) |= BD;
    raise_exception_err_ra_x86_64(c->env, VECTOR_DB, 0, ra);
}

void __wrap_helper_set_dr_x86_64(char *env, int reg, uint64_t value)
{
    struct cpu *c = cpu_of_env(env);
    uintptr_t ra = RETURN_ADDRESS;
    uint64_t dr7 = ENV(uint64_t, U_ENV_DR + 56);
    general_detect(c, ra);
    if (reg >= 4 && value >> 32)
        raise_exception_err_ra_x86_64(env, VECTOR_GP, 0, ra);
    X86(c)->helper_ra = ra;
    __real_helper_set_dr_x86_64(env, reg, value);
    X86(c)->helper_ra = 0;
    cpu_watch_changed(c, dr7);
}

uint64_t __wrap_helper_get_dr_x86_64(char *env, int reg)
{
    struct cpu *c = cpu_of_env(env);
    uintptr_t ra = RETURN_ADDRESS;
    general_detect(c, ra);
    X86(c)->helper_ra = ra;
    uint64_t value = __real_helper_get_dr_x86_64(env, reg);
    X86(c)->helper_ra = 0;
    return value;
}
