/* validate.h - what the files of hv_validate() share. */
#ifndef XENLAB_VALIDATE_H
#define XENLAB_VALIDATE_H
#include <stddef.h>
#include "mm.h"
#include "../abi/xen.h"

struct validation {
    struct hv *hv;
    struct hv_snapshot *snapshot;
    char *text;                  /* the first complaint */
    uint64_t len;
    bool ok;
};

/* Note a complaint; always false. */
bool validate_fail(struct validation *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Fields of a struct and the largest value of each. */
struct limit { const char *name; size_t offset, size; uint64_t max; };
#define LIMIT(type, field, max) {#field, offsetof(type, field), sizeof(((type *)NULL)->field), max}
#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define FAR_FUTURE (UINT64_C(1) << 62)   /* counts and ns beyond which sums could wrap around */
uint64_t limit_value(const void *object, const struct limit *limit);
bool validate_within(struct validation *c, const void *object, const struct limit *limits, size_t count, const char *what,
                     unsigned number);

/* ---- validate_p2m.c ---- */
/* A frame of the domain's own that is plain memory? */
bool validate_plain_frame(const struct hv *hv, const struct domain *d, uint64_t frame);
/* `seen`: a byte for each frame, zero where no table of a physmap was found yet. */
bool validate_p2m(struct validation *c, const struct domain *d, uint8_t *seen);

/* ---- validate_mm.c ---- */
/* page_info of every frame, the hypervisor's own frames, and descriptor pages. */
bool validate_frames(struct validation *c);
/* Grants in use and the mappings that use them: each speaks of the other. */
bool validate_grants(struct validation *c, const struct domain *d);

#endif
