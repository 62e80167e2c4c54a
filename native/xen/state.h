/* state.h - everything of the hypervisor that a guest's run can change, as plain data in the machine's arena.
 *
 * Rules: no host pointer, no host time, no padding left to chance (fields are ordered large to small or padded by hand).
 * Tables are fixed and sparse: pages nobody touched cost nothing. Python looks at these structs through cffi views;
 * saving, forking and hashing them is copying bytes.
 */
#ifndef XENLAB_STATE_H
#define XENLAB_STATE_H
#ifndef XENLAB_CFFI
#include <stdint.h>
#endif

enum {
    HV_MAX_DOMAINS = 64,          /* slots; a domain's slot is not its domid */
    HV_MAX_VCPUS = 256,           /* vcpu slots in all */
    HV_DOMAIN_VCPUS = 64,         /* a domain at most */
    HV_MAX_PORTS = 131072,        /* event channels a domain: FIFO's limit */
    HV_MAX_GRANTS = 32768,        /* grant references a domain: 64 frames of version 1 */
    HV_MAX_MAPTRACK = 32768,
    HV_GRANT_FRAMES = 64,         /* shared frames a domain */
    HV_GRANT_STATUS_FRAMES = 16,
    HV_FIFO_PAGES = 128,          /* event array pages a domain */
    HV_FIFO_PRIORITIES = 16,
    HV_GDT_PAGES = 16,            /* 14 of the guest's, then the hypervisor's */
    HV_VIRQS = 24,
    HV_E820_ENTRIES = 128,        /* of a domain's memory map */
    HV_TIMERS = 64,               /* of a domain's devices and back ends */
    HV_NO_SLOT = 0xffff
};

#include "p2m_state.h"
#ifdef XENLAB_X86                 /* the architecture's folder is there (native/build.py) */
#include "x86/hvm/state.h"
#endif
#ifdef XENLAB_ARM
#include "arm/state.h"
#endif

/* ---- machine frames: Xen's page_info (xen/arch/x86/include/asm/mm.h) ---- */
/* type_info: type in bits 31..28, then PINNED, VALIDATED, and the count of type references. */
enum {
    PGT_none = 0, PGT_l1 = 1, PGT_l2 = 2, PGT_l3 = 3, PGT_l4 = 4, PGT_seg = 5, PGT_writable = 7, PGT_shared = 8
};
enum { PGT_TYPE_SHIFT = 28, PGT_PINNED = 1 << 27, PGT_VALIDATED = 1 << 26, PGT_COUNT_MASK = (1 << 26) - 1 };
/* ref_info: ALLOCATED means that the owner still holds the frame, which is one of the references counted. */
enum { PGC_COUNT_MASK = (1 << 26) - 1 };
#define PGC_ALLOCATED 0x80000000u
#define PGC_XEN_HEAP 0x40000000u     /* a page of Xen's that its owner may map: not in tot_pages, type fixed to writable */
#define PGC_PARTIAL 0x10000000u      /* a table whose validation or teardown was interrupted; holds a reference itself */
#define PGC_DIRTY 0x20000000u        /* free, with contents left from its last owner: cleared when allocated */
enum { OWNER_NONE = 0x7fff, OWNER_XEN = 0x7ff2 };

struct page_info {
    uint32_t ref_info;            /* PGC_ALLOCATED | references */
    uint32_t type_info;           /* PGT_* */
    uint16_t owner;               /* domid, OWNER_XEN or OWNER_NONE (free) */
    int16_t linear_pt_count;      /* > 0: linear entries that this table holds; < 0: linear entries that point to it */
    uint32_t cursor;              /* PGC_PARTIAL: entries below hold their references; PT_PARTIAL_CHILD, see mm.h */
};

/* ---- event channels ---- */
enum evtchn_state {
    ECS_FREE = 0, ECS_RESERVED, ECS_UNBOUND, ECS_INTERDOMAIN, ECS_PIRQ, ECS_VIRQ, ECS_IPI
};
struct evtchn {
    uint8_t state;                /* enum evtchn_state */
    uint8_t priority;             /* FIFO */
    uint8_t pending;              /* FIFO: pending while the array page is missing */
    uint8_t last_priority;
    uint16_t notify_vcpu;
    uint16_t remote_domid;        /* UNBOUND, INTERDOMAIN */
    uint32_t remote_port;         /* INTERDOMAIN; VIRQ: the virq; PIRQ: the pirq */
    uint32_t last_vcpu;
};

/* ---- grants ---- */
struct active_grant {             /* what is mapped or being copied of one entry of a grant table */
    uint32_t pin;                 /* Xen's GNTPIN counts: host read 0-7, host write 8-15, dev read 16-23, dev write 24-31 */
    uint16_t domid;               /* who maps it */
    uint16_t pad;
    uint64_t frame;
};
struct maptrack {                 /* one mapping of a foreign grant: the handle is the index */
    uint32_t flags;               /* GNTMAP_*; 0: free */
    uint16_t domid;               /* granter */
    uint16_t pad;
    uint32_t ref;
    uint32_t next;
    uint64_t frame;
    uint64_t host_addr;           /* where: a linear address, or the machine address of an L1 entry */
};

