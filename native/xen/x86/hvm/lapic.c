/* lapic.c - the local APIC: interrupts in, by priority; the timer; messages between processors.
 *
 * Time is system time: the timer's clock is 1 GHz divided as the guest says, the TSC deadline is a value of the guest's TSC.
 * A deadline is all that is kept of a running timer. Facts: Intel SDM volume 3, chapter 10.
 */
#include "hvm.h"

enum {
    REG_ID = 0x20, REG_VERSION = 0x30, REG_TPR = 0x80, REG_PPR = 0xa0, REG_EOI = 0xb0, REG_LDR = 0xd0, REG_DFR = 0xe0,
    REG_SVR = 0xf0, REG_ISR = 0x100, REG_TMR = 0x180, REG_IRR = 0x200, REG_ESR = 0x280, REG_CMCI = 0x2f0, REG_ICR = 0x300,
    REG_ICR2 = 0x310, REG_LVT = 0x320, REG_INITIAL = 0x380, REG_CURRENT = 0x390, REG_DIVIDE = 0x3e0
};
enum { LVT_TIMER = 0, LVT_LINT0 = 3, LVT_ERROR = 5 };
enum { LVT_MASKED = 1 << 16, LVT_PERIODIC = 1 << 17, LVT_TSC_DEADLINE = 1 << 18, TIMER_MODE = 3 << 17 };
enum { MODE_FIXED = 0, MODE_LOWEST = 1, MODE_SMI = 2, MODE_NMI = 4, MODE_INIT = 5, MODE_SIPI = 6, MODE_EXTINT = 7 };
enum { SVR_ENABLE = 1 << 8, VERSION = 0x14 | (LAPIC_LVTS - 1) << 16, ESR_ILLEGAL_RECEIVED = 1 << 6, ESR_ILLEGAL_SENT = 1 << 5 };
enum { BASE_ENABLE = 1 << 11, BASE_BSP = 1 << 8, FIRST_VECTOR = 16 };
enum { MIN_PERIOD_NS = 10000 };      /* a faster ticker would leave the guest no instructions between its ticks */

/* Bits of each LVT that a guest may set: timer, thermal, performance, LINT0, LINT1, error. */
static const uint32_t LVT_BITS[LAPIC_LVTS] = {0x710ff, 0x117ff, 0x117ff, 0x1b7ff, 0x1b7ff, 0x110ff};

static bool bit_get(const uint32_t *bits, uint32_t n) { return bits[n / 32] >> n % 32 & 1; }
static void bit_set(uint32_t *bits, uint32_t n) { bits[n / 32] |= 1u << n % 32; }
static void bit_clear(uint32_t *bits, uint32_t n) { bits[n / 32] &= ~(1u << n % 32); }
static int highest(const uint32_t *bits)
{
    for (int word = 7; word >= 0; word--)
        if (bits[word])
            return word * 32 + 31 - __builtin_clz(bits[word]);
    return -1;
}

void lapic_reset(struct hvm_lapic *l, uint32_t id, bool init)
{
    uint64_t base = l->base;
    memset(l, 0, sizeof *l);
    l->base = init ? base : LAPIC_BASE | BASE_ENABLE | (id == 0 ? BASE_BSP : 0);
    l->id = id << 24;
    l->dfr = UINT32_MAX;
    l->svr = 0xff;
    for (int i = 0; i < LAPIC_LVTS; i++)
        l->lvt[i] = LVT_MASKED;
}

bool lapic_ok(const struct hvm_lapic *l)
{
    for (int i = 0; i < LAPIC_LVTS; i++)
        if (l->lvt[i] & ~LVT_BITS[i])
            return false;
    return !(l->base & ~(uint64_t)(BASE_ENABLE | BASE_BSP) & ~LAPIC_BASE) &&
           !((l->id | l->ldr | l->icr_high) & 0xffffff) && (l->dfr & 0xfffffff) == 0xfffffff;
}

bool lapic_present(const struct hvm_lapic *l) { return l->base & BASE_ENABLE; }

bool lapic_enabled(const struct hvm_lapic *l) { return lapic_present(l) && l->svr & SVR_ENABLE; }

bool lapic_set_base(struct hvm_lapic *l, uint64_t value)
{
    /* No x2APIC; the registers stay where they are, as on Xen. */
    if (value & ~(uint64_t)(BASE_ENABLE | BASE_BSP) & ~LAPIC_BASE)
        return false;
    l->base = LAPIC_BASE | (value & (BASE_ENABLE | BASE_BSP));
    return true;
}

