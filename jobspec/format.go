package jobspec

import (
	"bytes"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/seraihq/serai/internal/hclx"
)

// Format writes a file in HCL, of any kind, in the one canonical layout. A file
// that does not parse is returned with an error that lists its problems; JSON
// is returned as it is.
func Format(src []byte, name string) ([]byte, error) {
	file, problems := hclx.Parse(name, src, hclx.Limits{})
	if problems.Err() != nil {
		return nil, invalid(problems)
	}
	if file.JSON {
		return src, nil
	}
	out := hclwrite.Format(src)
	if len(out) > 0 && !bytes.HasSuffix(out, []byte("\n")) {
		out = append(out, '\n')
	}
	return out, nil
}
