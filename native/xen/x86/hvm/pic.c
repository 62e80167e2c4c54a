/* pic.c - the pair of 8259A interrupt controllers of a PC, the second behind input 2 of the first.
 *
 * Inputs keep their levels; an edge, or a level of an input that ELCR makes level-triggered, sets the request bit. Facts:
 * Intel 8259A data sheet; PIIX3 data sheet for ELCR.
 */
#include "hvm.h"

enum { CASCADE = 2, SPURIOUS = 7 };
enum { ICW1_INIT = 0x10, ICW1_SINGLE = 2, ICW1_ICW4 = 1, OCW3 = 8 };
static const uint8_t ELCR_BITS[2] = {0xf8, 0xde};        /* 0, 1, 2, 8 and 13 are edges on a PC */

void pic_reset(struct hvm_pic *pic, bool slave)
{
    uint8_t lines = pic->lines, elcr = pic->elcr;
    memset(pic, 0, sizeof *pic);
    pic->lines = lines;
    pic->elcr = elcr;
    pic->slave = slave;
    pic->priority = 7;
}

/* The input with the highest priority among `bits`: the one behind the lowest first. 8: none. */
static unsigned first(const struct hvm_pic *pic, uint8_t bits)
{
    unsigned n = 0;
    while (n < 8 && !(bits >> ((pic->priority + 1 + n) & 7) & 1))
        n++;
    return n;
}

/* The input that the controller asks for; -1: none. */
static int asks(const struct hvm_pic *pic)
{
    uint8_t served = pic->isr;
    if (pic->special_mask)
        served &= (uint8_t)~pic->imr;
    unsigned request = first(pic, pic->irr & (uint8_t)~pic->imr);
    if (pic->special_nested && !pic->slave)
        served &= (uint8_t)~(1u << CASCADE);
    if (request == 8 || request >= first(pic, served))
        return -1;
    return (int)((pic->priority + 1u + request) & 7);
}

static void set_input(struct hvm_pic *pic, unsigned input, bool level)
{
    uint8_t bit = (uint8_t)(1u << input);
    if (level && (pic->elcr & bit || !(pic->lines & bit)))
        pic->irr |= bit;
    if (!level)                   /* a request that has not been acknowledged goes with its line */
        pic->irr &= (uint8_t)~bit;
    pic->lines = level ? pic->lines | bit : pic->lines & (uint8_t)~bit;
}

static void cascade(struct hvm_domain *h) { set_input(&h->pic[0], CASCADE, asks(&h->pic[1]) >= 0); }

void pic_set_line(struct hvm_domain *h, uint32_t irq, bool level)
{
    if (irq >= 16 || irq == CASCADE)
        return;
    set_input(&h->pic[irq / 8], irq % 8, level);
    cascade(h);
}

bool pic_asks(const struct hvm_domain *h) { return asks(&h->pic[0]) >= 0; }

static int acknowledge(struct hvm_pic *pic)
{
    int input = asks(pic);
    if (input < 0)
        return pic->vector | SPURIOUS;
    if (!(pic->elcr >> input & 1))
        pic->irr &= (uint8_t)~(1u << input);
    if (!pic->auto_eoi)
        pic->isr |= (uint8_t)(1u << input);
    else if (pic->rotate_on_aeoi)
        pic->priority = (uint8_t)input;
    return pic->vector | input;
}

int pic_acknowledge(struct hvm_domain *h)
{
    bool from_slave = asks(&h->pic[0]) == CASCADE;
    int vector = acknowledge(&h->pic[0]);
    if (from_slave)
        vector = acknowledge(&h->pic[1]);
    cascade(h);
    return vector;
}

/* ---- registers ---- */

static void end(struct hvm_pic *pic, uint8_t value)
{
    unsigned command = value >> 5, input = value & 7u;
    if (command == 4 || command == 0) {                  /* rotate in automatic EOI mode: set, clear */
        pic->rotate_on_aeoi = command == 4;
        return;
    }
    if (command == 6) {                                  /* set priority */
        pic->priority = (uint8_t)input;
        return;
    }
    if (command == 1 || command == 5) {                  /* the one in service with the highest priority */
        unsigned n = first(pic, pic->special_mask ? pic->isr & (uint8_t)~pic->imr : pic->isr);
        if (n == 8)
            return;
        input = (pic->priority + 1u + n) & 7;
    }
    if (command == 2)                                    /* no operation */
        return;
    pic->isr &= (uint8_t)~(1u << input);
    if (command >= 5)
        pic->priority = (uint8_t)input;
}

static void command(struct hvm_pic *pic, uint8_t value)
{
    if (value & ICW1_INIT) {
        pic_reset(pic, pic->slave);
        pic->init = 2;
        pic->icw4 = value & ICW1_ICW4;
        for (unsigned i = 0; i < 8; i++)                 /* levels that stand are requests again */
            if (pic->elcr >> i & 1 && pic->lines >> i & 1)
                pic->irr |= (uint8_t)(1u << i);
        return;
    }
    if (!(value & OCW3)) {
        end(pic, value);
        return;
    }
    if (value & 4)
        pic->poll = 1;
    if (value & 2)
        pic->read_isr = value & 1;
    if (value & 0x40)
        pic->special_mask = value >> 5 & 1;
}

static void data(struct hvm_pic *pic, uint8_t value)
{
    switch (pic->init) {
    case 2:
        pic->vector = value & 0xf8;
        pic->init = 3;
        break;
    case 3:
        pic->init = pic->icw4 ? 4 : 0;
        break;
    case 4:
        pic->auto_eoi = value >> 1 & 1;
        pic->special_nested = value >> 4 & 1;
        pic->init = 0;
        break;
    default:
        pic->imr = value;
    }
}

static uint8_t read_register(struct hvm_pic *pic, bool mask)
{
    if (pic->poll) {
        int input = asks(pic);
        pic->poll = 0;
        return input < 0 ? 0 : (uint8_t)(0x80 | (acknowledge(pic) & 7));
    }
    return mask ? pic->imr : pic->read_isr ? pic->isr : pic->irr;
}

static uint64_t access_byte(struct hvm_domain *h, uint64_t port, bool write, uint8_t value)
{
    if (port >= 0x4d0) {
        struct hvm_pic *pic = &h->pic[port & 1];
        if (write)
            pic->elcr = value & ELCR_BITS[port & 1];
        return pic->elcr;
    }
    struct hvm_pic *pic = &h->pic[port >= 0xa0];
    uint8_t out = 0;
    if (!write)
        out = read_register(pic, port & 1);
    else if (port & 1)
        data(pic, value);
    else
        command(pic, value);
    cascade(h);
    return out;
}

bool pic_access(struct hvm_domain *h, struct io_access *access)
{
    uint64_t port = access->address & ~UINT64_C(1), value = 0;
    if (!h->has_pic || (port != 0x20 && port != 0xa0 && port != 0x4d0))
        return false;
    for (uint32_t i = 0; i < access->size; i++) {
        uint64_t at = access->address + i;
        bool ours = (at & ~UINT64_C(1)) == port;
        value |= (ours ? access_byte(h, at, access->write, (uint8_t)(access->value >> 8 * i)) : 0xff) << 8 * i;
    }
    if (!access->write)
        access->value = value;
    return true;
}
