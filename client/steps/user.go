package steps

import (
	"fmt"
	"os"
	"strconv"

	"github.com/seraihq/serai/drivers"
)

// keyUser is where TaskDir keeps the user that the allocation was given.
const keyUser = "user"

// takeUser gives a task that names no user one of its allocation's own, where its driver takes such, and notes it in out. A task that an earlier
// agent started goes on as it was.
func takeUser(in *In, out Result) error {
	if in.Users.Holds(in.Task.User) {
		return fmt.Errorf("user %q is one of those that the node hands out: name another, or none", in.Task.User)
	}
	if in.Restored {
		if uid, err := strconv.Atoi(in.Before[keyUser]); err == nil {
			in.Users.Restore(in.Alloc.ID, uid)
			out[keyUser] = in.Before[keyUser]
		}
		return nil
	}
	if in.Users == nil || os.Geteuid() != 0 || !wantsUser(in) {
		return nil
	}
	uid, err := in.Users.Acquire(in.Alloc.ID)
	if err != nil {
		return err
	}
	out[keyUser] = strconv.Itoa(uid)
	return nil
}

// wantsUser is whether the task runs as its allocation's own user. What outlives the allocation must stay readable to the next one, so tasks with
// volumes or a disk that moves on share a user.
func wantsUser(in *In) bool {
	a := in.Driver.Abilities
	if in.Task.User != "" || !a.DynamicUsers || a.FS == drivers.FSImage || len(in.Task.VolumeMounts) > 0 {
		return false
	}
	if in.Alloc.Job == nil {
		return true
	}
	g := in.Alloc.Job.LookupTaskGroup(in.Alloc.TaskGroup)
	return g == nil || g.EphemeralDisk == nil || !g.EphemeralDisk.Sticky && !g.EphemeralDisk.Migrate
}

// dynamicUser gives the user that the task was given, if it was.
func dynamicUser(in *In) (int, bool) {
	if !wantsUser(in) {
		return 0, false
	}
	return in.Users.Of(in.Alloc.ID)
}
