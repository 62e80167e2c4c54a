/* @title  the task register behind a reset
 * @fact   it holds a TSS of 32 bits at address 0: a processor that never executes LTR may go to ring 3, and finds the stack for its
 *         way back there
 * @source Intel SDM vol. 3A 9.1.1 (table 9-1), 5.8.5, 7.2.1
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 * @vcpus  2
 */
#include <guest.h>
#include <descriptors.h>
#include <real.h>

#define TEXT(x) #x
#define NUMBER(x) TEXT(x)
enum { CODE = 8, N = 0x40, STACK = 0x6e00, USER_CODE = 0x1b };
void reset_flat(void), reset_handler(void);

/* Flat code of 32 bits: TSS.esp0 and ss0, ring 3, which makes DS null, and back by INT. */
__asm__(".text\n\t.code32\nreset_flat:\n\tmov $0x10, %eax\n\tmov %eax, %ds\n\tmov %eax, %ss\n\tmov $0x6f00, %esp\n\t"
        "movl $0x6e00, 4\n\tmovl $0x10, 8\n\tpush $0x23\n\tpush $0x6d00\n\tpush $2\n\tpush $0x1b\n\tpush $1f\n\tiret\n"
        "1:\tint $0x40\n\tjmp 1b\n"
        "reset_handler:\n\tmov %esp, %ss:" NUMBER(REAL_RESULT) " + 4\n\tmov 4(%esp), %eax\n\tmov %eax, %ss:" NUMBER(REAL_RESULT) " + 8\n\t"
        "movl $1, %ss:" NUMBER(REAL_RESULT) "\n1:\thlt\n\tjmp 1b\n"
#ifdef __x86_64__
        "\t.code64\n"
#endif
);

void test_main(void)
{
    static const uint64_t gdt[] = { 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff };
    static uint64_t idt[N + 1];
    struct { uint16_t limit; uint32_t base; } __attribute__((packed)) pointers[2] = {
        { sizeof(gdt) - 1, (uint32_t)(unsigned long)gdt }, { sizeof(idt) - 1, (uint32_t)(unsigned long)idt },
    };
    uint32_t entry = (uint32_t)(unsigned long)reset_flat, handler = (uint32_t)(unsigned long)reset_handler;
    uint8_t code[] = {
        0x66, 0x0f, 0x01, 0x16, 0x00, 0x68,                         /* lgdtl 0x6800 */
        0x66, 0x0f, 0x01, 0x1e, 0x06, 0x68,                         /* lidtl 0x6806 */
        0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0,             /* PE on */
        0x66, 0xea, 0, 0, 0, 0, CODE, 0                             /* 20: ljmpl */
    };

    idt[N] = (handler & 0xffff) | CODE << 16 | (uint64_t)(GATE_PRESENT | GATE_DPL3 | GATE_INTERRUPT) << 40 | (uint64_t)(handler >> 16) << 48;
    memcpy(code + 22, &entry, sizeof(entry));
    memcpy((void *)0x6800UL, pointers, sizeof(pointers));
    const struct real_result *r = real_run(code, sizeof(code));
    check_eq(r->eax, STACK - 20);
    check_eq(r->ebx & 0xffff, USER_CODE);
}
