/* types.h - which guest ABI these headers describe, and the types that follow from the choice.
 *
 * The same text serves guests (the ABI of the compiler's target), the hypervisor's C (always the x86_64 layout; a guest
 * handle is a number that it cannot dereference) and the build-time generator of hv/_abi_data.py (each ABI in turn).
 * Include them as "abi/xen.h" with the parent folder on the include path, or by a relative path: this folder itself
 * must not be on it, since features.h, sched.h and errno.h would hide the C library's.
 *
 * XEN_ABI_X86_64, XEN_ABI_X86_32, XEN_ABI_ARM  one of them is defined here unless the command line did
 * XENLAB_HOST                                  defined by the hypervisor's own C
 * XENLAB_ABI_GEN                               defined by gen.py: no system header, handles are plain words
 */
#ifndef XEN_PUBLIC_TYPES_H
#define XEN_PUBLIC_TYPES_H

#if !defined(XEN_ABI_X86_64) && !defined(XEN_ABI_X86_32) && !defined(XEN_ABI_ARM)
#if defined(XENLAB_HOST) || defined(__x86_64__)
#define XEN_ABI_X86_64 1
#elif defined(__i386__)
#define XEN_ABI_X86_32 1
#elif defined(__aarch64__) || defined(__arm__)
#define XEN_ABI_ARM 1
#else
#error "no Xen guest ABI for this target"
#endif
#endif

#ifndef __ASSEMBLER__

#ifndef XENLAB_ABI_GEN
#include <stdint.h>
#endif

/* A C long of the guest's kernel; on ARM always 64 bits, so that arm and aarch64 share one layout. */
#if defined(XEN_ABI_X86_32)
typedef uint32_t xen_ulong_t;
typedef uint32_t xen_pfn_t;
#else
typedef uint64_t xen_ulong_t;
typedef uint64_t xen_pfn_t;
#endif

/* A pointer in the guest's address space. */
#if defined(XENLAB_ABI_GEN)
#if defined(XEN_ABI_X86_32)
typedef uint32_t xen_guest_handle_t;
#else
typedef uint64_t xen_guest_handle_t;
#endif
#define XEN_GUEST_HANDLE(type) xen_guest_handle_t
#elif defined(XENLAB_HOST)
#define XEN_GUEST_HANDLE(type) struct { uint64_t va; }
#elif defined(XEN_ABI_ARM)
#define XEN_GUEST_HANDLE(type) union { type *p; uint64_t q; }
#define set_xen_guest_handle(hnd, val) do { (hnd).q = 0; (hnd).p = (val); } while (0)
#else
#define XEN_GUEST_HANDLE(type) struct { type *p; }
#define set_xen_guest_handle(hnd, val) do { (hnd).p = (val); } while (0)
#endif

typedef uint16_t domid_t;
typedef uint8_t xen_domain_handle_t[16];
typedef char xen_byte_t;

#endif /* !__ASSEMBLER__ */
#endif
