/* vtimer.c - the generic timer's registers, and when its interrupts stand. Facts: DDI 0487, D11.2 and the registers' own pages. */
#include <stddef.h>
#include "vtimer.h"
#include "vgic.h"

enum { EL0_PHYSICAL_COUNT = 1, EL0_VIRTUAL_COUNT = 2, EL0_VIRTUAL_TIMER = 0x100, EL0_PHYSICAL_TIMER = 0x200 };  /* CNTKCTL_EL1 */

static uint64_t count_of(enum vtimer_which which, uint64_t cntvoff, uint64_t now)
{
    return which == VTIMER_VIRTUAL ? now - cntvoff : now;
}

/* ISTATUS: the count has reached the compare value, both taken without sign; only while the timer is enabled. */
static bool reached(const struct vtimer *t, uint64_t count) { return t->ctl & VTIMER_ENABLE && count >= t->cval; }

bool vtimer_output(const struct vtimer timer[VTIMERS], enum vtimer_which which, uint64_t cntvoff, uint64_t now)
{
    return reached(&timer[which], count_of(which, cntvoff, now)) && !(timer[which].ctl & VTIMER_IMASK);
}

uint64_t vtimer_deadline(const struct vtimer timer[VTIMERS], uint64_t cntvoff, uint64_t now)
{
    uint64_t first = 0;
    for (int which = 0; which < VTIMERS; which++) {
        const struct vtimer *t = &timer[which];
        uint64_t count = count_of((enum vtimer_which)which, cntvoff, now), left = t->cval - count;
        if ((t->ctl & (VTIMER_ENABLE | VTIMER_IMASK)) != VTIMER_ENABLE || count >= t->cval || left > UINT64_MAX - now)
            continue;
        if (first == 0 || now + left < first)
            first = now + left;
    }
    return first;
}

/* ---- registers ---- */

struct access { struct vtimer *t; uint64_t count; };

static uint64_t read_frequency(const struct access *a) { return VTIMER_HZ; }
static uint64_t read_count(const struct access *a) { return a->count; }
static uint64_t read_ctl(const struct access *a) { return a->t->ctl | (reached(a->t, a->count) ? VTIMER_ISTATUS : 0); }
static void write_ctl(const struct access *a, uint64_t value) { a->t->ctl = value & (VTIMER_ENABLE | VTIMER_IMASK); }
static uint64_t read_cval(const struct access *a) { return a->t->cval; }
static void write_cval(const struct access *a, uint64_t value) { a->t->cval = value; }
/* How far away the compare value is: 32 bits with sign. */
static uint64_t read_tval(const struct access *a) { return (uint32_t)(a->t->cval - a->count); }
static void write_tval(const struct access *a, uint64_t value) { a->t->cval = a->count + (uint64_t)(int64_t)(int32_t)value; }

static const struct timer_register {
    uint32_t number;
    enum vtimer_which which;
    uint32_t el0;                 /* bits of CNTKCTL_EL1, one of which lets EL0 in */
    uint64_t (*read)(const struct access *a);
    void (*write)(const struct access *a, uint64_t value);        /* none: read only below EL3 */
} registers[] = {
    {ARM_SYSREG(3, 3, 14, 0, 2), VTIMER_VIRTUAL, EL0_VIRTUAL_COUNT, read_count, NULL},                   /* CNTVCT_EL0 */
    {ARM_SYSREG(3, 3, 14, 0, 1), VTIMER_PHYSICAL, EL0_PHYSICAL_COUNT, read_count, NULL},                 /* CNTPCT_EL0 */
    {ARM_SYSREG(3, 3, 14, 0, 0), VTIMER_PHYSICAL, EL0_PHYSICAL_COUNT | EL0_VIRTUAL_COUNT, read_frequency, NULL}, /* CNTFRQ_EL0 */
    {ARM_SYSREG(3, 3, 14, 3, 0), VTIMER_VIRTUAL, EL0_VIRTUAL_TIMER, read_tval, write_tval},              /* CNTV_TVAL_EL0 */
    {ARM_SYSREG(3, 3, 14, 3, 1), VTIMER_VIRTUAL, EL0_VIRTUAL_TIMER, read_ctl, write_ctl},                /* CNTV_CTL_EL0 */
    {ARM_SYSREG(3, 3, 14, 3, 2), VTIMER_VIRTUAL, EL0_VIRTUAL_TIMER, read_cval, write_cval},              /* CNTV_CVAL_EL0 */
    {ARM_SYSREG(3, 3, 14, 2, 0), VTIMER_PHYSICAL, EL0_PHYSICAL_TIMER, read_tval, write_tval},            /* CNTP_TVAL_EL0 */
    {ARM_SYSREG(3, 3, 14, 2, 1), VTIMER_PHYSICAL, EL0_PHYSICAL_TIMER, read_ctl, write_ctl},              /* CNTP_CTL_EL0 */
    {ARM_SYSREG(3, 3, 14, 2, 2), VTIMER_PHYSICAL, EL0_PHYSICAL_TIMER, read_cval, write_cval},            /* CNTP_CVAL_EL0 */
};

enum vtimer_answer vtimer_sysreg(struct vtimer timer[VTIMERS], uint64_t cntvoff, uint64_t cntkctl, unsigned el, uint64_t now,
                                 uint32_t reg, bool write, uint64_t *value)
{
    for (const struct timer_register *r = registers; r < registers + sizeof registers / sizeof *registers; r++) {
        if (r->number != reg)
            continue;
        struct access a = {&timer[r->which], count_of(r->which, cntvoff, now)};
        if (write && !r->write)
            return VTIMER_UNDEFINED;
        if (el == 0 && !(cntkctl & r->el0))
            return VTIMER_TRAP;
        if (write)
            r->write(&a, *value);
        else
            *value = r->read(&a);
        return VTIMER_DONE;
    }
    return VTIMER_ELSEWHERE;
}

bool vtimer_ok(const struct vtimer timer[VTIMERS])
{
    for (int which = 0; which < VTIMERS; which++)
        if (timer[which].ctl & ~(uint32_t)(VTIMER_ENABLE | VTIMER_IMASK) || timer[which].pad)
            return false;
    return true;
}
