/* debug.c - the debug registers: breakpoints on instructions and on data.
 *
 * libunicorn keeps the list of instruction breakpoints that DR7 arms; such a breakpoint ends its block without giving back the
 * instruction that it stops, which is settled here. Of data breakpoints it has the call at each access to a page that
 * has one, and nothing behind it. Ours makes the access a trap behind its instruction, as the architecture has it (AMD64
 * APM volume 2, 13.1.4):
 *   1. An access touches a breakpoint's bytes, whether it is of the kind that it waits for or not (the read of a
 *      read-modify-write comes first, and nothing may have been written yet): the block is left before the instruction,
 *      which is then executed again in a block of its own.
 *   2. There it touches them again. A hit is noted, and what is left of the budget is held back, so that the next block,
 *      whichever it is, finds none and comes to cpu_watch_next(), which gives it back and raises #DB for a hit.
 * An exception in between means that the instruction did not complete: the hit is forgotten, it will come again.
 * The watchpoints of a debugger (stops.c) take the same way, and end the run where the guest's would raise #DB.
 */
#include "cpu.h"

enum { BP_READ = 1, BP_WRITE = 2 };
enum { DR_TYPE_WRITE = 1, DR_TYPE_ACCESS = 3 };
enum { STORE_PAIR = 16 };

extern void __real_helper_debug_x86_64(char *env);
void __wrap_helper_debug_x86_64(char *env);
void __wrap_cpu_check_watchpoint_x86_64(char *cs, uint64_t va, uint64_t size, uint32_t attributes, int access,
                                        uintptr_t ra);
int __wrap_cpu_watchpoint_address_matches_x86_64(char *cs, uint64_t va, uint64_t size);

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
static uint32_t touched(struct cpu *c, uint64_t va, uint64_t size)
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
static uint32_t waiting_for(struct cpu *c, uint32_t found, int access)
{
    for (int i = 0; i < 4; i++)
        if (!(access & BP_WRITE) && type_of(ENV(uint64_t, U_ENV_DR + 56), i) == DR_TYPE_WRITE)
            found &= ~(1u << i);
    return found;
}

/* libunicorn asks when it inserts a page's translation: which accesses to the page are to be looked up? */
int __wrap_cpu_watchpoint_address_matches_x86_64(char *cs, uint64_t va, uint64_t size)
{
    struct cpu *c = cpu_of_cs(cs);
    return touched(c, va, size) || machine_watched_at(c->m, va, size, WATCH_READ | WATCH_WRITE) ? BP_READ | BP_WRITE : 0;
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
    c->helper_ra = ra;
    __real_helper_set_dr_x86_64(env, reg, value);
    c->helper_ra = 0;
    cpu_watch_changed(c, dr7);
}

uint64_t __wrap_helper_get_dr_x86_64(char *env, int reg)
{
    struct cpu *c = cpu_of_env(env);
    uintptr_t ra = RETURN_ADDRESS;
    general_detect(c, ra);
    c->helper_ra = ra;
    uint64_t value = __real_helper_get_dr_x86_64(env, reg);
    c->helper_ra = 0;
    return value;
}

/* ---- data ---- */

/* The block that is running at `ra` has one instruction: where? */
static uint64_t pc_of_block(struct cpu *c, uintptr_t ra)
{
    const char *block = cpu_block_at(c, ra);
    return block ? FIELD(const uint64_t, block, U_TB_PC) : 0;
}

/* Remember which watchpoints of a debugger an access touches. */
static void note_touches(struct cpu *c, uint64_t va, uint64_t size, uint32_t kind, uintptr_t ra)
{
    for (uint32_t i = 0; i < c->m->watchpoint_count; i++) {
        const struct watchpoint *w = &c->m->watchpoints[i];
        if (!watchpoint_has(w, va, size, kind))
            continue;
        uint32_t at = 0;
        while (at < c->touch_count && c->touches[at].id != w->id)
            at++;
        if (at == c->touch_count)
            c->touches[c->touch_count++] = (struct touch){.pc = pc_of_block(c, ra), .va = va, .size = size, .id = w->id};
        c->touches[at].kinds |= kind;
    }
}

void __wrap_cpu_check_watchpoint_x86_64(char *cs, uint64_t va, uint64_t size, uint32_t attributes, int access,
                                        uintptr_t ra)
{
    struct cpu *c = cpu_of_cs(cs);
    uint32_t found = touched(c, va, size);
    uint32_t kind = access & BP_WRITE ? WATCH_WRITE : WATCH_READ;
    /* Before its first store nothing of an instruction has happened that happening again would change, whatever was read.
     * CMPXCHG16B stores twice, and compares again: it is left before the lower half whichever half is watched. */
    uint64_t reach = kind == WATCH_WRITE && size < STORE_PAIR ? STORE_PAIR : size;
    (void)attributes;
    if (!found && !machine_watched_at(c->m, va, reach, kind))
        return;
    if (!c->watching && ra) {
        __wrap_cpu_restore_state_x86_64(cs, ra, true);
        c->settled = false;
        c->watching = true;
        CS(uint32_t, U_CS_CFLAGS_NEXT_TB) = 1;
        cpu_loop_exit_x86_64(cs);
    }
    c->watching = true;           /* without `ra`: an event that is being delivered, which comes but once */
    c->watch_hits |= waiting_for(c, found, access);
    note_touches(c, va, size, kind, ra);
    c->held += LEFT;
    LEFT = 0;
}

void cpu_watch_forget(struct cpu *c)
{
    c->touch_count = 0;
    LEFT += c->held;
    c->held = 0;
    c->watch_hits = 0;
    c->watching = false;
}

void cpu_watch_next(struct cpu *c, int64_t count)
{
    uint32_t found = c->watch_hits;
    uint32_t touches = c->touch_count;
    cpu_watch_forget(c);
    bool stop = touches && c->ops->watched(c->ops->ctx, c, c->touches, touches);
    if (stop && !found) {
        cpu_leave_at_breakpoint(c);
        cpu_leave_helper(c);
    }
    c->stop_asked = stop;
    if (found) {
        ENV(uint64_t, U_ENV_DR + 48) |= found;
        c->settled = true;
        raise_exception_err_ra_x86_64(c->env, VECTOR_DB, 0, 0);
    }
    if (LEFT >= count)
        cpu_loop_exit_x86_64(c->cs);
}
