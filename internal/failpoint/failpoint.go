// Package failpoint lets tests make a running agent, or a driver's host, fail where it is asked to. Without its variables nothing of it has an effect.
//
// SERAI_FAILPOINTS names places that panic, for example "schedule:web,schedule:db". SERAI_FAILPOINTS_DIR is a directory in which a file of a
// place's name arms it: who comes by takes the file away and dies at once, as by kill -9. So each place kills once, and a file that is still there
// says that nobody came by.
package failpoint

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

var points = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{}
	for p := range strings.SplitSeq(os.Getenv("SERAI_FAILPOINTS"), ",") {
		if p != "" {
			out[p] = true
		}
	}
	return out
})

// dir is where places are armed; empty: nowhere.
var dir = sync.OnceValue(func() string { return os.Getenv("SERAI_FAILPOINTS_DIR") })

// Panic panics when the place is to fail for the key.
func Panic(place, key string) {
	if p := points(); len(p) > 0 && p[place+":"+key] {
		panic("fail point " + place + ":" + key)
	}
}

// Kill ends this process as kill -9 does when the place is armed: nothing is undone, nobody is told.
func Kill(place string) {
	d := dir()
	if d == "" || os.Remove(filepath.Join(d, place)) != nil {
		return
	}
	fmt.Fprintln(os.Stderr, "fail point "+place)
	_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	select {} // it ends before anything else is done
}
