package image

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// simple is an image of one file.
func simple(t testing.TB, content string) v1.Image { return imageOf(t, layerOf(t, reg("f", content))) }

func TestPlatforms(t *testing.T) {
	h := newHub(t)
	built := func(content string, p v1.Platform) v1.Image {
		img := simple(t, content)
		c, err := img.ConfigFile()
		must(t, err)
		c = c.DeepCopy()
		c.OS, c.Architecture, c.Variant = p.OS, p.Architecture, p.Variant
		img, err = mutate.ConfigFile(img, c)
		must(t, err)
		return img
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range []v1.Platform{{OS: "linux", Architecture: "s390x"}, {OS: "linux", Architecture: "arm", Variant: "v6"}, {OS: "linux", Architecture: "arm", Variant: "v7"}, {OS: "linux", Architecture: runtime.GOARCH}} {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: built(p.String(), p), Descriptor: v1.Descriptor{Platform: &p}})
	}
	index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: simple(t, "attestation"), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"}}})
	ref, err := name.ParseReference(h.host + "/multi:1")
	must(t, err)
	must(t, remote.WriteIndex(ref, index))
	s := openStore(t, t.TempDir(), Options{})
	for want, content := range map[string]string{"": "linux/" + runtime.GOARCH, "linux/s390x": "linux/s390x", "linux/arm/v7": "linux/arm/v7", "linux/arm/v6": "linux/arm/v6"} {
		img, err := s.Acquire(t.Context(), "o"+want, Request{Ref: ref.Name(), Platform: want}, nil)
		if err != nil {
			t.Errorf("%q: %v", want, err)
			continue
		}
		if b, _ := os.ReadFile(filepath.Join(img.Layers[0], "f")); string(b) != content || img.Platform != content {
			t.Errorf("%q: %q %s", want, b, img.Platform)
		}
	}
	_, err = s.Acquire(t.Context(), "o", Request{Ref: ref.Name(), Platform: "linux/riscv64"}, nil)
	if !errors.Is(err, ErrPlatform) || !strings.Contains(fmt.Sprint(err), "linux/riscv64") || !strings.Contains(fmt.Sprint(err), "linux/s390x") {
		t.Error(err)
	}
	alone := h.push(built("x", v1.Platform{OS: "linux", Architecture: "s390x"}), "alone:1")
	if _, err := s.Acquire(t.Context(), "o", Request{Ref: alone}, nil); !errors.Is(err, ErrPlatform) {
		t.Error(err)
	}
	idle(t, s)
}

