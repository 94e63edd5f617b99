package api

// Topics of events.
const (
	TopicAll        = "*"
	TopicDeployment = "Deployment"
	TopicEvaluation = "Evaluation"
	TopicAllocation = "Allocation"
	TopicJob        = "Job"
	TopicNode       = "Node"
	TopicNodePool   = "NodePool"
	TopicService    = "Service"
	TopicACLPolicy  = "ACLPolicy"
	TopicACLRole    = "ACLRole"
	TopicACLToken   = "ACLToken"
)

// Event tells of one change. Payload holds the object under its type's name.
type Event struct {
	Topic      string
	Type       string
	Key        string
	Namespace  string `json:",omitempty"`
	FilterKeys []string
	Index      uint64
	Payload    map[string]any
}

// Events are the events of one index: a line of the event stream.
type Events struct {
	Index  uint64
	Events []*Event
}