/* ---- vcpus ---- */
enum runstate { RS_RUNNING = 0, RS_RUNNABLE = 1, RS_BLOCKED = 2, RS_OFFLINE = 3 };   /* Xen's RUNSTATE_* */

struct hv_trap {                  /* one entry of set_trap_table */
    uint64_t address;
    uint16_t cs;                  /* 0: not registered */
    uint8_t flags;                /* bits 0-1 DPL, bit 2 mask events on entry */
    uint8_t vector;
    uint32_t pad;
};
enum { CB_EVENT = 0, CB_FAILSAFE = 1, CB_SYSCALL = 2, CB_SYSENTER = 3, CB_SYSCALL32 = 4, CB_NMI = 5, CB_COUNT = 6 };
struct hv_callback { uint64_t address; uint16_t cs; uint8_t mask_events; uint8_t registered; uint32_t pad; };

struct vcpu {
    uint16_t domid, id;           /* id: number inside the domain */
    uint16_t slot, domain_slot;
    uint8_t initialised;          /* VCPUOP_initialise done */
    uint8_t online;               /* up */
    uint8_t blocked;              /* SCHEDOP_block / poll: no work until an event */
    uint8_t polling;              /* SCHEDOP_poll */
    uint8_t paused;               /* pause count from the toolstack or the debugger */
    uint8_t kernel_mode;          /* TF_kernel_mode: page table, gs base and syscall meaning follow it */
    uint8_t nmi_pending;
    uint8_t nmi_masked;
    uint8_t iopl;                 /* PHYSDEVOP_set_iopl */
    uint8_t undisturbed;          /* stopped by the budget alone: going on is no moment to deliver events */
    uint8_t fpu_taskswitch;       /* CR0.TS as fpu_taskswitch left it */
    uint8_t runstate;             /* enum runstate */
    uint32_t poll_port;           /* SCHEDOP_poll of one port; 0: any of a set */
    uint32_t vm_flags;
    /* PV context */
    struct hv_trap traps[256];
    struct hv_callback callbacks[6];     /* CB_COUNT */
    uint64_t kernel_ss, kernel_sp;       /* stack_switch */
    uint64_t cr3_kernel, cr3_user;       /* machine addresses; 0: none */
    uint64_t old_table;                  /* frame of a table still to be let go of; 0: none */
    uint64_t old_table_partial;          /* 1: its teardown has begun */
    uint64_t ctrlreg[8];                 /* what the guest reads from cr0..cr7 */
    uint64_t debugreg[8];
    uint64_t fs_base, gs_base_kernel, gs_base_user;
    uint64_t gdt_frames[16];             /* HV_GDT_PAGES */
    uint64_t ldt_frames[16];             /* pages of the LDT that the processor has touched; 0: not yet */
    uint32_t gdt_entries;
    uint32_t ldt_entries;
    uint64_t ldt_base;                   /* linear */
    uint64_t iobmp;                      /* PHYSDEVOP_set_iobitmap: guest address */
    uint32_t iobmp_ports;
    uint32_t vector_counts_pad;
    /* shared areas: physical address (machine) of each; 0: not registered */
    uint64_t info_pa;                    /* struct vcpu_info */
    uint64_t runstate_va;                /* VCPUOP_register_runstate_memory_area: linear */
    uint64_t runstate_pa;                /* where it was when registered */
    uint64_t time_va;                    /* VCPUOP_register_vcpu_time_memory_area */
    uint64_t runstate_since;             /* ns: when the state was entered */
    uint64_t runstate_time[4];           /* ns spent in each before that */
    /* timers, ns of system time; 0: off */
    uint64_t singleshot_deadline;
    uint64_t periodic_period;
    uint64_t periodic_next;
    uint64_t poll_deadline;
    /* multicall in progress (a Python-served entry suspends it) */
    uint64_t multicall_va, multicall_left;
    uint32_t virq_port[24];              /* HV_VIRQS; 0: not bound */
    /* FIFO event channels */
    uint64_t fifo_control_frame;         /* 0: 2-level */
    uint32_t fifo_control_offset;
    uint32_t fifo_pad;
    uint32_t fifo_tail[16];              /* HV_FIFO_PRIORITIES */
    /* scheduling */
    uint64_t retired;                    /* instructions of this vcpu, in all */
    int64_t credit;
    uint64_t sched_order;
};

