package jobspec

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

func prefixOf(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%s is not a network such as \"10.0.0.0/8\"", quote(text))
	}
	return p.Masked(), nil
}

// offset gives the address that lies n addresses after another.
func offset(a netip.Addr, n *big.Int) netip.Addr {
	sum := new(big.Int).Add(new(big.Int).SetBytes(a.AsSlice()), n)
	out := sum.FillBytes(make([]byte, len(a.AsSlice())))
	addr, _ := netip.AddrFromSlice(out)
	return addr
}

func wholeArg(v cty.Value) (*big.Int, error) {
	n, accuracy := v.AsBigFloat().Int(nil)
	if n == nil || accuracy != big.Exact {
		return nil, errors.New("must be a whole number")
	}
	return n, nil
}

var networkParam = function.Parameter{Name: "prefix", Type: cty.String}

var cidrHostFunc = function.New(&function.Spec{
	Params: []function.Parameter{networkParam, {Name: "hostnum", Type: cty.Number}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		none := cty.UnknownVal(cty.String)
		p, err := prefixOf(args[0].AsString())
		if err != nil {
			return none, function.NewArgError(0, err)
		}
		n, err := wholeArg(args[1])
		if err != nil {
			return none, function.NewArgError(1, err)
		}
		size := new(big.Int).Lsh(big.NewInt(1), uint(p.Addr().BitLen()-p.Bits()))
		if n.Sign() < 0 {
			n = new(big.Int).Add(size, n) // counts from the end
		}
		if n.Sign() < 0 || n.Cmp(size) >= 0 {
			return none, function.NewArgErrorf(1, "network %s has only %s addresses", p, size)
		}
		return cty.StringVal(offset(p.Addr(), n).String()), nil
	},
})

var cidrNetmaskFunc = textFunc(func(a []string) (string, error) {
	p, err := prefixOf(a[0])
	if err != nil {
		return "", err
	}
	if !p.Addr().Is4() {
		return "", errors.New("only IPv4 networks have a mask")
	}
	mask := ^uint32(0) << (32 - p.Bits())
	if p.Bits() == 0 {
		mask = 0
	}
	return netip.AddrFrom4([4]byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)}).String(), nil
}, "prefix")

// subnet gives the numbered network of a size within another.
func subnet(p netip.Prefix, newBits int, number *big.Int) (netip.Prefix, error) {
	bits := p.Bits() + newBits
	if newBits < 0 || bits > p.Addr().BitLen() {
		return p, fmt.Errorf("%s cannot be extended by %d bits", p, newBits)
	}
	if number.Sign() < 0 || number.BitLen() > newBits {
		return p, fmt.Errorf("%d more bits do not hold network number %s", newBits, number)
	}
	shifted := new(big.Int).Lsh(number, uint(p.Addr().BitLen()-bits))
	return netip.PrefixFrom(offset(p.Addr(), shifted), bits), nil
}

var cidrSubnetFunc = function.New(&function.Spec{
	Params: []function.Parameter{networkParam, {Name: "newbits", Type: cty.Number}, {Name: "netnum", Type: cty.Number}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		none := cty.UnknownVal(cty.String)
		p, err := prefixOf(args[0].AsString())
		if err != nil {
			return none, function.NewArgError(0, err)
		}
		bits, err := wholeArg(args[1])
		if err != nil || !bits.IsInt64() || bits.Int64() < 0 || bits.Int64() > 128 {
			return none, function.NewArgErrorf(1, "must be from 0 to 128")
		}
		number, err := wholeArg(args[2])
		if err != nil {
			return none, function.NewArgError(2, err)
		}
		out, err := subnet(p, int(bits.Int64()), number)
		if err != nil {
			return none, err
		}
		return cty.StringVal(out.String()), nil
	},
})

var cidrSubnetsFunc = function.New(&function.Spec{
	Params:   []function.Parameter{networkParam},
	VarParam: &function.Parameter{Name: "newbits", Type: cty.Number},
	Type:     function.StaticReturnType(cty.List(cty.String)),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		none := cty.UnknownVal(cty.List(cty.String))
		p, err := prefixOf(args[0].AsString())
		if err != nil {
			return none, function.NewArgError(0, err)
		}
		if len(args) == 1 {
			return cty.ListValEmpty(cty.String), nil
		}
		width := p.Addr().BitLen()
		next := new(big.Int) // first free address, from the start of the network
		space := new(big.Int).Lsh(big.NewInt(1), uint(width-p.Bits()))
		out := make([]cty.Value, 0, len(args)-1)
		for i, arg := range args[1:] {
			n, err := wholeArg(arg)
			if err != nil || !n.IsInt64() || n.Int64() < 1 || n.Int64() > 128 || p.Bits()+int(n.Int64()) > width {
				return none, function.NewArgErrorf(i+1, "must be from 1 to %d", width-p.Bits())
			}
			bits := p.Bits() + int(n.Int64())
			size := new(big.Int).Lsh(big.NewInt(1), uint(width-bits))
			// A network starts at a multiple of its size.
			next.Add(next, new(big.Int).Sub(size, big.NewInt(1)))
			next.Sub(next, new(big.Int).Mod(next, size))
			end := new(big.Int).Add(next, size)
			if end.Cmp(space) > 0 {
				return none, function.NewArgErrorf(i+1, "there is no room for this network in %s", p)
			}
			out = append(out, cty.StringVal(netip.PrefixFrom(offset(p.Addr(), next), bits).String()))
			next = end
		}
		return cty.ListVal(out), nil
	},
})
