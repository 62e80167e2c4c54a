/* pc_tour.c - a 32-bit program in place of firmware that uses the devices of a PC: disk transfers by PIO and by bus master,
 * a CD-ROM, fw_cfg, a change of VGA modes with drawing in between, the serial port. It ends by HLT with interrupts off.
 */
typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32;

static inline void out8(u16 p, u8 v) { __asm__ volatile("outb %0, %1" :: "a"(v), "Nd"(p)); }
static inline void out16(u16 p, u16 v) { __asm__ volatile("outw %0, %1" :: "a"(v), "Nd"(p)); }
static inline void out32(u16 p, u32 v) { __asm__ volatile("outl %0, %1" :: "a"(v), "Nd"(p)); }
static inline u8 in8(u16 p) { u8 v; __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(p)); return v; }
static inline void insb(u16 p, void *to, u32 n)
{ __asm__ volatile("rep insb" : "+D"(to), "+c"(n) : "d"(p) : "memory"); }
static inline void insw(u16 p, void *to, u32 n)
{ __asm__ volatile("rep insw" : "+D"(to), "+c"(n) : "d"(p) : "memory"); }
static inline void outsw(u16 p, const void *from, u32 n)
{ __asm__ volatile("rep outsw" : "+S"(from), "+c"(n) : "d"(p) : "memory"); }

__asm__(".globl _start\n_start: movl $0x90000, %esp\n jmp work\n");

enum { DISK = 0x1f0, CONTROL = 0x3f6, MASTER = 0xc000 };     /* disk and CD-ROM share the first channel */

static void say(const char *text)
{
    while (*text)
        out8(0x3f8, (u8)*text++);
}

/* ---- disks ---- */

static void pci_write(u32 where, u32 value)
{
    out32(0xcf8, 0x80000000 | where);
    out32(0xcfc, value);
}

/* The interrupt, as the slave 8259A sees it at its input 6. */
static void wait_interrupt(void)
{
    out8(0xa0, 0x0a);
    while (!(in8(0xa0) & 0x40))
        ;
    in8(DISK + 7);
}

static void wait_for_data(void)
{
    while ((in8(CONTROL) & 0x88) != 8)
        ;
}

static void command(u32 lba, u8 count, u8 opcode)
{
    out8(DISK + 6, 0xe0);
    out8(DISK + 2, count);
    out8(DISK + 3, (u8)lba); out8(DISK + 4, (u8)(lba >> 8)); out8(DISK + 5, (u8)(lba >> 16));
    out8(DISK + 7, opcode);
}

void pio_read(void)
{
    command(7, 3, 0x20);                     /* READ SECTORS */
    for (u32 i = 0; i < 3; i++) {
        wait_interrupt();
        insw(DISK, (u8 *)0x200000 + 512 * i, 256);
    }
}

void pio_write(void)
{
    command(100, 2, 0x30);                   /* WRITE SECTORS */
    wait_for_data();
    outsw(DISK, (u8 *)0x200000, 256);
    wait_interrupt();
    outsw(DISK, (u8 *)0x200200, 256);
    wait_interrupt();
}

void dma(u8 opcode, u8 direction, u32 lba, u8 sectors)
{
    static u32 prd[4] __attribute__((aligned(16)));
    prd[0] = 0x220000; prd[1] = 0x1000; prd[2] = 0x221000; prd[3] = 0x80000000;
    out32(MASTER + 4, (u32)prd);
    out8(MASTER, direction);
    command(lba, sectors, opcode);
    out8(MASTER, direction | 1);
    wait_interrupt();
    out8(MASTER, 0);
    out8(MASTER + 2, 6);
}

void cd_read(void)
{
    static const u8 packet[12] = { 0x28, 0, 0, 0, 0, 5, 0, 0, 2 };
    out8(DISK + 6, 0xb0);                                /* device 1 */
    out8(DISK + 1, 0); out8(DISK + 4, 0); out8(DISK + 5, 8);
    out8(DISK + 7, 0xa0);                                /* PACKET: READ(10) in blocks of 2048 bytes */
    wait_for_data();
    outsw(DISK, packet, 6);
    for (u32 i = 0; i < 2; i++) {
        wait_interrupt();
        insw(DISK, (u8 *)0x240000 + 2048 * i, 1024);
    }
    wait_interrupt();
}

/* ---- screen ---- */

/* 640 by 480 in 16 colours, and text of 80 columns (IBM VGA, modes 12h and 3). */
static const u8 planar[] = {
    0xe3, 0x01, 0x0f, 0x00, 0x06,
    0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0, 0, 0, 0, 0, 0, 0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0f, 0xff,
    0x01, 0x00, 0x0f, 0x00,
};
static const u8 text[] = {
    0x67, 0x00, 0x03, 0x00, 0x02,
    0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff,
    0x0c, 0x00, 0x0f, 0x08,
};

void set_mode(const u8 *r)
{
    out8(0x3c2, *r++);
    for (u8 i = 1; i <= 4; i++)
        out16(0x3c4, (u16)(*r++ << 8 | i));
    out16(0x3d4, 0x0011);                                /* unprotect */
    for (u8 i = 0; i < 25; i++)
        out16(0x3d4, (u16)(*r++ << 8 | i));
    for (u8 i = 0; i < 9; i++)
        out16(0x3ce, (u16)(*r++ << 8 | i));
    in8(0x3da);
    for (u8 i = 0; i < 16; i++) {
        out8(0x3c0, i);
        out8(0x3c0, i);
    }
    for (u8 i = 0; i < 4; i++) {
        out8(0x3c0, 0x10 + i);
        out8(0x3c0, *r++);
    }
    out8(0x3c0, 0x20);
    out8(0x3c8, 0);
    for (u32 i = 0; i < 16 * 3; i++)
        out8(0x3c9, (u8)(i & 0x3f));
}

void draw(void)
{
    volatile u8 *window = (u8 *)0xa0000;
    for (u32 i = 0; i < 64; i++) {
        out16(0x3ce, (u16)((i & 3) << 11 | 3));          /* function: as it is, and, or, xor */
        out16(0x3ce, (u16)((u8)(0x80u >> (i & 7)) << 8 | 8));
        (void)window[i * 80];
        window[i * 80] = (u8)i;
    }
}

static void vbe(u16 index, u16 value) { out16(0x1ce, index); out16(0x1cf, value); }

void linear(void)
{
    volatile u8 *window = (u8 *)0xa0000;
    vbe(4, 0); vbe(1, 320); vbe(2, 200); vbe(3, 8); vbe(4, 1);
    for (u32 i = 0; i < 256; i++)
        window[i * 321] = (u8)i;
    vbe(4, 0);
}

void work(void)
{
    say("tour\n");
    out8(0xa0, 0x11); out8(0xa1, 0x28); out8(0xa1, 2); out8(0xa1, 1);
    pci_write(0x920, MASTER | 1);                        /* 0:1.1, the IDE function: bus masters, and their use */
    pci_write(0x904, 5);
    for (u32 i = 0; i < 2; i++) {
        pio_read();
        pio_write();
        dma(0xc8, 8, 200, i ? 24 : 134);                 /* READ DMA */
        dma(0xca, 0, 230, i ? 24 : 134);                 /* WRITE DMA */
        cd_read();
        out16(0x510, 0);
        insb(0x511, (u8 *)0x250000, 4);                  /* fw_cfg: its signature; each byte is asked for */
        set_mode(planar);
        draw();
        linear();
        set_mode(text);
        say("round\n");
    }
    __asm__ volatile("cli; hlt");
    for (;;)
        ;
}
