package docker

import (
	"encoding/json"
	"fmt"
	"maps"
)

// decodeMaps reads a map, or a list of maps.
func decodeMaps(text []byte, into *mergedMaps) error {
	var list []map[string]string
	if err := json.Unmarshal(text, &list); err != nil {
		var one map[string]string
		if err := json.Unmarshal(text, &one); err != nil {
			return fmt.Errorf("must be a map of strings")
		}
		list = append(list, one)
	}
	*into = mergedMaps{}
	for _, m := range list {
		maps.Copy(*into, m)
	}
	return nil
}

// decodeWords reads a list of strings, or a string.
func decodeWords(text []byte, into *words) error {
	var list []string
	if err := json.Unmarshal(text, &list); err != nil {
		var one string
		if err := json.Unmarshal(text, &one); err != nil {
			return fmt.Errorf("entrypoint must be a string or a list of strings")
		}
		list = []string{one}
	}
	*into = list
	return nil
}
