package device

import (
	"slices"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/pattern"
)

// units that a number may have; with them values of different size compare.
var units = strings.Fields(`
	B kB KB MB GB TB PB EB KiB MiB GiB TiB PiB EiB
	B/s kB/s KB/s MB/s GB/s TB/s PB/s EB/s KiB/s MiB/s GiB/s TiB/s PiB/s EiB/s
	Hz kHz KHz MHz GHz mW W kW KW MW GW`)

var number = pattern.New(`^(-?[0-9]+(\.[0-9]+)?) *([A-Za-z/]*)$`)

// ParseAttribute reads a value as the operator writes it: a number with or
// without one of the known units, true or false, else a text.
func ParseAttribute(text string) *api.Attribute {
	text = strings.TrimSpace(text)
	if b, err := strconv.ParseBool(text); err == nil && (text == "true" || text == "false") {
		return &api.Attribute{BoolVal: &b}
	}
	if f := number.FindStringSubmatch(text); f != nil && (f[3] == "" || slices.Contains(units, f[3])) {
		if n, err := strconv.ParseInt(f[1], 10, 64); err == nil {
			return &api.Attribute{IntVal: &n, Unit: f[3]}
		}
		if n, err := strconv.ParseFloat(f[1], 64); err == nil {
			return &api.Attribute{FloatVal: &n, Unit: f[3]}
		}
	}
	return &api.Attribute{StringVal: &text}
}
