/* @title  floating point registers
 * @fact   vector registers and their control registers are the vcpu's own: another vcpu and hypercalls leave them alone
 * @source Arm DDI 0487, B1.2.1; Arm 100072 (Cortex-A57), 4.5
 * @env    arm64
 * @vcpus  2
 */
#include <guest.h>

static volatile unsigned done;

static void set(uint64_t seed)
{
    __asm__ volatile(".arch_extension simd\n\t"
                     "fmov d0, %0\n\tfmov d15, %0\n\tfmov d31, %0\n\tins v31.d[1], %0\n\tmsr fpcr, %1"
                     : : "r"(seed), "r"(seed << 22 & 3 << 22) : "memory");
}

static void verify(uint64_t seed)
{
    uint64_t v[5];

    __asm__ volatile(".arch_extension simd\n\t"
                     "fmov %0, d0\n\tfmov %1, d15\n\tfmov %2, d31\n\tumov %3, v31.d[1]\n\tmrs %4, fpcr"
                     : "=r"(v[0]), "=r"(v[1]), "=r"(v[2]), "=r"(v[3]), "=r"(v[4]));
    for (unsigned i = 0; i < 4; i++)
        check_eq(v[i], seed);
    check_eq(v[4], seed << 22 & 3 << 22);
}

static void turns(uint64_t seed)
{
    set(seed);
    for (unsigned i = 0; i < 20; i++) {
        hcall(sched_op, SCHEDOP_yield, 0);
        verify(seed);
    }
}

static void other(void *unused)
{
    (void)unused;
    turns(0x2222);
    done = 1;
}

void test_main(void)
{
    uint64_t bits;

    require_eq(vcpu_start(1, other, NULL), 0);
    turns(0x1111);
    require(wait_while(&done, 0, 1000));
    set(0);
    __asm__ volatile(".arch_extension fp\n\tfmov d1, #2.0\n\tfsqrt d1, d1\n\tfmov %0, d1" : "=r"(bits));
    check_eq(bits, 0x3ff6a09e667f3bcd);
}
