/* pv.h (PV) - start-up, and what start_info said. */
#ifndef GUEST_PV_H
#define GUEST_PV_H
#include <stdint.h>

struct start_info;
struct vcpu_guest_context;

void guest_start(struct start_info *start) __attribute__((noreturn));
struct start_info *guest_start_info(void);
/* The struct percpu of any vcpu. */
struct percpu *cpu_area(unsigned id);
/* The ring of xenstore and its event channel; NULL: the domain has none. */
struct xenstore_domain_interface *guest_store(uint32_t *port);
/* Have frame `index` of the grant table, machine frame `mfn`, appear over a page of the image. */
static inline void map_grant_frame(void *page, unsigned index, uint64_t mfn);
/* Map a frame at a page of the image (a page-aligned array in .bss). */
void map_frame_at(void *page, uint64_t mfn);
static inline void map_grant_frame(void *page, unsigned index, uint64_t mfn) { map_frame_at(page, mfn); }

/* Fill in what VCPUOP_initialise wants for vcpu `id`, to run `fn(arg)` on its own stack. */
void vcpu_context(struct vcpu_guest_context *context, unsigned id, void (*fn)(void *), void *arg);
/* VCPUOP_initialise and VCPUOP_up. 0 or an errno. When fn returns, the vcpu takes itself down. */
long vcpu_start(unsigned id, void (*fn)(void *), void *arg);

/* Writing to another domain's frame that is mapped for reading only is a page fault. */
#define READ_ONLY_FRAMES_FAULT 1

#endif