// What a registry may do to us, and what comes of it.
func TestEscapeRegistry(t *testing.T) {
	good, other := layerOf(t, reg("f", strings.Repeat("good", 1000))), layerOf(t, reg("f", strings.Repeat("evil", 1000)))
	goodID, err := good.Digest()
	must(t, err)
	otherBytes := readLayer(t, other)
	goodBytes := readLayer(t, good)
	blob := func(do func(w http.ResponseWriter)) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, goodID.String()) {
				return false
			}
			do(w)
			return true
		}
	}
	manifest := func(do func(w http.ResponseWriter, r *http.Request)) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/manifests/") {
				return false
			}
			do(w, r)
			return true
		}
	}
	for what, test := range map[string]struct {
		before func(http.ResponseWriter, *http.Request) bool
		kind   error
	}{
		"wrong bytes": {blob(func(w http.ResponseWriter) { w.Write(otherBytes) }), ErrCorrupt},
		"truncated":   {blob(func(w http.ResponseWriter) { w.Write(goodBytes[:len(goodBytes)/2]) }), ErrCorrupt},
		"cut off": {blob(func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", fmt.Sprint(len(goodBytes)))
			w.Write(goodBytes[:20])
		}), ErrUnavailable},
		"more than told": {blob(func(w http.ResponseWriter) {
			w.(http.Flusher).Flush()
			w.Write(append(goodBytes[:len(goodBytes):len(goodBytes)], 1))
		}), ErrCorrupt},
		"nothing":      {blob(func(w http.ResponseWriter) {}), ErrCorrupt},
		"no such blob": {blob(func(w http.ResponseWriter) { w.WriteHeader(404) }), ErrNotFound},
		"forbidden":    {blob(func(w http.ResponseWriter) { w.WriteHeader(403) }), ErrDenied},
		"to metadata": {blob(func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://169.254.169.254/x")
			w.WriteHeader(307)
		}), ErrUnavailable},
		"redirects to no end": {func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, goodID.String()) {
				return false
			}
			http.Redirect(w, r, r.URL.Path+"?"+r.URL.RawQuery+"x", http.StatusTemporaryRedirect)
			return true
		}, ErrUnavailable},
		"gigabyte of manifest": {manifest(func(w http.ResponseWriter, r *http.Request) {
			for chunk := make([]byte, mib); r.Context().Err() == nil; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}), ErrTooLarge},
		"gigabyte of error": {manifest(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(400)
			for chunk := make([]byte, mib); r.Context().Err() == nil; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}), nil},
		"not a manifest": {manifest(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }), ErrCorrupt},
		"neither":        {manifest(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"schemaVersion":2}`) }), ErrInvalid},
		"both": {manifest(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"schemaVersion":2,"config":{},"manifests":[]}`)
		}), ErrHostile},
		"schema 1": {manifest(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"schemaVersion":1}`) }), ErrInvalid},
		"traversal": {manifest(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"schemaVersion":2,"config":{"digest":"sha256:../../x"}}`)
		}), ErrCorrupt},
		"stalls": {manifest(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), ErrStalled},
		"stalls in a layer": {func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, goodID.String()) {
				return false
			}
			w.Write(goodBytes[:30])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}, ErrStalled},
	} {
		t.Run(what, func(t *testing.T) {
			h := newHub(t)
			ref := h.push(imageOf(t, good), "app:1")
			s := openStore(t, t.TempDir(), Options{ActivityTimeout: 300 * time.Millisecond, Limits: Limits{Manifest: 100 * kib}})
			h.first(test.before)
			_, err := s.Acquire(t.Context(), "o", Request{Ref: ref}, nil)
			if err == nil || test.kind != nil && !errors.Is(err, test.kind) {
				t.Errorf("%v", err)
			}
			idle(t, s)
			if layers, _ := filepath.Glob(s.path(layersDir, "*")); len(layers) > 0 {
				t.Errorf("a layer was kept: %v", layers)
			}
			// The next try, with a registry that is well, succeeds.
			h.first(nil)
			if _, err := s.Acquire(t.Context(), "o", Request{Ref: ref}, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func readLayer(t testing.TB, l v1.Layer) []byte {
	t.Helper()
	rc, err := l.Compressed()
	must(t, err)
	defer rc.Close()
	b := make([]byte, 64*kib)
	n := 0
	for {
		m, err := rc.Read(b[n:])
		n += m
		if err != nil {
			return b[:n]
		}
	}
}

// A layer for which the manifest names servers of its own comes from the registry, or not at all.
func TestEscapeForeignLayer(t *testing.T) {
	asked := make(chan string, 10)
	foreign := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.String() }))
	defer foreign.Close()
	l := layerOf(t, reg("f", "x"))
	id, err := l.Digest()
	must(t, err)
	for _, kind := range []types.MediaType{types.OCILayer, types.OCIRestrictedLayer, types.DockerForeignLayer} {
		img := imageOf(t)
		img, err := mutate.Append(img, mutate.Addendum{Layer: l, MediaType: kind, URLs: []string{foreign.URL + "/layer", "file:///etc/passwd"}})
		must(t, err)
		h := newHub(t)
		ref := h.push(img, "foreign:1")
		h.first(func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, id.String()) {
				return false
			}
			w.WriteHeader(http.StatusNotFound)
			return true
		})
		s := openStore(t, t.TempDir(), Options{})
		if _, err := s.Acquire(t.Context(), "o", Request{Ref: ref}, nil); err == nil {
			t.Errorf("%s: a layer that the registry does not have", kind)
		}
		idle(t, s)
	}
	select {
	case url := <-asked:
		t.Errorf("the image led to %s", url)
	default:
	}
}

// A layer that is not what the configuration says it is.
func TestEscapeWrongDiffID(t *testing.T) {
	h := newHub(t)
	plain := tarOf(t, reg("f", "x"))
	ref := h.push(imageOf(t, sent(gzipped(t, plain), []byte("other"))), "app:1")
	s := openStore(t, t.TempDir(), Options{})
	if _, err := s.Acquire(t.Context(), "o", Request{Ref: ref}, nil); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
	idle(t, s)
}

// login is a registry that wants basic authentication.
func wantLogin(user, password string, asked *atomic.Int64) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if u, p, _ := r.BasicAuth(); u == user && p == password {
			return false
		}
		if r.Header.Get("Authorization") != "" {
			asked.Add(1)
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
}

