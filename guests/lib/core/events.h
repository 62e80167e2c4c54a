/* events.h - event channels, 2-level ABI (xen/include/public/event_channel.h). Ports are numbers; an error is negative. */
#ifndef GUEST_EVENTS_H
#define GUEST_EVENTS_H
#include <stdbool.h>
#include <stdint.h>

enum { EVENTS_MAX_PORTS = 4096 };

/* Called from the upcall with events masked. */
typedef void event_handler(uint32_t port);

long event_alloc_unbound(domid_t remote);
long event_bind_interdomain(domid_t remote, uint32_t remote_port);
long event_bind_virq(uint32_t virq, uint32_t vcpu);
long event_bind_ipi(uint32_t vcpu);
long event_send(uint32_t port);
long event_close(uint32_t port);
/* EVTCHNOP_unmask: also delivers what was pending. */
long event_unmask(uint32_t port);
void event_mask(uint32_t port);
bool event_pending(uint32_t port);
void event_clear(uint32_t port);
/* SCHEDOP_poll of one port; `deadline` 0: no time-out. */
long event_poll(uint32_t port, uint64_t deadline);
/* Count upcalls of `port`, and call `handler` (may be NULL). The port is unmasked with a plain store. */
void event_watch(uint32_t port, event_handler *handler);
/* Upcalls of this port since event_watch(). */
unsigned event_count(uint32_t port);
/* Whether upcalls come to this vcpu. events_enable() also takes what is pending. */
void events_disable(void);
void events_enable(void);
/* What the arch's upcall entry calls: take every pending port of this vcpu. */
void events_upcall(void);
/* The upcall's own handler instead of the 2-level scan (tests of the FIFO ABI). */
extern void (*events_scan)(void);
/* Upcalls taken by this domain. */
extern unsigned events_upcalls;

#endif
