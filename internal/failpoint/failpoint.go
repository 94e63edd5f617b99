// Package failpoint lets tests make a running agent, or a driver's host, fail where it is asked to. Without its variables nothing of it has an effect.
//
// SERAI_FAILPOINTS names places that panic, for example "schedule:web,schedule:db". SERAI_FAILPOINTS_DIR is a directory in which a file of a
// place's name arms it: who comes by takes the file away and dies at once, as by kill -9. So each place kills once, and a file that is still there
// says that nobody came by. The same directory makes a disk slow, or fail: see Sync.
package failpoint

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

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

// Sync is called before what a place has written is made durable. While a file of the place's name is there it does what the file says: "slow 500ms"
// waits, "fail" returns EIO, as a disk does that is worn out. It is for processes that run, so the file may come and go.
func Sync(place string) error {
	d := dir()
	if d == "" {
		return nil
	}
	b, err := os.ReadFile(filepath.Join(d, place))
	if err != nil {
		return nil
	}
	verb, arg, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	switch verb {
	case "slow":
		if wait, err := time.ParseDuration(arg); err == nil {
			time.Sleep(wait)
		}
	case "fail":
		return unix.EIO
	}
	return nil
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
