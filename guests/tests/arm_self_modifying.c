/* @title  code that changes
 * @fact   after cache maintenance an instruction that was written is the one that is executed, whichever of four vcpus wrote it
 *         and whichever executes it, by address and with the whole instruction cache
 * @source Arm DDI 0487, B2.4.4; DDI 0406C, A3.5.4
 * @env    arm64 arm32
 * @vcpus  4
 */
#include <guest.h>

#ifdef __aarch64__
#define MOVE(n) (0xd2800000u | (n) << 5)        /* mov x0, #n */
#define RETURN 0xd65f03c0u
#else
#define MOVE(n) (0xe3a00000u | (n))             /* mov r0, #n */
#define RETURN 0xe12fff1eu
#endif

enum { CPUS = 4, ROUNDS = 24 };
static uint32_t *code;
static volatile unsigned turn, result[CPUS];

static unsigned run(void) { return ((unsigned (*)(void))code)(); }

/* By address, or with all instruction caches (IC IALLUIS, ICIALLUIS). */
static void write_move(unsigned n)
{
    *(volatile uint32_t *)code = MOVE(n);
    if (n & 1) {
        arch_sync_code(code);
        return;
    }
#ifdef __aarch64__
    __asm__ volatile("dc cvau, %0\n\tdsb ish\n\tic ialluis\n\tdsb ish\n\tisb" : : "r"(code) : "memory");
#else
    cp15_write(0, 7, 11, 1, code);
    arch_barrier();
    cp15_write(0, 7, 1, 0, 0);
    arch_barrier();
    arch_isb();
#endif
}

/* Round n is written by vcpu n % 4; then all execute it. */
static void take_part(unsigned n)
{
    unsigned id = this_cpu()->id;

    while (turn != 2 * n + (n % CPUS != id))
        hcall(sched_op, SCHEDOP_yield, 0);
    if (n % CPUS == id) {
        write_move(n);
        turn = 2 * n + 1;
    }
    arch_isb();
    result[id] = run() << 8 | n;
}

static void other(void *unused)
{
    (void)unused;
    for (unsigned n = 1; n <= ROUNDS; n++)
        take_part(n);
}

void test_main(void)
{
    code = page_alloc();
    code_allow(code);
    code[1] = RETURN;
    for (unsigned n = 0; n < 50; n++) {
        write_move(n);
        check_eq(run(), n);
    }
    for (unsigned id = 1; id < CPUS; id++)
        require_eq(vcpu_start(id, other, NULL), 0);
    for (unsigned n = 1; n <= ROUNDS; n++) {
        turn = 2 * n;
        take_part(n);
        for (unsigned id = 0; id < CPUS; id++) {
            for (unsigned i = 0; (result[id] & 0xff) != n && i < 10000; i++)
                hcall(sched_op, SCHEDOP_yield, 0);
            check_eq(result[id], n << 8 | n);
        }
    }
}
