/* descriptors.h (HVM) - descriptors of a test's own, in the GDT behind the library's, and gates. Facts: Intel SDM volume 3,
 * 3.4.5, 5.8.3, 6.11, 6.14.1.
 */
#ifndef GUEST_HVM_DESCRIPTORS_H
#define GUEST_HVM_DESCRIPTORS_H
#include <stdint.h>
#include <percpu.h>

/* Types, with S and P; the flags are G and D or L. */
enum {
    DESC_ABSENT = 0x80, DESC_DPL3 = 0x60, DESC_CODE = 0x9b, DESC_CONFORMING = 0x9f, DESC_CODE_UNREADABLE = 0x99, DESC_DATA = 0x93,
    DESC_DATA_READONLY = 0x91, DESC_LDT = 0x82, DESC_TSS = 0x89, DESC_TSS_BUSY = 0x8b
};
enum { DESC_G = 0x80, DESC_B = 0x40, DESC_L = 0x20 };
enum { GATE_PRESENT = 0x80, GATE_DPL3 = 0x60, GATE_CALL = 12 };
#ifdef __x86_64__
enum { DESC_MODE = DESC_L };
#else
enum { DESC_MODE = DESC_B };
#endif

static inline uint64_t descriptor(uint32_t base, uint32_t limit, unsigned type, unsigned flags)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)type << 40 | (uint64_t)(limit >> 16 & 0xf) << 48 |
           (uint64_t)flags << 48 | (uint64_t)(base >> 24) << 56;
}
/* Of 4 GiB, from 0. `flags`: DESC_MODE for code of the test's own width, DESC_B for data. */
static inline uint64_t flat_descriptor(unsigned type, unsigned flags) { return descriptor(0, 0xfffff, type, flags | DESC_G); }
static inline void gdt_put(unsigned selector, uint64_t value) { this_cpu()->arch.gdt[selector / 8] = value; }
static inline uint64_t gdt_get(unsigned selector) { return this_cpu()->arch.gdt[selector / 8]; }

#endif
