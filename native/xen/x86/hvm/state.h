/* hvm/state.h - what a domain and a vcpu under full virtualisation have beside what every one has. Plain data in the
 * arena, by the rules of ../state.h.
 */
#ifndef XENLAB_HVM_STATE_H
#define XENLAB_HVM_STATE_H
#ifndef XENLAB_CFFI
#include <stdint.h>
#endif
#include "../../io_state.h"
#include "../../p2m_state.h"
#include "../../vga.h"

enum {
    HVM_ACCESS_NS = 1000,         /* how long an access that Python answers takes: a cycle of the ISA bus */
    HVM_PARAMS = 40,              /* HVM_NR_PARAMS, rounded up */
    HVM_DATA_PORTS = 2,
    IOAPIC_PINS = 48,             /* Xen's */
    LAPIC_LVTS = 6,               /* timer, thermal, performance, LINT0, LINT1, error */
    MTRR_VARIABLE = 8
};

/* ---- interrupt controllers ---- */
struct hvm_lapic {
    uint64_t base;                /* MSR APIC_BASE */
    uint64_t timer_deadline;      /* ns; 0: the timer is not running */
    uint64_t tsc_deadline;        /* MSR */
    uint32_t id, tpr, ldr, dfr, svr, esr, esr_pending;
    uint32_t icr_low, icr_high;
    uint32_t lvt[6];              /* LAPIC_LVTS */
    uint32_t timer_initial, timer_divide;
    uint32_t irr[8], isr[8], tmr[8];
    uint32_t pad;
};
struct hvm_pic {                  /* one 8259A */
    uint8_t irr, imr, isr, lines; /* lines: levels of the inputs */
    uint8_t elcr;                 /* level-triggered inputs */
    uint8_t vector;               /* ICW2 */
    uint8_t init;                 /* the ICW that is expected next, 0: initialised */
    uint8_t icw4;                 /* it will come */
    uint8_t auto_eoi, rotate_on_aeoi;
    uint8_t read_isr, poll, special_mask, special_nested;
    uint8_t priority;             /* of the lowest input */
    uint8_t slave;
};
struct hvm_ioapic {
    uint64_t entry[48];           /* IOAPIC_PINS */
    uint64_t lines;               /* levels of the pins */
    uint32_t select, id;
};

/* ---- a vcpu ---- */
struct hvm_vcpu {
    struct hvm_lapic lapic;
    struct io_queue io;
    uint64_t mtrr_base[8], mtrr_mask[8];         /* MTRR_VARIABLE */
    uint64_t mtrr_fixed[11];
    uint64_t mtrr_default;
    uint64_t misc_enable;
    uint64_t cr2;                 /* of the last page fault: the engine's own is overwritten by faults that are none */
    int64_t tsc_offset;
    uint32_t upcall_vector;       /* HVMOP_set_evtchn_upcall_vector; 0: none */
    uint8_t waits_for_sipi;
    uint8_t nmi_pending;
    uint8_t pad[2];
};

/* ---- a domain ---- */
struct hvm_data_port {            /* a block of data on its way through a port */
    uint32_t port, at, length;    /* length 0: none */
    uint32_t writing;             /* the guest writes */
    uint8_t data[65536];          /* IO_BLOCK_BYTES */
};
struct hvm_held {                 /* what a read of a port gives until a time */
    uint64_t until_ns, value;     /* until 0: of none */
    uint32_t port, size;
};
struct hvm_domain {
    struct p2m p2m;
    uint64_t params[40];          /* HVM_PARAMS */
    uint64_t shadow_frame[64];    /* machine frames of the RAM at 0xc0000..0xfffff, under the ROMs */
    uint64_t video_frame, video_frames;          /* video memory: neighbouring machine frames; 0: none */
    uint64_t video_gfn;           /* where the frame buffer is mapped; 0: nowhere */
    struct vga_window vga;
    struct hvm_pic pic[2];
    struct hvm_ioapic ioapic;
    uint8_t has_pic, has_ioapic;  /* a PVH domain has neither */
    uint8_t a20;                  /* address line 20 is not held low */
    uint8_t callback_line;        /* events come by interrupt lines, and one waits: they are up */
    uint8_t forced_emulation;     /* "ud2; xen" in front of an instruction (forced.c) */
    uint8_t pad[3];
    uint64_t callback_lines;      /* a bit for each interrupt line by which events come (HVM_PARAM_CALLBACK_IRQ) */
    uint64_t device_lines;        /* those that devices hold up */
    struct hvm_held held;
    struct hvm_data_port data_port[2];           /* HVM_DATA_PORTS */
};

#endif
