/* @title  who may make hypercalls
 * @fact   VMCALL and VMMCALL are hypercalls from ring 0; from ring 3 both answer EPERM, whatever the number, and do nothing
 * @source xen/arch/x86/hvm/hypercall.c (hvm_hypercall)
 * @env    pvh64 hvm64 hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>
#include <abi/version.h>

#define USER_FN(name, insn) \
    static unsigned long name(unsigned long nr) \
    { \
        unsigned long result = nr; \
        __asm__ volatile(insn : "+a"(result) : : "memory", "cc"); \
        return result; \
    }
USER_FN(user_vmcall, "vmcall")
USER_FN(user_vmmcall, "vmmcall")

void test_main(void)
{
    struct fault *f = fault_arm();
    const unsigned long numbers[] = { __HYPERVISOR_xen_version, __HYPERVISOR_sched_op, 0, 63, 12345 };

    check_eq(arch_hypercall_inline(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0, 0), 4 << 16 | 17);
    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
        check_eq((long)user_call(user_vmcall, numbers[i]), -XEN_EPERM);
        check_eq((long)user_call(user_vmmcall, numbers[i]), -XEN_EPERM);
    }
    check_no_fault(f);
}
