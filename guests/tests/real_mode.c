/* @title  real mode
 * @fact   interrupts go through the table at IDTR, three words deep, without error codes; a vector beyond its limit is #GP;
 *         segments are paragraphs; instructions that want descriptors are undefined, those of ring 0 are not; a processor may
 *         go to protected mode and back
 * @source Intel SDM vol. 3A 20.1, 20.1.4 (table 20-1), 9.9
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 * @vcpus  2
 */
#include <guest.h>
#include <real.h>

static void undefined(const char *name, uint8_t a, uint8_t b, uint8_t c)
{
    const uint8_t code[] = { a, b, c, REAL_END };
    const struct real_result *r = real_run(code, sizeof(code));

    if (r->vector != X86_EXC_UD || r->ip != 0)
        printf("%s: vector %u at %x\n", name, r->vector, r->ip);
    check_eq(r->vector, X86_EXC_UD);
    check_eq(r->ip, 0);
}

void test_main(void)
{
    const struct real_result *r;

    static const uint8_t plain[] = {
        0xf9, 0xb8, 0x34, 0x12,                  /* stc; mov $0x1234, %ax */
        0xbb, 0x00, 0x98, 0x8e, 0xdb,            /* mov $0x9800, %bx; mov %bx, %ds */
        0xa3, 0x04, 0x00, 0x8b, 0x0e, 0x04, 0x00,/* mov %ax, 4; mov 4, %cx */
        0x0f, 0x20, 0xc2,                        /* mov %cr0, %edx */
        REAL_END
    };
    r = real_run(plain, sizeof(plain));
    check_eq(r->vector, REAL_DONE);
    check_eq(r->ip, sizeof(plain));
    check_eq(r->cs, REAL_SEGMENT);
    check_eq(r->sp, REAL_STACK_TOP);
    check_eq(r->ds, 0x9800);
    check_eq(r->ecx & 0xffff, 0x1234);
    check_eq(*(volatile uint16_t *)0x98004, 0x1234);
    check(r->flags & X86_EFLAGS_CF);
    check(!(r->edx & 1));

    /* Three words, and nothing but: IRET comes back from an INT. 0x60: to 9000:000b, which is behind it. */
    static const uint8_t round[] = {
        0xc7, 0x06, 0x80, 0x01, 0x0f, 0x00,      /* movw $0xf, 0x180 */
        0xc7, 0x06, 0x82, 0x01, 0x00, 0x90,      /* movw $0x9000, 0x182 */
        0xcd, 0x60, 0xf4,                        /* int $0x60; hlt: jumped over */
        0x89, 0xe5,                              /* 0xf: mov %sp, %bp */
        0x8b, 0x5e, 0x00, 0x8b, 0x4e, 0x02, 0x8b, 0x56, 0x04,      /* mov (%bp), %bx; 2(%bp), %cx; 4(%bp), %dx */
        0x83, 0x46, 0x00, 0x11,                  /* addw $17, (%bp) */
        0xcf,                                    /* iret */
        REAL_END
    };
    r = real_run(round, sizeof(round));
    check_eq(r->vector, REAL_DONE);
    check_eq(r->ebp & 0xffff, REAL_STACK_TOP - 6);
    check_eq(r->ebx & 0xffff, 14);
    check_eq(r->ecx & 0xffff, REAL_SEGMENT);
    check_eq(r->sp, REAL_STACK_TOP);

    static const uint8_t divide[] = { 0xb8, 1, 0, 0x31, 0xc9, 0xf7, 0xf1, REAL_END };
    r = real_run(divide, sizeof(divide));
    check_eq(r->vector, X86_EXC_DE);
    check_eq(r->ip, 5);
    check_eq(r->sp, REAL_STACK_TOP);

    /* lidt of 0x40 vectors; int $0x50 */
    static const uint8_t beyond[] = {
        0xc7, 0x06, 0x00, 0x68, 0xff, 0x00,      /* movw $0xff, 0x6800 */
        0x66, 0xc7, 0x06, 0x02, 0x68, 0, 0, 0, 0,/* movl $0, 0x6802 */
        0x0f, 0x01, 0x1e, 0x00, 0x68,            /* lidt 0x6800 */
        0xcd, 0x50, REAL_END
    };
    r = real_run(beyond, sizeof(beyond));
    check_eq(r->vector, X86_EXC_GP);
    check_eq(r->ip, 20);
    check_eq(r->sp, REAL_STACK_TOP);

    undefined("lldt", 0x0f, 0x00, 0xd0);
    undefined("ltr", 0x0f, 0x00, 0xd8);
    undefined("sldt", 0x0f, 0x00, 0xc0);
    undefined("str", 0x0f, 0x00, 0xc8);
    undefined("verr", 0x0f, 0x00, 0xe0);
    undefined("lar", 0x0f, 0x02, 0xc0);
    undefined("lsl", 0x0f, 0x03, 0xc0);
    undefined("arpl", 0x63, 0xc0, 0x90);
    undefined("mov to cs", 0x8e, 0xc8, 0x90);
    static const uint8_t ring0[] = { 0x0f, 0x06, 0x0f, 0x09, 0x0f, 0x01, 0xe0, 0xfa, 0xb9, 0x10, 0, 0x66, 0x0f, 0xb7, 0xc9, 0x0f, 0x32, REAL_END };
    r = real_run(ring0, sizeof(ring0));          /* clts; wbinvd; smsw %ax; cli; mov $0x10, %cx; movzwl; rdmsr */
    check_eq(r->vector, REAL_DONE);

    static const uint8_t there_and_back[] = {
        0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0,             /* mov %cr0, %eax; or $1, %al; mov %eax, %cr0 */
        0x0f, 0x20, 0xc3,                                           /* mov %cr0, %ebx */
        0x24, 0xfe, 0x0f, 0x22, 0xc0,                               /* and $0xfe, %al; mov %eax, %cr0 */
        0x0f, 0x20, 0xc1, REAL_END                                  /* mov %cr0, %ecx */
    };
    r = real_run(there_and_back, sizeof(there_and_back));
    check_eq(r->vector, REAL_DONE);
    check(r->ebx & 1);
    check(!(r->ecx & 1));
}
