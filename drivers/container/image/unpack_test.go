package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// unpackTo unpacks an archive and gives the directory, beside which nothing else may be.
func unpackTo(t testing.TB, limits Limits, archive []byte) (root string, opaque bool, err error) {
	t.Helper()
	top := t.TempDir()
	root = filepath.Join(top, "root")
	must(t, os.Mkdir(root, 0o755))
	must(t, os.Mkdir(filepath.Join(top, "trash"), 0o755))
	tr, err := openTree(root, filepath.Join(top, "trash"))
	must(t, err)
	defer tr.close()
	b := &budget{limits: limits.withDefaults(), ctx: t.Context(), image: &totals{}, free: func() (int64, int64, error) { return 1 << 50, 1 << 51, nil }}
	opaque, err = unpackTar(bytes.NewReader(archive), tr, b)
	return root, opaque, err
}

// listing tells what is in a directory, one line each: path, kind, mode, target or content.
func listing(t testing.TB, root string) string {
	t.Helper()
	var lines []string
	must(t, filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == root {
			return err
		}
		rel, _ := filepath.Rel(root, p)
		var st unix.Stat_t
		must(t, unix.Lstat(p, &st))
		var opaque [4]byte
		switch n, _ := unix.Lgetxattr(p, opaqueXattr, opaque[:]); {
		case isWhiteout(&st):
			rel += " whiteout"
		case d.IsDir() && n == 1 && opaque[0] == 'y':
			rel += "/ opaque"
		case d.IsDir():
			rel += "/"
		case d.Type() == fs.ModeSymlink:
			to, _ := os.Readlink(p)
			rel += " -> " + to
		case d.Type().IsRegular():
			b, _ := os.ReadFile(p)
			rel += " = " + string(b)
		default:
			rel += " " + d.Type().String()
		}
		lines = append(lines, rel)
		return nil
	}))
	return strings.Join(lines, "; ")
}

func link(name, to string) file   { return file{Typeflag: tar.TypeSymlink, Name: name, Linkname: to} }
func hard(name, to string) file   { return file{Typeflag: tar.TypeLink, Name: name, Linkname: to} }
func of(kind byte, n string) file { return file{Typeflag: kind, Name: n, Mode: 0o600} }

