package docker

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/moby/moby/client"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/docker/enginetest"
)

// aRegistry is a registry that the engine can reach, and what it was asked for.
type aRegistry struct {
	address string
	pulls   atomic.Int32
	// stall: blobs do not come.
	stall atomic.Bool
	// password is wanted when it is not empty.
	password atomic.Pointer[string]
}

func newRegistry(t *testing.T, e *enginetest.Engine) *aRegistry {
	t.Helper()
	l, err := e.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &aRegistry{address: l.Addr().String()}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	release := make(chan struct{})
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if want := r.password.Load(); want != nil {
			if _, got, _ := req.BasicAuth(); got != *want {
				w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
		}
		if req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/blobs/") {
			r.pulls.Add(1)
			if r.stall.Load() {
				select {
				case <-release:
				case <-req.Context().Done():
				}
				return
			}
		}
		inner.ServeHTTP(w, req)
	})}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { close(release); _ = srv.Close() })
	return r
}

// push puts an image into the registry and takes it away from the engine.
func (r *aRegistry) push(t *testing.T, e *enginetest.Engine, name string) string {
	t.Helper()
	archive, err := enginetest.Busybox()
	if err != nil {
		t.Fatal(err)
	}
	full := r.address + "/" + name
	if err := e.Import(full, archive, "LABEL unique="+full); err != nil {
		t.Fatal(err)
	}
	resp, err := e.Client.ImagePush(t.Context(), full, client.ImagePushOptions{RegistryAuth: base64.URLEncoding.EncodeToString([]byte("{}"))})
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.forget(t, e, full)
	return full
}

