/* loops_arm64.S - the four compute loops of `make bench` in AArch64 code, the same bytes for an ARM guest and for QEMU.
 * Each: iterations in x0, a buffer of 64 KiB in x1, nothing returned, caller-saved registers only.
 * INSNS in tests/bench/arm.py says how many instructions an iteration has. */
    .text
    .balign 64
    .globl loop_register
loop_register:                  /* 12 instructions an iteration, registers only */
    mov x2, #1
    mov x3, #2
    mov x9, #7
1:  add x2, x2, x3
    eor x3, x3, x2
    add x4, x2, x3
    lsr x4, x4, #3
    mul x5, x3, x9
    sub x2, x2, x4
    ror x3, x3, #59
    add x3, x3, x5
    and x4, x4, #0xffffff
    orr x2, x2, x4
    subs x0, x0, #1
    b.ne 1b
    ret

    .balign 64
    .globl loop_memory
loop_memory:                    /* 12 instructions an iteration: three loads, three stores, in 64 KiB */
    add x3, x1, #0x8000
    mov x2, #0
1:  ldr x4, [x1, x2]
    str x4, [x3, x2]
    add x6, x2, #8
    ldr x5, [x1, x6]
    str x5, [x3, x6]
    add x6, x2, #16
    ldr x4, [x1, x6]
    str x4, [x3, x6]
    add x2, x2, #24
    and x2, x2, #0x3fff
    subs x0, x0, #1
    b.ne 1b
    ret

    .balign 64
    .globl loop_list
loop_list:                      /* 4 instructions an iteration: a walk over a ring of 1,021 nodes of 64 bytes */
    mov x2, #0                  /* node i links to node (i + 397) mod 1021 */
    mov x3, #1021
2:  add x4, x2, #397
    cmp x4, #1021
    b.lo 3f
    sub x4, x4, #1021
3:  add x4, x1, x4, lsl #6
    add x5, x1, x2, lsl #6
    str x4, [x5]
    add x2, x2, #1
    subs x3, x3, #1
    b.ne 2b
    mov x2, #0
1:  ldr x1, [x1]
    add x2, x2, x1
    subs x0, x0, #1
    b.ne 1b
    ret

    .balign 64
    .globl loop_branch
loop_branch:                    /* 6 to 9 instructions an iteration: branches that a generator decides */
    mov w2, #12345
    mov w10, #12345
    mov w9, #0x4e6d
    movk w9, #0x41c6, lsl #16
1:  mul w2, w2, w9
    add w2, w2, w10
    tbz w2, #16, 2f
    add x3, x3, #1
    add x4, x4, #3
2:  tbnz w2, #18, 3f
    sub x3, x3, #1
3:  subs x0, x0, #1
    b.ne 1b
    ret
