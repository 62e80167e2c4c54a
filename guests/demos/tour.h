/* tour.h - what of the tour is another thing on a PV guest than on ARM: pages that grants appear in, a store that is refused,
 * and a timer.
 */
#ifndef GUEST_TOUR_H
#define GUEST_TOUR_H

#ifdef __x86_64__
/* An address without a page table entry, at which a grant may be mapped. */
static inline void tour_window_open(void *window) { require_eq(pt_set(window, 0), 0); }
static inline void tour_window_close(void *window) { (void)window; }

/* Try to write to the page: one page fault. */
static inline void tour_refused_store(void *page)
{
    struct fault *f = fault_arm();

    __asm__ volatile(FAULTING("movb $1, (%0)") : : "r"(page) : "memory");
    check_fault(f, X86_EXC_PF, PFEC_page_present | PFEC_write_access);
}

static uint32_t timer_port;

/* Call on_tick() when the timer fires. */
static inline void tour_timer(event_handler *on_tick)
{
    timer_port = (uint32_t)event_bind_virq(VIRQ_TIMER, 0);
    event_watch(timer_port, on_tick);
}

/* It fires after so many nanoseconds. */
static inline void tour_timer_set(uint64_t ns) { require_eq(hcall(set_timer_op, clock_ns() + ns), 0); }
/* Wait for anything, by a hypercall that lets events in. */
static inline void tour_wait(void) { hcall(sched_op, SCHEDOP_block, 0); }
#else
#include <window.h>

/* A guest frame without memory, at which a grant may be mapped; then it is memory again. */
static inline void tour_window_open(void *window) { window_open(window); }
static inline void tour_window_close(void *window) { window_close(window); }

static inline void tour_write(void *page) { *(volatile char *)page = 1; }

/* Try to write to the page: one data abort. */
static inline void tour_refused_store(void *page)
{
    struct fault *f = fault_arm();

    fault_probe(tour_write, page);
    check_fault(f, EC_DABT, FSC_PERMISSION | 3);
}

static event_handler *timer_handler;

/* The generic timer's interrupt stands until the timer is off. */
static inline void timer_fired(unsigned interrupt)
{
    timer_virtual(0, 0);
    timer_handler(interrupt);
}

static inline void tour_timer(event_handler *on_tick)
{
    timer_handler = on_tick;
    interrupt_watch(GUEST_TIMER_VIRT_PPI, timer_fired);
    gic_enable(GUEST_TIMER_VIRT_PPI);
}

static inline void tour_timer_set(uint64_t ns)
{
    irq_disable();
    timer_virtual(arch_counter() + timer_ticks(ns), TIMER_ENABLE);
}

static inline void tour_wait(void) { wait_for_interrupt(); }
#endif
#endif
