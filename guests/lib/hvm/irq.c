/* irq.c (HVM) - interrupt lines and the controllers behind them. */
#include <guest.h>
#include <irq.h>
#include <pc.h>

enum { CASCADE = 2, ICW1 = 0x11, EXTINT = 7 << 8, UART_ENABLE = 1, UART_ON_EMPTY = 2, UART_OUT2 = 8, UART_MODEM = 4 };

void pic_init(uint8_t icw4)
{
    for (unsigned i = 0; i < 2; i++) {
        uint16_t pic = i ? PIC2 : PIC1;

        outb(pic, ICW1);
        outb(pic + 1, (uint8_t)(PIC_VECTOR + 8 * i));
        outb(pic + 1, i ? CASCADE : 1 << CASCADE);
        outb(pic + 1, icw4);
        outb(pic + 1, 0xff);
    }
}

void pic_unmask(unsigned lines)
{
    if (lines >> 8)
        lines |= 1u << CASCADE;
    outb(PIC1 + 1, (uint8_t)~lines);
    outb(PIC2 + 1, (uint8_t)~(lines >> 8));
}

static unsigned both(uint8_t which)
{
    outb(PIC1, which);
    outb(PIC2, which);
    return inb(PIC1) | (unsigned)inb(PIC2) << 8;
}

unsigned pic_requests(void) { return both(OCW3_IRR); }
unsigned pic_in_service(void) { return both(OCW3_ISR); }

uint8_t pic_poll(uint16_t pic)
{
    outb(pic, OCW3_POLL);
    return inb(pic);
}

void pic_connect(void)
{
    lapic_write(LAPIC_LVT_LINT0, EXTINT);
    for (unsigned i = 0; i < PIC_LINES; i++) {
        interrupt_watch(PIC_VECTOR + i, NULL);
        interrupt_without_eoi(PIC_VECTOR + i);
    }
}

uint32_t ioapic_read(unsigned reg)
{
    *(volatile uint32_t *)IOAPIC_BASE = reg;
    return *(volatile uint32_t *)(IOAPIC_BASE + 0x10);
}

void ioapic_write(unsigned reg, uint32_t value)
{
    *(volatile uint32_t *)IOAPIC_BASE = reg;
    *(volatile uint32_t *)(IOAPIC_BASE + 0x10) = value;
}

void ioapic_route(unsigned pin, uint32_t low, unsigned to)
{
    ioapic_write(IOAPIC_TABLE + 2 * pin, RTE_MASKED);
    ioapic_write(IOAPIC_TABLE + 2 * pin + 1, to << 24);
    ioapic_write(IOAPIC_TABLE + 2 * pin, low);
}

uint32_t ioapic_entry(unsigned pin) { return ioapic_read(IOAPIC_TABLE + 2 * pin); }

void line_set(unsigned irq, bool high)
{
    uint16_t port = irq == 4 ? COM1 : COM2;

    outb(port + UART_MODEM, UART_OUT2);
    outb(port + UART_ENABLE, high ? UART_ON_EMPTY : 0);
}

void pci_links_to(unsigned irq)
{
    enum { ROUTES = 0x60 };
    uint16_t port = irq < 8 ? ELCR1 : ELCR2;

    pci_write(PCI_FUNCTION(1, 0), ROUTES, irq * 0x01010101u);
    outb(port, (uint8_t)(inb(port) | 1u << irq % 8));
}
