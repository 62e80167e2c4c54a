/* io.c - accesses to memory that is none, and to ports: how they reach the layer above, and what becomes of them.
 *
 * Memory of devices lies, for libunicorn, in one window far above RAM, in which each access is a call. The layer answers on the
 * spot, or the instruction is undone: to be executed again when somebody else has the answer (IO_LEAVE), or alone (IO_ALONE),
 * so that what follows from it, an interrupt or a timer, comes right behind it and not where its block of code happens to end.
 */
#include <unicorn/unicorn.h>

/* ---- undoing ---- */

/* As if the instruction had not been reached: its registers, and its count. */
static void undo(struct cpu *c, uintptr_t ra)
{
    WRAP(cpu_restore_state)(c->cs, ra, true);
    if (c->watching)              /* what stores before it asks for what to store */
        cpu_watch_forget(c);
    c->settled = false;
    c->block = NULL;
}

void cpu_again_alone(struct cpu *c, uintptr_t ra)
{
    undo(c, ra);
    CS(uint32_t, U_CS_CFLAGS_NEXT_TB) = 1;
    T(cpu_loop_exit)(c->cs);
}

void cpu_leave_before(struct cpu *c, uintptr_t ra)
{
    undo(c, ra);
    cpu_leave_helper(c);
}

bool cpu_is_alone(struct cpu *c, uintptr_t ra)
{
    const char *block = cpu_block_at(c, ra);
    return block && FIELD(const uint16_t, block, U_TB_ICOUNT) == 1;
}

static void next_alone(struct cpu *c) { CS(uint32_t, U_CS_CFLAGS_NEXT_TB) = 1; }

static void alone_first(struct cpu *c, uintptr_t ra)
{
    /* A store across two pages has come here for each of them before it is done in pieces, when there is no way back. */
    bool in_pieces = FIELD(const int32_t, (char *)c->uc, U_UC_SIZE_RECUR_MEM) != 0;
    if (ra && !in_pieces && !cpu_is_alone(c, ra))
        cpu_again_alone(c, ra);
}

/* ---- asking ---- */

/* The registers of the instruction at `ra` are made whole, so that the layer above can look at them and at the time. */
uint64_t cpu_ask(struct cpu *c, struct io_access *access, uintptr_t ra)
{
    ra = target_helper_ra(c, ra);
    if (!ra) {                    /* a stack or descriptor table in device memory: no instruction that could be undone */
        access->value = UINT64_MAX;
        return access->value;
    }
    access->alone = cpu_is_alone(c, ra);
    if (TARGET_NATIVE(c))
        WRAP(cpu_restore_state)(c->cs, ra, false);
    c->block = cpu_block_at(c, ra);
    enum io_answer answer = c->ops->io(c->ops->ctx, c, access);
    c->block = NULL;
    switch (answer) {
    case IO_FAULT:
        target_refuse_io(c, access, ra);
    case IO_LEAVE:
        cpu_leave_before(c, ra);
    case IO_ALONE:
        cpu_again_alone(c, ra);
    default:
        return access->value;
    }
}

/* ---- the window of devices ---- */

static uint64_t device_read(uc_engine *uc, uint64_t offset, unsigned size, void *user)
{
    (void)uc;
    struct cpu *c = user;
    struct io_access access = {.address = offset, .size = size};
    return cpu_ask(c, &access, CS(uintptr_t, U_CS_MEM_IO_PC));
}

static void device_write(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value, void *user)
{
    (void)uc;
    struct cpu *c = user;
    struct io_access access = {.address = offset, .size = size, .write = true, .value = value};
    (void)cpu_ask(c, &access, CS(uintptr_t, U_CS_MEM_IO_PC));
}

int cpu_map_device_window(struct cpu *c)
{
    if (c->has_devices)
        return 0;
    if (uc_mmio_map((uc_engine *)c->uc, DEVICE_WINDOW, UINT64_C(1) << ENGINE_PHYSICAL_BITS, device_read, c, device_write, c) != UC_ERR_OK)
        return -ENOMEM;
    c->has_devices = true;
    return 0;
}
