package api

import "encoding/json"

// Clone gives a deep copy of an object: nothing is shared with the original.
func Clone[T any](v T) T {
	var out T
	b, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		panic(err)
	}
	return out
}
