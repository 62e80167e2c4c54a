/* p2m.h - guest-physical memory of domains that have frame numbers of their own, for the C files. */
#ifndef XENLAB_P2M_H
#define XENLAB_P2M_H
#include "hv.h"

enum { P2M_LEVELS = 3, P2M_INDEX_BITS = 9 };

/* ---- p2m.c ---- */
/* The domain's, NULL: its frame numbers are the machine's. */
struct p2m *p2m_of(struct hv *hv, const struct domain *d);
/* The entry of a frame: P2M_*. */
uint64_t p2m_get(struct hv *hv, const struct p2m *p2m, uint64_t gfn);
void p2m_destroy(struct hv *hv, struct p2m *p2m);

/* ---- p2m_grant.c: struct arch ---- */
int p2m_map_grant(struct hv *hv, struct vcpu *v, uint64_t host_addr, uint32_t flags, uint64_t frame);
int p2m_replace_grant(struct hv *hv, struct vcpu *v, uint64_t host_addr, uint64_t new_addr, uint32_t flags, uint64_t frame);
/* The references of a mapping with these flags go. */
void p2m_put_grant(struct hv *hv, uint32_t flags, uint64_t frame);

/* ---- physical.c ---- */
/* RAM at guest-physical `gpa` of a domain that has a p2m, good to the end of its page; NULL: none there (or read-only, for
 * writing). */
uint8_t *hv_ram(struct hv *hv, const struct domain *d, uint64_t gpa, bool write);

#endif
