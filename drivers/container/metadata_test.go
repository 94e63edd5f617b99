package container

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seraihq/serai/drivers/container/image"
)

// TestEscapeMetadata: labels and volumes of an image are its author's words, and none of them gives the container rights, devices or files of the node:
// CVE-2022-23648 and its like.
func TestEscapeMetadata(t *testing.T) {
	w := newWorld(t, nil)
	host := sentinel(t)
	labels := map[string]string{
		"io.containerd.runc.v2.privileged": "true", "cdi.k8s.io/devices": "vendor.com/device=all", "io.kubernetes.cri.annotations": "privileged",
		"run.oci.hooks.prestart": "/bin/sh", "security.alpha.kubernetes.io/seccomp/pod": "unconfined", "serai.cap_add": "ALL", "org.systemd.property.DeviceAllow": "* rwm",
	}
	for i := range 10000 {
		labels[fmt.Sprintf("io.label.%d", i)] = strings.Repeat("x", 20)
	}
	w.image("hostile", image.Config{Env: []string{"PATH=/bin"}, Labels: labels, Volumes: []string{"/data", "/../../..", host}}, w.root,
		layer(t, map[string]string{"data": "-> " + host}))
	r := w.run(map[string]any{"image": "hostile", "command": "sh", "args": []any{"-c",
		"cat /data/secret " + filepath.Join(host, "secret") + " 2>&1; grep -c . /proc/self/mounts >/dev/null; grep -E '^(CapEff|NoNewPrivs|Seccomp:)' /proc/self/status; env; echo end"}})
	r.expect("end\n", "CapEff:\t00000000a80405fb", "NoNewPrivs:\t1", "Seccomp:\t2")
	if out := r.out.String(); strings.Contains(out, "of the host") || strings.Contains(out, "privileged") {
		t.Errorf("%s", out)
	}
}
