/* irq.h (HVM) - the ways of a PC's interrupt lines: the pair of 8259A, the I/O APIC; and lines that a test can move by
 * itself. Facts: Intel 8259A and 82093AA data sheets; PIIX3 data sheet (ELCR).
 */
#ifndef GUEST_HVM_IRQ_H
#define GUEST_HVM_IRQ_H
#include <stdbool.h>
#include <stdint.h>

enum { PIC_VECTOR = 0x60, ELCR1 = 0x4d0, ELCR2 = 0x4d1, PIC_LINES = 16, PIT_PIN = 2 };
enum { ICW4_8086 = 1, ICW4_AUTO_EOI = 2, ICW4_NESTED = 0x10 };
enum { OCW2_EOI = 0x20, OCW2_SPECIFIC = 0x60, OCW2_ROTATE_EOI = 0xa0, OCW2_LOWEST = 0xc0, OCW2_AUTO_ROTATE = 0x80 };
enum { OCW3_IRR = 0x0a, OCW3_ISR = 0x0b, OCW3_POLL = 0x0c, OCW3_SPECIAL = 0x68, OCW3_NORMAL = 0x48 };
enum { POLL_NOTHING = 0, POLL_FOUND = 0x80 };
enum { IOAPIC_ID = 0, IOAPIC_VERSION = 1, IOAPIC_TABLE = 0x10 };
enum { RTE_LEVEL = 1 << 15, RTE_MASKED = 1 << 16, RTE_REMOTE_IRR = 1 << 14, RTE_LOGICAL = 1 << 11 };

/* Both controllers from the beginning (ICW1 to ICW4 with these bits): vectors from PIC_VECTOR, every line masked. */
void pic_init(uint8_t icw4);
/* Only these lines are let through, a bit each; the cascade is seen to. */
void pic_unmask(unsigned lines);
/* Request and in-service registers of both, the second one's in the upper half. */
unsigned pic_requests(void);
unsigned pic_in_service(void);
/* The poll command to PIC1 or PIC2: POLL_FOUND with the input that is acknowledged by it, or POLL_NOTHING. */
uint8_t pic_poll(uint16_t pic);
/* Have this processor take the pair's interrupts (LINT0 as ExtINT); counted by vector, ended by the test. */
void pic_connect(void);

uint32_t ioapic_read(unsigned reg);
void ioapic_write(unsigned reg, uint32_t value);
/* Redirection entry of a pin: `low` has vector and RTE_ bits, `to` an APIC ID. */
void ioapic_route(unsigned pin, uint32_t low, unsigned to);
/* The lower word of that entry. */
uint32_t ioapic_entry(unsigned pin);

/* Lines that a test holds in its hand: 3 and 4 (transmitters of the serial ports). */
void line_set(unsigned irq, bool high);
/* Have all four PCI interrupt links drive this interrupt, which is level-triggered then. */
void pci_links_to(unsigned irq);

#endif
