/* @title  instructions of virtual machine monitors
 * @fact   VMX, SVM and VMFUNC are not offered: CPUID says so, their control bits cannot be set, and each of their instructions is
 *         #UD in ring 0 and in ring 3, at itself
 * @source Intel SDM vol. 3C 31 (instructions), 24.7 (CR4.VMXE), vol. 3D 26.5.6.2; AMD64 APM vol. 2, 15.4, vol. 3, 4 (SVM)
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>

enum { MSR_VM_CR = 0xc0010114, SVMDIS = 1 << 4, CR4_VMXE = 1 << 13, EFER_SVME = 1 << 12 };
static char operand[16] __attribute__((aligned(16)));

#define EACH(what) \
    what(vmlaunch, ".byte 0x0f, 0x01, 0xc2") what(vmresume, ".byte 0x0f, 0x01, 0xc3") what(vmxoff, ".byte 0x0f, 0x01, 0xc4") \
    what(vmfunc, ".byte 0x0f, 0x01, 0xd4") what(vmrun, ".byte 0x0f, 0x01, 0xd8") what(vmload, ".byte 0x0f, 0x01, 0xda") \
    what(vmsave, ".byte 0x0f, 0x01, 0xdb") what(stgi, ".byte 0x0f, 0x01, 0xdc") what(clgi, ".byte 0x0f, 0x01, 0xdd") \
    what(skinit, ".byte 0x0f, 0x01, 0xde") what(invlpga, ".byte 0x0f, 0x01, 0xdf") \
    what(vmptrld, ".byte 0x0f, 0xc7, 0x30") what(vmptrst, ".byte 0x0f, 0xc7, 0x38") \
    what(vmclear, ".byte 0x66, 0x0f, 0xc7, 0x30") what(vmxon, ".byte 0xf3, 0x0f, 0xc7, 0x30") \
    what(vmread, ".byte 0x0f, 0x78, 0xc1") what(vmwrite, ".byte 0x0f, 0x79, 0xc1") \
    what(invept, ".byte 0x66, 0x0f, 0x38, 0x80, 0x08") what(invvpid, ".byte 0x66, 0x0f, 0x38, 0x81, 0x08")

#define KERNEL(name, insn) \
    f = fault_arm(); \
    __asm__ volatile(FAULTING(insn) : : "a"(operand), "c"(0L), "d"(0L) : "memory", "cc"); \
    if (f->count != 1 || f->vector != X86_EXC_UD || f->behind) \
        fail(#name ": not undefined in ring 0");
#define USER_FN(name, insn) \
    static unsigned long user_##name(unsigned long x) { __asm__ volatile(insn : : "a"(operand), "c"(0L), "d"(0L) : "memory", "cc"); return x; }
#define USER(name, insn) \
    f = fault_arm(); \
    user_call(user_##name, 0); \
    if (f->count != 1 || f->vector != X86_EXC_UD || f->cs != USER_CS) \
        fail(#name ": not undefined in ring 3");
EACH(USER_FN)

void test_main(void)
{
    struct fault *f;

    check(!(x86_cpuid(1, 0).ecx & 1 << 5));
    check(!(x86_cpuid(0x80000001, 0).ecx & 1 << 2));
    EACH(KERNEL)
    EACH(USER)
    f = fault_arm();
    __asm__ volatile(FAULTING("mov %0, %%cr4") : : "r"(read_cr4() | CR4_VMXE) : "memory");
    check_fault(f, X86_EXC_GP, 0);
    check(rdmsr(MSR_VM_CR) & SVMDIS);
    f = fault_arm();
    __asm__ volatile(FAULTING("wrmsr") : : "c"(0xc0000080), "a"((uint32_t)rdmsr(0xc0000080) | EFER_SVME), "d"(0) : "memory");
    check_fault(f, X86_EXC_GP, 0);
}