// What layers may say, and what comes of it. An empty want is a refusal.
// What would be written outside is nothing that the machine needs, should a refusal
// be missing one day.
func TestEscapeUnpack(t *testing.T) {
	long, deep := strings.Repeat("n", 256), strings.Repeat("d/", 300)+"x"
	for what, test := range map[string]struct {
		files []file
		want  string
	}{
		"plain":                     {[]file{dir("a"), reg("a/f", "x"), link("a/l", "f"), hard("a/h", "a/f")}, "a/; a/f = x; a/h = x; a/l -> f"},
		"dot names":                 {[]file{dir("./"), dir("./a/"), reg("./a/./f", "x")}, "a/; a/f = x"},
		"parents untold":            {[]file{reg("a/b/c/f", "x")}, "a/; a/b/; a/b/c/; a/b/c/f = x"},
		"absolute is of the root":   {[]file{reg("/etc/f", "x")}, "etc/; etc/f = x"},
		"dots":                      {[]file{reg("../f", "x")}, ""},
		"dots within":               {[]file{reg("a/../../f", "x")}, ""},
		"dots that stay":            {[]file{dir("a"), reg("a/../f", "x")}, "a/; f = x"},
		"link out, then through":    {[]file{link("l", "/etc"), reg("l/f", "x")}, ""},
		"link up, then through":     {[]file{link("l", "../.."), reg("l/f", "x")}, "f = x; l -> ../.."},
		"link in, then through":     {[]file{dir("usr/lib"), link("lib", "/usr/lib"), reg("lib/f", "x")}, "lib -> /usr/lib; usr/; usr/lib/; usr/lib/f = x"},
		"chain of links":            {[]file{dir("d"), link("a", "b"), link("b", "c/../d"), dir("c"), reg("a/f", "x")}, "a -> b; b -> c/../d; c/; d/; d/f = x"},
		"loop of links":             {[]file{link("a", "b"), link("b", "a"), reg("a/f", "x")}, ""},
		"magic link":                {[]file{link("p", "/proc/self/root"), reg("p/f", "x")}, ""},
		"file over a link":          {[]file{link("l", "/etc/serai-probe"), reg("l", "x")}, "l = x"},
		"file beneath a file":       {[]file{reg("f", "x"), reg("f/g", "y")}, ""},
		"hard link out":             {[]file{hard("h", "/etc/passwd")}, ""},
		"hard link dots":            {[]file{hard("h", "../../etc/passwd")}, ""},
		"hard link through link":    {[]file{link("l", "/etc"), hard("h", "l/passwd")}, ""},
		"hard link to link":         {[]file{link("l", "/etc/passwd"), hard("h", "l")}, "h -> /etc/passwd; l -> /etc/passwd"},
		"write through hard link":   {[]file{link("l", "/etc/serai-probe"), hard("h", "l"), reg("h", "x")}, "h = x; l -> /etc/serai-probe"},
		"hard link to directory":    {[]file{dir("d"), hard("h", "d")}, ""},
		"hard link to itself":       {[]file{reg("f", "x"), hard("f", "f")}, "f = x"},
		"hard link to whiteout":     {[]file{of(tar.TypeReg, ".wh.f"), hard("h", "f")}, ""},
		"twice, the last counts":    {[]file{reg("f", "x"), reg("f", "yy")}, "f = yy"},
		"file becomes directory":    {[]file{reg("f", "x"), dir("f"), reg("f/g", "y")}, "f/ opaque; f/g = y"},
		"directory becomes file":    {[]file{dir("d"), reg("d/f", "x"), reg("d", "y")}, "d = y"},
		"directory becomes link":    {[]file{dir("d"), reg("d/f", "x"), link("d", "/etc"), reg("d/serai-probe", "y")}, ""},
		"directory twice":           {[]file{dir("d"), reg("d/f", "x"), dir("d")}, "d/; d/f = x"},
		"whiteout":                  {[]file{reg("a/.wh.f", "")}, "a/; a/f whiteout"},
		"whiteout, then file":       {[]file{reg(".wh.f", ""), reg("f", "x")}, "f = x"},
		"whiteout, then directory":  {[]file{reg(".wh.d", ""), dir("d"), reg("d/f", "x")}, "d/ opaque; d/f = x"},
		"whiteout, then beneath":    {[]file{reg(".wh.d", ""), reg("d/f", "x")}, "d/ opaque; d/f = x"},
		"file, then whiteout":       {[]file{reg("f", "x"), reg(".wh.f", "")}, "f = x"},
		"directory, then whiteout":  {[]file{dir("d"), reg("d/f", "x"), reg(".wh.d", "")}, "d/ opaque; d/f = x"},
		"opaque":                    {[]file{dir("d"), reg("d/.wh..wh..opq", ""), reg("d/f", "x")}, "d/ opaque; d/f = x"},
		"opaque of the root":        {[]file{reg(".wh..wh..opq", ""), reg("f", "x")}, "f = x (opaque)"},
		"whiteout of the parent":    {[]file{reg("a/.wh...", "")}, ""},
		"whiteout of itself":        {[]file{reg("a/.wh..", "")}, ""},
		"whiteout of nothing":       {[]file{reg("a/.wh.", "")}, ""},
		"beneath a whiteout":        {[]file{reg("a/.wh.b/f", "x")}, ""},
		"whiteout through link out": {[]file{link("l", "/etc"), reg("l/.wh.serai-probe", "")}, ""},
		"aufs's own":                {[]file{dir(".wh..wh.plnk"), reg(".wh..wh.plnk/1.2", "x"), reg(".wh..wh.aufs", ""), reg("f", "x")}, "f = x"},
		"whiteout as device":        {[]file{of(tar.TypeChar, "f"), reg("g", "x")}, "g = x"},
		"devices":                   {[]file{{Typeflag: tar.TypeBlock, Name: "sda", Devmajor: 8}, {Typeflag: tar.TypeChar, Name: "mem", Devmajor: 1, Devminor: 1}, reg("f", "x")}, "f = x"},
		"fifo":                      {[]file{of(tar.TypeFifo, "p")}, "p p---------"},
		"root is a file":            {[]file{reg(".", "x")}, ""},
		"root is a link":            {[]file{link(".", "/etc")}, ""},
		"long name":                 {[]file{reg(long, "x")}, ""},
		"deep path":                 {[]file{reg(deep, "x")}, ""},
		"empty link":                {[]file{{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "x", PAXRecords: map[string]string{"comment": "y"}}}, "l -> x"},
		"owner out of range":        {[]file{{Typeflag: tar.TypeReg, Name: "f", Uid: 1<<32 - 1, Format: tar.FormatGNU}}, ""},
		"unknown kind":              {[]file{of('Z', "f")}, ""},
		"name with a newline":       {[]file{reg("a\nb", "x")}, "a\nb = x"},
	} {
		t.Run(what, func(t *testing.T) {
			root, opaque, err := unpackTo(t, Limits{}, tarOf(t, test.files...))
			if test.want == "" {
				if !errors.Is(err, ErrHostile) {
					t.Errorf("%v; there is %s", err, listing(t, root))
				}
				return
			}
			got := listing(t, root)
			if opaque {
				got += " (opaque)"
			}
			if err != nil || got != test.want {
				t.Errorf("%s, want %s; %v", got, test.want, err)
			}
		})
	}
	if entries, err := os.ReadDir("/etc"); err != nil || len(entries) == 0 {
		t.Error("/etc is gone")
	}
}

