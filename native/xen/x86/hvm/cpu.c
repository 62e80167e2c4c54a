/* cpu.c - an HVM vcpu between the engine and the hypervisor: exceptions, interrupts, HLT, and what a reset leaves.
 *
 * Attention (cpu_set_attention) is wanted as long as anything waits that the processor could take once it lets it: the
 * engine then asks hvm_interrupt() at each place where it could have become possible, and nowhere else.
 */
#include "../machine.h"
#include "hvm.h"
#include "../../io.h"
#include "../../../abi/hvm.h"
#include "../../../abi/xen.h"
#include "../../../abi/sched.h"

/* ---- what waits ---- */

/* The callback vector of events, while the upcall is pending; 0: none. */
static uint32_t upcall_vector(struct hv *hv, const struct vcpu *v)
{
    uint64_t via = hvm_of(hv, hv_domain(hv, v))->params[HVM_PARAM_CALLBACK_IRQ];
    if (via >> HVM_PARAM_CALLBACK_TYPE_SHIFT != HVM_PARAM_CALLBACK_TYPE_VECTOR || hvm_vcpu_of(hv, v)->upcall_vector)
        return 0;
    return hv_upcall_pending(hv, v) ? via & 0xff : 0;
}

enum { PIT_PIN = 2, PIT_PIN_LINES = 1 << 0 | 1 << 2 };         /* interrupt 0 is wired to the I/O APIC's pin 2 */

/* Lines (a bit each) are shared: one is up as long as a device or the callback holds it up. */
static void drive(struct hv *hv, struct domain *d, uint64_t lines)
{
    struct hvm_domain *h = hvm_of(hv, d);
    uint64_t up = h->device_lines | (h->callback_line ? h->callback_lines : 0);
    struct vcpu *boot = hv_vcpu(hv, d, 0);
    for (uint32_t gsi = 0; lines >> gsi; gsi++) {
        if (!(lines >> gsi & 1))
            continue;
        if (h->has_pic)
            pic_set_line(h, gsi, up >> gsi & 1);
        if (h->has_ioapic && UINT64_C(1) << gsi & PIT_PIN_LINES)
            ioapic_set_pin(hv, d, PIT_PIN, up & PIT_PIN_LINES);
        else if (h->has_ioapic)
            ioapic_set_pin(hv, d, gsi, up >> gsi & 1);
    }
    if (boot)
        hvm_kick(hv, boot);
}

/* The lines by which events come where the guest chose a GSI or a PCI device's pin for them. */
static void callback_line(struct hv *hv, struct domain *d, bool level)
{
    struct hvm_domain *h = hvm_of(hv, d);
    if (h->callback_line == level)
        return;
    h->callback_line = level;
    drive(hv, d, h->callback_lines);
}

/* It follows the first vcpu's upcall, which the guest takes back by a plain store: so it is looked at, as on Xen, where the
 * guest does something that Xen would see, before that is done. Not where a run begins: where it was cut must not show. */
void hvm_callback_follows(struct hv *hv, struct domain *d)
{
    const struct vcpu *boot = hv_vcpu(hv, d, 0);
    if (hvm_of(hv, d)->callback_line && !(boot && hv_upcall_pending(hv, boot)))
        callback_line(hv, d, false);
}

static bool pic_waits(struct hv *hv, const struct vcpu *v)
{
    const struct hvm_domain *h = hvm_of(hv, hv_domain(hv, v));
    return h->has_pic && v->id == 0 && lapic_accepts_pic(&hvm_vcpu_of(hv, v)->lapic) && pic_asks(h);
}

static bool interrupt_waits(struct hv *hv, const struct vcpu *v)
{
    return upcall_vector(hv, v) || pic_waits(hv, v) || lapic_pending(&hvm_vcpu_of(hv, v)->lapic) >= 0;
}

bool hvm_can_wake(struct hv *hv, const struct vcpu *v)
{
    return hvm_vcpu_of(hv, v)->nmi_pending || (cpu_rflags(hv_cpu_of(hv, v)) & RFLAGS_IF && interrupt_waits(hv, v));
}

void hvm_resume(struct hv *hv, struct vcpu *v)
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    cpu_set_attention(cpu, hvm_vcpu_of(hv, v)->nmi_pending || interrupt_waits(hv, v));
    if (hv->current != v && io_under_way(hv, v))
        cpu_run_alone(cpu);
}

