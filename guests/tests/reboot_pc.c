/* @title    the ways to reboot a PC
 * @fact     ports 0xcf9, 0x64 and 0x92, the keyboard controller's output port, ACPI's reset register, a triple fault and
 *           SCHEDOP_shutdown(SHUTDOWN_reboot) each begin the domain anew: memory and devices as at power-on, while the
 *           battery-backed memory and the disk keep what was written
 * @source   Intel 82371SB (PIIX3), 2.5.7 and 2.5.10; IBM PC AT technical reference, 8042 commands 0xd1 and 0xf0-0xff; ACPI
 *           6.5, 4.8.3.6; xen/include/public/sched.h; handle_domain_death() in tools/xl/xl_vmcontrol.c
 * @env      hvm64 hvm32
 * @vcpus    2
 * @disk     16
 * @restarts 7
 */
#include <guest.h>
#include <ide.h>
#include <pc.h>

enum { KEPT = 0x60, OUTPUT_PORT = 0xd1, PULSE_RESET = 0xfe, SECTOR_WORDS = 256, SCRATCH = 7 };
static volatile unsigned in_memory = 7;
static volatile unsigned second_ran;

/* One word of sector 3, read; and all of them written. */
static uint16_t read_word(void)
{
    uint16_t words[SECTOR_WORDS];

    ide_command(ATA_READ, 3, 1);
    ide_read(words, SECTOR_WORDS);
    return words[SECTOR_WORDS - 1];
}

static void write_word(uint16_t value)
{
    uint16_t words[SECTOR_WORDS];

    for (unsigned i = 0; i < SECTOR_WORDS; i++)
        words[i] = value;
    ide_command(ATA_WRITE, 3, 1);
    ide_write(words, SECTOR_WORDS);
}

static void triple_fault(void)
{
    static const struct table_pointer none = { 0, 0 };

    __asm__ volatile("lidt %0\n\tud2" : : "m"(none));
}

static void reboot(unsigned way)
{
    struct sched_shutdown by_call = { .reason = SHUTDOWN_reboot };

    switch (way) {
    case 0: outb(RESET_CONTROL, 2); outb(RESET_CONTROL, 6); break;
    case 1: outb(KBC, PULSE_RESET); break;
    case 2: outb(PORT_92, inb(PORT_92) | 1); break;
    case 3: outb(KBC, OUTPUT_PORT); outb(KBC_DATA, 0); break;
    case 4: outb(RESET_CONTROL, 6); break;     /* ACPI's register and value (docs/devices/chipset.md) */
    case 5: triple_fault(); break;
    default: hcall(sched_op, SCHEDOP_shutdown, &by_call); break;
    }
    for (volatile unsigned turns = 0; turns < 100000; turns++)
        ;
    fail("way %u did not reboot the machine", way);
}

static void second(void *unused)
{
    (void)unused;
    second_ran = 1;
}

void test_main(void)
{
    unsigned way = rtc_read(KEPT);

    check_eq(in_memory, 7);
    check_eq(inb(PORT_92), 2);
    check_eq(inb(COM1 + SCRATCH), 0);
    check_eq(read_word(), way);
    require_eq(vcpu_start(1, second, NULL), 0);
    while (!second_ran)
        __asm__ volatile("pause");
    if (way == 7)
        return;
    in_memory = 8;
    outb(COM1 + SCRATCH, 0x5a);
    rtc_write(KEPT, way + 1);
    write_word((uint16_t)(way + 1));
    require_eq(verdict_failures(), 0);
    reboot(way);
}
