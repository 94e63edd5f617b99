# A guest of one sector: it writes a text to the first serial port, waits for so many ticks of the BIOS clock (18.2 a second), and ends: by ACPI,
# or by QEMU's isa-debug-exit. What it is to do stands at the end of the sector; see sector.go.
.code16
.globl _start
_start:
    cli
    xorw %ax,%ax
    movw %ax,%ds
    movw %ax,%ss
    movw $0x7c00,%sp
    sti
    cld
    movw $text,%si
next:
    lodsb
    testb %al,%al
    jz wait
    movb %al,%bl
    movw $0x3fd,%dx
busy:
    inb %dx,%al
    testb $0x20,%al
    jz busy
    movb %bl,%al
    movw $0x3f8,%dx
    outb %al,%dx
    jmp next
wait:
    movw ticks,%cx
    jcxz end
tick:
    movw 0x46c,%ax
still:
    hlt
    cmpw 0x46c,%ax
    je still
    loop tick
end:
    movb code,%al
    cmpb $0xff,%al
    je acpi
    movw $0x501,%dx
    outb %al,%dx
acpi:
    movw $0x604,%dx
    movw $0x2000,%ax
    outw %ax,%dx
stop:
    hlt
    jmp stop
. = _start + 128
ticks: .word 0
code:  .byte 0xff
text:  .byte 0
. = _start + 510
    .word 0xaa55
