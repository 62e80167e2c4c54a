/* @title  ACPI: fixed registers of PIIX4
 * @fact   the PM timer has 24 bits at 3.579545 MHz; its status bit follows its uppermost bit; status bits are cleared by
 *         ones and, enabled, drive interrupt 9 as a level while SCI_EN is set; the SMI command port sets and clears that
 * @source ACPI Specification 6.4, 4.8.2.1, 4.8.3.1 to 4.8.3.3; Intel 82371AB (PIIX4) data sheet, 7.1 and 7.2
 * @env    hvm64
 */
#include <guest.h>
#include <irq.h>
#include <pc.h>

enum { PM = 0xb000, STATUS = PM, ENABLE = PM + 2, CONTROL = PM + 4, TIMER = PM + 8, GLOBAL = PM + 0x28, SMI_COMMAND = 0xb2 };
enum { TIMER_BIT = 1, GLOBAL_BIT = 0x20, BUTTON_BIT = 0x100, SCI_EN = 1, BIOS_RELEASE = 2, ACPI_ENABLE = 0xf1, ACPI_DISABLE = 0xf0 };
enum { PM_BASE = 0x40, PM_ENABLE = 0x80, SCI = 9, VECTOR = 0x48, MASK = 0xffffff, HALF = 1 << 23 };

static unsigned handled;

static uint32_t timer(void) { return inl(TIMER); }

static void on_sci(unsigned vector)
{
    (void)vector;
    handled = inw(STATUS) & inw(ENABLE);
    outw(STATUS, (uint16_t)handled);
}

static void times(void)
{
    uint32_t first = timer();

    check_eq(first & ~MASK, 0);
    apic_sleep(100000000);
    uint32_t ticks = (timer() - first) & MASK;

    check(ticks >= 357954 && ticks < 358000);
    first = timer();
    while (timer() == first)
        ;
    check_eq((timer() - first) & MASK, 1);

    /* To the middle of one half, then into the other. */
    while ((timer() & (HALF - 1)) > HALF / 2)
        apic_sleep(100000000);
    outw(STATUS, TIMER_BIT);
    check_eq(inw(STATUS) & TIMER_BIT, 0);
    uint32_t half = timer() & HALF;

    while ((timer() & HALF) == half)
        apic_sleep(50000000);
    check_eq(inw(STATUS) & TIMER_BIT, TIMER_BIT);
    outw(STATUS, GLOBAL_BIT);
    check_eq(inw(STATUS) & TIMER_BIT, TIMER_BIT);
    outw(STATUS, TIMER_BIT);
    check_eq(inw(STATUS) & TIMER_BIT, 0);
}

static void interrupts(void)
{
    interrupt_watch(VECTOR, on_sci);
    ioapic_route(SCI, VECTOR | RTE_LEVEL, lapic_read(LAPIC_ID) >> 24);
    outw(ENABLE, TIMER_BIT);
    check_eq(inw(ENABLE), TIMER_BIT);
    uint32_t half = timer() & HALF;

    check(interrupt_halt(VECTOR, 1));
    check(half != (timer() & HALF));
    check((timer() & (HALF - 1)) < 100);
    check_eq(handled, TIMER_BIT);

    /* The firmware lets the global lock go. */
    outw(ENABLE, 0);
    outl(GLOBAL, BIOS_RELEASE);
    check_eq(inw(STATUS) & GLOBAL_BIT, GLOBAL_BIT);
    check(!interrupt_wait(VECTOR, 2, 10000));
    outw(ENABLE, GLOBAL_BIT);
    check(interrupt_wait(VECTOR, 2, 10000));
    check_eq(handled, GLOBAL_BIT);

    outb(SMI_COMMAND, ACPI_DISABLE);
    check_eq(inw(CONTROL) & SCI_EN, 0);
    outl(GLOBAL, BIOS_RELEASE);
    check(!interrupt_wait(VECTOR, 3, 10000));
    outb(SMI_COMMAND, ACPI_ENABLE);
    check_eq(inw(CONTROL) & SCI_EN, SCI_EN);
    check(interrupt_wait(VECTOR, 3, 10000));
    check_eq(inw(STATUS) & (GLOBAL_BIT | BUTTON_BIT), 0);
    outw(ENABLE, 0);
}

void test_main(void)
{
    unsigned function = PCI_FUNCTION(1, 3);

    require_eq(pci_read(function, 0), 0x71138086);
    check_eq(inl(TIMER), 0xffffffff);                     /* nowhere, until firmware says where */
    pci_write(function, PM_BASE, PM);
    check_eq(pci_read(function, PM_BASE), PM | 1);
    pci_write(function, PM_ENABLE, 1);
    times();
    interrupts();
}