func (r *aRegistry) forget(t *testing.T, e *enginetest.Engine, image string) {
	t.Helper()
	if _, err := e.Client.ImageRemove(t.Context(), image, client.ImageRemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
}

func there(t *testing.T, e *enginetest.Engine, image string) bool {
	t.Helper()
	_, err := e.Client.ImageInspect(t.Context(), image)
	if err != nil && !gone(err) {
		t.Fatal(err)
	}
	return err == nil
}

// TestPull: images are fetched once for all who want them, with whatever credentials there are, and collected when nobody has used them for a while.
func TestPull(t *testing.T) {
	e := engineFor(t)
	r := newRegistry(t, e)
	image := r.push(t, e, "app:1")
	d := driverFor(t, e, map[string]any{"gc": map[string]any{"image_delay": "300ms"}})
	d.every = 50 * time.Millisecond
	var wg sync.WaitGroup
	jobs := make([]*job, 3)
	for i := range jobs {
		jobs[i] = newJob(t, "while [ ! -e /local/end ]; do sleep 0.05; done", map[string]any{"image": image})
		wg.Go(func() {
			if _, err := d.Start(t.Context(), jobs[i].TaskConfig); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := r.pulls.Load(); n != 1 { // its configuration: the engine has the layer already
		t.Errorf("%d blobs were fetched for three tasks, want 1", n)
	}
	if _, err := d.Fingerprint(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs[1:] {
		destroy(t, d, j)
	}
	for wait := time.NewTimer(time.Second); ; {
		select {
		case <-wait.C:
		case <-time.After(50 * time.Millisecond):
			if !there(t, e, image) {
				t.Fatal("an image in use was collected")
			}
			continue
		}
		break
	}
	destroy(t, d, jobs[0])
	eventually(t, "the image to be collected", func() bool { return !there(t, e, image) })
	short := newJob(t, "true", map[string]any{"image": image}) // gone before anybody looks, and pulled anew
	start(t, d, short)
	destroy(t, d, short)
	eventually(t, "the image to be collected again", func() bool { return !there(t, e, image) })
}

// Images of tasks that ended before a restart of the agent are collected as well.
func TestImagesOverARestart(t *testing.T) {
	e := engineFor(t)
	r := newRegistry(t, e)
	image := r.push(t, e, "app:1")
	list := filepath.Join(t.TempDir(), "images.json")
	config := map[string]any{"image_list": list, "gc": map[string]any{"image_delay": "1h"}}
	d := driverFor(t, e, config)
	d.every = 50 * time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	if _, err := d.Fingerprint(ctx); err != nil {
		t.Fatal(err)
	}
	j := newJob(t, "true", map[string]any{"image": image})
	start(t, d, j)
	eventually(t, "the image to be on the list", func() bool { names, err := loadImages(list); return err == nil && !names[image].IsZero() })
	destroy(t, d, j)
	stop()
	config["gc"] = map[string]any{"image_delay": "300ms"}
	next := driverFor(t, e, config)
	next.every = 50 * time.Millisecond
	if _, err := next.Fingerprint(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the image to be collected", func() bool { return !there(t, e, image) })
	eventually(t, "the list to be empty", func() bool { names, err := loadImages(list); return err == nil && len(names) == 0 })
}

func FuzzImageList(f *testing.F) {
	f.Add([]byte(`{"app:1":"2026-01-02T03:04:05Z"}`))
	f.Add([]byte(`{"":"9999-01-02T03:04:05Z"}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, text []byte) {
		names := map[string]time.Time{}
		_ = decodeImages(text, names)
		for name, at := range names {
			if name == "" || at.After(time.Now()) {
				t.Errorf("%q at %v", name, at)
			}
		}
	})
}

func TestPullCredentials(t *testing.T) {
	e := engineFor(t)
	r := newRegistry(t, e)
	image := r.push(t, e, "secret:1")
	password := "hunter2"
	r.password.Store(&password)
	d := driverFor(t, e, nil)
	_, err := d.Start(t.Context(), newJob(t, "true", map[string]any{"image": image}).TaskConfig)
	if err == nil {
		t.Fatal("started without credentials")
	}
	_, err = d.Start(t.Context(), newJob(t, "true", map[string]any{"image": image, "auth": map[string]any{"username": "u", "password": "no-good"}}).TaskConfig)
	if err == nil || strings.Contains(err.Error(), "no-good") {
		t.Errorf("wrong password: %v", err)
	}
	run(t, d, newJob(t, "true", map[string]any{"image": image, "auth": map[string]any{"username": "u", "password": password}}))
	r.forget(t, e, image)

	dir := t.TempDir()
	file := filepath.Join(dir, "config.json")
	text := fmt.Sprintf(`{"auths":{"http://%s/v1":{"auth":%q}}}`, r.address, base64.StdEncoding.EncodeToString([]byte("u:"+password)))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, driverFor(t, e, map[string]any{"auth": map[string]any{"config": file}}), newJob(t, "true", map[string]any{"image": image}))
	r.forget(t, e, image)

	helper := "#!/bin/sh\nread server\n[ $server = " + r.address + " ] && echo '{\"Username\":\"u\",\"Secret\":\"hunter2\"}' || { echo credentials not found in native keychain; exit 1; }\n"
	if err := os.WriteFile(filepath.Join(dir, "docker-credential-test"), []byte(helper), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	run(t, driverFor(t, e, map[string]any{"auth": map[string]any{"helper": "test"}}), newJob(t, "true", map[string]any{"image": image}))
	r.forget(t, e, image)

	missing := driverFor(t, e, map[string]any{"auth": map[string]any{"config": filepath.Join(dir, "none.json")}})
	if _, err := missing.Start(t.Context(), newJob(t, "true", map[string]any{"image": enginetest.Image}).TaskConfig); err == nil {
		t.Error("credentials that cannot be read were passed over")
	}
	run(t, missing, newJob(t, "true", map[string]any{"image": enginetest.Image, "auth_soft_fail": true}))
}

func TestPullGivesUp(t *testing.T) {
	e := engineFor(t)
	r := newRegistry(t, e)
	image := r.push(t, e, "slow:1")
	r.stall.Store(true)
	d := driverFor(t, e, map[string]any{"pull_activity_timeout": "400ms"})
	_, err := d.Start(t.Context(), newJob(t, "true", map[string]any{"image": image}).TaskConfig)
	if err == nil || !drivers.IsRecoverable(err) || !strings.Contains(err.Error(), "pull_activity_timeout") {
		t.Errorf("stalled: %v", err)
	}
	d = driverFor(t, e, nil)
	_, err = d.Start(t.Context(), newJob(t, "true", map[string]any{"image": image, "image_pull_timeout": "400ms"}).TaskConfig)
	if err == nil || !drivers.IsRecoverable(err) || !strings.Contains(err.Error(), "image_pull_timeout") {
		t.Errorf("slow: %v", err)
	}
	_, err = d.Start(t.Context(), newJob(t, "true", map[string]any{"image": r.address + "/nothing:here"}).TaskConfig)
	if err == nil || !strings.Contains(err.Error(), "nothing:here") {
		t.Errorf("unknown image: %v", err)
	}
}

// TestLatest: a name without a version is pulled each time; when that cannot be, what is there serves, unless the job says otherwise.
func TestLatest(t *testing.T) {
	e := engineFor(t)
	r := newRegistry(t, e)
	image := r.push(t, e, "app")
	d := driverFor(t, e, nil)
	run(t, d, newJob(t, "true", map[string]any{"image": image}))
	password := "x"
	r.password.Store(&password)
	run(t, d, newJob(t, "true", map[string]any{"image": image}))
	if _, err := d.Start(t.Context(), newJob(t, "true", map[string]any{"image": image, "force_pull": true}).TaskConfig); err == nil {
		t.Error("force_pull without a pull")
	}
	for name, want := range map[string]bool{"a": true, "a:latest": true, "a:1": false, "h:5000/a": true, "h:5000/a:2": false, "a@sha256:00": false} {
		if latest(name) != want {
			t.Errorf("latest(%q)", name)
		}
	}
}

func TestLoad(t *testing.T) {
	e := engineFor(t)
	d := driverFor(t, e, nil)
	saved, err := e.Client.ImageSave(t.Context(), []string{enginetest.Image})
	if err != nil {
		t.Fatal(err)
	}
	defer saved.Close()
	archive, err := io.ReadAll(saved)
	if err != nil {
		t.Fatal(err)
	}
	j := newJob(t, "true", map[string]any{"load": "image.tar"})
	if err := os.WriteFile(filepath.Join(j.TaskDir().Local, "image.tar"), archive, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, d, j)
	j = newJob(t, "true", map[string]any{"load": "link.tar"})
	if err := os.Symlink("/etc/passwd", filepath.Join(j.TaskDir().Local, "link.tar")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Start(t.Context(), j.TaskConfig); err == nil || !strings.Contains(err.Error(), "link.tar") {
		t.Errorf("a link out of the directory: %v", err)
	}
}
