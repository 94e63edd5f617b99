package steps

import (
	"time"

	"github.com/seraihq/serai/api"
)

// How long steps that touch only the local disk may take.
const localDeadline = time.Minute

// ForAlloc lists the steps of an allocation, in order. network is nil where the
// tasks have that of the host.
func ForAlloc(previous *Previous, disk *Disk, network *Network) []Entry {
	list := []Entry{
		{Step: previous, Deadline: previousDeadline + previous.MaxKill},
		{Step: AllocDir{}, Deadline: localDeadline},
		{Step: disk, Deadline: diskDeadline},
	}
	if network != nil {
		list = append(list, Entry{Step: network, Deadline: networkDeadline})
	}
	return list
}

// ForTask lists the steps of a task, in order; socket: it has a way to the API.
func ForTask(t *api.Task, output *Logs, templates *Templates, socket bool) []Entry {
	list := []Entry{
		{Step: TaskDir{}, Deadline: localDeadline},
		{Step: output, Deadline: localDeadline},
	}
	if len(t.VolumeMounts) > 0 {
		list = append(list, Entry{Step: Volumes{}, Deadline: localDeadline})
	}
	if t.Resources != nil && len(t.Resources.Devices) > 0 {
		list = append(list, Entry{Step: Devices{}, Deadline: localDeadline})
	}
	if socket {
		list = append(list, Entry{Step: &TaskAPI{}, Deadline: localDeadline})
	}
	if len(t.NeededIdentities()) > 0 {
		list = append(list, Entry{Step: &Identities{}, Deadline: identityDeadline})
	}
	if t.DispatchPayload != nil {
		list = append(list, Entry{Step: Payload{}, Deadline: localDeadline})
	}
	if len(t.Artifacts) > 0 {
		list = append(list, Entry{Step: &Artifacts{}, Deadline: artifactDeadline})
	}
	// Last: templates may read what the others have put there.
	if len(t.Templates) > 0 {
		list = append(list, Entry{Step: templates, Deadline: templateDeadline})
	}
	return list
}
