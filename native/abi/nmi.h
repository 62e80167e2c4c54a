/* nmi.h - nmi_op(cmd, argument). Facts: xen/include/public/nmi.h. */
#ifndef XEN_PUBLIC_NMI_H
#define XEN_PUBLIC_NMI_H

#include "xen.h"

#define XENNMI_register_callback   0
#define XENNMI_unregister_callback 1

/* bits of arch_shared_info.nmi_reason */
#define XEN_NMIREASON_io_error (1 << 0)
#define XEN_NMIREASON_pci_serr (1 << 1)
#define XEN_NMIREASON_unknown  (1 << 2)

struct xennmi_callback {
    xen_ulong_t handler_address;
    xen_ulong_t pad;
};
typedef struct xennmi_callback xennmi_callback_t;

#endif
