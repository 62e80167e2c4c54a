/* hvm.h (HVM) - start-up, parameters, further processors. */
#ifndef GUEST_HVM_H
#define GUEST_HVM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <abi/hvm.h>

enum { EVENT_VECTOR = 0xf3 };

struct hvm_start_info;
struct multiboot_info;
void guest_start(struct hvm_start_info *start) __attribute__((noreturn));
/* NULL: the domain was not entered by PVH. */
struct hvm_start_info *guest_start_info(void);
/* NULL: it is no Multiboot kernel. */
const struct multiboot_info *guest_multiboot(void);
struct percpu *cpu_area(unsigned id);
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

/* The first bytes of an item of QEMU's firmware configuration device (zeros behind its end); the command line in it. */
void fw_cfg_read(uint16_t item, void *to, size_t size);
const char *fw_cfg_cmdline(void);

/* Start processor `id` by INIT and SIPI, to run fn(arg). 0, or -1 when it does not come. When fn returns, it halts. */
long vcpu_start(unsigned id, void (*fn)(void *), void *arg);

#endif
