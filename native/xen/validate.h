/* validate.h - what the files of hv_validate() share. */
#ifndef XENLAB_VALIDATE_H
#define XENLAB_VALIDATE_H
#include "mm.h"
#include "pv.h"

struct validation {
    struct hv *hv;
    struct hv_snapshot *snapshot;
    char *text;                  /* the first complaint */
    uint64_t len;
    bool ok;
};

/* Note a complaint; always false. */
bool validate_fail(struct validation *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- validate_mm.c ---- */
/* page_info of every frame, the hypervisor's own frames, and descriptor pages. */
bool validate_frames(struct validation *c);
/* Grants in use and the mappings that use them: each speaks of the other. */
bool validate_grants(struct validation *c, const struct domain *d);

#endif
