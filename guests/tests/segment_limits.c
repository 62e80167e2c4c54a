/* @title  limits and types of segments
 * @fact   an access beyond a segment's limit, through a null segment, or of a kind that its type forbids is #GP(0), through SS
 *         #SS(0), at the instruction and before anything is written; segments that expand down have their limit below; code ends at
 *         the limit of CS; flat segments again are as they were
 * @source Intel SDM vol. 3A 5.3, 5.4, 5.5, 6.15 (interrupts 12 and 13), 3.4.5.1 (expand down)
 * @env    hvm32 hvm32pse hvm32pae pvh32
 */
#include <guest.h>
#include <descriptors.h>

enum { SPARE = SPARE_SELECTOR, CODE = SPARE_SELECTOR + 8, BYTES = 64, EXPAND_DOWN = 0x97 };
static uint8_t area[8192] __attribute__((aligned(4096)));

/* `insn` with a segment register loaded, and flat again behind it. */
#define WITH(reg, selector, insn, ...) \
    __asm__ volatile("mov %w[s], %%" #reg "\n\t" FAULTING(insn) "mov %w[k], %%" #reg \
                     : : [s] "S"(selector), [k] "D"(KERNEL_SS), ##__VA_ARGS__ : "eax", "memory", "cc")

#define EXPECT(v, statement) \
    do { \
        f = fault_arm(); \
        statement; \
        if (v) \
            check_fault(f, v, 0); \
        else \
            check_no_fault(f); \
        check(!f->count || !f->behind); \
    } while (0)
enum { GP = X86_EXC_GP, SS = X86_EXC_SS, NONE = 0 };

static void to_code(void *unused)
{
    static const struct { uint32_t offset; uint16_t selector; } __attribute__((packed)) far = { 0, CODE };

    (void)unused;
    __asm__ volatile("ljmp *%%cs:%0" : : "m"(far));
}

void test_main(void)
{
    struct fault *f;
    uint32_t base = (uint32_t)area;

    memset(area, 0x11, sizeof(area));
    gdt_put(SPARE, descriptor(base, BYTES - 1, DESC_DATA, DESC_B));
    EXPECT(NONE, WITH(ds, SPARE, "movl %%ds:60, %%eax"));
    EXPECT(GP, WITH(ds, SPARE, "movl %%ds:61, %%eax"));
    EXPECT(GP, WITH(ds, SPARE, "movb %%ds:64, %%al"));
    EXPECT(GP, WITH(ds, SPARE, "movl $-1, %%ds:62"));
    EXPECT(GP, WITH(ds, SPARE, "incw %%ds:63"));
    EXPECT(GP, WITH(ds, SPARE, "lock incl %%ds:62"));
    EXPECT(GP, WITH(ds, SPARE, "xchgl %%eax, %%ds:61"));
    EXPECT(GP, WITH(ds, SPARE, "lock cmpxchgl %%eax, %%ds:62"));
    EXPECT(GP, WITH(ds, SPARE, "lock btsl $3, %%ds:61"));
    EXPECT(GP, WITH(ds, SPARE, "movb %%ds:(%%ecx), %%al", "c"(-1)));
    EXPECT(NONE, WITH(es, SPARE, "movl %%es:60, %%eax"));
    EXPECT(GP, WITH(es, SPARE, "movl %%es:61, %%eax"));
    EXPECT(GP, WITH(fs, SPARE, "movl %%fs:61, %%eax"));
    EXPECT(GP, WITH(gs, SPARE, "movl %%gs:61, %%eax"));
    EXPECT(GP, WITH(gs, SPARE, "pushl %%gs:61"));
    EXPECT(NONE, WITH(gs, SPARE, "pushl %%gs:60\n\tpop %%eax"));
    check_eq(area[62], 0x11);
    check_eq(area[63], 0x11);
    uint32_t count = 8;
    uint32_t to = 60;
    f = fault_arm();
    __asm__ volatile("mov %w[s], %%es\n\tcld\n\t" FAULTING("rep stosb") "mov %w[k], %%es"
                     : "+c"(count), "+D"(to) : [s] "S"(SPARE), [k] "b"(KERNEL_SS), "a"(0x22) : "memory");
    check_fault(f, GP, 0);
    check_eq(count, 4);
    check_eq(to, 64);
    check_eq(area[63], 0x22);
    check_eq(area[64], 0x11);

    /* Null, and what is not readable or writable. */
    EXPECT(GP, WITH(ds, 0, "movb %%ds:0, %%al"));
    EXPECT(GP, WITH(fs, 0, "movb %%fs:0, %%al"));
    EXPECT(GP, WITH(gs, 0, "movb %%al, %%gs:0"));
    gdt_put(SPARE, descriptor(base, BYTES - 1, DESC_DATA_READONLY, DESC_B));
    EXPECT(NONE, WITH(ds, SPARE, "movl %%ds:0, %%eax"));
    EXPECT(GP, WITH(ds, SPARE, "movl %%eax, %%ds:0"));
    gdt_put(SPARE, descriptor(base, BYTES - 1, DESC_CODE, DESC_B));
    EXPECT(NONE, WITH(ds, SPARE, "movl %%ds:0, %%eax"));
    EXPECT(GP, WITH(ds, SPARE, "movb %%al, %%ds:0"));

    /* Down. */
    gdt_put(SPARE, descriptor(base, BYTES - 1, EXPAND_DOWN, DESC_B));
    EXPECT(GP, WITH(ds, SPARE, "movb %%ds:63, %%al"));
    EXPECT(NONE, WITH(ds, SPARE, "movl %%ds:64, %%eax"));
    gdt_put(SPARE, descriptor(base, BYTES - 1, EXPAND_DOWN, 0));
    EXPECT(GP, WITH(ds, SPARE, "movw %%ds:0xffff, %%ax"));
    EXPECT(GP, WITH(ds, SPARE, "movb %%ds:0x10000, %%al"));

    /* The stack: one that ends before it is used. The exception comes on it too, so its base is such that there is room below. */
    gdt_put(SPARE, descriptor(0, (uint32_t)this_cpu() + PERCPU_SIZE - 1 > 0xfffff ? ((uint32_t)this_cpu() + PERCPU_SIZE) >> 12 : 0, DESC_DATA, DESC_B | DESC_G));
    EXPECT(SS, WITH(ss, SPARE, "movl %%ss:0x7ffffff0, %%eax"));
    f = fault_arm();
    __asm__ volatile("mov %w[s], %%ss\n\tpush %%ebp\n\tmov $0x7ffffff0, %%ebp\n\t" FAULTING("movl (%%ebp), %%eax") "pop %%ebp\n\tmov %w[k], %%ss"
                     : : [s] "S"(SPARE), [k] "D"(KERNEL_SS) : "eax", "memory");
    check_fault(f, SS, 0);

    /* Code. */
    static const uint8_t nops[] = { 0x90, 0x90, 0x90, 0x90, 0x90 };
    memcpy(area, nops, sizeof(nops));
    gdt_put(CODE, descriptor(base, 2, DESC_CODE, DESC_B));
    f = fault_arm();
    check(!fault_probe(to_code, NULL));
    check_fault(f, GP, 0);
    check_eq(f->ip, 3);
    check_eq(f->cs, CODE);

    area[100] = 0x33;
    EXPECT(NONE, __asm__ volatile(FAULTING("movb %0, %%al") : : "m"(area[100]) : "eax"));
    EXPECT(NONE, WITH(ds, KERNEL_SS, "movl %%ds:0x5000, %%eax"));
}
