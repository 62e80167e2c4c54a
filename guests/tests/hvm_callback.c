/* @title  events by an interrupt line
 * @fact   the pin of a PCI device, or a GSI, brings events through the I/O APIC, and through the 8259A by the link that the
 *         pin leads to, wherever that leads then; a line that a device holds up stays up when the event was taken;
 *         an event that waited before the guest chose a way comes by it
 * @source xen/include/public/hvm/params.h (HVM_PARAM_CALLBACK_IRQ); hvm_set_callback_irq_level(), hvm_set_callback_via()
 *         and hvm_assert_evtchn_irq() in xen/arch/x86/hvm/irq.c
 * @env    hvm64 hvm32pae
 */
#include <guest.h>
#include <irq.h>
#include <pc.h>

enum { VECTOR = 0x46, OTHER = 0x47, OWN = 0x48, SLOT = 3, PIN = 16 + SLOT * 4, FIRST_IRQ = 11, SECOND_IRQ = 10, GSI = 4, SHORT = 20000 };

static unsigned us;
static uint32_t port;

static void callback(uint64_t via) { require_eq(hvm_set_param(HVM_PARAM_CALLBACK_IRQ, via), 0); }
static void on_line(unsigned vector) { events_upcall(); }

static void on_pic(unsigned vector)
{
    events_upcall();
    outb(PIC2, OCW2_EOI);
    outb(PIC1, OCW2_EOI);
}

/* Interrupts that a waiting event brings. */
static unsigned waiting(unsigned vector)
{
    unsigned before = interrupt_count(vector), taken = event_count(port);

    interrupt_wait(vector, before + 100, SHORT);
    unsigned came = interrupt_count(vector) - before;

    check_eq(event_count(port) - taken, came);
    return came;
}

static unsigned come(unsigned vector)
{
    event_send(port);
    return waiting(vector);
}

/* An event that nobody has been told of. */
static void unheard(unsigned vector)
{
    unsigned before = interrupt_count(vector);

    callback(0);
    event_send(port);
    interrupt_wait(vector, before + 1, SHORT);
    check_eq(interrupt_count(vector), before);
}

static const uint64_t by_pin = (uint64_t)HVM_PARAM_CALLBACK_TYPE_PCI_INTX << HVM_PARAM_CALLBACK_TYPE_SHIFT | SLOT << 11;

static void by_ioapic(void)
{
    interrupt_watch(VECTOR, on_line);
    callback(by_pin);
    ioapic_route(PIN, VECTOR | RTE_LEVEL, us);
    for (unsigned i = 0; i < 3; i++)
        check_eq(come(VECTOR), 1);
    ioapic_route(PIN, VECTOR | RTE_MASKED, us);
}

static void by_pic(void)
{
    pic_init(ICW4_8086);
    pic_connect();
    interrupt_watch(PIC_VECTOR + FIRST_IRQ, on_pic);
    interrupt_watch(PIC_VECTOR + SECOND_IRQ, on_pic);
    pci_links_to(FIRST_IRQ);
    pic_unmask(1u << FIRST_IRQ | 1u << SECOND_IRQ);
    check_eq(come(PIC_VECTOR + FIRST_IRQ), 1);
    check_eq(come(PIC_VECTOR + FIRST_IRQ), 1);
    pci_links_to(SECOND_IRQ);
    check_eq(come(PIC_VECTOR + SECOND_IRQ), 1);
    check_eq(interrupt_count(PIC_VECTOR + FIRST_IRQ), 2);
    pic_unmask(0);
}

static void shared_line(void)
{
    interrupt_watch(OTHER, on_line);
    callback(GSI);
    ioapic_route(GSI, OTHER, us);
    check_eq(come(OTHER), 1);
    line_set(GSI, true);                                   /* a device's edge: nothing is pending */
    interrupt_wait(OTHER, 100, SHORT);
    unsigned before = interrupt_count(OTHER), taken = event_count(port);

    check_eq(before, 2);
    event_send(port);                                      /* the line is up: no edge */
    interrupt_wait(OTHER, 100, SHORT);
    check_eq(interrupt_count(OTHER), before);
    events_upcall();
    check_eq(event_count(port), taken + 1);
    hcall(sched_op, SCHEDOP_yield, 0);                     /* Xen looks, and the callback lets go of the line */
    event_send(port);
    interrupt_wait(OTHER, 100, SHORT);
    check_eq(interrupt_count(OTHER), before);              /* the device does not */
    events_upcall();
    line_set(GSI, false);
    check_eq(come(OTHER), 1);
}

static void waited_for_the_choice(void)
{
    unsigned taken = event_count(port);
    struct xen_hvm_evtchn_upcall_vector own = { .vcpu = 0, .vector = OWN };

    unheard(OTHER);
    callback(GSI);
    check_eq(waiting(OTHER), 1);
    ioapic_route(PIN, VECTOR | RTE_LEVEL, us);
    unheard(VECTOR);
    callback(by_pin);
    check_eq(waiting(VECTOR), 1);
    check_eq(event_count(port) - taken, 2);
    unheard(EVENT_VECTOR);
    callback((uint64_t)HVM_PARAM_CALLBACK_TYPE_VECTOR << HVM_PARAM_CALLBACK_TYPE_SHIFT | EVENT_VECTOR);
    irq_enable();
    clock_spin(SHORT);
    irq_disable();
    check_eq(event_count(port) - taken, 3);
    unheard(OWN);
    interrupt_watch(OWN, on_line);
    require_eq(hcall(hvm_op, HVMOP_set_evtchn_upcall_vector, &own), 0);
    check_eq(waiting(OWN), 1);
    callback(by_pin);                                      /* interrupts in any case */
    interrupt_wait(OWN, 100, SHORT);
    check_eq(interrupt_count(OWN), 2);
    pci_links_to(FIRST_IRQ);                               /* the same choice: does not */
    interrupt_wait(OWN, 100, SHORT);
    check_eq(interrupt_count(OWN), 2);
}

void test_main(void)
{
    us = lapic_read(LAPIC_ID) >> 24;
    port = (uint32_t)event_bind_ipi(0);
    event_watch(port, NULL);
    by_ioapic();
    by_pic();
    shared_line();
    waited_for_the_choice();
}
