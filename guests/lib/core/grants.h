/* grants.h - the grant table as its owner uses it (xen/include/public/grant_table.h). */
#ifndef GUEST_GRANTS_H
#define GUEST_GRANTS_H
#include <stdint.h>
#include <abi/grant_table.h>

/* GNTTABOP_set_version; 0 or an errno. */
long grants_set_version(uint32_t version);
/* Set up `frames` frames and map them; returns the first entry of version 1. */
struct grant_entry_v1 *grants_setup_v1(uint32_t frames);
union grant_entry_v2 *grants_setup_v2(uint32_t frames);
/* Write entry `ref` of version 1: `flags` GTF_permit_access and friends. */
void grant_v1(uint32_t ref, domid_t to, uint64_t frame, uint16_t flags);
/* What domain `from` granted, at a page of the image (see window_open()): GNTMAP_*; the operation as it came back. */
struct gnttab_map_grant_ref grant_map(domid_t from, uint32_t ref, unsigned flags, void *at);
/* Take it away again; the status. */
int grant_unmap(uint32_t handle, void *at);
/* Copy so many bytes from what domain `from` granted to a page of one's own; the status. */
int grant_copy_from(domid_t from, uint32_t ref, void *to, unsigned bytes);

#endif
