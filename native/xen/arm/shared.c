/* shared.c - where things are in shared_info and vcpu_info of ARM guests, whatever their width. */
#define XEN_ABI_ARM 1                 /* not the host's own */
#include "arm.h"
#include "../../abi/xen.h"

const struct shared_layout ARM_SHARED = {
    .pending = offsetof(struct shared_info, evtchn_pending), .mask = offsetof(struct shared_info, evtchn_mask),
    .selector = offsetof(struct vcpu_info, evtchn_pending_sel), .bits = 64,
    .date_version = offsetof(struct shared_info, wc_version), .date_seconds = offsetof(struct shared_info, wc_sec),
    .date_ns = offsetof(struct shared_info, wc_nsec), .date_high = offsetof(struct shared_info, wc_sec_hi),
};
