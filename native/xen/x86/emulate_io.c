/* emulate_io.c - port access of PV domains.
 *
 * Two permissions are needed. The guest kernel gives the first, to itself and to its user mode, by the virtual IOPL
 * (PHYSDEVOP_set_iopl) or the I/O bitmap (PHYSDEVOP_set_iobitmap); without it the access is a #GP. The administrator would
 * give the second; no domain here has any port, so that what the first lets through meets no device: reads float high,
 * writes vanish. I/O breakpoints are watched here, since the processor never makes the access.
 * Facts: guest_io_okay(), guest_io_read() in xen/arch/x86/pv/emul-priv-op.c of Xen 4.17.
 */
#include "emulate.h"

/* Repetitions of one ins/outs that one trap makes: each trap counts as one instruction of guest time. */
enum { REPEATS_AT_ONCE = 512 };

static uint32_t port_of(struct emulation *e, const struct insn_operand *op)
{
    return (uint32_t)insn_read(e->cpu, op) & (op->kind == OPERAND_IMMEDIATE ? 0xff : 0xffff);
}

/* Two bytes of the guest kernel's bitmap; what cannot be read denies. */
static uint32_t bitmap_at(struct hv *hv, struct vcpu *v, uint32_t port)
{
    uint8_t bytes[2] = {0xff, 0xff}, mode = v->kernel_mode;
    v->kernel_mode = 1;           /* the bitmap is the kernel's memory, whoever makes the access */
    for (uint32_t i = 0; i < 2; i++)
        if (hv_copy_from_guest(hv, v, &bytes[i], v->iobmp + port / 8 + i, 1)) {
            bytes[i] = 0xff;
            break;
        }
    v->kernel_mode = mode;
    return bytes[0] | (uint32_t)bytes[1] << 8;
}

static bool allowed(struct emulation *e, uint32_t port, uint32_t bytes)
{
    if (pv_iopl_ok(e->hv, e->v))
        return true;
    if (e->v->iobmp_ports <= port + bytes)
        return false;
    return !(bitmap_at(e->hv, e->v, port) & ((1u << bytes) - 1) << (port & 7));
}

/* DR6 bits of the armed I/O breakpoints that the access touches. */
static uint32_t breakpoints(const struct vcpu *v, uint32_t port, uint32_t bytes)
{
    static const uint8_t WIDTH[4] = {1, 2, 8, 4};        /* DR7.LEN: 8 has no meaning for ports but the architecture's */
    uint32_t hit = 0;
    if (!v->debugreg[5] || !(v->ctrlreg[4] & CR4_DE))
        return 0;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t start = v->debugreg[i];
        if (v->debugreg[5] >> 2 * i & 3 && start < port + bytes &&
            start + WIDTH[v->debugreg[7] >> (18 + 4 * i) & 3] > port)
            hit |= 1u << i;
    }
    return hit;
}

enum emul_result emul_in(struct emulation *e)
{
    const struct insn_operand *to = &e->insn->operands[0];
    uint32_t port = port_of(e, &e->insn->operands[1]);
    if (!allowed(e, port, to->size))
        return EMUL_REFUSED;
    e->breakpoints = breakpoints(e->v, port, to->size);
    insn_write(e->cpu, to, ~0ull);
    hv_trace_io(e->hv, e->v, port, to->size, ~0ull, false);
    return EMUL_DONE;
}

enum emul_result emul_out(struct emulation *e)
{
    uint32_t port = port_of(e, &e->insn->operands[0]), bytes = e->insn->operands[1].size;
    if (!allowed(e, port, bytes))
        return EMUL_REFUSED;
    e->breakpoints = breakpoints(e->v, port, bytes);
    hv_trace_io(e->hv, e->v, port, bytes, insn_read(e->cpu, &e->insn->operands[1]), true);
    return EMUL_DONE;
}

/* Add `delta` to a register of the instruction's address size. */
static void advance(struct emulation *e, uint32_t number, uint64_t delta)
{
    uint32_t size = e->insn->address_size;
    insn_write_register(e->cpu, number, size, insn_read_register(e->cpu, number, size) + delta);
}

/* ins and outs: `memory` is the operand in memory, `index` the register that walks over it (rsi 6, rdi 7). */
static enum emul_result string_io(struct emulation *e, const struct insn_operand *memory, uint32_t port, uint32_t index,
                                  bool write)
{
    enum { RCX = 1 };
    uint32_t bytes = memory->size;
    bool rep = e->insn->flags & INSN_REP;
    if (bytes == 0 || bytes > 4 || !allowed(e, port, bytes))
        return EMUL_REFUSED;
    e->breakpoints = breakpoints(e->v, port, bytes);
    uint64_t step = cpu_rflags(e->cpu) & RFLAGS_DF ? -(uint64_t)bytes : bytes;
    for (unsigned n = 0;; n++) {
        if (rep && insn_read_register(e->cpu, RCX, e->insn->address_size) == 0)
            return EMUL_DONE;
        if (n == REPEATS_AT_ONCE || (n > 0 && e->breakpoints))
            return EMUL_AGAIN;
        uint64_t va = insn_address(e->cpu, e->insn, memory);
        uint32_t data = ~0u;
        if (!x86_canonical(va))
            return emul_fault(e, VECTOR_GP, 0, 0);
        if (write ? hv_copy_to_guest(e->hv, e->v, va, &data, bytes) : hv_copy_from_guest(e->hv, e->v, &data, va, bytes))
            return emul_fault(e, VECTOR_PF, write ? PF_WRITE : 0, va);
        hv_trace_io(e->hv, e->v, port, bytes, data, !write);
        advance(e, index, step);
        if (!rep)
            return EMUL_DONE;
        advance(e, RCX, ~0ull);
    }
}

enum emul_result emul_ins(struct emulation *e)
{
    return string_io(e, &e->insn->operands[0], port_of(e, &e->insn->operands[1]), 7, true);
}

enum emul_result emul_outs(struct emulation *e)
{
    return string_io(e, &e->insn->operands[1], port_of(e, &e->insn->operands[0]), 6, false);
}