/* ---- domains ---- */
enum { DOMAIN_PV64 = 0, DOMAIN_PV32 = 1, DOMAIN_PVH = 2, DOMAIN_HVM = 3, DOMAIN_ARM64 = 4, DOMAIN_ARM32 = 5 };
struct hv_e820 { uint64_t addr, size; uint32_t type, pad; };
enum host_ring { HV_RING_STORE = 1, HV_RING_CONSOLE = 2 };
struct domain {
    uint16_t domid, slot;
    uint8_t used, type;
    uint8_t dying, shut_down;            /* shut_down: SCHEDOP_shutdown or crash */
    uint8_t shutdown_code;               /* SHUTDOWN_* */
    uint8_t privileged;
    uint8_t fifo;                        /* FIFO ABI chosen */
    uint8_t grant_version;               /* 1 or 2 */
    uint32_t vcpu_count;
    uint32_t e820_entries;               /* XENMEM_set_memory_map; 0: the domain has none */
    uint32_t rings_held;                 /* enum host_ring: pages that back ends of the host write to */
    uint64_t vm_assist;                  /* bits VMASST_TYPE_* */
    uint16_t vcpu_slot[64];              /* HV_DOMAIN_VCPUS; HV_NO_SLOT: none */
    uint64_t tot_pages, max_pages;
    uint64_t shared_info_frame;
    uint64_t start_info_frame, store_frame, console_frame;
    uint32_t store_port, console_port;
    uint32_t ports;                      /* 1 + highest allocated event channel */
    uint32_t grant_frames;
    uint32_t grant_status_frames;
    uint32_t maptrack_used;
    uint64_t grant_frame[64];            /* HV_GRANT_FRAMES */
    uint64_t grant_status_frame[16];
    uint64_t fifo_page[128];             /* HV_FIFO_PAGES: frames of the event array */
    uint32_t fifo_pages;
    uint32_t suspend_port;
    uint64_t time_offset_seconds;
    uint64_t p2m_frame_list_list;
    uint32_t tsc_mode;
    uint32_t next_free_port;
    uint64_t hypercall_page;             /* linear address, for information */
    uint64_t watchdog_deadline[2];       /* SCHEDOP_watchdog, ns of system time; 0: the slot is free */
    uint32_t max_evtchn_port;            /* highest port that may be allocated; 0: what the ABI allows */
    uint32_t shutdown_code_set;          /* SCHEDOP_shutdown_code chose the code of the shutdown to come */
    uint32_t narrow;                     /* shared_info and vcpu_info are laid out for a guest of 32 bits */
    uint32_t narrow_pad;
    uint64_t timer[64];                  /* HV_TIMERS: deadlines of devices and back ends, ns; 0: off */
    uint64_t patient_timers;             /* a bit each: idle time does not end for them */
    uint64_t pirq_eoi_frame;             /* PHYSDEVOP_pirq_eoi_gmfn: held as writable; 0: none */
    struct hv_e820 e820[128];            /* HV_E820_ENTRIES */
};

/* ---- the root of the arena ---- */
struct hv_state {
    uint64_t version;
    uint64_t frames;                     /* of RAM */
    uint64_t free_hint;                  /* where the frame allocator looks first */
    uint64_t free_frames;
    uint64_t m2p_frame;                  /* first frame of the machine-to-phys table (8 bytes a frame) */
    uint64_t m2p_frames;
    uint64_t idle_ns;                    /* time in which none was retired: skipped, or taken by a device */
    uint64_t retired;                    /* instructions of all vcpus up to the last exit */
    uint64_t wallclock_ns;               /* wall-clock time at system time 0, since 1970; set by the configuration */
    uint64_t events_sent;
    uint32_t running;                    /* vcpu slot on the processor; HV_NO_SLOT: none */
    uint32_t domain_slots;               /* 1 + highest domain slot that was ever used: where searches end */
    uint64_t quantum_end;                /* retired count at which the running vcpu is switched */
    uint64_t rng;                        /* state of the scheduler's generator */
    uint64_t xen_gdt_frame;              /* the hypervisor's own descriptors (selectors 0xe000..) */
    struct domain domains[64];           /* HV_MAX_DOMAINS */
    struct vcpu vcpus[256];              /* HV_MAX_VCPUS */
    uint64_t evtchn_offset;              /* arena offset: struct evtchn [HV_MAX_DOMAINS][HV_MAX_PORTS] */
    uint64_t grant_offset;               /* arena offset: struct active_grant [HV_MAX_DOMAINS][HV_MAX_GRANTS] */
    uint64_t maptrack_offset;            /* arena offset: struct maptrack [HV_MAX_DOMAINS][HV_MAX_MAPTRACK] */
    uint64_t page_offset;                /* arena offset: struct page_info [frames] */
    uint64_t hvm_vcpu_offset;            /* arena offset: struct hvm_vcpu [HV_MAX_VCPUS] */
    uint64_t hvm_domain_offset;          /* arena offset: struct hvm_domain [HV_MAX_DOMAINS] */
    uint64_t arm_vcpu_offset;            /* arena offset: struct arm_vcpu [HV_MAX_VCPUS] */
    uint64_t arm_domain_offset;          /* arena offset: struct arm_domain [HV_MAX_DOMAINS] */
};

#endif