void hvm_changed(struct hv *hv, struct vcpu *v)
{
    struct cpu *cpu = hv_cpu_of(hv, v);
    uint64_t deadline = hvm_vcpu_of(hv, v)->lapic.timer_deadline, now = hv_now(hv);
    hvm_resume(hv, v);
    if (deadline != 0)            /* at once: behind this instruction */
        cpu_shorten(cpu, cpu_retired(cpu) + (int64_t)(deadline > now ? deadline - now : 1));
}

void hvm_kick(struct hv *hv, struct vcpu *v)
{
    if (hvm_vcpu_of(hv, v)->waits_for_sipi || !hv_cpu_of(hv, v))
        return;
    if (v->blocked && hvm_can_wake(hv, v))
        hv_vcpu_kick(hv, v);
    hvm_resume(hv, v);
}

void hvm_events_pending(struct hv *hv, struct vcpu *v)
{
    const struct hvm_vcpu *h = hvm_vcpu_of(hv, v);
    struct hvm_domain *hd = hvm_of(hv, hv_domain(hv, v));
    if (h->upcall_vector)
        lapic_accept(hv, v, h->upcall_vector, false);
    else if (hd->callback_lines && v->id == 0) {
        callback_line(hv, hv_domain(hv, v), false);      /* still up: nobody has looked since the upcall was taken back */
        callback_line(hv, hv_domain(hv, v), true);
    }
    hvm_kick(hv, v);
}

/* ---- engine_ops ---- */

static int hvm_interrupt(void *ctx, struct cpu *cpu, uint32_t can)
{
    struct hv *hv = ctx;
    struct vcpu *v = hv->current;
    struct hvm_vcpu *h = hvm_vcpu_of(hv, v);
    int vector = -1;
    if (io_under_way(hv, v))
        return -1;
    if (h->nmi_pending && can & TAKE_NMI) {
        h->nmi_pending = 0;
        vector = VECTOR_NMI;
    } else if (can & TAKE_INTERRUPT) {
        hvm_callback_follows(hv, hv_domain(hv, v));
        vector = (int)upcall_vector(hv, v);
        if (vector == 0 && (vector = pic_waits(hv, v) ? pic_acknowledge(hvm_of(hv, hv_domain(hv, v))) : -1) < 0 &&
            (vector = lapic_pending(&h->lapic)) >= 0)
            lapic_acknowledge(&h->lapic, (uint32_t)vector);
    }
    if (vector >= 0) {
        struct trap_record *record = hv_log_trap(hv, v, TRAP_LOG_EVENT, (uint32_t)vector);
        record->address = (uint32_t)vector;
    }
    (void)cpu;
    hvm_resume(hv, v);
    return vector;
}

/* A processor halts with interrupts off: it is down for good (but for INIT), and a domain whose last one does this has
 * switched itself off. Source: hvm_vcpu_down() in xen/arch/x86/hvm/hvm.c of Xen 4.17. */
static void vcpu_down(struct hv *hv, struct vcpu *v)
{
    struct domain *d = hv_domain(hv, v);
    v->online = 0;
    for (uint32_t id = 0; id < HV_DOMAIN_VCPUS; id++)
        if (hv_vcpu(hv, d, id) && hv_vcpu(hv, d, id)->online)
            return;
    d->shut_down = 1;
    d->shutdown_code = SHUTDOWN_poweroff;
}

static bool hvm_halt(void *ctx, struct cpu *cpu)
{
    struct hv *hv = ctx;
    struct vcpu *v = hv->current;
    hvm_callback_follows(hv, hv_domain(hv, v));
    if (hvm_can_wake(hv, v))
        return true;
    if (cpu_rflags(cpu) & RFLAGS_IF)
        v->blocked = 1;
    else
        vcpu_down(hv, v);
    struct cpu_exit *e = cpu_exit_record(cpu);
    memset(e, 0, sizeof *e);
    e->reason = EXIT_IDLE;
    return false;
}

/* INT1, which the engine does not know: a trap, whatever the gate's DPL. */
static bool int1(struct hv *hv, struct vcpu *v, struct trap *trap)
{
    enum { INT1 = 0xf1 };
    struct cpu *cpu = hv_cpu_of(hv, v);
    uint8_t byte;
    if (hv_peek(hv, v, &byte, hvm_code_address(cpu), 1) != 1 || byte != INT1)
        return false;
    cpu_gprs(cpu)->rip += 1;
    cpu_retire(cpu);
    *trap = (struct trap){.vector = VECTOR_DB};
    return true;
}

