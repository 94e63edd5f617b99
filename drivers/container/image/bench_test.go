package image

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// BenchmarkPull pulls and unpacks an image of 200 MB in four layers from a
// loopback registry, beside curl and tar on the same layers, one after the other.
func BenchmarkPull(b *testing.B) {
	h := newHub(b)
	var layers []v1.Layer
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // content of a test
	for l := range 4 {
		var files []file
		for i := range 500 {
			// Half of it random, so that it compresses as programs do.
			content := make([]byte, 100*kib)
			for j := 0; j < len(content); j += 2 {
				content[j] = byte(random.Uint32())
			}
			files = append(files, reg(fmt.Sprintf("usr/lib/%d/%d/%d", l, i%20, i), string(content)))
		}
		layers = append(layers, layerOf(b, files...))
	}
	ref := h.push(imageOf(b, layers...), "app:1")
	script := "set -e; cd $0; "
	for i, l := range layers {
		id, err := l.Digest()
		must(b, err)
		script += fmt.Sprintf("mkdir %d; curl -fsS http://%s/v2/app/blobs/%s | tar -xz -C %d; ", i, h.host, id, i)
	}
	var ours, theirs time.Duration
	for b.Loop() {
		dir := b.TempDir()
		begin := time.Now()
		s, err := Open(dir, Options{})
		must(b, err)
		_, err = s.Acquire(b.Context(), "o", Request{Ref: ref}, nil)
		must(b, err)
		ours += time.Since(begin)
		must(b, s.Close())
		must(b, os.RemoveAll(dir))
		dir = b.TempDir()
		begin = time.Now()
		if out, err := exec.Command("sh", "-c", script, dir).CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		theirs += time.Since(begin)
		must(b, os.RemoveAll(dir))
	}
	b.ReportMetric(ours.Seconds()/float64(b.N), "pull-s")
	b.ReportMetric(theirs.Seconds()/float64(b.N), "curl-tar-s")
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
}