func TestLogins(t *testing.T) {
	h := newHub(t)
	ref := h.push(simple(t, "private"), "app:1")
	var wrong atomic.Int64
	h.first(wantLogin("me", "sentinel", &wrong))
	dir := t.TempDir()
	bin := t.TempDir()
	must(t, os.WriteFile(filepath.Join(bin, "docker-credential-test"), []byte("#!/bin/sh\nread host\n[ \"$1\" = get ] && [ \"$host\" = "+h.host+" ] && echo '{\"Username\":\"me\",\"Secret\":\"sentinel\"}' && exit 0\necho credentials not found in native keychain; exit 1\n"), 0o755))
	must(t, os.WriteFile(filepath.Join(bin, "docker-credential-broken"), []byte("#!/bin/sh\necho sentinel; echo sentinel >&2; exit 1\n"), 0o755))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	config := func(text string) string {
		p := filepath.Join(dir, fmt.Sprint(digestOf([]byte(text)))[:9])
		must(t, os.WriteFile(p, []byte(text), 0o600))
		return p
	}
	basic := base64.StdEncoding.EncodeToString([]byte("me:sentinel"))
	for what, test := range map[string]struct {
		options Options
		auth    *Auth
		soft    bool
		ok      bool
		told    string
	}{
		"none":             {Options{}, nil, false, false, "there is none for " + h.host},
		"job":              {Options{}, &Auth{Username: "me", Password: "sentinel"}, false, true, ""},
		"job, wrong":       {Options{}, &Auth{Username: "me", Password: "sentinel2"}, false, false, `does not take the login of "me"`},
		"job before file":  {Options{AuthFile: config(`{"auths":{"` + h.host + `":{"auth":"` + basic + `"}}}`)}, &Auth{Username: "x"}, false, false, `does not take the login of "x"`},
		"file":             {Options{AuthFile: config(`{"auths":{"` + h.host + `":{"auth":"` + basic + `"}}}`)}, nil, false, true, ""},
		"file, with https": {Options{AuthFile: config(`{"auths":{"https://` + h.host + `/v2/":{"username":"me","password":"sentinel"}}}`)}, nil, false, true, ""},
		"file of another":  {Options{AuthFile: config(`{"auths":{"other.example":{"auth":"` + basic + `"}}}`)}, nil, false, false, ""},
		"credHelpers":      {Options{AuthFile: config(`{"credHelpers":{"` + h.host + `":"test"}}`)}, nil, false, true, ""},
		"credsStore":       {Options{AuthFile: config(`{"auths":{"` + h.host + `":{}},"credsStore":"test"}`)}, nil, false, true, ""},
		"helper":           {Options{AuthHelper: "test"}, nil, false, true, ""},
		"helper is broken": {Options{AuthHelper: "broken"}, nil, false, false, ""},
		"no such helper":   {Options{AuthHelper: "missing"}, nil, false, false, ""},
	} {
		s := openStore(t, t.TempDir(), test.options)
		_, err := s.Acquire(t.Context(), "o", Request{Ref: ref, Auth: test.auth, AuthSoftFail: test.soft}, nil)
		if (err == nil) != test.ok || err != nil && !errors.Is(err, ErrDenied) {
			t.Errorf("%s: %v", what, err)
		}
		if !strings.Contains(fmt.Sprint(err), test.told) {
			t.Errorf("%s: %v; want %q", what, err, test.told)
		}
		if strings.Contains(fmt.Sprint(err), "sentinel") || strings.Contains(fmt.Sprintf("%v %+v %#v", test.auth, test.auth, test.auth), "sentinel") {
			t.Errorf("%s: the secret is told: %v", what, err)
		}
	}
	for _, bad := range []Options{{AuthHelper: "../x"}, {AuthFile: "/nonexistent"}, {AuthFile: config(`[`)}, {AuthFile: config(`{"credsStore":"a b"}`)}, {Insecure: []string{"a b"}}, {Mirrors: map[string][]string{"x": {"//"}}}, {CAFile: "/nonexistent"}} {
		if s, err := Open(t.TempDir(), bad); err == nil {
			s.Close()
			t.Errorf("%+v is taken", bad)
		}
	}
}

