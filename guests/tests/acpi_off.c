/* @title  ACPI: soft off
 * @fact   SLP_EN with the sleep type of S5 switches the machine off; without SLP_EN, or with another type, nothing happens
 * @source ACPI Specification 6.4, 4.8.3.2.1 (SLP_TYPx, SLP_EN); Intel 82371AB (PIIX4) data sheet, 7.2.3 (PMCNTRL: 0 is S5)
 * @env    hvm64
 */
#include <guest.h>
#include <pc.h>

enum { PM = 0xb000, CONTROL = PM + 4, SCI_EN = 1, TYPE_S0 = 5 << 10, TYPE_OFF = 0 << 10, SLP_EN = 1 << 13 };

void test_main(void)
{
    unsigned function = PCI_FUNCTION(1, 3);

    pci_write(function, 0x40, PM);
    pci_write(function, 0x80, 1);
    outw(CONTROL, SCI_EN | TYPE_S0);
    check_eq(inw(CONTROL), SCI_EN | TYPE_S0);
    outw(CONTROL, SCI_EN | TYPE_S0 | SLP_EN);
    check_eq(inw(CONTROL) & SLP_EN, 0);                   /* it reads as zero */
    outw(CONTROL, SCI_EN | TYPE_OFF);
    require_eq(verdict_failures(), 0);
    printf("Test result: SUCCESS\n");
    outw(CONTROL, SCI_EN | TYPE_OFF | SLP_EN);
    fail("the machine is still on");
}
