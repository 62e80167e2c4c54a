/* ring.h - the shared ring of split drivers: requests one way, responses the other, in one array of entries.
 * Facts: xen/include/public/io/ring.h. The indices run freely; an entry is chosen by the index modulo the ring's size,
 * a power of two. What lies in the shared page may change at any moment and must be copied before it is judged. */
#ifndef XEN_PUBLIC_IO_RING_H
#define XEN_PUBLIC_IO_RING_H

#include "../types.h"

typedef uint32_t RING_IDX;

/* The largest power of two that is not above x (x below 2^32). */
#define RING_RD2(x)  (((x) & 0x2) ? 0x2 : ((x) & 0x1))
#define RING_RD4(x)  (((x) & 0xc) ? RING_RD2((x) >> 2) << 2 : RING_RD2(x))
#define RING_RD8(x)  (((x) & 0xf0) ? RING_RD4((x) >> 4) << 4 : RING_RD4(x))
#define RING_RD16(x) (((x) & 0xff00) ? RING_RD8((x) >> 8) << 8 : RING_RD8(x))
#define RING_RD32(x) (((x) & 0xffff0000) ? RING_RD16((x) >> 16) << 16 : RING_RD16(x))

#define RING_HEADER_SIZE 64

/* Entries of a ring in `bytes` of memory: the index of its size, rounded down. */
#define CONST_RING_SIZE(name, bytes) \
    ((uint32_t)RING_RD32(((bytes) - RING_HEADER_SIZE) / sizeof(union name##_sring_entry)))

/* The shared part: union name_sring_entry and struct name_sring. */
#define DEFINE_SHARED_RING(name, request, response) \
    union name##_sring_entry {                      \
        request req;                                \
        response rsp;                               \
    };                                              \
    struct name##_sring {                           \
        RING_IDX req_prod, req_event;               \
        RING_IDX rsp_prod, rsp_event;               \
        uint8_t pad[RING_HEADER_SIZE - 16];         \
        union name##_sring_entry ring[1];           \
    };                                              \
    typedef struct name##_sring name##_sring_t

#if defined(XENLAB_ABI_GEN) || defined(XENLAB_HOST)
#define DEFINE_RING_TYPES(name, request, response) DEFINE_SHARED_RING(name, request, response)
#else
/* With the private parts of both ends. */
#define DEFINE_RING_TYPES(name, request, response)    \
    DEFINE_SHARED_RING(name, request, response);      \
    struct name##_front_ring {                        \
        RING_IDX req_prod_pvt, rsp_cons;              \
        uint32_t nr_ents;                             \
        struct name##_sring *sring;                   \
    };                                                \
    typedef struct name##_front_ring name##_front_ring_t; \
    struct name##_back_ring {                         \
        RING_IDX rsp_prod_pvt, req_cons;              \
        uint32_t nr_ents;                             \
        struct name##_sring *sring;                   \
    };                                                \
    typedef struct name##_back_ring name##_back_ring_t
#endif

#endif