static uint32_t priority(const struct hvm_lapic *l)
{
    int served = highest(l->isr);
    uint32_t class = served < 0 ? 0 : (uint32_t)served & 0xf0;
    return (l->tpr & 0xf0) >= class ? l->tpr & 0xff : class;
}

int lapic_pending(const struct hvm_lapic *l)
{
    int vector = lapic_enabled(l) ? highest(l->irr) : -1;
    return vector >= 0 && ((uint32_t)vector & 0xf0) > (priority(l) & 0xf0) ? vector : -1;
}

void lapic_acknowledge(struct hvm_lapic *l, uint32_t vector)
{
    bit_clear(l->irr, vector);
    bit_set(l->isr, vector);
}

bool lapic_accepts_pic(const struct hvm_lapic *l)
{
    if (!lapic_present(l))
        return true;
    return !(l->lvt[LVT_LINT0] & LVT_MASKED) && (l->lvt[LVT_LINT0] >> 8 & 7) == MODE_EXTINT;
}

static void error(struct hv *hv, struct vcpu *v, uint32_t bit)
{
    struct hvm_lapic *l = &hvm_vcpu_of(hv, v)->lapic;
    uint32_t lvt = l->lvt[LVT_ERROR];
    if (l->esr_pending & bit)
        return;
    l->esr_pending |= bit;
    if (!(lvt & LVT_MASKED) && (lvt & 0xff) >= FIRST_VECTOR)
        lapic_accept(hv, v, lvt & 0xff, false);
}

void lapic_accept(struct hv *hv, struct vcpu *v, uint32_t vector, bool level)
{
    struct hvm_lapic *l = &hvm_vcpu_of(hv, v)->lapic;
    vector &= 0xff;
    if (!lapic_enabled(l))
        return;
    if (vector < FIRST_VECTOR) {
        error(hv, v, ESR_ILLEGAL_RECEIVED);
        return;
    }
    bit_set(l->irr, vector);
    if (level)
        bit_set(l->tmr, vector);
    else
        bit_clear(l->tmr, vector);
    hvm_kick(hv, v);
}

/* ---- messages ---- */

static bool matches(const struct hvm_lapic *l, uint32_t destination, bool logical)
{
    if (!logical)
        return destination == 0xff || l->id >> 24 == destination;
    uint32_t logical_id = l->ldr >> 24;
    if (l->dfr >> 28 == 0xf)
        return (logical_id & destination) != 0;
    return (destination >> 4 == logical_id >> 4 || destination >> 4 == 0xf) && (logical_id & destination & 0xf) != 0;
}

static void init(struct hv *hv, struct vcpu *v)
{
    hvm_reset_cpu(hv, v, true);
    v->online = 0;
    hvm_vcpu_of(hv, v)->waits_for_sipi = 1;
    if (v->runstate != RS_RUNNING)
        hv_runstate_set(hv, v, RS_OFFLINE);
}

static void start_up(struct hv *hv, struct vcpu *v, uint32_t vector)
{
    struct x86_state s;
    struct cpu *cpu = hv_cpu_of(hv, v);
    if (!hvm_vcpu_of(hv, v)->waits_for_sipi)
        return;
    cpu_get_state(cpu, &s);
    s.segments[SEG_CS].selector = (vector & 0xff) << 8;
    s.segments[SEG_CS].base = (uint64_t)(vector & 0xff) << 12;
    s.gprs.rip = 0;
    cpu_set_state(cpu, &s);
    hvm_vcpu_of(hv, v)->waits_for_sipi = 0;
    v->initialised = v->online = 1;
    v->blocked = 0;
    hv_runstate_set(hv, v, RS_RUNNABLE);
}

static void one(struct hv *hv, struct vcpu *v, uint32_t mode, uint32_t vector, bool level)
{
    switch (mode) {
    case MODE_FIXED:
    case MODE_LOWEST:
        lapic_accept(hv, v, vector, level);
        break;
    case MODE_NMI:
        hvm_vcpu_of(hv, v)->nmi_pending = 1;
        hvm_kick(hv, v);
        break;
    case MODE_INIT:
        if (v != hv->current)     /* the processor does not stop in the middle of an instruction of its own */
            init(hv, v);
        break;
    case MODE_SIPI:
        start_up(hv, v, vector);
        break;
    default:                      /* SMI: there is none; ExtINT: comes by the line */
        break;
    }
}

