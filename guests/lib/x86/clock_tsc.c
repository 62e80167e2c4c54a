/* clock_tsc.c - system time: system_time + ((tsc - tsc_timestamp) << shift) * mul / 2^32, read between two equal versions. */
#include <guest.h>

uint64_t clock_ns_from(const struct vcpu_time_info *time)
{
    const volatile struct vcpu_time_info *t = time;
    uint32_t version;
    uint64_t ns;

    do {
        version = t->version & ~1u;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        uint64_t delta = x86_rdtsc() - t->tsc_timestamp;

        delta = t->tsc_shift < 0 ? delta >> -t->tsc_shift : delta << t->tsc_shift;
        uint64_t mul = t->tsc_to_system_mul;

        /* 64 x 32 bits, the upper 64 of 96, without a 128-bit type (32-bit environments have none). */
        ns = t->system_time + (((delta & 0xffffffffu) * mul) >> 32) + (delta >> 32) * mul;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
    } while (t->version != version);
    return ns;
}

uint64_t clock_ns(void)
{
    return clock_ns_from(&guest_vcpu_info()->time);
}
