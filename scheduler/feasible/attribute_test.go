package feasible

import (
	"testing"

	"github.com/seraihq/serai/api"
)

func integer(n int64, unit string) *api.Attribute { return &api.Attribute{IntVal: &n, Unit: unit} }

func TestQuantities(t *testing.T) {
	half, yes, text := 0.5, true, "535.54"
	for _, c := range []struct {
		a       *api.Attribute
		operand string
		than    string
		want    bool
	}{
		{integer(8, "GiB"), "=", "8192 MiB", true},
		{integer(8, "GiB"), "=", "8192MiB", true},
		{integer(8, "GiB"), ">", "8 GB", true},
		{integer(8, "GiB"), "<=", "8589934592 B", true},
		{integer(8, "GiB"), "=", "8", false},
		{integer(8, "GiB"), "!=", "8 W", true},
		{integer(8, "GiB"), ">", "1 W", false},
		{integer(1500, "MHz"), "=", "1.5 GHz", true},
		{integer(250, "W"), "<", "0.3 kW", true},
		{integer(2, "GB/s"), ">", "1 GiB/s", true},
		{integer(9223372036854775807, "EiB"), ">", "9223372036854775806 EiB", true},
		{integer(3, "flops"), "=", "3 flops", true},
		{integer(3, "flops"), "<", "4 flips", false},
		{integer(3, ""), "<", "4", true},
		{&api.Attribute{FloatVal: &half, Unit: "GiB"}, "=", "512 MiB", true},
		{&api.Attribute{BoolVal: &yes}, "=", "true", true},
		{&api.Attribute{StringVal: &text}, ">=", "535.5", true},
		{&api.Attribute{StringVal: &text}, "version", ">= 535.0", true},
		{&api.Attribute{StringVal: &text}, "regexp", "^535", true},
		{nil, "=", "1", false},
		{nil, "!=", "1", true},
		{nil, "is_not_set", "", true},
		{&api.Attribute{}, "is_set", "", false},
	} {
		d := &api.NodeDeviceResource{Attributes: map[string]*api.Attribute{"x": c.a}}
		if got := deviceTest("${device.attr.x}", c.operand, c.than)(d); got != c.want {
			t.Errorf("%+v %s %q is %t", c.a, c.operand, c.than, got)
		}
	}
}

// FuzzQuantity: any text is read in bounded time, and equals itself.
func FuzzQuantity(f *testing.F) {
	for _, s := range []string{"", "8 GiB", "8192MiB", "1e999999999", "-0.5 mW", "+-1", "9223372036854775808 EiB", "0x10", "1..2 B", "٣ GiB"} {
		f.Add(s, "1 GiB")
	}
	f.Fuzz(func(t *testing.T, l, r string) {
		a, b := parseQuantity(l), parseQuantity(r)
		if !compareQuantities("=")(a, a, true, true) {
			t.Errorf("%q is not equal to itself", l)
		}
		less, more, same := compareQuantities("<")(a, b, true, true), compareQuantities(">")(a, b, true, true), compareQuantities("=")(a, b, true, true)
		if less && more || a.number != nil && b.number != nil && a.base == b.base && (less || more) == same {
			t.Errorf("%q and %q: %t %t %t", l, r, less, more, same)
		}
	})
}
