package wire

import (
	"fmt"
	"io"
	"reflect"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

// Limits on what is decoded: nothing of this project nests deeper or is longer.
const (
	maxNesting = 64
	maxEntries = 1 << 24
)

var modes = sync.OnceValue(func() (m struct {
	enc cbor.EncMode
	dec cbor.DecMode
}) {
	enc := cbor.CoreDetEncOptions()
	enc.Time = cbor.TimeRFC3339Nano
	enc.TimeTag = cbor.EncTagNone
	enc.NilContainers = cbor.NilContainerAsNull
	var err error
	if m.enc, err = enc.EncMode(); err != nil {
		panic(err) // the options are constants
	}
	dec := cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		IntDec:           cbor.IntDecConvertSignedOrFail,
		DefaultMapType:   reflect.TypeFor[map[string]any](),
		MaxNestedLevels:  maxNesting,
		MaxArrayElements: maxEntries,
		MaxMapPairs:      maxEntries,
	}
	if m.dec, err = dec.DecMode(); err != nil {
		panic(err)
	}
	return m
})

// Marshal encodes a value. Equal values give equal bytes on every server.
func Marshal(v any) ([]byte, error) {
	b, err := modes().enc.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return b, nil
}

// Unmarshal decodes what Marshal made. Unknown fields are ignored, so that an
// older server reads what a newer one wrote; anything else that does not fit
// is an error.
func Unmarshal(b []byte, v any) error {
	if err := modes().dec.Unmarshal(b, v); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	return nil
}

// Encoder writes values one after another.
type Encoder struct{ e *cbor.Encoder }

// NewEncoder returns an encoder to w.
func NewEncoder(w io.Writer) *Encoder { return &Encoder{modes().enc.NewEncoder(w)} }

// Encode writes one value.
func (e *Encoder) Encode(v any) error {
	if err := e.e.Encode(v); err != nil {
		return fmt.Errorf("encode %T: %w", v, err)
	}
	return nil
}
