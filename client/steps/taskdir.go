package steps

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"

	"github.com/seraihq/serai/client/files"
	"github.com/seraihq/serai/drivers"
)

// defaultSecretsMB is the size of a task's secrets where the job names none.
const defaultSecretsMB = 1

// defaultUser is whom tasks of isolating drivers run as when the job names nobody.
const defaultUser = "nobody"

// Keys of what TaskDir leaves: identities of directories, without and with what
// is mounted on them.
const (
	keySecrets = "secrets"
	keyMount   = "secrets_mount"
)

// TaskDir makes a task's directories: <alloc>/<task>/{local,secrets,private,tmp}.
// Where the agent is root, secrets are in memory (tmpfs), and neither programs
// nor devices in there work.
type TaskDir struct{}

// Name implements Step.
func (TaskDir) Name() string { return "task_dir" }

// Up implements Step. Its result tells the secret directories' identities, so
// that they are refused to readers whatever the task does to their names.
func (TaskDir) Up(_ context.Context, in *In) (Result, error) {
	root, err := files.Open(in.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	name := in.Task.Name
	out := Result{}
	if err := takeUser(in, out); err != nil {
		return nil, err
	}
	uid, gid := owner(in)
	secrets := name + "/secrets"
	if os.Geteuid() == 0 && !in.Restored {
		// Of an agent that died before it could note that it had mounted them.
		if err := unmountSecrets(root, secrets); err != nil {
			return nil, err
		}
	}
	for _, d := range []struct {
		path     string
		mode     fs.FileMode
		uid, gid int
	}{
		{name, 0o755, -1, -1},
		{name + "/local", 0o777, -1, -1},
		{name + "/tmp", 0o777 | fs.ModeSticky, -1, -1},
		{name + "/secrets", 0o700, uid, gid},
		{name + "/private", 0o700, -1, -1},
	} {
		if in.Restored {
			break // the task may have given them other modes: they are its own
		}
		if err := root.Mkdir(d.path, d.mode, d.uid, d.gid); err != nil {
			return nil, err
		}
	}
	if err := guard(root, out, keySecrets, secrets); err != nil {
		return nil, err
	}
	// A mount of an earlier agent stands, unless the machine was started anew.
	if os.Geteuid() == 0 && (!in.Restored || out[keySecrets] != in.Before[keyMount]) {
		if err := mountSecrets(root, secrets, secretsMB(in), uid, gid); err != nil {
			return nil, err
		}
	} else if in.Restored {
		out[keySecrets] = in.Before[keySecrets]
	}
	if err := guard(root, out, keyMount, secrets); err != nil {
		return nil, err
	}
	return out, guard(root, out, "private", name+"/private")
}

// Down implements Step: secrets end with their task; the directories stay until
// the allocation is collected.
func (TaskDir) Down(_ context.Context, in *In, out Result) error {
	if out[keyMount] == out[keySecrets] {
		return nil
	}
	root, err := files.Open(in.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return unmountSecrets(root, in.Task.Name+"/secrets")
}

// guard notes a directory's identity.
func guard(root *files.Root, out Result, key, path string) error {
	info, err := root.Stat(path)
	if err != nil {
		return err
	}
	out[key] = strconv.FormatUint(info.ID.Dev, 10) + ":" + strconv.FormatUint(info.ID.Ino, 10)
	return nil
}

// Guarded gives the identities that a TaskDir step noted.
func Guarded(out Result) []files.ID {
	var ids []files.ID
	for _, text := range out {
		var id files.ID
		if _, err := fmt.Sscanf(text, "%d:%d", &id.Dev, &id.Ino); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

func secretsMB(in *In) int {
	if r := in.Task.Resources; r != nil && r.SecretsMB > 0 {
		return r.SecretsMB
	}
	return defaultSecretsMB
}

// owner gives whom the secrets belong to; -1 when that cannot be told here, and
// then the driver says what is wrong with the user.
func owner(in *In) (uid, gid int) {
	if uid, ok := dynamicUser(in); ok {
		return uid, uid
	}
	name := in.Task.User
	if name == "" && in.Driver.Abilities.FS == drivers.FSChroot {
		name = defaultUser
	}
	if name == "" || os.Geteuid() != 0 {
		return -1, -1
	}
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			return -1, -1
		}
	}
	uid, err = strconv.Atoi(u.Uid)
	if err != nil {
		return -1, -1
	}
	gid, err = strconv.Atoi(u.Gid)
	if err != nil {
		return -1, -1
	}
	return uid, gid
}
