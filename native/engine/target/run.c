/* run.c - making, running and leaving a cpu of one of libunicorn's targets.
 *
 * A run calls libunicorn's execution loop itself, not uc_emu_start(): no stop address is translated, and a run costs little to
 * begin. The loop comes back when an exit record is ready, or for reasons of its own (its code buffer was flushed), in which
 * case it is entered again.
 */
#include <stdlib.h>
#include <unicorn/unicorn.h>

enum { CODE_BUFFER_BYTES = 32 << 20 };

int cpu_open(struct cpu *c, int arch, int mode, int model)
{
    unsigned major = 0, minor = 0;
    uc_engine *uc = NULL;
    uc_hook exception, undefined;
    if (uc_version(&major, &minor) != UC_MAKE_VERSION(2, 1) && (major != 2 || minor != 1))
        return -ENOSYS;
    if (uc_open((uc_arch)arch, (uc_mode)mode, &uc) != UC_ERR_OK)
        return -ENOMEM;
    c->uc = (uc_struct *)uc;
    if (model >= 0 && uc_ctl_set_cpu_model(uc, model) != UC_ERR_OK)
        return -ENOSYS;
    if (TARGET_PAGE_VARIES && uc_ctl_set_page_size(uc, ENGINE_PAGE_SIZE) != UC_ERR_OK)
        return -ENOSYS;
    uc_ctl_set_tcg_buffer_size(uc, CODE_BUFFER_BYTES);
    uc_ctl_exits_enable(uc);      /* with none given: else address 0 would count as `until`, and not run */
    if (uc_mem_map_ptr(uc, 0, c->m->frames * ENGINE_PAGE_SIZE, UC_PROT_ALL, c->m->base) != UC_ERR_OK)
        return -ENOMEM;
    if (uc_hook_add(uc, &exception, UC_HOOK_INTR, (void *)T(target_exception), c, 1, 0) != UC_ERR_OK ||
        uc_hook_add(uc, &undefined, UC_HOOK_INSN_INVALID, (void *)T(target_undefined), c, 1, 0) != UC_ERR_OK)
        return -ENOMEM;
    c->cs = FIELD(char *, (char *)uc, U_UC_CPU);
    c->env = FIELD(char *, c->cs, U_CS_ENV);
    if (U_ENV_PADDING < 8 || c->env != c->cs + U_CS_TO_ENV || CS(uc_struct *, U_CS_UC) != c->uc || CS(void *, U_CS_OPAQUE) != NULL ||
        !T(target_proven)(c))
        return -ENOSYS;
    c->left = &LEFT;
    CS(struct cpu *, U_CS_OPAQUE) = c;
    char *class = CS(char *, U_CS_CC);
    FIELD(tlb_fill_fn *, class, U_CC_TLB_FILL) = T(target_tlb_fill);
    FIELD(exec_interrupt_fn *, class, U_CC_EXEC_INTERRUPT) = T(target_exec_interrupt);
    FIELD(int32_t, (char *)c->uc, U_UC_NESTED_LEVEL) = 1;      /* its jump buffer 0 is the execution loop's */
    return 0;
}

void cpu_close(struct cpu *c)
{
    if (!c->uc)
        return;
    FIELD(int32_t, (char *)c->uc, U_UC_NESTED_LEVEL) = 0;
    uc_close((uc_engine *)c->uc);
}

void cpu_leave_helper(struct cpu *c)
{
    c->leaving = true;
    CS(int32_t, U_CS_EXCEPTION_INDEX) = U_EXCEPTION_INTERRUPT;
    T(cpu_loop_exit)(c->cs);
}

void cpu_leave(struct cpu *c)
{
    c->leaving = true;
    CS(uint8_t, U_CS_EXIT_REQUEST) = 1;
}

static void run(struct cpu *c)
{
    T(target_enter)(c);
    while (!c->leaving) {
        CS(int32_t, U_CS_EXCEPTION_INDEX) = -1;
        if (c->run_alone)
            CS(uint32_t, U_CS_CFLAGS_NEXT_TB) = 1;
        c->run_alone = false;
        CS(uint32_t, U_CS_HALTED) = 0;
        CS(uint8_t, U_CS_EXIT_REQUEST) = 0;
        FIELD(uint8_t, (char *)c->uc, U_UC_STOP_REQUEST) = 0;
        FIELD(uint8_t, (char *)c->uc, U_UC_QUIT_REQUEST) = 0;
        FIELD(uint32_t, (char *)c->uc, U_UC_INVALID_ERROR) = 0;
        T(cpu_exec)(c->uc, c->cs);
        if (!c->leaving)
            T(target_back)(c);
        if (__atomic_exchange_n(&c->kicked, false, __ATOMIC_RELAXED) && !c->leaving) {
            c->exit.reason = EXIT_KICK;
            c->leaving = true;
        }
        if (FIELD(uint32_t, (char *)c->uc, U_UC_INVALID_ERROR) && !c->leaving) {
            c->exit.reason = EXIT_FATAL;
            c->exit.aux = FIELD(uint32_t, (char *)c->uc, U_UC_INVALID_ERROR);
            c->leaving = true;
        }
    }
}

/* ---- counting by a second opinion, for tests: libunicorn's hook on every instruction ----
 * It sees an instruction when it starts. Those that fault, or are started again, are taken off where their count is given back
 * (count.c); those that the layer above executes itself are added (cpu_retire). It is 5 to 35 times slower than the count
 * that it checks. */
static void on_instruction(uc_engine *uc, uint64_t address, uint32_t size, void *user)
{
    (void)uc;
    (void)address;
    (void)size;
    ((struct machine *)user)->hooked++;
}

static int hook_count(struct cpu *c)
{
    uc_hook hook;
    return uc_hook_add((uc_engine *)c->uc, &hook, UC_HOOK_CODE, (void *)on_instruction, c->m, 1, 0) ? -ENOMEM : 0;
}
