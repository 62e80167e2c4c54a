/* turn.c - the inside of the run loop: one vcpu's turn, up to what Python must decide or answer.
 *
 * Invariants. What is done here is what hv/hypervisor.py would do between two exits while a turn goes on: expire timers,
 * see that the vcpu may still run or choose the next (schedule.c), compute the budget, run. Whether that happens here or there
 * changes no instruction count: every stop is at a count that the state and the two limits give.
 */
#include "hv.h"

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

int hv_run_turn(struct hv *hv, uint64_t limit, uint64_t end_ns, bool once, struct cpu_exit *exit)
{
    struct hv_state *s = hv->s;
    for (;;) {
        if (s->retired >= limit)
            return HV_TURN_LIMIT;
        uint64_t now = hv_now(hv);
        if (now >= end_ns)
            return HV_TURN_TIME;
        hv->began = s->retired;
        (void)hv_fire_due(hv);
        if (hv_device_due(hv))
            return HV_TURN_DEVICE;
        if (stops_met(hv)) {
            memset(exit, 0, sizeof *exit);
            return EXIT_BREAKPOINT;
        }
        uint32_t slot = hv_turn(hv);
        if (slot == HV_NO_SLOT)
            slot = hv_next_turn(hv);
        if (slot == HV_NO_SLOT)
            return HV_TURN_OVER;
        uint64_t due = least(hv_next_deadline(hv), end_ns);
        uint64_t budget = least(least(limit, s->quantum_end) - s->retired, due > now ? due - now : 1);
        int reason = hv_run(hv, slot, (int64_t)least(budget, INT64_MAX), exit);
        if (stops_met(hv))
            return reason == EXIT_BUDGET || reason == EXIT_IDLE ? EXIT_BREAKPOINT : reason;
        if (once || (reason != EXIT_BUDGET && reason != EXIT_IDLE))
            return reason;
    }
}
