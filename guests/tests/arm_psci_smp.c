/* @title  PSCI: processors on and off
 * @fact   CPU_ON starts a processor with its context; who is on, or not there, or entered at an address that cannot be, is refused;
 *         one that has turned itself off is off and can be started again; AFFINITY_INFO knows
 * @source Arm DEN 0022, 5.1; Xen 4.17, xen/arch/arm/vpsci.c
 * @env    arm64 arm32
 * @vcpus  4
 */
#include <guest.h>

enum { CPUS = 4, TURNS = 100000 };
static unsigned runs[CPUS], let_go;

static long affinity_info(unsigned long mpidr, unsigned long level)
{
    return psci(PSCI_FN_AFFINITY_INFO | ARCH_PSCI, mpidr, level, 0);
}

static void other(void *arg)
{
    check_eq((unsigned long)arg, this_cpu()->id);
    __atomic_fetch_add(&runs[this_cpu()->id], 1, __ATOMIC_SEQ_CST);
    while (!READ_ONCE(let_go))
        arch_relax();
}

static bool goes_off(unsigned id)
{
    for (unsigned i = 0; i < TURNS; i++) {
        if (affinity_info(cpu_affinity(id), 0) == PSCI_AFFINITY_OFF)
            return true;
        hcall(sched_op, SCHEDOP_yield, NULL);
    }
    return false;
}

void test_main(void)
{
    check_eq(affinity_info(0, 0), PSCI_AFFINITY_ON);
    for (unsigned i = 1; i < CPUS; i++)
        check_eq(affinity_info(cpu_affinity(i), 0), PSCI_AFFINITY_OFF);
    check_eq(affinity_info(0x100, 1), PSCI_AFFINITY_OFF);
    check_eq(affinity_info(0x0f, 1), PSCI_AFFINITY_ON);
    check_eq(affinity_info(0, 4), PSCI_INVALID_PARAMETERS);

    check_eq(psci(PSCI_FN_CPU_ON | ARCH_PSCI, 0, 0x1000, 0), PSCI_ALREADY_ON);
    check_eq(psci(PSCI_FN_CPU_ON | ARCH_PSCI, CPUS, 0x1000, 0), PSCI_INVALID_PARAMETERS);
    check_eq(psci(PSCI_FN_CPU_ON | ARCH_PSCI, 0x10000, 0x1000, 0), PSCI_INVALID_PARAMETERS);
    if (ARCH_PSCI)
        check_eq(psci(PSCI_FN_CPU_ON | ARCH_PSCI, 1, 0x1001, 0), PSCI_INVALID_ADDRESS);

    for (unsigned long i = 1; i < CPUS; i++)
        require_eq(vcpu_start((unsigned)i, other, (void *)i), PSCI_SUCCESS);
    for (unsigned i = 1; i < CPUS; i++) {
        check(wait_while(&runs[i], 0, TURNS));
        check_eq(affinity_info(cpu_affinity(i), 0), PSCI_AFFINITY_ON);
        check_eq(psci(PSCI_FN_CPU_ON | ARCH_PSCI, cpu_affinity(i), 0x1000, 0), PSCI_ALREADY_ON);
    }
    WRITE_ONCE(let_go, 1);
    for (unsigned i = 1; i < CPUS; i++)
        check(goes_off(i));
}
