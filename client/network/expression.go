package network

import (
	"encoding/binary"
	"net/netip"

	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// The words that rules are put together from. Registers are those of 32 bits:
// a key of several parts lies in one behind the other, each on a border of 4 bytes.

// rule is a list of words.
type rule []expr.Any

func join(parts ...rule) rule {
	var out rule
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

const reg = unix.NFT_REG32_00

func meta(key expr.MetaKey, to uint32) rule { return rule{&expr.Meta{Key: key, Register: to}} }

func compare(op expr.CmpOp, data []byte) rule {
	return rule{&expr.Cmp{Op: op, Register: reg, Data: data}}
}

func equal(data ...byte) rule { return compare(expr.CmpOpEq, data) }

// device is a device's name as the kernel compares it.
func device(name string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return b
}

func from(name string) rule { return join(meta(expr.MetaKeyIIFNAME, reg), equal(device(name)...)) }
func to(name string) rule   { return join(meta(expr.MetaKeyOIFNAME, reg), equal(device(name)...)) }

// family of addresses; the offsets of its header.
type family struct {
	proto        byte
	src, dst     uint32
	size         uint32
	nat          uint32
	toPort, dreg uint32 // where the port of a key and the data of the map lie
}

var (
	ipv4 = family{proto: unix.NFPROTO_IPV4, src: 12, dst: 16, size: 4, nat: unix.NFPROTO_IPV4, toPort: reg + 2, dreg: reg + 8}
	ipv6 = family{proto: unix.NFPROTO_IPV6, src: 8, dst: 24, size: 16, nat: unix.NFPROTO_IPV6, toPort: reg + 5, dreg: reg + 8}
)

func (f family) is() rule { return join(meta(expr.MetaKeyNFPROTO, reg), equal(f.proto)) }

func header(offset, size, to uint32) rule {
	return rule{&expr.Payload{DestRegister: to, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size}}
}

func link(offset, size, to uint32) rule {
	return rule{&expr.Payload{DestRegister: to, Base: expr.PayloadBaseLLHeader, Offset: offset, Len: size}}
}

// port of the destination, of TCP and UDP alike.
func port(to uint32) rule {
	return rule{&expr.Payload{DestRegister: to, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}}
}

// within compares what is in the register with a network.
func inPrefix(op expr.CmpOp, p netip.Prefix) rule {
	size := p.Addr().BitLen() / 8
	mask := make([]byte, size)
	for i := range p.Bits() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return join(rule{&expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: uint32(size), Mask: mask, Xor: make([]byte, size)}},
		compare(op, p.Masked().Addr().AsSlice()))
}

func (f family) source(op expr.CmpOp, p netip.Prefix) rule {
	return join(header(f.src, f.size, reg), inPrefix(op, p))
}

func (f family) destination(op expr.CmpOp, p netip.Prefix) rule {
	return join(header(f.dst, f.size, reg), inPrefix(op, p))
}

func in(set string) rule { return rule{&expr.Lookup{SourceRegister: reg, SetName: set}} }
func notIn(set string) rule {
	return rule{&expr.Lookup{SourceRegister: reg, SetName: set, Invert: true}}
}

// status bits of a connection.
const translated = 1 << 5 // IPS_DST_NAT

func ctBits(key expr.CtKey, bits uint32) rule {
	mask := binaryutil.NativeEndian.PutUint32(bits)
	return join(rule{&expr.Ct{Register: reg, Key: key},
		&expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: 4, Mask: mask, Xor: make([]byte, 4)}},
		compare(expr.CmpOpNeq, make([]byte, 4)))
}

func known() rule {
	return ctBits(expr.CtKeySTATE, expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED)
}

func mapped() rule { return ctBits(expr.CtKeySTATUS, translated) }

func verdict(kind expr.VerdictKind) rule { return rule{&expr.Verdict{Kind: kind}} }

func accept() rule { return verdict(expr.VerdictAccept) }
func drop() rule   { return verdict(expr.VerdictDrop) }

func jump(chain string) rule { return rule{&expr.Verdict{Kind: expr.VerdictJump, Chain: chain}} }

func masquerade() rule { return rule{&expr.Masq{}} }

// toPod sends a connection where the map of ports says.
func (f family) toPod(ports string) rule {
	return join(f.is(),
		meta(expr.MetaKeyL4PROTO, reg), header(f.dst, f.size, reg+1), port(f.toPort),
		rule{
			&expr.Lookup{SourceRegister: reg, DestRegister: f.dreg, IsDestRegSet: true, SetName: ports},
			&expr.NAT{Type: expr.NATTypeDestNAT, Family: f.nat, RegAddrMin: f.dreg, RegProtoMin: f.dreg + f.size/4, Specified: true},
		})
}

// padded puts parts of a key behind each other.
func padded(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
		for len(out)%4 != 0 {
			out = append(out, 0)
		}
	}
	return out
}

func portBytes(p uint16) []byte { return binary.BigEndian.AppendUint16(nil, p) }
