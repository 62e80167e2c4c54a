/* @title  CPUID
 * @fact   the forced-emulation prefix and the plain instruction show the same processor, Xen's leaves are there, and
 *         what a PV guest cannot use is hidden
 * @source xen/include/public/arch-x86/cpuid.h, xen.h (XEN_EMULATE_PREFIX); Intel SDM vol. 2A CPUID
 * @env    pv64
 */
#include <guest.h>

static struct cpuid forced(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid c;

    __asm__ volatile("ud2\n\t.ascii \"xen\"\n\tcpuid"
                     : "=a"(c.eax), "=b"(c.ebx), "=c"(c.ecx), "=d"(c.edx) : "a"(leaf), "c"(subleaf));
    return c;
}

void test_main(void)
{
    struct fault *f = fault_arm();
    struct cpuid c = forced(0x40000000, 0);

    check_no_fault(f);
    check(c.eax >= 0x40000002);
    check_eq(c.ebx, XEN_CPUID_SIGNATURE_EBX);
    check_eq(c.ecx, XEN_CPUID_SIGNATURE_ECX);
    check_eq(c.edx, XEN_CPUID_SIGNATURE_EDX);
    c = forced(0x40000001, 0);
    check_eq(c.eax, hcall(xen_version, 0, 0));

    static const uint32_t leaves[] = { 0, 1, 2, 7, 0xd, 0x40000000, 0x40000001, 0x80000000, 0x80000001, 0x80000008 };
    for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++) {
        struct cpuid a = forced(leaves[i], 0), b = x86_cpuid(leaves[i], 0);

        check(memcmp(&a, &b, sizeof(a)) == 0);
    }

    c = forced(1, 0);
    check(c.ecx & 1u << 31);                                  /* under a hypervisor */
    check(!(c.edx & (1u << 3 | 1u << 12 | 1u << 13 | 1u << 17)));  /* PSE, MTRR, PGE, PSE36 */
    check(!(c.ecx & (1u << 17 | 1u << 21 | 1u << 28)));       /* PCID, x2APIC, AVX */
    check((c.edx & (1u << 25 | 1u << 26)) == (1u << 25 | 1u << 26));  /* SSE, SSE2 */
    c = forced(0x80000001, 0);
    check(c.edx & 1u << 29);                                  /* long mode */
    check(c.edx & 1u << 20);                                  /* NX */
    check(c.edx & 1u << 11);                                  /* SYSCALL */

    /* The prefix before anything else is a plain #UD. */
    f = fault_arm();
    __asm__ volatile(FAULTING("ud2\n\t.ascii \"xen\"\n\tnop"));
    check(f->count == 1 && f->vector == X86_EXC_UD);
}
