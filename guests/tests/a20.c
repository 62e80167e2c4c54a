/* @title  address line 20
 * @fact   closed, it makes an odd MiB the even one below, for data, code and page tables; port 0x92 and the keyboard
 *         controller's output port open and close it
 * @source PIIX3 data sheet, 2.5.7 (port 92h, bit 1); IBM Personal System/2 Hardware Interface Technical Reference, output port
 * @env    hvm64
 */
#include <guest.h>
#include <kbc.h>
#include <pc.h>

/* This guest lies in the second MiB, which is gone while the line is closed: what runs then, and its page tables, are in
 * the third. Twice the same maps: all is where it was. */
#define EVEN 0x200000UL
#define ODD 0x300000UL
#define TABLES 0x210000UL
#define CODE 0x220000UL
extern char look_begin[], look_end[];

/* rdi: page tables; edx, eax: port and value that close the line; esi, r11d: those that open it; rcx: an address of 8
 * bytes, read while the line is closed. Nothing is pushed: the stack is in the second MiB as well. */
__asm__(".globl look_begin, look_end\n"
        "look_begin: mov %cr3, %r8\n"
        "            mov %rdi, %cr3\n"
        "            out %al, %dx\n"
        "            mov (%rcx), %r9\n"
        "            lock incq 8(%rcx)\n"
        "            mov %esi, %edx\n"
        "            mov %r11d, %eax\n"
        "            out %al, %dx\n"
        "            mov %r8, %cr3\n"
        "            mov %r9, %rax\n"
        "            ret\n"
        "look_end:");

struct way { uint16_t port, value; };

static uint64_t look(struct way close, struct way open, unsigned long at)
{
    register uint64_t value __asm__("r11") = open.value;
    uint64_t seen, rdx = close.port, rsi = open.port, rdi = TABLES;

    __asm__ volatile("call *%5" : "=a"(seen), "+d"(rdx), "+S"(rsi), "+D"(rdi), "+r"(value)
                     : "r"(CODE), "0"((uint64_t)close.value), "c"(at) : "r8", "r9", "memory", "cc");
    return seen;
}

static void words(void)
{
    ((volatile uint64_t *)EVEN)[0] = 0x200;
    ((volatile uint64_t *)ODD)[0] = 0x300;
    ((volatile uint64_t *)EVEN)[1] = ((volatile uint64_t *)ODD)[1] = 0;
}

static void closes(struct way close, struct way open)
{
    words();
    check_eq(look(open, open, ODD), 0x300);
    check_eq(((volatile uint64_t *)ODD)[1], 1);
    words();
    check_eq(look(close, open, ODD), 0x200);
    check_eq(((volatile uint64_t *)ODD)[1], 0);
    check_eq(((volatile uint64_t *)EVEN)[1], 1);
    words();
    check_eq(look(close, open, EVEN), 0x200);
}

void test_main(void)
{
    uint64_t *l4 = (uint64_t *)TABLES, *l3 = l4 + 512, *l2 = l3 + 512;
    struct way fast_open = { PORT_92, 2 };

    memset(l4, 0, 3 * PAGE_SIZE);
    l4[0] = (uint64_t)(unsigned long)l3 | PTE_P | PTE_RW;
    l3[0] = (uint64_t)(unsigned long)l2 | PTE_P | PTE_RW;
    for (unsigned i = 0; i < 8; i++)
        l2[i] = i * EVEN | PTE_P | PTE_RW | PTE_PS;
    memcpy((void *)CODE, look_begin, (size_t)(look_end - look_begin));

    check_eq(inb(PORT_92) & 2, 2);
    closes((struct way){ PORT_92, 0 }, fast_open);
    check_eq(inb(PORT_92) & 2, 2);
    kbc_begin(KBC_NO_KEYBOARD | KBC_NO_MOUSE);
    kbc_command(KBC_WRITE_OUTPUT);         /* the next byte is the output port: not in reset, line 20 closed */
    words();
    check_eq(look((struct way){ KBC_DATA, 0xdd }, fast_open, ODD), 0x200);
    kbc_command_with(KBC_WRITE_OUTPUT, 0xdf);
    closes((struct way){ KBC, 0xdd }, (struct way){ KBC, 0xdf });
    kbc_command(KBC_READ_OUTPUT);
    check_eq(kbc_take() & 2, 2);
}
