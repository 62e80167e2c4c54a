/* @title  refused hypercalls
 * @fact   what belongs to the control domain, or is not built in, is refused, and nothing happens
 * @source xen/include/xsm/dummy.h, xen/common/domctl.c, sysctl.c; xen/include/public/xen.h
 * @env    pv64 pvh64 hvm64 hvm32pae pvh32 arm64 arm32
 */
#include <guest.h>

static bool refused(long rc)
{
    return rc == -XEN_EPERM || rc == -XEN_ENOSYS || rc == -XEN_EACCES || rc == -XEN_EOPNOTSUPP || rc == -XEN_EINVAL;
}

void test_main(void)
{
    static char argument[4096];

    check(refused(hcall(domctl, argument)));
    check(refused(hcall(sysctl, argument)));
    check(refused(hcall(platform_op, argument)));
    check(refused(hcall(kexec_op, 0, argument)));
    check(refused(hcall(xenoprof_op, 0, argument)));
    check(refused(hcall(tmem_op, argument)));
    check(refused(hcall(xsm_op, argument)));
    check(refused(hcall(argo_op, 0, argument, 0, 0, 0)));
    check(refused(hcall(hvm_op, 0, argument)));
    check(refused(hcall(mca, argument)));
    check(refused(hcall(xenpmu_op, 0, argument)));
    check(refused(hcall(hypfs_op, 0, argument, 0, 0, 0)));
    for (unsigned i = 0; i < sizeof(argument); i++)
        require(argument[i] == 0);

    struct sched_remote_shutdown remote = { .domain_id = 0, .reason = SHUTDOWN_crash };

    check(refused(hcall(sched_op, SCHEDOP_remote_shutdown, &remote)) ||
          hcall(sched_op, SCHEDOP_remote_shutdown, &remote) == -XEN_ESRCH);
    check_eq(hcall(sched_op, 99, &remote), -XEN_ENOSYS);
}
