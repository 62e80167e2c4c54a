/* @title  call gates
 * @fact   a far call through a gate reaches its code: in the same ring on the same stack, from ring 3 on the stack of the TSS
 *         with the caller's SS, ESP and parameters; what a gate, its selector or the rings forbid is #GP or #NP with a selector
 * @source Intel SDM vol. 3A 5.8.3 - 5.8.5, 5.8.3.1, vol. 2A CALL (operation)
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>
#include <descriptors.h>

enum { GATE = SPARE_SELECTOR, CODE = SPARE_SELECTOR + 16, BEYOND = 0x7f8 };
void gate_target(void);
unsigned long gate_cs, gate_ss, gate_frame[6];

#ifdef __x86_64__
enum { PARAMETERS = 0, CS_AT = 1, SP_AT = 2 };
#define PUSH_PARAMETERS ""
__asm__(".text\ngate_target:\n\tmov %cs, %eax\n\tmov %rax, gate_cs(%rip)\n\tmov %ss, %eax\n\tmov %rax, gate_ss(%rip)\n\t"
        "mov 0(%rsp), %rax\n\tmov %rax, gate_frame(%rip)\n\tmov 8(%rsp), %rax\n\tmov %rax, gate_frame+8(%rip)\n\t"
        "mov 16(%rsp), %rax\n\tmov %rax, gate_frame+16(%rip)\n\tmov 24(%rsp), %rax\n\tmov %rax, gate_frame+24(%rip)\n\tlretq\n");
#else
enum { PARAMETERS = 2, CS_AT = 1, SP_AT = 4 };
#define PUSH_PARAMETERS "push $0x2222\n\tpush $0x1111\n\t"
__asm__(".text\ngate_target:\n\tmov %cs, %eax\n\tmov %eax, gate_cs\n\tmov %ss, %eax\n\tmov %eax, gate_ss\n\t"
        "push %esi\n\tpush %edi\n\tlea 8(%esp), %esi\n\tmov $gate_frame, %edi\n\tmov $6, %ecx\n\trep movsl\n\tpop %edi\n\tpop %esi\n\tlret $8\n");
#endif

static struct { uint32_t offset; uint16_t selector; } __attribute__((packed)) far_pointer = { 0x77777777, GATE };
static unsigned long user_sp;

static unsigned long user_call_gate(unsigned long x)
{
    __asm__ volatile("mov %%" ARCH_STACK_POINTER ", %0\n\t" PUSH_PARAMETERS "lcall *%1"
                     : "=m"(user_sp) : "m"(far_pointer) : "ax", "cx", "memory", "cc");
    return x + 1;
}
static unsigned long user_call_far(unsigned long x) { __asm__ volatile("lcall *%0" : : "m"(far_pointer) : "ax", "cx", "memory"); return x; }

static void put_gate(unsigned selector, unsigned type, unsigned parameters)
{
    struct gate gate = gate_to(gate_target, selector, (uint8_t)type);

    ((uint8_t *)&gate)[4] = (uint8_t)parameters;
    memcpy(&this_cpu()->arch.gdt[GATE / 8], &gate, sizeof(gate));
}

static void refused(unsigned selector, unsigned vector, unsigned long error)
{
    struct fault *f = fault_arm();

    far_pointer.selector = (uint16_t)selector;
    __asm__ volatile(FAULTING("lcall *%0") : : "m"(far_pointer) : "ax", "cx", "memory");
    check_fault(f, vector, error);
    check(!f->behind);
}

static void user_refused(unsigned selector, unsigned vector, unsigned long error)
{
    struct fault *f = fault_arm();

    far_pointer.selector = (uint16_t)selector;
    user_call(user_call_far, 0);
    check_fault(f, vector, error);
    check_eq(f->cs, USER_CS);
}

void test_main(void)
{
    put_gate(KERNEL_CS, GATE_PRESENT | GATE_DPL3 | GATE_CALL, PARAMETERS);
    __asm__ volatile(PUSH_PARAMETERS "lcall *%0" : : "m"(far_pointer) : "ax", "cx", "memory");
    check_eq(gate_cs, KERNEL_CS);
    check_eq(gate_frame[CS_AT] & 0xffff, KERNEL_CS);
    if (PARAMETERS)
        check(gate_frame[2] == 0x1111 && gate_frame[3] == 0x2222);

    struct fault *f = fault_arm();
    check_eq(user_call(user_call_gate, 4), 5);
    check_no_fault(f);
    check_eq(gate_cs, KERNEL_CS);
    check_eq(gate_ss & 3, 0);
    check_eq(gate_frame[CS_AT] & 0xffff, USER_CS);
    if (PARAMETERS)
        check(gate_frame[2] == 0x1111 && gate_frame[3] == 0x2222);
    check_eq(gate_frame[SP_AT], user_sp - PARAMETERS * sizeof(long));
    check_eq(gate_frame[SP_AT + 1] & 0xffff, USER_SS);

    put_gate(KERNEL_CS, GATE_PRESENT | GATE_CALL, 0);
    user_refused(GATE | 3, X86_EXC_GP, GATE);
    refused(GATE | 3, X86_EXC_GP, GATE);                        /* RPL above the gate's DPL */
    put_gate(KERNEL_CS, GATE_DPL3 | GATE_CALL, 0);
    refused(GATE, X86_EXC_NP, GATE);
    user_refused(GATE, X86_EXC_NP, GATE);
    put_gate(0, GATE_PRESENT | GATE_CALL, 0);
    refused(GATE, X86_EXC_GP, 0);
    put_gate(BEYOND, GATE_PRESENT | GATE_CALL, 0);
    refused(GATE, X86_EXC_GP, BEYOND);
    put_gate(KERNEL_SS, GATE_PRESENT | GATE_CALL, 0);
    refused(GATE, X86_EXC_GP, KERNEL_SS);
    gdt_put(CODE, flat_descriptor(DESC_CODE & ~DESC_ABSENT, DESC_MODE));
    put_gate(CODE, GATE_PRESENT | GATE_CALL, 0);
    refused(GATE, X86_EXC_NP, CODE);
#ifdef __x86_64__
    put_gate(KERNEL_CS32, GATE_PRESENT | GATE_CALL, 0);
    refused(GATE, X86_EXC_GP, KERNEL_CS32);
    put_gate(KERNEL_CS, GATE_PRESENT | GATE_CALL - 8, 0);         /* gates of 16 bits are gone */
    refused(GATE, X86_EXC_GP, GATE);
    put_gate(KERNEL_CS, GATE_PRESENT | GATE_CALL, 0);
    this_cpu()->arch.gdt[GATE / 8 + 1] |= (uint64_t)1 << 40;
    refused(GATE, X86_EXC_GP, GATE);
#endif

    /* Without a gate. */
    refused(0, X86_EXC_GP, 0);
    refused(BEYOND, X86_EXC_GP, BEYOND);
    refused(KERNEL_SS, X86_EXC_GP, KERNEL_SS);
    refused(USER_CS, X86_EXC_GP, USER_CS & ~3u);
    user_refused(KERNEL_CS, X86_EXC_GP, KERNEL_CS);
    user_refused(KERNEL_CS | 3, X86_EXC_GP, KERNEL_CS);
}
