/* ioapic.c - the I/O APIC: interrupt lines become messages to local APICs. 48 pins, as Xen's.
 *
 * Facts: Intel 82093AA data sheet; SDM volume 3, 10.11 for the messages.
 */
#include "hvm.h"

enum { REGISTER_SELECT = 0x00, WINDOW = 0x10, EOI = 0x40, REG_ID = 0, REG_VERSION = 1, REG_ARBITRATION = 2, REG_TABLE = 0x10 };
enum { VERSION = 0x20 };                                 /* with an EOI register */
#define ENTRY_REMOTE_IRR (UINT64_C(1) << 14)
#define ENTRY_LEVEL      (UINT64_C(1) << 15)
#define ENTRY_MASKED     (UINT64_C(1) << 16)
#define ENTRY_READ_ONLY  (ENTRY_REMOTE_IRR | UINT64_C(1) << 12)
#define ENTRY_BITS       UINT64_C(0xff0000000001ffff)

void ioapic_reset(struct hvm_ioapic *ioapic)
{
    memset(ioapic, 0, sizeof *ioapic);
    for (int i = 0; i < IOAPIC_PINS; i++)
        ioapic->entry[i] = ENTRY_MASKED;
}

/* Send the message of a pin, if its entry lets it. */
static void deliver(struct hv *hv, struct domain *d, uint32_t pin)
{
    struct hvm_ioapic *ioapic = &hvm_of(hv, d)->ioapic;
    uint64_t entry = ioapic->entry[pin];
    bool level = entry & ENTRY_LEVEL;
    if (entry & ENTRY_MASKED || (level && entry & ENTRY_REMOTE_IRR))
        return;
    if (level)
        ioapic->entry[pin] |= ENTRY_REMOTE_IRR;
    lapic_message(hv, d, (uint32_t)(entry >> 56), entry >> 11 & 1, entry >> 8 & 7, entry & 0xff, level);
}

void ioapic_set_pin(struct hv *hv, struct domain *d, uint32_t pin, bool level)
{
    struct hvm_ioapic *ioapic = &hvm_of(hv, d)->ioapic;
    if (pin >= IOAPIC_PINS)
        return;
    bool was = ioapic->lines >> pin & 1;
    ioapic->lines = (ioapic->lines & ~(UINT64_C(1) << pin)) | (uint64_t)level << pin;
    if (level && (!was || ioapic->entry[pin] & ENTRY_LEVEL))
        deliver(hv, d, pin);
}

void ioapic_end(struct hv *hv, struct domain *d, uint32_t vector)
{
    struct hvm_ioapic *ioapic = &hvm_of(hv, d)->ioapic;
    for (uint32_t pin = 0; pin < IOAPIC_PINS; pin++) {
        uint64_t *entry = &ioapic->entry[pin];
        if (!(*entry & ENTRY_LEVEL) || (*entry & 0xff) != vector || !(*entry & ENTRY_REMOTE_IRR))
            continue;
        *entry &= ~ENTRY_REMOTE_IRR;
        if (ioapic->lines >> pin & 1)
            deliver(hv, d, pin);
    }
}

static uint32_t read_selected(const struct hvm_ioapic *ioapic)
{
    uint32_t reg = ioapic->select & 0xff;
    switch (reg) {
    case REG_ID:
    case REG_ARBITRATION:
        return ioapic->id;
    case REG_VERSION:
        return VERSION | (IOAPIC_PINS - 1) << 16;
    default:
        if (reg < REG_TABLE || reg >= REG_TABLE + 2 * IOAPIC_PINS)
            return UINT32_MAX;
        return (uint32_t)(ioapic->entry[(reg - REG_TABLE) / 2] >> (reg & 1 ? 32 : 0));
    }
}

static void write_selected(struct hv *hv, struct domain *d, uint32_t value)
{
    struct hvm_ioapic *ioapic = &hvm_of(hv, d)->ioapic;
    uint32_t reg = ioapic->select & 0xff;
    if (reg == REG_ID)
        ioapic->id = value & 0x0f000000;
    if (reg < REG_TABLE || reg >= REG_TABLE + 2 * IOAPIC_PINS)
        return;
    uint32_t pin = (reg - REG_TABLE) / 2;
    uint64_t old = ioapic->entry[pin], entry = old;
    entry = reg & 1 ? (entry & UINT32_MAX) | (uint64_t)value << 32 : (entry & ~(uint64_t)UINT32_MAX) | value;
    entry = (entry & ENTRY_BITS & ~ENTRY_READ_ONLY) | (old & ENTRY_READ_ONLY);
    if (!(entry & ENTRY_LEVEL))
        entry &= ~ENTRY_REMOTE_IRR;
    ioapic->entry[pin] = entry;
    if (entry & ENTRY_LEVEL && ioapic->lines >> pin & 1)
        deliver(hv, d, pin);
}

uint32_t ioapic_read(const struct hvm_ioapic *ioapic, uint32_t offset)
{
    switch (offset & 0xff) {
    case REGISTER_SELECT: return ioapic->select;
    case WINDOW: return read_selected(ioapic);
    default: return 0;
    }
}

void ioapic_write(struct hv *hv, struct domain *d, uint32_t offset, uint32_t value)
{
    switch (offset & 0xff) {
    case REGISTER_SELECT:
        hvm_of(hv, d)->ioapic.select = value & 0xff;
        break;
    case WINDOW:
        write_selected(hv, d, value);
        break;
    case EOI:
        ioapic_end(hv, d, value & 0xff);
        break;
    default:
        break;
    }
}