void lapic_message(struct hv *hv, struct domain *d, uint32_t destination, bool logical, uint32_t mode, uint32_t vector, bool level)
{
    struct vcpu *best = NULL;
    for (uint32_t id = 0; id < HV_DOMAIN_VCPUS; id++) {
        struct vcpu *v = hv_vcpu(hv, d, id);
        const struct hvm_lapic *l = v ? &hvm_vcpu_of(hv, v)->lapic : NULL;
        if (!l || !lapic_present(l) || !matches(l, destination, logical))
            continue;
        if (mode != MODE_LOWEST)
            one(hv, v, mode, vector, level);
        else if (lapic_enabled(l) && (!best || priority(l) < priority(&hvm_vcpu_of(hv, best)->lapic)))
            best = v;
    }
    if (best)
        one(hv, best, mode, vector, level);
}

static void send(struct hv *hv, struct vcpu *v)
{
    enum { SHORTHAND_SELF = 1, SHORTHAND_ALL = 2, SHORTHAND_OTHERS = 3 };
    struct hvm_lapic *l = &hvm_vcpu_of(hv, v)->lapic;
    uint32_t icr = l->icr_low, mode = icr >> 8 & 7, shorthand = icr >> 18 & 3;
    bool level = icr >> 15 & 1, assert = icr >> 14 & 1;
    struct domain *d = hv_domain(hv, v);
    if (mode == MODE_INIT && level && !assert)
        return;                   /* INIT level de-assert: nothing since the Pentium 4 */
    if ((mode == MODE_FIXED || mode == MODE_LOWEST) && (icr & 0xff) < FIRST_VECTOR) {
        error(hv, v, ESR_ILLEGAL_SENT);
        return;
    }
    if (shorthand == 0) {
        lapic_message(hv, d, l->icr_high >> 24, icr >> 11 & 1, mode, icr & 0xff, false);
        return;
    }
    for (uint32_t id = 0; id < HV_DOMAIN_VCPUS; id++) {
        struct vcpu *other = hv_vcpu(hv, d, id);
        if (other && (shorthand == SHORTHAND_ALL || (other == v) == (shorthand == SHORTHAND_SELF)))
            one(hv, other, mode, icr & 0xff, false);
    }
}

/* ---- the timer ---- */

static uint32_t divisor(const struct hvm_lapic *l)
{
    uint32_t code = (l->timer_divide & 3) | (l->timer_divide >> 1 & 4);
    return code == 7 ? 1 : 2u << code;
}

static uint64_t period(const struct hvm_lapic *l)
{
    uint64_t ns = (uint64_t)l->timer_initial * divisor(l);
    return (l->lvt[LVT_TIMER] & TIMER_MODE) == LVT_PERIODIC && ns < MIN_PERIOD_NS ? MIN_PERIOD_NS : ns;
}

static void timer_start(struct hv *hv, struct hvm_lapic *l)
{
    l->timer_deadline = l->timer_initial && !(l->lvt[LVT_TIMER] & LVT_TSC_DEADLINE) ? hv_now(hv) + period(l) : 0;
}

static uint32_t timer_count(struct hv *hv, const struct hvm_lapic *l)
{
    uint64_t now = hv_now(hv);
    if (l->lvt[LVT_TIMER] & LVT_TSC_DEADLINE || !l->timer_deadline || now >= l->timer_deadline)
        return 0;
    return (uint32_t)((l->timer_deadline - now) / divisor(l));
}

void lapic_set_tsc_deadline(struct hv *hv, struct vcpu *v, uint64_t tsc)
{
    struct hvm_vcpu *hvcpu = hvm_vcpu_of(hv, v);
    struct hvm_lapic *l = &hvcpu->lapic;
    if ((l->lvt[LVT_TIMER] & TIMER_MODE) != LVT_TSC_DEADLINE)
        return;
    l->tsc_deadline = tsc;
    /* What lies in the past fires at once; 0 would mean off. */
    uint64_t ns = tsc - (uint64_t)hvcpu->tsc_offset;
    l->timer_deadline = tsc == 0 ? 0 : (int64_t)ns <= 0 ? 1 : ns;
}

void lapic_timer(struct hv *hv, struct vcpu *v, uint64_t now)
{
    struct hvm_lapic *l = &hvm_vcpu_of(hv, v)->lapic;
    uint32_t lvt = l->lvt[LVT_TIMER];
    if (l->timer_deadline == 0 || l->timer_deadline > now)
        return;
    if ((lvt & TIMER_MODE) == LVT_PERIODIC) {
        uint64_t step = period(l);       /* ticks that were missed are missed */
        l->timer_deadline += (now - l->timer_deadline) / step * step + step;
    } else {
        l->timer_deadline = l->tsc_deadline = 0;
    }
    if (!(lvt & LVT_MASKED))
        lapic_accept(hv, v, lvt & 0xff, false);
}