/* What the engine reports, made into what the manual has. */
static void correct(struct hv *hv, struct vcpu *v, struct trap *trap)
{
    if (trap->vector == VECTOR_UD && trap->flags & TRAP_UNDECODED && int1(hv, v, trap))
        return;
    if (trap->vector == VECTOR_NM && hvm_media_undefined(hv, v))
        *trap = (struct trap){.vector = VECTOR_UD};
    if (trap->vector == VECTOR_PF && cpu_efer(hv_cpu_of(hv, v)) & EFER_LMA && !x86_canonical(trap->address)) {
        cpu_set_cr(hv_cpu_of(hv, v), 2, hvm_vcpu_of(hv, v)->cr2);
        *trap = (struct trap){.vector = hvm_non_canonical_vector(hv, v), .flags = TRAP_HAS_ERROR};
    }
    if (trap->vector == VECTOR_PF)
        hvm_vcpu_of(hv, v)->cr2 = trap->address;
}

static bool hvm_exception(void *ctx, struct cpu *cpu, const struct trap *trap)
{
    struct hv *hv = ctx;
    struct vcpu *v = hv->current;
    bool go_on;
    hv->began = hv_retired(hv) - (trap->flags & TRAP_SOFTWARE ? 1 : 0);       /* a software interrupt is counted already */
    if (hv_stops_on(hv, HV_STOP_TRAP) && stops_trap(hv, v, trap)) {
        cpu_leave_at_breakpoint(cpu);
        return false;
    }
    if (trap->vector == VECTOR_UD && !(trap->flags & TRAP_SOFTWARE)) {
        if (hvm_forced(hv, v))
            return true;
        if (hvm_hypercall(hv, v, &go_on))
            return go_on;
    }
    io_forget(hv, v);
    struct trap corrected = *trap;
    if (!(trap->flags & TRAP_SOFTWARE))
        correct(hv, v, &corrected);
    trap = &corrected;
    hv->trap_counts[v->domain_slot][x86_trap_counter(trap)]++;
    struct trap_record *record = hv_log_trap(hv, v, TRAP_LOG_EXCEPTION, trap->vector);
    record->error = trap->error;
    record->args[0] = trap->flags & TRAP_SOFTWARE ? 1 : 0;
    record->address = trap->vector == VECTOR_PF ? trap->address : 0;
    record->rip = cpu_gprs(cpu)->rip;
    cpu_deliver(cpu, trap);
    return true;
}

static uint64_t hvm_tsc(void *ctx, struct cpu *cpu)
{
    struct hv *hv = ctx;
    (void)cpu;
    return hv_now(hv) + (uint64_t)hvm_vcpu_of(hv, hv->current)->tsc_offset;
}

static uint64_t hvm_read_cr8(void *ctx, struct cpu *cpu)
{
    struct hv *hv = ctx;
    (void)cpu;
    return hvm_vcpu_of(hv, hv->current)->lapic.tpr >> 4;
}

const struct engine_ops HVM_OPS = {
    .native = true, .exception = hvm_exception, .translate = hvm_translate, .cpuid = hvm_cpuid, .tsc = hvm_tsc, .io = hvm_io,
    .breakpoint = stops_breakpoint, .watched = stops_watched, .msr = hvm_msr, .write_cr = hvm_write_cr,
    .read_cr8 = hvm_read_cr8, .interrupt = hvm_interrupt, .halt = hvm_halt,
};

/* ---- reset ---- */

/* SDM volume 3, table 9-1. */
void hvm_reset_cpu(struct hv *hv, struct vcpu *v, bool init)
{
    enum { DATA = 0x9300, CODE = 0x9b00, LDT = 0x8200, TSS = 0x8b00 };
    struct cpu *cpu = hv_cpu_of(hv, v);
    struct hvm_vcpu *h = hvm_vcpu_of(hv, v);
    struct x86_state s, old;
    cpu_get_state(cpu, &old);
    memset(&s, 0, sizeof s);
    for (int i = SEG_ES; i <= SEG_GS; i++)
        s.segments[i] = (struct x86_segment_state){.limit = 0xffff, .attributes = DATA};
    s.segments[SEG_CS] = (struct x86_segment_state){.selector = 0xf000, .base = 0xffff0000, .limit = 0xffff, .attributes = CODE};
    s.segments[SEG_LDT] = (struct x86_segment_state){.limit = 0xffff, .attributes = LDT};
    s.segments[SEG_TR] = (struct x86_segment_state){.limit = 0xffff, .attributes = TSS};
    s.gprs.rip = 0xfff0;
    s.gprs.rdx = 0x60fb1;
    s.rflags = 2;
    s.cr0 = init ? (old.cr0 & 0x60000000) | 0x10 : 0x60000010;
    s.gdt_limit = s.idt_limit = 0xffff;
    s.dr[6] = 0xffff0ff0;
    s.dr[7] = 0x400;
    s.pat = init ? old.pat : 0x0007040600070406ull;
    s.xcr0 = 1;
    s.fcw = 0x40;
    s.ftw = 0;
    s.mxcsr = 0x1f80;
    s.pending_exception = -1;
    if (init) {                   /* INIT leaves the FPU, and time goes on */
        memcpy(s.x87, old.x87, sizeof s.x87);
        s.fcw = old.fcw, s.fsw = old.fsw, s.ftw = old.ftw, s.mxcsr = old.mxcsr;
        memcpy(s.xmm, old.xmm, sizeof s.xmm);
    } else {
        hvm_reset_msrs(h);
    }
    cpu_set_state(cpu, &s);
    lapic_reset(&h->lapic, 2u * v->id, init);
    memset(&h->io, 0, sizeof h->io);
    h->nmi_pending = 0;
    v->blocked = 0;
}

