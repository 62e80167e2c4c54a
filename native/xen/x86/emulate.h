/* emulate.h - what the emulators of privileged instructions share. */
#ifndef XENLAB_EMULATE_H
#define XENLAB_EMULATE_H
#include "decode.h"
#include "pv.h"

enum emul_result {
    EMUL_DONE,                /* executed: go behind it */
    EMUL_REFUSED,             /* not for this guest: its #GP is delivered */
    EMUL_AGAIN,               /* a repeated instruction has made progress and goes on */
    EMUL_FAULT                /* `fault` is delivered at the instruction */
};

struct emulation {
    struct hv *hv;
    struct vcpu *v;
    struct cpu *cpu;
    struct x86_gprs *g;
    const struct insn *insn;
    struct trap fault;
    uint32_t breakpoints;     /* I/O breakpoints that were hit: bits 0-3 of DR6 */
};

typedef enum emul_result emul_fn(struct emulation *e);

static inline enum emul_result emul_fault(struct emulation *e, uint32_t vector, uint32_t error, uint64_t address)
{
    e->fault = (struct trap){.vector = vector, .error = error, .address = address};
    return EMUL_FAULT;
}

emul_fn emul_in, emul_out, emul_ins, emul_outs;                          /* emulate_io.c */
emul_fn emul_rdmsr, emul_wrmsr;                                          /* emulate_msr.c */

#endif
