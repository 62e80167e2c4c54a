/* @title  console_io
 * @fact   CONSOLEIO_write either writes or is refused with EPERM; bad pointers and commands have their errnos
 * @source xen/include/public/xen.h (CONSOLEIO_*), xen/include/xsm/dummy.h (console_io)
 * @env    pv64 pvh64 hvm64 hvm32pae pvh32 arm64 arm32
 */
#include <guest.h>

void test_main(void)
{
    static const char text[] = "written by console_io\n";
    long rc = hcall(console_io, CONSOLEIO_write, sizeof(text) - 1, text);

    check(rc == 0 || rc == -XEN_EPERM);
    if (rc == 0)
        check_eq(hcall(console_io, CONSOLEIO_write, 16, BAD_POINTER), -XEN_EFAULT);
    rc = hcall(console_io, CONSOLEIO_read, 0, text);
    check(rc == 0 || rc == -XEN_EPERM);
    rc = hcall(console_io, 77, 0, text);
    check(rc == -XEN_ENOSYS || rc == -XEN_EPERM);
}
