/* @title  what vcpus share
 * @fact   a change of a mapping, and of code, made on one vcpu is what the others see next; each vcpu has its own
 *         FPU and SSE registers
 * @source xen/include/public/xen.h (UVMF_*, MMUEXT_*_ALL); Intel SDM vol. 3A 8.1.3
 * @env    pv64
 * @vcpus  3
 */
#include <guest.h>

enum { ROUNDS = 40 };
#define RW (PTE_P | PTE_US | PTE_RW | PTE_A | PTE_D)

static char window[4096] __attribute__((aligned(4096)));
static unsigned char code[4096] __attribute__((aligned(4096)));
static volatile unsigned round_number, answered[3], failed;
static uint32_t (*const function)(void) = (uint32_t (*)(void))(unsigned long)code;

static void put_return(uint32_t value)
{
    code[0] = 0xb8;
    memcpy(code + 1, &value, 4);
    code[5] = 0xc3;
}

/* Every round: the window shows the round's page, the code returns the round. */
static void follow(void *unused)
{
    unsigned id = this_cpu()->id, done = 0;
    uint64_t xmm[2] = { 0x1111111111111111 * id, 0x2222222222222222 * id }, back[2];
    uint16_t control = (uint16_t)(0x37f & ~(id << 8));          /* another precision on each */

    (void)unused;
    __asm__ volatile("fninit\n\tfldcw %0\n\tmovups %1, %%xmm7" : : "m"(control), "m"(xmm) : "memory");
    while (done < ROUNDS) {
        while (round_number == done)
            hcall(sched_op, SCHEDOP_yield, 0);
        done = round_number;
        if (*(volatile unsigned *)window != done || function() != done)
            failed = done;
        answered[id] = done;
    }
    uint16_t now = 0;

    __asm__ volatile("fnstcw %0\n\tmovups %%xmm7, %1" : "=m"(now), "=m"(back) : : "memory");
    if (now != control || back[0] != xmm[0] || back[1] != xmm[1])
        failed = 1000 + id;
    answered[id] = ROUNDS + 1;
}

void test_main(void)
{
    unsigned *pages[2] = { page_alloc(), page_alloc() };
    uint64_t xmm[2] = { 7, 8 }, back[2] = { 0, 0 };

    __asm__ volatile("movups %0, %%xmm7" : : "m"(xmm));
    put_return(0);
    for (unsigned i = 1; i < 3; i++)
        require_eq(vcpu_start(i, follow, NULL), 0);
    for (unsigned r = 1; r <= ROUNDS; r++) {
        unsigned *page = pages[r & 1];

        *page = r;
        put_return(r);
        require_eq(hcall(update_va_mapping, window, pte_make(virt_to_mfn(page), RW), UVMF_INVLPG | UVMF_ALL), 0);
        round_number = r;
        for (unsigned i = 1; i < 3; i++) {
            for (unsigned n = 0; answered[i] < r && n < 100000; n++)
                hcall(sched_op, SCHEDOP_yield, 0);
            require(answered[i] >= r);
        }
    }
    for (unsigned i = 1; i < 3; i++)
        require(wait_while(&answered[i], ROUNDS, 100000));
    check_eq(failed, 0);
    __asm__ volatile("movups %%xmm7, %0" : "=m"(back));
    check_eq(back[0], 7);
    check_eq(back[1], 8);
}
