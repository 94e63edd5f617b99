package steps

import (
	"time"

	"github.com/seraihq/serai/api"
)

// How long steps that touch only the local disk may take.
const localDeadline = time.Minute

// ForAlloc lists the steps of an allocation, in order.
func ForAlloc(previous *Previous) []Entry {
	return []Entry{
		{Step: previous, Deadline: previousDeadline},
		{Step: AllocDir{}, Deadline: localDeadline},
	}
}

// ForTask lists the steps of a task, in order.
func ForTask(t *api.Task, output *Logs) []Entry {
	list := []Entry{
		{Step: TaskDir{}, Deadline: localDeadline},
		{Step: output, Deadline: localDeadline},
	}
	if t.DispatchPayload != nil {
		list = append(list, Entry{Step: Payload{}, Deadline: localDeadline})
	}
	return list
}
