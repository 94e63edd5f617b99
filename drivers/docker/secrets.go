package docker

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/moby/moby/client"
)

const (
	// maxPasswd bounds what is read of an image's /etc/passwd.
	maxPasswd = 1 << 20
	// maxSecrets is how many files of the agent's may be among a task's secrets.
	maxSecrets = 256
)

// giveSecrets makes the user that the container runs as the owner of the task's secrets, which the agent has made as root's: who it is stands in the image.
func giveSecrets(ctx context.Context, cli *client.Client, id, dir string) error {
	c, err := cli.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil || c.Container.Config == nil {
		return err
	}
	who, group, _ := strings.Cut(c.Container.Config.User, ":")
	if who == "" || who == "0" || who == "root" {
		return nil
	}
	uid, err := strconv.Atoi(who)
	gid := -1
	if err != nil {
		if uid, gid, err = lookupUser(ctx, cli, id, who); err != nil {
			return fmt.Errorf("user %q of the image: %w", clip(who), err)
		}
	}
	if n, err := strconv.Atoi(group); err == nil {
		gid = n
	}
	return chownAll(dir, uid, gid)
}

// lookupUser finds a name in the image's /etc/passwd.
func lookupUser(ctx context.Context, cli *client.Client, id, name string) (uid, gid int, err error) {
	r, err := cli.CopyFromContainer(ctx, id, client.CopyFromContainerOptions{SourcePath: "/etc/passwd"})
	if err != nil {
		return 0, 0, err
	}
	defer r.Content.Close()
	in := tar.NewReader(io.LimitReader(r.Content, 2*maxPasswd))
	h, err := in.Next()
	if err != nil {
		return 0, 0, err
	}
	if h.Typeflag != tar.TypeReg || h.Size > maxPasswd {
		return 0, 0, errors.New("/etc/passwd is not a plain file of a sensible size")
	}
	return parsePasswd(in, name)
}

// parsePasswd finds a user in the text of a passwd file.
func parsePasswd(text io.Reader, name string) (uid, gid int, err error) {
	for sc := bufio.NewScanner(text); sc.Scan(); {
		f := strings.Split(sc.Text(), ":")
		if len(f) < 4 || f[0] != name {
			continue
		}
		uid, uidErr := strconv.ParseInt(f[2], 10, 32)
		gid, gidErr := strconv.ParseInt(f[3], 10, 32)
		if uidErr != nil || gidErr != nil || uid < 0 || gid < 0 {
			break
		}
		return int(uid), int(gid), nil
	}
	return 0, 0, errors.New("it is not in /etc/passwd")
}

// chownAll gives a directory and what lies in it to a user.
func chownAll(dir string, uid, gid int) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("secrets of the task: %w", err)
	}
	defer root.Close()
	names := []string{"."}
	if d, err := root.Open("."); err == nil {
		entries, _ := d.ReadDir(maxSecrets) // more are the task's own from an earlier run
		_ = d.Close()
		for _, e := range entries {
			names = append(names, e.Name())
		}
	}
	for _, name := range names {
		if err := root.Lchown(name, uid, gid); err != nil {
			return fmt.Errorf("secrets of the task: %w", err)
		}
	}
	return nil
}
