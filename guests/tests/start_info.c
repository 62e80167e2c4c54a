/* @title  start of day
 * @fact   start_info, the initial page tables and the p2m are as the domain builder promises
 * @source xen/include/public/xen.h (start_info and the comment on the start-of-day memory layout)
 * @env    pv64
 * @cmdline one=1 two=0x22 three
 */
#include <guest.h>

void test_main(void)
{
    struct start_info *s = guest_start_info();

    check(strcmp(s->magic, "xen-3.0-x86_64") == 0);
    check(strcmp(guest_cmdline(), "one=1 two=0x22 three") == 0);
    check_eq(guest_option("two", 0), 0x22);
    check_eq(guest_option("three", 3), 3);
    check_eq(s->flags & SIF_PRIVILEGED, 0);
    check_eq(s->nr_pages, 16 * 256);
    check_eq(s->shared_info & 4095, 0);
    check(s->pt_base % 4096 == 0 && s->pt_base > (unsigned long)test_main);
    check(s->mfn_list > (unsigned long)test_main);
    check(s->console.domU.mfn && s->console.domU.evtchn);
    check(s->store_mfn && s->store_evtchn);

    /* Every page table of the start is mapped, and read-only. */
    for (unsigned long i = 0; i < s->nr_pt_frames; i++) {
        pte_t *e = pt_entry((void *)(s->pt_base + i * 4096), 1);

        require(e && *e & PTE_P);
        check(!(*e & PTE_RW));
    }
    /* The mapping goes on for half a MiB at least, to a 4 MiB boundary. */
    char *end = (char *)s->pt_base + s->nr_pt_frames * 4096 + 4096;
    unsigned long n = 0;

    for (char *p = end;; p += 4096, n++) {
        pte_t *e = pt_entry(p, 1);

        if (!e || !(*e & PTE_P)) {
            check_eq((unsigned long)p % (4 << 20), 0);
            break;
        }
        require(*e & PTE_RW);
    }
    check(n >= 128);

    /* State at the start: events masked. */
    check_eq(guest_vcpu_info()->evtchn_upcall_mask, 1);
    check_eq(x86_cs(), FLAT_KERNEL_CS);
    check_eq(x86_ss(), FLAT_KERNEL_SS);
    check_eq(x86_flags() & (X86_EFLAGS_DF | X86_EFLAGS_TF | X86_EFLAGS_AC), 0);
}
