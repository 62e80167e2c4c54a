/* io.c - accesses to ports and to memory that is none: how they reach the layer above, and what becomes of them.
 *
 * IN and OUT call a helper of libunicorn's, for which we stand in. Memory of devices lies, for libunicorn, in one window
 * far above RAM, in which each access is a call. Either way the layer answers on the spot, or the instruction is undone:
 * to be executed again when somebody else has the answer (IO_LEAVE), or alone (IO_ALONE), so that what follows from it,
 * an interrupt or a timer, comes right behind it and not where its block of code happens to end.
 */
#include <unicorn/unicorn.h>
#include "cpu.h"


uint64_t __wrap_helper_inb_x86_64(char *env, uint32_t port);
uint64_t __wrap_helper_inw_x86_64(char *env, uint32_t port);
uint64_t __wrap_helper_inl_x86_64(char *env, uint32_t port);
void __wrap_helper_outb_x86_64(char *env, uint32_t port, uint32_t data);
void __wrap_helper_outw_x86_64(char *env, uint32_t port, uint32_t data);
void __wrap_helper_outl_x86_64(char *env, uint32_t port, uint32_t data);

/* ---- undoing ---- */

/* As if the instruction had not been reached: its registers, and its count. */
static void undo(struct cpu *c, uintptr_t ra)
{
    __wrap_cpu_restore_state_x86_64(c->cs, ra, true);
    if (c->watching)              /* INS stores before it asks for what to store */
        cpu_watch_forget(c);
    c->settled = false;
    c->block = NULL;
}

void cpu_again_alone(struct cpu *c, uintptr_t ra)
{
    undo(c, ra);
    CS(uint32_t, U_CS_CFLAGS_NEXT_TB) = 1;
    cpu_loop_exit_x86_64(c->cs);
}

static void leave_before(struct cpu *c, uintptr_t ra) __attribute__((noreturn));
static void leave_before(struct cpu *c, uintptr_t ra)
{
    undo(c, ra);
    cpu_leave_helper(c);
}

bool cpu_is_alone(struct cpu *c, uintptr_t ra)
{
    const char *block = cpu_block_at(c, ra);
    return block && FIELD(const uint16_t, block, U_TB_ICOUNT) == 1;
}

void cpu_run_alone(struct cpu *c) { c->run_alone = true; }

void cpu_next_alone(struct cpu *c) { CS(uint32_t, U_CS_CFLAGS_NEXT_TB) = 1; }

/* ---- asking ---- */

/* The registers of the instruction at `ra` are made whole, so that the layer above can look at them and at the time. */
static uint64_t ask(struct cpu *c, struct io_access *access, uintptr_t ra)
{
    ra = cpu_helper_ra(c, ra);
    if (!ra) {                    /* a stack or descriptor table in device memory: no instruction that could be undone */
        access->value = UINT64_MAX;
        return access->value;
    }
    access->alone = cpu_is_alone(c, ra);
    if (c->ops->native)           /* else nobody looks at them */
        __wrap_cpu_restore_state_x86_64(c->cs, ra, false);
    c->block = cpu_block_at(c, ra);
    enum io_answer answer = c->ops->io(c->ops->ctx, c, access);
    c->block = NULL;
    switch (answer) {
    case IO_FAULT:
        raise_exception_err_ra_x86_64(c->env, VECTOR_GP, 0, ra);
    case IO_LEAVE:
        leave_before(c, ra);
    case IO_ALONE:
        cpu_again_alone(c, ra);
    default:
        return access->value;
    }
}

static uint64_t port_in(char *env, uint32_t port, uint32_t size, uintptr_t ra)
{
    struct io_access access = {.address = port & 0xffff, .size = size, .port = true};
    return ask(cpu_of_env(env), &access, ra) & UINT64_MAX >> (64 - 8 * size);
}

static void port_out(char *env, uint32_t port, uint32_t size, uint32_t data, uintptr_t ra)
{
    struct io_access access = {.address = port & 0xffff, .size = size, .port = true, .write = true,
                               .value = data & UINT64_MAX >> (64 - 8 * size)};
    (void)ask(cpu_of_env(env), &access, ra);
}

uint64_t __wrap_helper_inb_x86_64(char *env, uint32_t port) { return port_in(env, port, 1, RETURN_ADDRESS); }
uint64_t __wrap_helper_inw_x86_64(char *env, uint32_t port) { return port_in(env, port, 2, RETURN_ADDRESS); }
uint64_t __wrap_helper_inl_x86_64(char *env, uint32_t port) { return port_in(env, port, 4, RETURN_ADDRESS); }
void __wrap_helper_outb_x86_64(char *env, uint32_t port, uint32_t data) { port_out(env, port, 1, data, RETURN_ADDRESS); }
void __wrap_helper_outw_x86_64(char *env, uint32_t port, uint32_t data) { port_out(env, port, 2, data, RETURN_ADDRESS); }
void __wrap_helper_outl_x86_64(char *env, uint32_t port, uint32_t data) { port_out(env, port, 4, data, RETURN_ADDRESS); }

/* ---- the window of devices ---- */

static uint64_t device_read(uc_engine *uc, uint64_t offset, unsigned size, void *user)
{
    (void)uc;
    struct cpu *c = user;
    struct io_access access = {.address = offset, .size = size};
    return ask(c, &access, CS(uintptr_t, U_CS_MEM_IO_PC));
}

static void device_write(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value, void *user)
{
    (void)uc;
    struct cpu *c = user;
    struct io_access access = {.address = offset, .size = size, .write = true, .value = value};
    (void)ask(c, &access, CS(uintptr_t, U_CS_MEM_IO_PC));
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