// Where a registry sends us never gets what is for the registry.
func TestEscapeLogin(t *testing.T) {
	there := newHub(t)
	seen := make(chan string, 100)
	there.first(func(w http.ResponseWriter, r *http.Request) bool {
		seen <- r.Header.Get("Authorization")
		w.WriteHeader(http.StatusNotFound)
		return true
	})
	h := newHub(t)
	layer := layerOf(t, reg("f", "x"))
	id, err := layer.Digest()
	must(t, err)
	ref := h.push(imageOf(t, layer), "app:1")
	var wrong atomic.Int64
	ask := wantLogin("me", "sentinel", &wrong)
	for what, before := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"redirect": func(w http.ResponseWriter, r *http.Request) bool {
			if ask(w, r) {
				return true
			}
			if strings.HasSuffix(r.URL.Path, id.String()) {
				http.Redirect(w, r, "http://localhost:"+strings.Split(there.host, ":")[1]+"/v2/x/blobs/"+id.String(), http.StatusTemporaryRedirect)
				return true
			}
			return false
		},
		"realm": func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+there.host+`/token",service="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		},
	} {
		h.first(before)
		s := openStore(t, t.TempDir(), Options{})
		if _, err := s.Acquire(t.Context(), "o", Request{Ref: ref, Auth: &Auth{Username: "me", Password: "sentinel"}}, nil); err == nil {
			t.Errorf("%s: it went well", what)
		}
		select {
		case a := <-seen:
			t.Errorf("%s: another address of this host was asked, with %q", what, a)
		default:
		}
	}
}

func TestAddresses(t *testing.T) {
	for to, want := range map[string][2]bool{ // own, other
		"127.0.0.1:1": {true, false}, "[::1]:1": {true, false}, "[::ffff:127.0.0.1]:1": {true, false}, "0.0.0.0:1": {true, false},
		"169.254.169.254:80": {false, false}, "[fe80::1]:1": {false, false}, "[fd00:ec2::254]:80": {false, false}, "[::ffff:169.254.169.254]:80": {false, false},
		"10.0.0.1:1": {true, true}, "192.0.2.1:443": {true, true}, "[2001:db8::1]:443": {true, true}, "x": {false, false},
	} {
		if own, other := allowedAddress(to, true) == nil, allowedAddress(to, false) == nil; own != want[0] || other != want[1] {
			t.Errorf("%s: %v %v", to, own, other)
		}
	}
}

func TestMirrors(t *testing.T) {
	mirror, h := newHub(t), newHub(t)
	ref := h.push(simple(t, "origin"), "team/app:1")
	mirror.push(simple(t, "mirror"), "cache/team/app:1")
	s := openStore(t, t.TempDir(), Options{Mirrors: map[string][]string{h.host: {"127.0.0.1:1", mirror.host + "/cache"}}})
	img, err := s.Acquire(t.Context(), "o", Request{Ref: ref, ForcePull: true}, nil)
	must(t, err)
	if b, _ := os.ReadFile(filepath.Join(img.Layers[0], "f")); string(b) != "mirror" {
		t.Errorf("%q", b)
	}
	// What the mirror has not, and what it has wrong, comes from the registry.
	byDigest, err := simple(t, "origin").Digest()
	must(t, err)
	img, err = s.Acquire(t.Context(), "o", Request{Ref: strings.TrimSuffix(ref, ":1") + "@" + byDigest.String()}, nil)
	must(t, err)
	if b, _ := os.ReadFile(filepath.Join(img.Layers[0], "f")); string(b) != "origin" {
		t.Errorf("%q", b)
	}
}

func TestReferences(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{Allow: []string{"docker.io/library/", "ok.example/app"}})
	for ref, kind := range map[string]error{
		"": ErrInvalid, "UPPER": ErrInvalid, "a b": ErrInvalid, "x@sha256:12": ErrInvalid, "x@sha512:" + strings.Repeat("a", 128): ErrInvalid, strings.Repeat("a", 2000): ErrInvalid,
		"evil.example/x": ErrDenied, "ok.example/apple": ErrDenied, "docker.io/other/x": ErrDenied, "ok.example/../x": ErrInvalid,
	} {
		if _, err := s.Acquire(t.Context(), "o", Request{Ref: ref}, nil); !errors.Is(err, kind) {
			t.Errorf("%.60q: %v", ref, err)
		}
	}
	for _, ref := range []string{"busybox", "docker.io/library/busybox:1", "docker://busybox", "https://index.docker.io/library/busybox", "ok.example/app:1", "ok.example/app/x", "ok.example/app"} {
		if _, err := s.remote.check(Request{Ref: ref}); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
	if _, err := s.Acquire(t.Context(), "", Request{Ref: "busybox"}, nil); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if _, err := s.Acquire(t.Context(), "o", Request{Ref: "busybox", Platform: "x"}, nil); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

// A registry that cannot be reached, or an address that is not one's to ask.
func TestUnreachable(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	if _, err := s.Acquire(t.Context(), "o", Request{Ref: "127.0.0.1:1/x:1"}, nil); !errors.Is(err, ErrUnavailable) || !Recoverable(err) {
		t.Error(err)
	}
	if _, err := s.Acquire(t.Context(), "o", Request{Ref: "169.254.169.254/x:1"}, nil); !errors.Is(err, ErrDenied) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Acquire(ctx, "o", Request{Ref: "127.0.0.1:1/x:1"}, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
