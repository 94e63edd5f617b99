package qemutest

import (
	_ "embed"
	"encoding/binary"
	"fmt"
	"time"
)

// sector is sector.asm assembled.
//
//go:generate sh -c "as --32 -o sector.o sector.asm && ld -m elf_i386 -Ttext=0x7c00 --oformat binary -e _start -o sector.bin sector.o && rm sector.o"
//go:embed sector.bin
var sector []byte

const (
	atTicks = 128
	atCode  = 130
	atText  = 131
	maxText = 510 - atText - 1
)

// Sector is a guest that fits the first sector of a disk.
type Sector struct {
	// Text is written to the first serial port.
	Text string
	// RunFor is how long it runs then.
	RunFor time.Duration
	// Code is what QEMU exits with: 0, or an odd number, which takes the arguments of DebugExit.
	Code int
}

// DebugExit are the arguments of QEMU that codes other than 0 take.
var DebugExit = []string{"-device", "isa-debug-exit,iobase=0x501,iosize=1"}

// Bytes is the image of a disk that starts the guest.
func (s Sector) Bytes() ([]byte, error) {
	if len(s.Text) > maxText || s.Code < 0 || s.Code > 255 || (s.Code != 0 && s.Code%2 == 0) {
		return nil, fmt.Errorf("a guest of one sector has a text of at most %d bytes and exits with 0 or an odd code, not %d", maxText, s.Code)
	}
	out := make([]byte, 2<<20) // a BIOS takes less for no disk at all
	copy(out, sector)
	binary.LittleEndian.PutUint16(out[atTicks:], uint16((s.RunFor*182+9*time.Second)/(10*time.Second)))
	out[atCode] = 0xff
	if s.Code != 0 {
		out[atCode] = byte(s.Code-1) / 2
	}
	copy(out[atText:], s.Text)
	return out, nil
}