/* ---- for Python ---- */

void hv_hvm_reset(struct hv *hv, struct domain *d)
{
    struct hvm_domain *h = hvm_of(hv, d);
    for (int i = 0; i < 2; i++) {
        h->pic[i].lines = h->pic[i].elcr = 0;
        pic_reset(&h->pic[i], i);
    }
    ioapic_reset(&h->ioapic);
    memset(d->timer, 0, sizeof d->timer);
    memset(h->data_port, 0, sizeof h->data_port);
    memset(&h->held, 0, sizeof h->held);
    h->a20 = 1;
    h->callback_line = 0;
    h->callback_lines = h->device_lines = h->params[HVM_PARAM_CALLBACK_IRQ] = 0;
    for (uint32_t id = 0; id < HV_DOMAIN_VCPUS; id++) {
        struct vcpu *v = hv_vcpu(hv, d, id);
        if (!v)
            continue;
        hvm_reset_cpu(hv, v, false);
        v->initialised = v->online = id == 0;
        hvm_vcpu_of(hv, v)->waits_for_sipi = id != 0;
        hvm_vcpu_of(hv, v)->upcall_vector = 0;
    }
}

void hvm_set_line(struct hv *hv, struct domain *d, uint32_t gsi, bool level)
{
    struct hvm_domain *h = hvm_of(hv, d);
    if (gsi >= IOAPIC_PINS)
        return;
    h->device_lines = (h->device_lines & ~(UINT64_C(1) << gsi)) | (uint64_t)level << gsi;
    drive(hv, d, UINT64_C(1) << gsi);
}

/* A line that is up goes down with the old choice; what waits, also since before there was any choice, comes by the new one.
 * Source: hvm_set_callback_via() in xen/arch/x86/hvm/irq.c of Xen 4.17. */
void hv_set_callback(struct hv *hv, struct domain *d, uint64_t via, uint64_t lines)
{
    struct hvm_domain *h = hvm_of(hv, d);
    callback_line(hv, d, false);
    h->params[HVM_PARAM_CALLBACK_IRQ] = via;
    hv_move_callback(hv, d, lines);
    for (uint32_t id = 0; id < HV_DOMAIN_VCPUS; id++) {
        struct vcpu *v = hv_vcpu(hv, d, id);
        if (v && v->online)
            hv_assert_events(hv, v);
    }
}

void hv_move_callback(struct hv *hv, struct domain *d, uint64_t lines)
{
    struct hvm_domain *h = hvm_of(hv, d);
    uint64_t old = h->callback_lines;
    h->callback_lines = lines & ((UINT64_C(1) << IOAPIC_PINS) - 1);
    drive(hv, d, old ^ h->callback_lines);
}

/* A vcpu with a vector of its own is interrupted in any case, as by hvm_assert_evtchn_irq() there. */
void hv_assert_events(struct hv *hv, struct vcpu *v)
{
    if (hv_upcall_pending(hv, v) || hvm_vcpu_of(hv, v)->upcall_vector)
        hvm_events_pending(hv, v);
    hvm_kick(hv, v);
}

struct hvm_domain *hv_hvm_domain(struct hv *hv, const struct domain *d) { return hvm_of(hv, d); }
struct hvm_vcpu *hv_hvm_vcpu(struct hv *hv, const struct vcpu *v) { return hvm_vcpu_of(hv, v); }
