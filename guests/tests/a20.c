/* @title  the A20 gate
 * @fact   closed by port 0x92 or by the keyboard controller, bit 20 of every physical address is 0, for data and for code; open it is
 *         as it was; what one has closed the other opens
 * @source IBM PS/2 Technical Reference (port 92); Intel 8042 output port (bit 1); Intel SDM vol. 3A 9.9 (A20M#), 20.1.1
 * @env    hvm32
 */
#include <guest.h>
#include <pc.h>

#define LOW ((volatile uint32_t *)0x200000)
#define HIGH ((volatile uint32_t *)0x300000)
enum { CODE = 0x8000 };
struct seen { uint32_t data, code; };
extern const char by_port[], by_port_end[], by_controller[], by_controller_end[];

/* They run below 1 MiB, where the gate changes nothing: close it, read HIGH and call it, open it. No memory of the kernel's is
 * touched meanwhile, which is above 1 MiB. */
#define LOOK "mov 0x300000, %ebx\n\tmov $0x300010, %ecx\n\tcall *%ecx\n\tmov %eax, %edx\n\t"
#define OPEN "mov $2, %al\n\tout %al, $0x92\n\tmov %esi, %esp\n\tmov %ebx, %eax\n\tret\n"
__asm__(".text\nby_port:\n\tmov %esp, %esi\n\tmov $0x7000, %esp\n\tmov $0, %al\n\tout %al, $0x92\n\t" LOOK OPEN "by_port_end:\n"
        "by_controller:\n\tmov %esp, %esi\n\tmov $0x7000, %esp\n\tmov $0xd1, %al\n\tout %al, $0x64\n"
        "1:\tin $0x64, %al\n\ttest $2, %al\n\tjne 1b\n\tmov $0xdd, %al\n\tout %al, $0x60\n"
        "2:\tin $0x64, %al\n\ttest $2, %al\n\tjne 2b\n\t" LOOK OPEN "by_controller_end:\n");

static struct seen look(const char *code, const char *end)
{
    struct seen seen;

    memcpy((void *)CODE, code, (size_t)(end - code));
    __asm__ volatile("call *%2" : "=a"(seen.data), "=d"(seen.code) : "r"(CODE) : "ebx", "ecx", "esi", "memory", "cc");
    return seen;
}

static void put_code(volatile uint32_t *at, uint8_t value)
{
    const uint8_t code[] = { 0xb8, value, 0, 0, 0, 0xc3 };       /* mov $value, %eax; ret */

    memcpy((uint8_t *)at + 16, code, sizeof(code));
}

static void expect(const char *code, const char *end)
{
    struct seen seen = look(code, end);

    check_eq(seen.data, 0x10);
    check_eq(seen.code, 1);
    check_eq(*HIGH, 0x20);
    check_eq(*LOW, 0x10);
    check_eq(((unsigned (*)(void))((uint32_t)HIGH + 16))(), 2);
}

void test_main(void)
{
    *LOW = 0x10;
    *HIGH = 0x20;
    put_code(LOW, 1);
    put_code(HIGH, 2);
    check_eq(*HIGH, 0x20);
    check(inb(PORT_92) & 2);
    expect(by_port, by_port_end);
    expect(by_controller, by_controller_end);
    expect(by_port, by_port_end);
    check(inb(PORT_92) & 2);
}
