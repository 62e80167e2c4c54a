/* shared.c - where things are in shared_info and vcpu_info of x86 guests. The layout of a 32-bit guest is written out here; a
 * 32-bit guest test compares it with that of native/abi.
 */
#include "pv.h"
#include "../arch.h"

enum { WORDS = 64, DATE32 = offsetof(struct shared_info, evtchn_pending) + WORDS * sizeof(uint32_t), WORDS_HALF = 32 };

const struct shared_layout X86_SHARED_64 = {
    .pending = offsetof(struct shared_info, evtchn_pending), .mask = offsetof(struct shared_info, evtchn_mask),
    .selector = offsetof(struct vcpu_info, evtchn_pending_sel), .bits = 64,
    .date_version = offsetof(struct shared_info, wc_version), .date_seconds = offsetof(struct shared_info, wc_sec),
    .date_ns = offsetof(struct shared_info, wc_nsec), .date_high = offsetof(struct shared_info, wc_sec_hi),
};
/* The same vcpu_info[] in front (64 bytes each in either ABI), then 32 words of 32 bits, twice. */
const struct shared_layout X86_SHARED_32 = {
    .pending = offsetof(struct shared_info, evtchn_pending),
    .mask = offsetof(struct shared_info, evtchn_pending) + WORDS_HALF * sizeof(uint32_t), .selector = 4, .bits = 32,
    .date_version = DATE32, .date_seconds = DATE32 + 4, .date_ns = DATE32 + 8, .date_high = DATE32 + 12 + 6 * 4,
};
