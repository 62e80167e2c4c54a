/* upcall.c (whole processors) - upcalls are interrupts: the processor's own flag keeps them away. */
#include <guest.h>

void events_disable(void)
{
    irq_disable();
}

void events_enable(void)
{
    irq_enable();
}
