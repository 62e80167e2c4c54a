/* mmio.c - accesses of ARM guests to what is no RAM: the interrupt controller, or Python's devices. */
#include "arm.h"
#include "../io.h"
#include "../p2m.h"
#include "../../abi/arch/arm.h"

enum { GICC_IAR = 0x0c };

static enum io_answer to_python(struct hv *hv, struct vcpu *v, struct io_access *a)
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    struct io_queue *q = io_begin(hv, v);
    if (!(p2m_get(hv, &arm_of(hv, hv_domain(hv, v))->p2m, a->address >> ENGINE_PAGE_SHIFT) & P2M_DEVICE))
        return IO_FAULT;
    if (io_replay(q, a)) {
        cpu_shorten(cpu, cpu_retired(cpu) + 1);   /* interrupts wait for this instruction, and must be looked at behind it */
        return IO_DONE;
    }
    hv_trace_io(hv, v, (uint32_t)a->address, a->size, a->value, a->write);
    return io_leave(hv, v, a);
}

/* What is read or written there may change which interrupt comes next: nothing may follow it in its block. */
enum io_answer arm_io(void *ctx, struct cpu *cpu, struct io_access *a)
{
    struct hv *hv = ctx;
    struct vcpu *v = hv->current;
    const struct domain *d = hv_domain(hv, v);
    struct vgic g = arm_vgic(hv, d);
    (void)cpu;
    if (p2m_get(hv, &arm_of(hv, d)->p2m, a->address >> ENGINE_PAGE_SHIFT) & P2M_DEVICE)
        return to_python(hv, v, a);
    if (!a->alone)
        return io_alone(hv, v);
    arm_events_follow(hv, v);
    enum vgic_answer answer = vgic_mmio(&g, v->id, a->address, a->size, a->write, &a->value);
    arm_vgic_done(hv, d, &g);
    if (answer == VGIC_DONE && !a->write && g.dist->version == 2 && a->address == GUEST_GICC_BASE + GICC_IAR)
        arm_log_acknowledged(hv, v, a->value & 0x3ff);
    return answer == VGIC_DONE ? IO_DONE : IO_FAULT;
}
