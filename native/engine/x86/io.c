/* io.c - accesses to ports. IN and OUT call a helper of libunicorn's, for which we stand in. */
#include "cpu.h"
#include <unicorn/unicorn.h>

uint64_t __wrap_helper_inb_x86_64(char *env, uint32_t port);
uint64_t __wrap_helper_inw_x86_64(char *env, uint32_t port);
uint64_t __wrap_helper_inl_x86_64(char *env, uint32_t port);
void __wrap_helper_outb_x86_64(char *env, uint32_t port, uint32_t data);
void __wrap_helper_outw_x86_64(char *env, uint32_t port, uint32_t data);
void __wrap_helper_outl_x86_64(char *env, uint32_t port, uint32_t data);

void target_refuse_io(struct cpu *c, const struct io_access *access, uintptr_t ra)
{
    (void)access;
    raise_exception_err_ra_x86_64(c->env, VECTOR_GP, 0, ra);
}

static uint64_t port_in(char *env, uint32_t port, uint32_t size, uintptr_t ra)
{
    struct io_access access = {.address = port & 0xffff, .size = size, .port = true};
    return cpu_ask(cpu_of_env(env), &access, ra) & UINT64_MAX >> (64 - 8 * size);
}

static void port_out(char *env, uint32_t port, uint32_t size, uint32_t data, uintptr_t ra)
{
    struct io_access access = {.address = port & 0xffff, .size = size, .port = true, .write = true,
                               .value = data & UINT64_MAX >> (64 - 8 * size)};
    (void)cpu_ask(cpu_of_env(env), &access, ra);
}

uint64_t __wrap_helper_inb_x86_64(char *env, uint32_t port) { return port_in(env, port, 1, RETURN_ADDRESS); }
uint64_t __wrap_helper_inw_x86_64(char *env, uint32_t port) { return port_in(env, port, 2, RETURN_ADDRESS); }
uint64_t __wrap_helper_inl_x86_64(char *env, uint32_t port) { return port_in(env, port, 4, RETURN_ADDRESS); }
void __wrap_helper_outb_x86_64(char *env, uint32_t port, uint32_t data) { port_out(env, port, 1, data, RETURN_ADDRESS); }
void __wrap_helper_outw_x86_64(char *env, uint32_t port, uint32_t data) { port_out(env, port, 2, data, RETURN_ADDRESS); }
void __wrap_helper_outl_x86_64(char *env, uint32_t port, uint32_t data) { port_out(env, port, 4, data, RETURN_ADDRESS); }