/* ---- registers ---- */

uint32_t lapic_read(struct hv *hv, struct vcpu *v, uint32_t offset)
{
    const struct hvm_lapic *l = &hvm_vcpu_of(hv, v)->lapic;
    uint32_t reg = offset & 0xff0;
    switch (reg) {
    case REG_ID: return l->id;
    case REG_VERSION: return VERSION;
    case REG_TPR: return l->tpr;
    case REG_PPR: return priority(l);
    case REG_LDR: return l->ldr;
    case REG_DFR: return l->dfr;
    case REG_SVR: return l->svr;
    case REG_ESR: return l->esr;
    case REG_ICR: return l->icr_low;
    case REG_ICR2: return l->icr_high;
    case REG_INITIAL: return l->timer_initial;
    case REG_CURRENT: return timer_count(hv, l);
    case REG_DIVIDE: return l->timer_divide;
    default: break;
    }
    if (reg >= REG_ISR && reg < REG_ISR + 0x80)
        return l->isr[(reg - REG_ISR) / 16];
    if (reg >= REG_TMR && reg < REG_TMR + 0x80)
        return l->tmr[(reg - REG_TMR) / 16];
    if (reg >= REG_IRR && reg < REG_IRR + 0x80)
        return l->irr[(reg - REG_IRR) / 16];
    if (reg >= REG_LVT && reg < REG_LVT + 16 * LAPIC_LVTS)
        return l->lvt[(reg - REG_LVT) / 16];
    return 0;
}

static void end_of_interrupt(struct hv *hv, struct vcpu *v)
{
    struct hvm_lapic *l = &hvm_vcpu_of(hv, v)->lapic;
    int vector = highest(l->isr);
    if (vector < 0)
        return;
    bit_clear(l->isr, (uint32_t)vector);
    if (bit_get(l->tmr, (uint32_t)vector))
        ioapic_end(hv, hv_domain(hv, v), (uint32_t)vector);
}

void lapic_set_tpr(struct hvm_lapic *l, uint32_t tpr) { l->tpr = tpr & 0xff; }

static void set_lvt(struct hv *hv, struct hvm_lapic *l, int which, uint32_t value)
{
    uint32_t old = l->lvt[which];
    l->lvt[which] = (value & LVT_BITS[which]) | (l->svr & SVR_ENABLE ? 0 : LVT_MASKED);
    if (which == LVT_TIMER && (old ^ l->lvt[which]) & TIMER_MODE) {
        l->timer_deadline = l->tsc_deadline = 0;
        if ((old & TIMER_MODE) != LVT_TSC_DEADLINE)
            timer_start(hv, l);
    }
}

static void set_svr(struct hvm_lapic *l, uint32_t value)
{
    l->svr = value & 0x3ff;
    for (int i = 0; !(value & SVR_ENABLE) && i < LAPIC_LVTS; i++)
        l->lvt[i] |= LVT_MASKED;
}

void lapic_write(struct hv *hv, struct vcpu *v, uint32_t offset, uint32_t value)
{
    struct hvm_lapic *l = &hvm_vcpu_of(hv, v)->lapic;
    uint32_t reg = offset & 0xff0;
    switch (reg) {
    case REG_ID: l->id = value & 0xff000000; break;
    case REG_TPR: lapic_set_tpr(l, value); break;
    case REG_EOI: end_of_interrupt(hv, v); break;
    case REG_LDR: l->ldr = value & 0xff000000; break;
    case REG_DFR: l->dfr = value | 0x0fffffff; break;
    case REG_SVR: set_svr(l, value); break;
    case REG_ESR: l->esr = l->esr_pending, l->esr_pending = 0; break;
    case REG_ICR2: l->icr_high = value & 0xff000000; break;
    case REG_ICR: l->icr_low = value & 0xccfff, send(hv, v); break;
    case REG_INITIAL: l->timer_initial = value, timer_start(hv, l); break;
    case REG_DIVIDE: l->timer_divide = value & 0xb; break;
    default:
        if (reg >= REG_LVT && reg < REG_LVT + 16 * LAPIC_LVTS)
            set_lvt(hv, l, (int)(reg - REG_LVT) / 16, value);
    }
}
