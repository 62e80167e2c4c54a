/* @title  data aborts
 * @fact   translation, access flag and permission faults of data are told apart, with level, address and direction, from the
 *         kernel and from user mode; nothing has been written then
 * @source Arm DDI 0487, D8.2, D17.2.37 (EC 0x24, 0x25), D17.2.40; DDI 0406C, B3.13, B4.1.52
 * @env    arm64 arm32
 */
#include <guest.h>

static uint64_t *page;

static void read_it(void *p) { (void)*(volatile uint64_t *)p; }
static void write_it(void *p) { *(volatile uint64_t *)p = 1; }
static unsigned long user_read(unsigned long p) { return *(volatile unsigned long *)p; }
static unsigned long user_write(unsigned long p) { *(volatile unsigned long *)p = 1; return 0; }

/* Read and write `at` with this entry, in the kernel and in user mode: the status code of each, 0: none. */
static void faults(uint64_t entry, unsigned kernel_read, unsigned kernel_write, unsigned for_user_read, unsigned for_user_write)
{
    char *at = (char *)page + 8;
    uint64_t old = pt_set(at, entry);
    static const struct { bool user, write; } how[4] = { { false, false }, { false, true }, { true, false }, { true, true } };
    unsigned expected[4] = { kernel_read, kernel_write, for_user_read, for_user_write };

    for (unsigned i = 0; i < 4; i++) {
        struct fault *f = fault_arm();

        if (how[i].user)
            user_call(how[i].write ? user_write : user_read, (unsigned long)at);
        else
            fault_probe(how[i].write ? write_it : read_it, at);
        if (!expected[i]) {
            check_no_fault(f);
            continue;
        }
        check_fault(f, how[i].user ? EC_DABT_USER : EC_DABT, expected[i]);
        check_eq(f->far, at);
        check_eq(!!(f->esr & ISS_WNR), how[i].write);
        check_eq(f->flags & 0xf, how[i].user ? 0 : f->flags & 0xf);
    }
    pt_set(at, old);
}

void test_main(void)
{
    enum { TRANSLATION = FSC_TRANSLATION | 3, PERMISSION = FSC_PERMISSION | 3, FLAG = FSC_ACCESS_FLAG | 3 };

    page = page_alloc();
    uint64_t whole = *pt_entry(page, 3);

    check_eq(whole & PTE_FRAME, (uintptr_t)page);
    faults(whole, 0, 0, 0, 0);
    check_eq(page[1] & 1, 1);
    page[1] = 0x77;
    faults(0, TRANSLATION, TRANSLATION, TRANSLATION, TRANSLATION);
    faults(whole & ~2ULL, TRANSLATION, TRANSLATION, TRANSLATION, TRANSLATION);         /* level 3 has no blocks */
    faults(whole & ~(uint64_t)PTE_AF, FLAG, FLAG, FLAG, FLAG);
    faults(whole | PTE_READONLY, 0, PERMISSION, 0, PERMISSION);
    faults((whole | PTE_READONLY) & ~(uint64_t)PTE_ALL, 0, PERMISSION, PERMISSION, PERMISSION);
    check_eq(page[1], 0x77);                                                           /* nobody has written */
    faults(whole & ~(uint64_t)PTE_ALL, 0, 0, PERMISSION, PERMISSION);
    page[1] = 0x77;

    /* Blocks: of 2 MiB, where no table is. */
    char *block = (char *)0x44000000;
    uint64_t *entry = pt_entry(block, 2), old = *entry;
    struct fault *f = fault_arm();

    *(volatile uint64_t *)entry = 0;
    arch_tlb_flush_all();
    fault_probe(read_it, block + 0x12340);
    check_fault(f, EC_DABT, FSC_TRANSLATION | 2);
    check_eq(f->far, block + 0x12340);
    *(volatile uint64_t *)entry = old & ~(uint64_t)PTE_AF;
    arch_tlb_flush_all();
    f = fault_arm();
    fault_probe(read_it, block);
    check_fault(f, EC_DABT, FSC_ACCESS_FLAG | 2);
    *(volatile uint64_t *)entry = old | PTE_READONLY;
    arch_tlb_flush_all();
    f = fault_arm();
    fault_probe(write_it, block);
    check_fault(f, EC_DABT, FSC_PERMISSION | 2);
    *(volatile uint64_t *)entry = old;
    arch_tlb_flush_all();

    /* And of 1 GiB. */
    entry = pt_entry((void *)0xc0000000, 1);
    old = *entry;
    *(volatile uint64_t *)entry = 0;
    arch_tlb_flush_all();
    f = fault_arm();
    fault_probe(read_it, (void *)0xc1234560);
    check_fault(f, EC_DABT, FSC_TRANSLATION | 1);
    *(volatile uint64_t *)entry = old;
    arch_tlb_flush_all();

    /* With everything as it was. */
    f = fault_arm();
    check_eq(page[1], 0x77);
    check_no_fault(f);
}
