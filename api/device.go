package api

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
)

// shareSteps is in how many parts a device may be shared.
const shareSteps = 1000

// device decodes an ask for devices. A count below 1 asks for a part of one
// device: it is kept as the share of one, so that the count stays a whole number
// for whoever reads it.
func (d *treeDecoder) device(r *RequestedDevice, obj map[string]any, at spot) {
	d.fields(reflect.ValueOf(r).Elem(), obj, at, "Count", "Share")
	if node := lookup(obj, "Count"); node != nil {
		p := at.field("Count", "count")
		if x, ok := d.number(node); ok && x > 0 && x != math.Trunc(x) {
			d.share(r, x, p)
		} else {
			d.value(reflect.ValueOf(&r.Count).Elem(), node, p)
		}
	}
	if node := lookup(obj, "Share"); node != nil {
		p := at.field("Share", "")
		x, ok := d.number(node)
		switch {
		case !ok:
			d.addf(p, "must be a number, not %s", describe(node))
		case x != 0:
			d.share(r, x, p)
		}
	}
}

// number reads a finite number.
func (d *treeDecoder) number(node any) (float64, bool) {
	var text string
	switch x := node.(type) {
	case json.Number:
		text = x.String()
	case string:
		if d.lenient {
			text = x
		}
	}
	x, err := strconv.ParseFloat(text, 64)
	return x, err == nil && !math.IsInf(x, 0) && !math.IsNaN(x)
}

func (d *treeDecoder) share(r *RequestedDevice, x float64, at spot) {
	if problem := shareProblem(x); problem != "" {
		d.addf(at, "%s", problem)
		return
	}
	r.Share = math.Round(x*shareSteps) / shareSteps
}

// shareProblem says what is wrong with a part of a device; empty: nothing.
func shareProblem(x float64) string {
	n := math.Round(x * shareSteps)
	switch {
	case !(x > 0 && x < 1):
		return fmt.Sprintf("must be a whole number, or above 0 and below 1 for a part of one device, not %v", x)
	case n < 1 || n >= shareSteps || math.Abs(x*shareSteps-n) > 1e-6:
		return fmt.Sprintf("must be a part in steps of 0.001, not %v", x)
	}
	return ""
}

// deviceCount checks how many devices are asked for, or which part of one.
func (v *validator) deviceCount(at spot, d *RequestedDevice) {
	count := at.field("Count", "count")
	if d.Count < 1 || d.Count > 1<<20 {
		v.addf(count, "must be at least 1, or above 0 and below 1 for a part of one device, not %d", d.Count)
	}
	if d.Share == 0 {
		return
	}
	if problem := shareProblem(d.Share); problem != "" {
		v.addf(count, "%s", problem)
	} else if d.Count != 1 {
		v.addf(count, "must be 1 with a share of %v: a part is of one device", d.Share)
	}
}
