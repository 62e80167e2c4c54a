/* @title  local APIC: priorities, registers, errors
 * @fact   interrupts wait in IRR for their class to be above the processor's priority, the highest first; EOI ends the
 *         highest in service; illegal vectors are errors; a disabled APIC masks its LVT
 * @source Intel SDM volume 3, 10.8.3 to 10.8.5 (priorities, IRR, ISR, EOI), 10.5.3 (ESR), 10.4.7.2 (software disable)
 * @env    pvh64 hvm64 hvm32
 */
#include <guest.h>

enum { LOW = 0x40, SAME = 0x4f, HIGH = 0x90, ERRORS = 0x55, SEND_ILLEGAL = 1 << 5 };

static unsigned order[8], arrived;

static void on_any(unsigned vector)
{
    if (arrived < ARRAY_SIZE(order))
        order[arrived++] = vector;
}

static bool bit(unsigned reg, unsigned vector) { return lapic_read(reg + 16 * (vector / 32)) >> vector % 32 & 1; }
static void to_self(unsigned vector) { lapic_write(LAPIC_ICR, ICR_SELF | vector); }

static void let_in(void)
{
    irq_enable();
    __asm__ volatile("nop; nop");
    irq_disable();
}

static void priorities(void)
{
    interrupt_watch(LOW, on_any);
    interrupt_watch(SAME, on_any);
    interrupt_watch(HIGH, on_any);
    lapic_write(LAPIC_TPR, 0x41);
    check_eq(lapic_read(LAPIC_PPR), 0x41);
    to_self(LOW);
    to_self(SAME);
    to_self(HIGH);
    check(bit(LAPIC_IRR, LOW) && bit(LAPIC_IRR, SAME) && bit(LAPIC_IRR, HIGH));
    let_in();
    check_eq(arrived, 1);
    check_eq(order[0], HIGH);
    check(bit(LAPIC_IRR, LOW) && !bit(LAPIC_IRR, HIGH));
    lapic_write(LAPIC_TPR, 0x3f);
    let_in();
    check_eq(arrived, 3);
    check_eq(order[1], SAME);
    check_eq(order[2], LOW);
    check(!bit(LAPIC_IRR, LOW) && !bit(LAPIC_TMR, LOW));
    lapic_write(LAPIC_TPR, 0);

    /* What is in service keeps its class out; its end lets the class in. */
    arrived = 0;
    interrupt_without_eoi(SAME);
    to_self(SAME);
    let_in();
    check(bit(LAPIC_ISR, SAME));
    check_eq(lapic_read(LAPIC_PPR), SAME & 0xf0);
    to_self(LOW);
    let_in();
    check_eq(arrived, 1);
    to_self(HIGH);
    let_in();
    check_eq(arrived, 2);
    check(!bit(LAPIC_ISR, HIGH) && bit(LAPIC_ISR, SAME));
    lapic_write(LAPIC_EOI, 0);
    check(!bit(LAPIC_ISR, SAME));
    let_in();
    check_eq(order[2], LOW);
    /* Twice before it is taken is once. */
    arrived = 0;
    to_self(LOW);
    to_self(LOW);
    let_in();
    check_eq(arrived, 1);
}

static void errors(void)
{
    interrupt_watch(ERRORS, on_any);
    lapic_write(LAPIC_LVT_ERROR, ERRORS);
    lapic_write(LAPIC_ESR, 0);
    lapic_write(LAPIC_ESR, 0);
    check_eq(lapic_read(LAPIC_ESR), 0);
    arrived = 0;
    to_self(5);
    lapic_write(LAPIC_ESR, 0);
    check_eq(lapic_read(LAPIC_ESR) & SEND_ILLEGAL, SEND_ILLEGAL);
    let_in();
    check_eq(arrived, 1);
    lapic_write(LAPIC_ESR, 0);
    check_eq(lapic_read(LAPIC_ESR), 0);
}

static void registers(void)
{
    check_eq(lapic_read(LAPIC_VERSION) & 0xf0, 0x10);     /* integrated */
    check((lapic_read(LAPIC_VERSION) >> 16 & 0xff) >= 5);
    lapic_write(LAPIC_LDR, 0xffffffff);
    check_eq(lapic_read(LAPIC_LDR), 0xff000000);
    lapic_write(LAPIC_DFR, 0);
    check_eq(lapic_read(LAPIC_DFR), 0x0fffffff);
    lapic_write(LAPIC_LVT_ERROR, ERRORS);
    lapic_write(LAPIC_LVT_LINT1, 0x400);
    lapic_write(LAPIC_SVR, 0xff);                         /* off: all LVT entries are masked, and stay so */
    check_eq(lapic_read(LAPIC_LVT_ERROR), LVT_MASKED | ERRORS);
    check_eq(lapic_read(LAPIC_LVT_LINT1), LVT_MASKED | 0x400);
    lapic_write(LAPIC_LVT_ERROR, ERRORS);
    check_eq(lapic_read(LAPIC_LVT_ERROR) & LVT_MASKED, LVT_MASKED);
    arrived = 0;
    lapic_write(LAPIC_SVR, 0x1ff);
    let_in();
    check_eq(arrived, 0);
}

void test_main(void)
{
    priorities();
    errors();
    registers();
}
