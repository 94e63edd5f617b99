package contain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/runc/libcontainer"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/process"
	"github.com/seraihq/serai/drivers/internal/supervise"
	"github.com/seraihq/serai/internal/failpoint"
)

// stateRoot is where running containers are described. It does not survive a boot, and neither do they.
const stateRoot = "/run/serai"

// Containers are the containers of one driver.
type Containers struct {
	*supervise.Set
	// Cleanup frees what the driver itself holds for a task once its container is gone; nil when nothing. It is also called for tasks that
	// this process does not know.
	Cleanup func(ctx context.Context, taskID string) error

	driver string
}

// New returns no containers yet. driver is the driver's name: each has its own place below /run/serai.
func New(driver string, logger *slog.Logger) *Containers {
	c := &Containers{Set: supervise.NewSet(logger), driver: driver}
	c.CleanupFor = c.cleanup
	return c
}

// states is where libcontainer describes the driver's containers.
func (c *Containers) states() string { return filepath.Join(stateRoot, c.driver) }

// records is where what serai keeps of a container lies, by its ID.
func (c *Containers) records(id string) string {
	return filepath.Join(stateRoot, c.driver+"-files", id)
}

// files is where files of a task's own lie: not in the task's directory, where it could put a link in their place.
func (c *Containers) files(taskID string) string { return c.records(containerID(taskID)) }

// Fingerprint is what every driver of containers needs of its node. name is the driver's, for its messages and attributes.
func (c *Containers) Fingerprint(name string) drivers.Fingerprint {
	if os.Geteuid() != 0 {
		return drivers.Fingerprint{Health: drivers.HealthUndetected, Description: name + " needs the agent to run as root"}
	}
	l, err := c.Layout()
	if err != nil || l.Version == 0 {
		return drivers.Fingerprint{Health: drivers.HealthUndetected, Description: name + " needs control groups, and none are mounted"}
	}
	fp := drivers.Fingerprint{Attributes: map[string]any{"driver." + name: true}, Health: drivers.HealthHealthy, Description: "Healthy"}
	for _, controller := range []string{"cpu", "memory", "pids"} {
		if !l.Has(controller) {
			fp.Description = fmt.Sprintf("Healthy, without limits of %s: the controller is missing on this node", controller)
		}
	}
	return fp
}

// Start makes the container that spec describes, which it may change, and starts the task's program in it. Every error is a drivers.StartError.
func (c *Containers) Start(ctx context.Context, task *drivers.TaskConfig, spec *Spec) (*drivers.TaskHandle, error) {
	if _, there := c.Lookup(task.ID); there {
		return nil, fmt.Errorf("task %s is there already", task.ID)
	}
	c.Tidy(c.removeAbandoned)
	t, proc, err := c.make(ctx, task, spec)
	if err != nil {
		return nil, StartError(err)
	}
	h, err := c.Begin(t, proc)
	if err != nil {
		return nil, errors.Join(err, t.Cleanup(context.WithoutCancel(ctx)))
	}
	return h, nil
}

// make makes the container and starts its program. What a start that fails has made is gone when it returns.
func (c *Containers) make(ctx context.Context, task *drivers.TaskConfig, spec *Spec) (t *supervise.Task, proc *process.Process, err error) {
	if err := c.clear(ctx, task.ID); err != nil {
		return nil, nil, err
	}
	if err := c.writeRecord(task.ID, spec); err != nil {
		return nil, nil, err
	}
	failpoint.Kill("contain:recorded")
	start := func() (err error) {
		t, proc, err = c.launch(ctx, task, spec)
		return err
	}
	if spec.Namespaces.OwnUsers {
		spec.Namespaces.users, err = c.reserveUsers(task.ID)
		failpoint.Kill("contain:users")
	}
	switch {
	case err != nil:
	case len(spec.Layers) == 0:
		err = start()
	default:
		err = spec.stage(start)
	}
	if err == nil {
		return t, proc, nil
	}
	if left := c.Destroy(context.WithoutCancel(ctx), task.ID, true); left != nil {
		err = errors.Join(err, left)
	}
	return nil, nil, err
}

// clear removes what an earlier, killed start of the same task has left.
func (c *Containers) clear(ctx context.Context, id string) error {
	if !c.Exists(id) {
		return nil
	}
	return c.Destroy(ctx, id, true)
}

// StartError makes every error of a start a drivers.StartError, so that it looks the same on both sides of a plugin connection.
func StartError(err error) error {
	if _, ok := errors.AsType[*drivers.StartError](err); ok {
		return err
	}
	return &drivers.StartError{Err: err}
}

// Destroy implements drivers.Driver. With force, what is left of a task unknown to this process goes too.
func (c *Containers) Destroy(ctx context.Context, id string, force bool) error {
	_, there := c.Lookup(id)
	if err := c.Set.Destroy(ctx, id, force); err != nil || there || !force {
		return err
	}
	return c.remove(ctx, id)
}

// cleanup is what Destroy does for a task beyond ending its group.
func (c *Containers) cleanup(t *supervise.Task) func(context.Context) error {
	return func(ctx context.Context) error { return c.remove(ctx, t.ID) }
}

// remove removes the container of a task that has ended, and all that belongs to it.
func (c *Containers) remove(ctx context.Context, taskID string) error {
	err := c.removeContainer(ctx, containerID(taskID))
	if c.Cleanup != nil {
		err = errors.Join(err, c.Cleanup(ctx, taskID))
	}
	return err
}

// removeContainer removes what lies anywhere of a container of which nothing runs. The record goes last: it tells where the rest is.
func (c *Containers) removeContainer(ctx context.Context, id string) error {
	var errs []error
	box, err := libcontainer.Load(c.states(), id)
	if err == nil {
		err = box.Destroy()
	}
	if !errors.Is(err, libcontainer.ErrNotExist) {
		errs = append(errs, err)
	}
	failpoint.Kill("contain:destroyed")
	// One whose start was cut short has never been described.
	errs = append(errs, os.RemoveAll(filepath.Join(c.states(), id)))
	r, err := readRecord(c.records(id))
	if box == nil && err == nil && r.Group != "" {
		errs = append(errs, removeGroups(ctx, r.Group))
	}
	if err == nil && r.Scratch != "" {
		errs = append(errs, os.RemoveAll(r.Scratch))
	}
	releaseUsers(c.driver + " " + id)
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("container: %w", err)
	}
	failpoint.Kill("contain:cleared")
	return os.RemoveAll(c.records(id))
}

// Exists is whether anything of the task's container is there, whichever process started it.
func (c *Containers) Exists(taskID string) bool {
	_, state := os.Stat(filepath.Join(c.states(), containerID(taskID)))
	_, files := os.Stat(c.files(taskID))
	return state == nil || files == nil
}

// removeAbandoned removes containers of this age whose tasks have ended and that nobody has removed.
func (c *Containers) removeAbandoned(age time.Duration) {
	for _, dir := range []string{c.states(), filepath.Dir(c.records(""))} {
		entries, _ := os.ReadDir(dir) // without the directory there is nothing
		for _, e := range entries {
			if st, err := e.Info(); err != nil || time.Since(st.ModTime()) < age {
				continue
			}
			box, err := libcontainer.Load(c.states(), e.Name())
			if err == nil {
				if status, err := box.Status(); err != nil || status != libcontainer.Stopped {
					continue
				}
			}
			if err := c.removeContainer(context.Background(), e.Name()); err != nil {
				c.Logger.Warn("an abandoned container cannot be removed", "container", e.Name(), "err", err)
			}
		}
	}
}
