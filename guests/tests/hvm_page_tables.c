/* @title  page tables edited in every way, without a flush
 * @fact   a translation is never kept longer than the entries it comes from: each access sees the tables as they are then, and
 *         marks them accessed and dirty again
 * @source Intel SDM volume 3, 4.8, 4.10.4.3 (a processor may forget at any time); docs/adr/0009
 * @env    pvh64
 * @vcpus  2
 * @traps  PF:3
 */
#include <guest.h>

#define PAGE_ALIGNED __attribute__((aligned(4096)))
#define VA_BITS(level) (12 + 9 * ((level) - 1))
enum { SLOT = 3, SELF = 5, PAGES = 8, ROUNDS = 1500, SHOOTDOWN = 0x51 };
#define BASE ((uint64_t)SLOT << 39)               /* nothing of the library's is there */
#define FLAGS (PTE_P | PTE_RW)
#define MARKS (PTE_A | PTE_D)

static uint64_t l3[512] PAGE_ALIGNED, l2[512] PAGE_ALIGNED, l1[512] PAGE_ALIGNED, other_l1[512] PAGE_ALIGNED;
static uint64_t data[PAGES][512] PAGE_ALIGNED, code[2][512] PAGE_ALIGNED;
static uint64_t big[2][512 * 512] __attribute__((aligned(0x200000)));

static uint64_t *l4(void) { return (uint64_t *)(read_cr3() & PTE_FRAME); }
static volatile uint64_t *at(unsigned slot) { return (volatile uint64_t *)(BASE + slot * PAGE_SIZE); }
static uint64_t entry(const void *page, uint64_t flags) { return (uint64_t)(unsigned long)page | flags; }
static void set(uint64_t *where, uint64_t value) { *(volatile uint64_t *)where = value; }
static uint64_t get(const uint64_t *where) { return *(const volatile uint64_t *)where; }

static void prepare(void)
{
    for (unsigned i = 0; i < PAGES; i++)
        data[i][0] = 100 + i;
    set(&l4()[SLOT], entry(l3, FLAGS));
    set(&l3[0], entry(l2, FLAGS));
    set(&l2[0], entry(l1, FLAGS));
    for (unsigned i = 0; i < PAGES; i++)
        set(&l1[i], entry(data[i], FLAGS));
}

static void leaves(void)
{
    check_eq(*at(0), 100);
    check_eq(get(&l1[0]), entry(data[0], FLAGS | PTE_A));
    check_eq(get(&l2[0]), entry(l1, FLAGS | PTE_A));
    *at(0) = 100;
    check_eq(get(&l1[0]), entry(data[0], FLAGS | MARKS));
    set(&l1[0], entry(data[1], FLAGS | PTE_A));          /* another frame */
    check_eq(*at(0), 101);
    check_eq(get(&l1[0]), entry(data[1], FLAGS | PTE_A));
    *at(0) = 101;
    check_eq(get(&l1[0]), entry(data[1], FLAGS | MARKS));
    set(&l1[0], entry(data[1], FLAGS));                   /* marks taken away */
    check_eq(*at(0), 101);
    check_eq(get(&l1[0]), entry(data[1], FLAGS | PTE_A));
    __asm__ volatile("lock btrq $5, %0" : "+m"(l1[0]) : : "memory", "cc");
    *at(0) = 101;
    check_eq(get(&l1[0]), entry(data[1], FLAGS | MARKS));
    ((volatile uint8_t *)&l1[0])[0] &= (uint8_t)~MARKS;   /* one byte of an entry */
    check_eq(*at(0), 101);
    check_eq(get(&l1[0]), entry(data[1], FLAGS | PTE_A));
    set(&l1[0], entry(data[0], FLAGS));
    (void)*at(1);
    /* Two halves of two entries, in one store that is not aligned. */
    *(volatile uint64_t *)((char *)l1 + 4) = (uint64_t)(unsigned)entry(data[2], FLAGS) << 32;
    check_eq(*at(1), 102);
    set(&l1[1], entry(data[1], FLAGS));
}

