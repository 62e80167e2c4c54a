/* loops.S - the four compute loops of `make bench`, the same bytes for a PV guest, for plain libunicorn and for QEMU.
 * Each: iterations in rdi, a buffer of 64 KiB in rsi, nothing returned, caller-saved registers only.
 * LOOP_*_INSNS in tests/bench/loops.py says how many instructions an iteration has. */
    .text
    .balign 64
    .globl loop_register
loop_register:                  /* 12 instructions an iteration, registers only */
    mov $1, %eax
    mov $2, %edx
1:  add %rdx, %rax
    xor %rax, %rdx
    lea 3(%rax,%rdx), %rcx
    shr $3, %rcx
    imul $7, %rdx, %r8
    sub %rcx, %rax
    rol $5, %rdx
    add %r8, %rdx
    and $0xffffff, %rcx
    or %rcx, %rax
    dec %rdi
    jnz 1b
    ret

    .balign 64
    .globl loop_memory
loop_memory:                    /* 10 instructions an iteration: four loads, four stores, in 64 KiB */
    lea 0x8000(%rsi), %rdx
    xor %ecx, %ecx
1:  mov (%rsi,%rcx), %rax
    mov 8(%rsi,%rcx), %r8
    mov %rax, (%rdx,%rcx)
    mov %r8, 8(%rdx,%rcx)
    mov 16(%rsi,%rcx), %r9
    mov %r9, 16(%rdx,%rcx)
    add $24, %ecx
    and $0x3fff, %ecx
    dec %rdi
    jnz 1b
    ret

    .balign 64
    .globl loop_list
loop_list:                      /* 4 instructions an iteration: a walk over a ring of 1,021 nodes of 64 bytes */
    xor %ecx, %ecx              /* node i links to node (i + 397) mod 1021 */
    mov $1021, %r8d
2:  lea 397(%rcx), %eax
    cmp $1021, %eax
    jb 3f
    sub $1021, %eax
3:  shl $6, %eax
    add %rsi, %rax
    mov %ecx, %edx
    shl $6, %edx
    mov %rax, (%rsi,%rdx)
    inc %ecx
    dec %r8d
    jnz 2b
    xor %edx, %edx
1:  mov (%rsi), %rsi
    add %rsi, %rdx
    dec %rdi
    jnz 1b
    ret

    .balign 64
    .globl loop_branch
loop_branch:                    /* 9 to 11 instructions an iteration: branches that a generator decides */
    mov $12345, %eax
    xor %edx, %edx
1:  imul $1103515245, %eax, %eax
    add $12345, %eax
    test $0x10000, %eax
    jz 2f
    inc %rdx
    add $3, %rcx
2:  test $0x40000, %eax
    jnz 3f
    sub $1, %rdx
3:  dec %rdi
    jnz 1b
    ret

    .section .note.GNU-stack, "", @progbits
