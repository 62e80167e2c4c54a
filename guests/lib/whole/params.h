/* params.h (whole processors) - guests with frame numbers of their own: parameters, and Xen's pages in their memory. */
#ifndef GUEST_WHOLE_PARAMS_H
#define GUEST_WHOLE_PARAMS_H
#include <stdint.h>

/* A parameter of this domain (HVM_PARAM_*). An errno is negative. */
long hvm_get_param(unsigned index, uint64_t *value);
long hvm_set_param(unsigned index, uint64_t value);
/* Put a page of a space of Xen's (XENMAPSPACE_*) over a page of the image. */
long physmap_add(unsigned space, unsigned long index, void *page);
static inline uint64_t virt_to_mfn(const void *p) { return (uint64_t)(unsigned long)p >> PAGE_SHIFT; }
/* The ring of xenstore and its event channel; NULL: the domain has none. */
struct xenstore_domain_interface *guest_store(uint32_t *port);
/* Have frame `index` of the grant table appear over a page of the image. */
void map_grant_frame(void *page, unsigned index, uint64_t mfn);
/* Start-up: use the ring that the parameters name (not with `console=io` on the command line), and map shared_info. */
void params_console(void);
void params_shared_info(void);

#endif
