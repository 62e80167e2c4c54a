/* errno.h - enum xen_errno: XEN_EPERM and the rest, from errno.def. */
#ifndef XEN_PUBLIC_ERRNO_H
#define XEN_PUBLIC_ERRNO_H

enum xen_errno {
#define XEN_ERRNO(name, value) XEN_##name = value,
#include "errno.def"
#undef XEN_ERRNO
};

#endif
