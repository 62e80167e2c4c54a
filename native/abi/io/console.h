/* console.h - the PV console ring. Facts: xen/include/public/io/console.h. Indices run freely; mask them. */
#ifndef XEN_PUBLIC_IO_CONSOLE_H
#define XEN_PUBLIC_IO_CONSOLE_H

#include "../types.h"

#define XENCONS_IN_SIZE  1024
#define XENCONS_OUT_SIZE 2048
typedef uint32_t XENCONS_RING_IDX;

struct xencons_interface {
    char in[XENCONS_IN_SIZE];     /* to the guest */
    char out[XENCONS_OUT_SIZE];   /* from the guest */
    XENCONS_RING_IDX in_cons, in_prod;
    XENCONS_RING_IDX out_cons, out_prod;
};

#endif
