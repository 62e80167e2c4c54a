/* control.h - as much of the control domain's hypercalls as it takes to refuse them in Xen's order: sizes of the
 * arguments and the interface versions of Xen 4.17 (xen/include/public/{sysctl,domctl,platform,dm_op}.h,
 * hvm/dm_op.h). */
#ifndef XEN_PUBLIC_CONTROL_H
#define XEN_PUBLIC_CONTROL_H

#include "xen.h"

#define XEN_SYSCTL_INTERFACE_VERSION 0x00000015
#define XEN_DOMCTL_INTERFACE_VERSION 0x00000015
#define XENPF_INTERFACE_VERSION      0x03000000
#define XEN_DOMCTL_shadow_op         10

struct xen_sysctl {
    uint32_t cmd;
    uint32_t interface_version;
    uint64_t u[16];
};

struct xen_domctl {
    uint32_t cmd;
    uint32_t interface_version;
    domid_t domain;
    uint16_t _pad[3];
    uint64_t u[16];
};

struct xen_platform_op {
    uint32_t cmd;
    uint32_t interface_version;
    uint64_t u[16];
};

#define XEN_DMOP_MAX_BUFS 3   /* buffers that one dm_op may name */
struct xen_dm_op_buf {
    XEN_GUEST_HANDLE(void) h;
    xen_ulong_t size;
};

#endif