static void rights(void)
{
    *at(2) = 102;
    set(&l1[2], entry(data[2], PTE_P | MARKS));
    struct fault *f = fault_arm();

    __asm__ volatile(FAULTING("movq $0, (%0)") : : "r"(at(2)) : "memory");
    check_fault(f, X86_EXC_PF, PFEC_page_present | PFEC_write_access);
    check_eq(*at(2), 102);
    set(&l2[0], entry(l1, PTE_P));
    f = fault_arm();
    __asm__ volatile(FAULTING("movq $0, (%0)") : : "r"(at(1)) : "memory");
    check_fault(f, X86_EXC_PF, PFEC_page_present | PFEC_write_access);
    set(&l2[0], 0);
    f = fault_arm();
    __asm__ volatile(FAULTING("movq (%0), %%rax") : : "r"(at(1)) : "memory", "rax");
    check_fault(f, X86_EXC_PF, 0);
    set(&l2[0], entry(l1, FLAGS));
    set(&l1[2], entry(data[2], FLAGS));
    check_eq(*at(2), 102);
}

static void upper_levels(void)
{
    memcpy(other_l1, l1, sizeof(l1));
    set(&other_l1[3], entry(data[4], FLAGS));
    check_eq(*at(3), 103);
    set(&l2[0], entry(other_l1, FLAGS));
    check_eq(*at(3), 104);
    check_eq(get(&l2[0]), entry(other_l1, FLAGS | PTE_A));
    set(&l2[1], entry(other_l1, FLAGS));                  /* the same table in two places */
    check_eq(at(512)[512 * 3], 104);
    set(&other_l1[3], entry(data[5], FLAGS));
    check_eq(*at(3), 105);
    check_eq(at(512)[512 * 3], 105);
    set(&l2[0], entry(l1, FLAGS));
    check_eq(*at(3), 103);
    memset(other_l1, 0x11, sizeof(other_l1));             /* and then it is no table any more */
    for (unsigned i = 0; i < 512; i++)
        check(get(&other_l1[i]) == 0x1111111111111111);
    set(&l2[1], 0);
}

static void large_pages(void)
{
    volatile uint64_t *page = at(2 * 512);

    big[0][7 * 512] = 70;
    big[1][7 * 512] = 71;
    set(&l2[2], entry(big[0], FLAGS | PTE_PS));
    check_eq(page[7 * 512], 70);
    check_eq(get(&l2[2]), entry(big[0], FLAGS | PTE_PS | PTE_A));
    page[8 * 512] = 1;
    check_eq(get(&l2[2]), entry(big[0], FLAGS | PTE_PS | MARKS));
    page[9 * 512] = 1;
    set(&l2[2], entry(big[1], FLAGS | PTE_PS));
    check_eq(page[7 * 512], 71);
    page[9 * 512] = 2;
    check_eq(get(&l2[2]), entry(big[1], FLAGS | PTE_PS | MARKS));
    check_eq(big[1][9 * 512], 2);
    set(&l3[1], entry(0, FLAGS | PTE_PS));                /* all of the first GiB, in one page */
    check_eq(*(volatile uint64_t *)(BASE + (1UL << 30) + (uint64_t)(unsigned long)&big[1][9 * 512]), 2);
    set(&l2[2], entry(l1, FLAGS));                        /* a table where a large page was */
    check_eq(page[0], 100);
    set(&l2[2], 0);
    set(&l3[1], 0);
}

static void self_map(void)
{
    uint64_t through = (uint64_t)SELF << 39 | (uint64_t)SELF << 30 | (uint64_t)SELF << 21 | (uint64_t)SELF << 12;

    set(&l4()[SELF], entry(l4(), FLAGS));
    uint64_t *mine = (uint64_t *)((uint64_t)SELF << 39 | BASE >> 9);      /* entries of l1, seen through the map */

    (void)at(0);
    check_eq(get(mine), get(&l1[0]));
    set(mine, entry(data[6], FLAGS));
    check_eq(*at(0), 106);
    /* The entry by which it is seen is changed through itself. */
    set((uint64_t *)through + SELF, entry(l4(), FLAGS | 1 << 9));
    check_eq(get((uint64_t *)through + SELF) & ~PTE_D, entry(l4(), FLAGS | PTE_A | 1 << 9));
    set(mine, entry(data[0], FLAGS));
    set((uint64_t *)through + SELF, entry(l4(), PTE_A | PTE_RW));          /* gone */
    set(&l4()[SELF], 0);
    check_eq(*at(0), 100);
}

/* mov %rsi, (%rdi); mov $number, %eax; ret */
static void write_code(void *to, uint8_t number)
{
    const uint8_t bytes[] = { 0x48, 0x89, 0x37, 0xb8, number, 0, 0, 0, 0xc3 };

    memcpy(to, bytes, sizeof(bytes));
}

