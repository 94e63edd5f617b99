package qemu

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The formats of images that are opened.
const (
	formatRaw   = "raw"
	formatQcow2 = "qcow2"
)

// What is read of an image's header. Source: QEMU's docs/interop/qcow2.txt.
const (
	headerSize       = 104
	offBackingFile   = 8
	offCryptMethod   = 32
	offIncompatible  = 72
	featureDataFile  = 1 << 2
	featureKnownBits = 1<<0 | 1<<1 | featureDataFile | 1<<3 | 1<<4 // dirty, corrupt, data file, compression, extended entries
)

// foreign are the beginnings of formats that QEMU knows and the driver does not open: some lead to other files.
var foreign = []struct {
	magic string
	name  string
}{
	{"KDMV", "vmdk"}, {"COWD", "vmdk"}, {"# Disk DescriptorFile", "vmdk"}, {"conectix", "vhd"}, {"vhdxfile", "vhdx"}, {"<<< ", "vdi"},
	{"QED\x00", "qed"}, {"LUKS\xba\xbe", "luks"}, {"Bochs Virtual HD Image", "bochs"}, {"WithoutFreeSpace", "parallels"},
	{"WithouFreSpacExt", "parallels"},
}

// inspect tells the format of an image from its header, and refuses one that leads to other files. A wanted format is checked, not believed.
// The format is then told to QEMU, which must not guess: a guest can write any header it likes into a raw disk.
func inspect(r io.ReaderAt, wanted string) (string, error) {
	head := make([]byte, headerSize)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	head = head[:n]
	if n == 0 {
		return "", errors.New("the image is empty")
	}
	if wanted == formatRaw {
		return formatRaw, nil
	}
	if bytes.HasPrefix(head, []byte("QFI\xfb")) {
		return formatQcow2, inspectQcow2(head)
	}
	if wanted == formatQcow2 {
		return "", errors.New("this is not a qcow2 image")
	}
	for _, f := range foreign {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return "", fmt.Errorf("images of format %s are not opened: convert it with qemu-img convert -O qcow2, or write image_format = \"raw\" if these bytes are the disk itself", f.name)
		}
	}
	return formatRaw, nil
}

func inspectQcow2(head []byte) error {
	if len(head) < offIncompatible {
		return errors.New("the qcow2 header is cut short")
	}
	version := binary.BigEndian.Uint32(head[4:])
	switch {
	case version != 2 && version != 3:
		return fmt.Errorf("qcow version %d is not opened: convert it with qemu-img convert -O qcow2", version)
	case version == 3 && len(head) < headerSize:
		return errors.New("the qcow2 header is cut short")
	case binary.BigEndian.Uint64(head[offBackingFile:]) != 0:
		return errors.New("the image has a backing file, which could be any file of this node: flatten it with qemu-img convert -O qcow2")
	case binary.BigEndian.Uint32(head[offCryptMethod:]) != 0:
		return errors.New("the image is encrypted, and there is no way to give it a key: decrypt it with qemu-img convert")
	case version == 2:
		return nil
	}
	features := binary.BigEndian.Uint64(head[offIncompatible:])
	if features&featureDataFile != 0 {
		return errors.New("the image keeps its data in another file, which could be any file of this node: join them with qemu-img convert -O qcow2")
	}
	if features&^featureKnownBits != 0 {
		return fmt.Errorf("the image needs features that are not known (%#x): convert it with qemu-img convert -O qcow2", features)
	}
	return nil
}