// Links make directories deeper than any path to them is long.
func TestEscapeDepthByLinks(t *testing.T) {
	var files []file
	at := "."
	for i := range 40 {
		down := strings.Repeat("d/", 20)
		files = append(files, dir(at+"/"+down), link("l"+string(rune('A'+i)), at+"/"+down))
		at = "l" + string(rune('A'+i))
	}
	if _, _, err := unpackTo(t, Limits{}, tarOf(t, files...)); !errors.Is(err, ErrHostile) {
		t.Error(err)
	}
}

func TestEscapeMetadata(t *testing.T) {
	at := time.Unix(1_000_000_000, 0)
	caps := string([]byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	root, _, err := unpackTo(t, Limits{}, tarOf(t,
		file{Typeflag: tar.TypeDir, Name: "./", Mode: 0o711, Uid: 7, Gid: 8, ModTime: at},
		file{Typeflag: tar.TypeDir, Name: "d", Mode: 0o1777, ModTime: at},
		file{Typeflag: tar.TypeReg, Name: "d/su", Mode: 0o4755, Uid: 12, Gid: 13, ModTime: at, PAXRecords: map[string]string{
			"SCHILY.xattr.user.note": "hello", "SCHILY.xattr.trusted.overlay.redirect": "/etc", "SCHILY.xattr.security.capability": caps,
			"SCHILY.xattr.security.selinux": "x", "SCHILY.xattr.user.overlay.opaque": "y"}},
		file{Typeflag: tar.TypeSymlink, Name: "d/l", Linkname: "x", Uid: 5, Gid: 6, ModTime: at},
		file{Typeflag: tar.TypeReg, Name: "old", ModTime: time.Unix(-1<<33, 0), Format: tar.FormatPAX}))
	must(t, err)
	for path, want := range map[string]struct {
		mode     uint32
		uid, gid uint32
	}{".": {0o40711, 7, 8}, "d": {0o41777, 0, 0}, "d/su": {0o104755, 12, 13}, "d/l": {0o120777, 5, 6}} {
		var st unix.Stat_t
		must(t, unix.Lstat(filepath.Join(root, path), &st))
		if st.Mode != want.mode || st.Uid != want.uid || st.Gid != want.gid || st.Mtim.Sec != at.Unix() {
			t.Errorf("%s: %o %d:%d %d", path, st.Mode, st.Uid, st.Gid, st.Mtim.Sec)
		}
	}
	var names [512]byte
	n, err := unix.Llistxattr(filepath.Join(root, "d/su"), names[:])
	must(t, err)
	if got := string(names[:n]); !strings.Contains(got, "user.note") || !strings.Contains(got, "security.capability") || strings.Contains(got, "overlay") || strings.Contains(got, "selinux") {
		t.Errorf("%q", got)
	}
}

func TestEscapeUnpackLimits(t *testing.T) {
	plain := tarOf(t, reg("a", strings.Repeat("x", 600)), reg("b", strings.Repeat("x", 600)))
	for what, test := range map[string]struct {
		limits Limits
		kind   error
	}{
		"image":  {Limits{Image: 1000}, ErrTooLarge},
		"layer":  {Limits{Layer: 1000}, ErrTooLarge},
		"files":  {Limits{Files: 1}, ErrTooLarge},
		"enough": {Limits{Image: 1200, Layer: 1200, Files: 2}, nil},
	} {
		if _, _, err := unpackTo(t, test.limits, plain); !errors.Is(err, test.kind) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// A file of holes takes no room, and one that claims to be huge is refused before a byte is written.
	root, _, err := unpackTo(t, Limits{}, tarOf(t, reg("holes", strings.Repeat("\x00", 8<<20)+"end")))
	must(t, err)
	var st unix.Stat_t
	must(t, unix.Stat(filepath.Join(root, "holes"), &st))
	if st.Size != 8<<20+3 || st.Blocks*512 > 1<<20 {
		t.Errorf("%d bytes take %d", st.Size, st.Blocks*512)
	}
	var huge bytes.Buffer
	must(t, tar.NewWriter(&huge).WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "f", Size: 1 << 60}))
	if _, _, err := unpackTo(t, Limits{}, huge.Bytes()); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

// What was unpacked is what overlayfs shows.
func TestWhiteoutsInOverlay(t *testing.T) {
	low, _, err := unpackTo(t, Limits{}, tarOf(t, reg("gone", "x"), dir("kept"), reg("kept/a", "1"), dir("new"), reg("new/old", "2"), dir("opq"), reg("opq/old", "3"), dir("file")))
	must(t, err)
	high, _, err := unpackTo(t, Limits{}, tarOf(t, reg(".wh.gone", ""), reg("kept/b", "4"), reg(".wh.new", ""), reg("new/fresh", "5"), reg("opq/.wh..wh..opq", ""), reg("opq/n", "6"), reg("file", "7")))
	must(t, err)
	view := t.TempDir()
	if err := unix.Mount("overlay", view, "overlay", unix.MS_RDONLY, "lowerdir="+high+":"+low); err != nil {
		t.Skipf("overlayfs cannot be mounted here: %v", err)
	}
	defer unix.Unmount(view, unix.MNT_DETACH)
	if got, want := listing(t, view), "file = 7; kept/; kept/a = 1; kept/b = 4; new/; new/fresh = 5; opq/; opq/n = 6"; strings.ReplaceAll(got, " opaque", "") != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func FuzzUnpackTar(f *testing.F) {
	f.Add(tarOf(f, dir("a"), reg("a/f", "x"), link("l", "a"), hard("h", "l/f"), reg(".wh.q", ""), reg("a/.wh..wh..opq", "")))
	f.Add(tarOf(f, link("a", "b"), link("b", "/"), reg("b/x", "y"), of(tar.TypeFifo, "p"), dir("p")))
	f.Fuzz(func(t *testing.T, data []byte) {
		root, _, _ := unpackTo(t, Limits{Layer: mib, Image: mib, Files: 200}, data)
		entries, err := os.ReadDir(filepath.Dir(root))
		if err != nil || len(entries) != 2 {
			t.Errorf("beside the root there is %v, %v", entries, err)
		}
	})
}
