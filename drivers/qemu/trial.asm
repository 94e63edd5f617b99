# The guest of the KVM trial, a boot sector: real mode, then long mode with paging, a page fault that its handler mends, a privileged register, and
# the exit by QEMU's isa-debug-exit (0x10 makes it exit with 33).
.code16
.globl _start
_start:
    cli
    xorw %ax,%ax
    movw %ax,%ds
    movw %ax,%es
    movw %ax,%ss
    movw $0x7c00,%sp
    cld
    movw $0x1000,%di            # page tables at 0x1000, 0x2000, 0x3000: the first 2 MiB, 1:1
    movw $0x2000,%cx            # and the interrupt table at 0x4000
    rep stosw
    movl $0x2003,0x1000
    movl $0x3003,0x2000
    movl $0x83,0x3000
    # gate 14, page fault
    movl $0x00080000+fault,0x4000+14*16
    movl $0x00008e00,0x4000+14*16+4
    lgdtl gdtr
    movl %cr4,%eax
    orl $0x20,%eax
    movl %eax,%cr4
    movl $0x1000,%eax
    movl %eax,%cr3
    movl $0xc0000080,%ecx
    rdmsr
    orl $0x100,%eax
    wrmsr
    movl %cr0,%eax
    orl $0x80010001,%eax
    movl %eax,%cr0
    ljmpl $8,$long
.code64
long:
    movl $16,%eax
    movl %eax,%ds
    movl %eax,%es
    movl %eax,%ss
    lidt idtr
    xorl %eax,%eax
    cpuid
    movl $0x200000,%edi         # not mapped yet
    movl $0x8000,%ecx
1:  movq %rcx,(%rdi,%rcx,8)
    loop 1b
    movq %cr3,%rax
    movq %rax,%cr3
    movb $0x10,%al
    movw $0x501,%dx
    outb %al,%dx
    hlt
fault:
    movl $0x200083,0x3008       # map the second 2 MiB
    invlpg 0x200000
    addq $8,%rsp
    iretq
.balign 8
gdt:
    .quad 0
    .quad 0x00af9a000000ffff
    .quad 0x00cf92000000ffff
gdtr:
    .word 23
    .long gdt
idtr:
    .word 255
    .quad 0x4000
. = _start + 510
    .word 0xaa55
