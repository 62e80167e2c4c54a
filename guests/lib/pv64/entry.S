/* entry.S (pv64) - from a PV frame to C and back, into user mode and out of it.
 *
 * Xen pushes rcx and r11 last (on top), since SYSRET destroys them. Below them is what a processor would have
 * pushed. The way back is the iret hypercall on: rax, r11, rcx, flags, rip, cs, rflags, rsp, ss.
 */
#include <arch.h>
#include <frame.h>
#include <abi/xen.h>

    .text
.macro STUB name vector has_error=0
    .globl \name
\name:
    pop %rcx
    pop %r11
    .if !\has_error
    push $0
    .endif
    push $\vector
    jmp trap_common
.endm

.macro EXCEPTION number has_error=0
    STUB trap_\number, \number, \has_error
    .pushsection .trap_stubs, "a"
    .quad \number, trap_\number
    .popsection
.endm

    .section .trap_stubs, "a"
    .globl trap_stubs_start
trap_stubs_start:
    .text
    .irp n, 0, 1, 3, 4, 5, 6, 7, 9, 15, 16, 18, 19, 0x80, 0x81, 0x82
    EXCEPTION \n
    .endr
    .irp n, 8, 10, 11, 12, 13, 14, 17
    EXCEPTION \n 1
    .endr
    .section .trap_stubs, "a"
    .globl trap_stubs_end
trap_stubs_end:
    .text
    STUB trap_nmi, 2
    STUB trap_syscall, TRAP_SYSCALL

    .globl trap_failsafe
trap_failsafe:                              /* rcx, r11, ds, es, fs, gs, then the frame */
    pop %rcx
    pop %r11
    popq failsafe_selectors(%rip)
    popq failsafe_selectors + 8(%rip)
    popq failsafe_selectors + 16(%rip)
    popq failsafe_selectors + 24(%rip)
    push $0
    push $TRAP_FAILSAFE
    jmp trap_common

    .globl trap_event
trap_event:
    pop %rcx
    pop %r11
    push $0
    push $-1
    TRAP_FRAME
    call save_registers
    SAVED_REGISTERS
    call events_upcall
    jmp restore
    .cfi_endproc

trap_common:
    TRAP_FRAME
    call save_registers
    SAVED_REGISTERS
    mov %rsp, %rdi
    call trap_entry
    .cfi_endproc

restore:
    POP_REGISTERS
    push $0                                 /* flags: restore rcx and r11 too */
hypervisor_iret:
    push %rcx
    push %r11
    push %rax
    mov $__HYPERVISOR_iret, %eax
    syscall
    ud2

/* Called with the return address on top, where rdi belongs: swaps the two, and goes back through rdi. */
save_registers:
    cld
    xchg %rdi, (%rsp)                       /* rdi is saved, the return address in rdi */
    PUSH_REGISTERS
    jmp *%rdi

/* void user_enter(rip, rsp, arg, rflags): never comes back by itself */
    .globl user_enter
user_enter:
    push $FLAT_USER_SS
    push %rsi
    push %rcx
    push $FLAT_USER_CS
    push %rdi
    push $VGCF_in_syscall
    mov %rdx, %rdi
    xor %esi, %esi
    xor %edx, %edx
    xor %ebx, %ebx
    xor %ebp, %ebp
    jmp hypervisor_iret

/* void frame_return(const struct regs *): go on from these registers through the iret hypercall */
    .globl frame_return
frame_return:
    mov %rdi, %rsp
    jmp restore

    .bss
    .balign 8
    .globl failsafe_selectors
failsafe_selectors:
    .skip 32

    .section .note.GNU-stack, "", @progbits
