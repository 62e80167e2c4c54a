/* x86_defs.h - numbers of the x86 architecture itself that guests and the hypervisor both need, under the names that
 * Xen gives them (x86-defns.h, msr-index.h, page.h). Source: Intel SDM volumes 3 and 4, AMD APM volume 2. */
#ifndef XEN_PUBLIC_ARCH_X86_DEFS_H
#define XEN_PUBLIC_ARCH_X86_DEFS_H

/* exception vectors */
#define X86_EXC_DE  0
#define X86_EXC_DB  1
#define X86_EXC_NMI 2
#define X86_EXC_BP  3
#define X86_EXC_OF  4
#define X86_EXC_BR  5
#define X86_EXC_UD  6
#define X86_EXC_NM  7
#define X86_EXC_DF  8
#define X86_EXC_TS  10
#define X86_EXC_NP  11
#define X86_EXC_SS  12
#define X86_EXC_GP  13
#define X86_EXC_PF  14
#define X86_EXC_MF  16
#define X86_EXC_AC  17
#define X86_EXC_MC  18
#define X86_EXC_XM  19
#define X86_EXC_CP  21
/* vectors that push an error code */
#define X86_EXC_HAVE_EC 0x00227d00

/* page-fault error code */
#define PFEC_page_present  (1 << 0)
#define PFEC_write_access  (1 << 1)
#define PFEC_user_mode     (1 << 2)
#define PFEC_reserved_bit  (1 << 3)
#define PFEC_insn_fetch    (1 << 4)

/* selector error code */
#define X86_XEC_EXT (1 << 0)
#define X86_XEC_IDT (1 << 1)
#define X86_XEC_TI  (1 << 2)

#define X86_EFLAGS_CF   0x00000001
#define X86_EFLAGS_MBS  0x00000002
#define X86_EFLAGS_PF   0x00000004
#define X86_EFLAGS_AF   0x00000010
#define X86_EFLAGS_ZF   0x00000040
#define X86_EFLAGS_SF   0x00000080
#define X86_EFLAGS_TF   0x00000100
#define X86_EFLAGS_IF   0x00000200
#define X86_EFLAGS_DF   0x00000400
#define X86_EFLAGS_OF   0x00000800
#define X86_EFLAGS_IOPL 0x00003000
#define X86_EFLAGS_NT   0x00004000
#define X86_EFLAGS_RF   0x00010000
#define X86_EFLAGS_VM   0x00020000
#define X86_EFLAGS_AC   0x00040000
#define X86_EFLAGS_VIF  0x00080000
#define X86_EFLAGS_VIP  0x00100000
#define X86_EFLAGS_ID   0x00200000

#define X86_CR0_PE 0x00000001
#define X86_CR0_MP 0x00000002
#define X86_CR0_EM 0x00000004
#define X86_CR0_TS 0x00000008
#define X86_CR0_ET 0x00000010
#define X86_CR0_NE 0x00000020
#define X86_CR0_WP 0x00010000
#define X86_CR0_AM 0x00040000
#define X86_CR0_NW 0x20000000
#define X86_CR0_CD 0x40000000
#define X86_CR0_PG 0x80000000

#define X86_CR4_VME        0x00000001
#define X86_CR4_PVI        0x00000002
#define X86_CR4_TSD        0x00000004
#define X86_CR4_DE         0x00000008
#define X86_CR4_PSE        0x00000010
#define X86_CR4_PAE        0x00000020
#define X86_CR4_MCE        0x00000040
#define X86_CR4_PGE        0x00000080
#define X86_CR4_PCE        0x00000100
#define X86_CR4_OSFXSR     0x00000200
#define X86_CR4_OSXMMEXCPT 0x00000400
#define X86_CR4_UMIP       0x00000800
#define X86_CR4_FSGSBASE   0x00010000
#define X86_CR4_PCIDE      0x00020000
#define X86_CR4_OSXSAVE    0x00040000
#define X86_CR4_SMEP       0x00100000
#define X86_CR4_SMAP       0x00200000

#define X86_DR6_DEFAULT 0xffff0ff0
#define X86_DR6_BS      0x00004000
#define X86_DR6_BD      0x00002000
#define X86_DR7_DEFAULT 0x00000400
#define X86_DR7_GD      0x00002000

#define MSR_TSC             0x00000010
#define MSR_APIC_BASE       0x0000001b
#define MSR_MISC_ENABLE     0x000001a0
#define MSR_SYSENTER_CS     0x00000174
#define MSR_SYSENTER_ESP    0x00000175
#define MSR_SYSENTER_EIP    0x00000176
#define MSR_PAT             0x00000277
#define MSR_EFER            0xc0000080
#define MSR_STAR            0xc0000081
#define MSR_LSTAR           0xc0000082
#define MSR_CSTAR           0xc0000083
#define MSR_SYSCALL_MASK    0xc0000084
#define MSR_FS_BASE         0xc0000100
#define MSR_GS_BASE         0xc0000101
#define MSR_SHADOW_GS_BASE  0xc0000102
#define MSR_TSC_AUX         0xc0000103

#define EFER_SCE 0x001
#define EFER_LME 0x100
#define EFER_LMA 0x400
#define EFER_NXE 0x800

/* page-table entry bits */
#define _PAGE_PRESENT  0x001
#define _PAGE_RW       0x002
#define _PAGE_USER     0x004
#define _PAGE_PWT      0x008
#define _PAGE_PCD      0x010
#define _PAGE_ACCESSED 0x020
#define _PAGE_DIRTY    0x040
#define _PAGE_PAT      0x080
#define _PAGE_PSE      0x080
#define _PAGE_GLOBAL   0x100
#define _PAGE_AVAIL0   0x200
#define _PAGE_AVAIL1   0x400
#define _PAGE_AVAIL2   0x800
#define _PAGE_AVAIL    0xe00
#define _PAGE_NX       0x8000000000000000
#define PTE_ADDR_MASK  0x000ffffffffff000

#endif
