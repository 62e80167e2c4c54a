/* @title  what virtual-8086 mode may not do
 * @fact   with IOPL below 3 CLI, STI, PUSHF, POPF, INT n and IRET are #GP(0), with 3 they work and INT n is #GP for a gate
 *         below DPL 3; INT3 heeds the gate alone; ports go by the TSS's map whatever IOPL; instructions of ring 0 are #GP(0), and
 *         those that want descriptors #UD
 * @source Intel SDM vol. 3A 20.2.7, 20.2.8, 20.3 (table 20-2), vol. 1 18.5
 * @env    hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>
#include <vm86.h>

enum { IOPL3 = 3 << 12, N = 0x90 };

struct sample { const char *name; uint8_t bytes[6], length; };
#define SAMPLE(name, ...) { name, { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }) }
static const struct sample sensitive[] = {
    SAMPLE("cli", 0xfa), SAMPLE("sti", 0xfb), SAMPLE("pushf", 0x9c), SAMPLE("popf", 0x9d), SAMPLE("int", 0xcd, N), SAMPLE("iret", 0xcf),
    SAMPLE("pushfd", 0x66, 0x9c), SAMPLE("popfd", 0x66, 0x9d),
};
static const struct sample ring0[] = {
    SAMPLE("hlt", 0xf4), SAMPLE("lgdt", 0x0f, 0x01, 0x16, 0, 0), SAMPLE("lidt", 0x0f, 0x01, 0x1e, 0, 0), SAMPLE("lmsw", 0x0f, 0x01, 0xf0),
    SAMPLE("mov cr0", 0x0f, 0x22, 0xc0), SAMPLE("from cr0", 0x0f, 0x20, 0xc0), SAMPLE("mov dr0", 0x0f, 0x23, 0xc0), SAMPLE("clts", 0x0f, 0x06),
    SAMPLE("invd", 0x0f, 0x08), SAMPLE("wbinvd", 0x0f, 0x09), SAMPLE("invlpg", 0x0f, 0x01, 0x3e, 0, 0), SAMPLE("rdmsr", 0x0f, 0x32),
    SAMPLE("wrmsr", 0x0f, 0x30), SAMPLE("in", 0xe4, 0x80), SAMPLE("out", 0xe6, 0x80), SAMPLE("insb", 0x6c), SAMPLE("outsb", 0x6e),
};
static const struct sample undefined[] = {
    SAMPLE("lldt", 0x0f, 0x00, 0xd0), SAMPLE("ltr", 0x0f, 0x00, 0xd8), SAMPLE("sldt", 0x0f, 0x00, 0xc0), SAMPLE("str", 0x0f, 0x00, 0xc8),
    SAMPLE("verr", 0x0f, 0x00, 0xe0), SAMPLE("verw", 0x0f, 0x00, 0xe8), SAMPLE("lar", 0x0f, 0x02, 0xc0), SAMPLE("lsl", 0x0f, 0x03, 0xc0),
    SAMPLE("arpl", 0x63, 0xc0), SAMPLE("mov to cs", 0x8e, 0xc8), SAMPLE("vmcall by bytes", 0x0f, 0x01, 0xc2),
};

static void expect(const struct sample *s, unsigned long flags, unsigned vector, unsigned long error)
{
    struct fault *f = vm86_run(s->bytes, s->length, flags);

    if (f->count != 1 || f->vector != vector || f->error != error || f->ip != 0 || !(f->flags & X86_EFLAGS_VM)) {
        printf("%s: vector %u error %lx ip %lx flags %lx\n", s->name, f->vector, f->error, f->ip, f->flags);
        fail("another exception");
    }
}

void test_main(void)
{
    struct fault *f;

    trap_gate(N, 3, true);
    for (unsigned i = 0; i < ARRAY_SIZE(sensitive); i++)
        for (unsigned long iopl = 0; iopl < 3; iopl++)
            expect(&sensitive[i], iopl << 12, X86_EXC_GP, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(ring0); i++) {
        expect(&ring0[i], 0, X86_EXC_GP, 0);
        expect(&ring0[i], IOPL3, X86_EXC_GP, 0);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(undefined); i++)
        expect(&undefined[i], IOPL3, X86_EXC_UD, 0);

    /* IOPL 3: CLI and POPF change IF, not IOPL and VM; then INT n. */
    static const uint8_t works[] = { 0xfa, 0x9c, 0x58, 0xfb, 0x9c, 0x5b, 0x68, 0xff, 0xce, 0x9d, 0x9c, 0x59, 0xcd, N };
    f = vm86_run(works, sizeof(works), IOPL3);
    check_fault(f, N, 0);
    check_eq(f->ip, sizeof(works));
    check_eq(f->flags & (X86_EFLAGS_VM | X86_EFLAGS_IOPL), X86_EFLAGS_VM | X86_EFLAGS_IOPL);

    static const uint8_t int_n[] = { 0xcd, N }, int3[] = { 0xcc }, int1[] = { 0xf1 };
    trap_gate(N, 2, true);
    f = vm86_run(int_n, sizeof(int_n), IOPL3);
    check_fault(f, X86_EXC_GP, EC_GATE(N));
    check_eq(f->ip, 0);
    f = vm86_run(int3, sizeof(int3), 0);
    check_fault(f, X86_EXC_BP, 0);
    check_eq(f->ip, 1);
    trap_gate(X86_EXC_BP, 0, true);
    f = vm86_run(int3, sizeof(int3), 0);
    check_fault(f, X86_EXC_GP, EC_GATE(X86_EXC_BP));
    f = vm86_run(int1, sizeof(int1), 0);
    check_fault(f, X86_EXC_DB, 0);
    check_eq(f->ip, 1);

    /* IRET stays in the mode. */
    static const uint8_t iret[] = { 0x9c, 0x0e, 0x68, 8, 0, 0xcf, 0x90, 0x90, 0x0f, 0x0b };
    f = vm86_run(iret, sizeof(iret), IOPL3);
    check_fault(f, X86_EXC_UD, 0);
    check_eq(f->ip, 8);
}