static void code_that_changes_its_own_page(void)
{
    unsigned (*run)(uint64_t *, uint64_t) = (unsigned (*)(uint64_t *, uint64_t))(unsigned long)at(20);

    write_code(code[0], 1);
    write_code(code[1], 2);
    for (unsigned i = 0; i < 40; i++) {
        set(&l1[20], entry(code[0], FLAGS));
        check_eq(run(&l1[20], entry(code[0], FLAGS)), 1);
        check_eq(get(&l1[20]), entry(code[0], FLAGS | PTE_A));           /* marked again by what follows the store */
        check_eq(run(&l1[20], entry(code[1], FLAGS)), 2);
        check_eq(run(&l2[0], entry(l1, FLAGS)), 2);
        check_eq(get(&l2[0]), entry(l1, FLAGS | PTE_A));
    }
}

/* ---- anything, at random: each access against a walk in software ---- */

static bool walk(uint64_t va, bool write, uint64_t **last, uint64_t *target)
{
    uint64_t *table = l4();

    for (int level = 4;; level--) {
        *last = &table[va >> VA_BITS(level) & 511];
        if (!(get(*last) & PTE_P) || (write && !(get(*last) & PTE_RW)))
            return false;
        *target = (get(*last) & PTE_FRAME);
        if (level == 1 || (get(*last) & PTE_PS))
            return true;
        table = (uint64_t *)*target;
    }
}

static void at_random(void)
{
    uint64_t seed = 7, sum = 0;
    uint64_t *tables[] = { l1, other_l1 };

    memcpy(other_l1, l1, sizeof(l1));
    set(&l2[1], entry(other_l1, FLAGS));
    for (unsigned round = 0; round < ROUNDS; round++) {
        seed = seed * 6364136223846793005 + 1442695040888963407;
        unsigned which = seed >> 33 & 1, slot = seed >> 40 & 7, kind = seed >> 48 & 7;
        uint64_t va = BASE + which * 0x200000 + slot * PAGE_SIZE, *last, frame;

        if (kind < 2)
            set(&tables[which][slot], entry(data[seed >> 52 & 7], seed >> 60 & 1 ? FLAGS : PTE_P));
        else if (kind == 2)
            set(&tables[which][slot], get(&tables[which][slot]) & ~MARKS);
        else if (kind == 3)
            set(&l2[which], entry(tables[seed >> 52 & 1], FLAGS));
        else if (walk(va, kind == 4, &last, &frame)) {
            uint64_t before = get(last);

            if (kind == 4)
                *(volatile uint64_t *)va = seed;
            sum += *(volatile uint64_t *)va;
            check_eq(*(volatile uint64_t *)va, *(volatile uint64_t *)frame);
            check_eq(get(last), before | (kind == 4 ? MARKS : PTE_A));
        }
    }
    check(sum != 0);
    set(&l2[0], entry(l1, FLAGS));
    set(&l2[1], 0);
}

/* ---- another processor ---- */

static unsigned asked, answered;

static void on_shootdown(unsigned vector)
{
    (void)vector;
    __asm__ volatile("invlpg (%0)" : : "r"(at(0)) : "memory");
    __atomic_store_n(&answered, (unsigned)*at(0), __ATOMIC_SEQ_CST);
}

static void other(void *arg)
{
    (void)arg;
    __atomic_store_n(&asked, (unsigned)*at(0), __ATOMIC_SEQ_CST);
    for (;;)
        wait_for_interrupt();
}

static void shootdown(void)
{
    prepare();
    interrupt_watch(SHOOTDOWN, on_shootdown);
    require_eq(vcpu_start(1, other, NULL), 0);
    check(wait_while(&asked, 0, 1000000));
    check_eq(asked, 100);
    for (unsigned i = 1; i < PAGES; i++) {
        answered = 0;
        set(&l1[0], entry(data[i], FLAGS));
        apic_send(2, SHOOTDOWN);
        check(wait_while(&answered, 0, 1000000));
        check_eq(answered, 100 + i);
    }
}

void test_main(void)
{
    prepare();
    leaves();
    rights();
    upper_levels();
    large_pages();
    self_map();
    code_that_changes_its_own_page();
    at_random();
    shootdown();
}
