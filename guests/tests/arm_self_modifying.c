/* @title  code that changes
 * @fact   after cache maintenance an instruction that was written is the one that is executed, whichever vcpu wrote it, in the
 *         page that it stands in too
 * @source Arm DDI 0487, B2.4.4; DDI 0406C, A3.5.4
 * @env    arm64 arm32
 * @vcpus  2
 */
#include <guest.h>

#ifdef __aarch64__
#define MOVE(n) (0xd2800000u | (n) << 5)        /* mov x0, #n */
#define RETURN 0xd65f03c0u
#else
#define MOVE(n) (0xe3a00000u | (n))             /* mov r0, #n */
#define RETURN 0xe12fff1eu
#endif

static uint32_t *code;
static volatile unsigned wanted, done;

static unsigned run(void) { return ((unsigned (*)(void))code)(); }

static void write_move(unsigned n)
{
    *(volatile uint32_t *)code = MOVE(n);
    arch_sync_code(code);
}

static void other(void *unused)
{
    (void)unused;
    for (unsigned n = 1; n <= 20; n++) {
        while (wanted != n)
            hcall(sched_op, SCHEDOP_yield, 0);
        write_move(100 + n);
        done = n;
    }
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
    require_eq(vcpu_start(1, other, NULL), 0);
    for (unsigned n = 1; n <= 20; n++) {
        write_move(n);
        check_eq(run(), n);
        wanted = n;
        require(wait_while(&done, n - 1, 10000));
        arch_isb();
        check_eq(run(), 100 + n);
    }
}
