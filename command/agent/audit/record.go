package audit

import (
	"net/http"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/auth"
)

// Stages of a request.
const (
	Received = "OperationReceived" // it was read, and not carried out yet
	Complete = "OperationComplete" // it was carried out or refused, and its answer is not sent yet
)

// Record is one line of the log. The names are those that readers of Nomad's
// audit log know.
type Record struct {
	CreatedAt time.Time `json:"created_at"`
	EventType string    `json:"event_type"` // "audit"
	Payload   Payload   `json:"payload"`
}

// Payload is what a record tells.
type Payload struct {
	ID        string    `json:"id"` // of the record
	Stage     string    `json:"stage"`
	Type      string    `json:"type"` // "audit"
	Timestamp time.Time `json:"timestamp"`
	Version   int       `json:"version"` // of this shape
	Auth      Auth      `json:"auth"`
	Request   Request   `json:"request"`
	Response  *Response `json:"response,omitempty"` // of OperationComplete
}

// Auth is who asks. All is empty where access control is off.
type Auth struct {
	AccessorID string     `json:"accessor_id,omitempty"`
	Name       string     `json:"name,omitempty"`
	Type       string     `json:"type,omitempty"` // client, management, or workload
	Global     bool       `json:"global,omitempty"`
	Policies   []string   `json:"policies,omitempty"`
	CreateTime *time.Time `json:"create_time,omitempty"`
	// Workload is the task whose identity was shown.
	Workload *Workload `json:"workload,omitempty"`
	// Error is why the token is none, or why nobody knows.
	Error string `json:"error,omitempty"`
}

// Workload is a task.
type Workload struct {
	Namespace    string `json:"namespace"`
	JobID        string `json:"job_id"`
	Task         string `json:"task"`
	AllocationID string `json:"allocation_id"`
}

// Request is what is asked.
type Request struct {
	ID            string      `json:"id"` // the same in both stages, and at every agent that passes the request on
	Operation     string      `json:"operation"`
	Endpoint      string      `json:"endpoint"` // the path alone
	Namespace     Namespace   `json:"namespace"`
	RequestMeta   RequestMeta `json:"request_meta"`
	NodeMeta      NodeMeta    `json:"node_meta"`
	ForwardedBy   int         `json:"forwarded_by,omitempty"` // how many agents have passed it on
	SessionOpened bool        `json:"session_opened,omitempty"`
}

// Namespace is the one that the query names.
type Namespace struct {
	ID string `json:"id"`
}

// RequestMeta is where a request comes from.
type RequestMeta struct {
	RemoteAddress string `json:"remote_address"`
	UserAgent     string `json:"user_agent,omitempty"`
}

// NodeMeta is the agent that writes the record.
type NodeMeta struct {
	IP   string `json:"ip"`
	Name string `json:"name"`
}

// Response is how it ended.
type Response struct {
	StatusCode int    `json:"status_code"` // 0: it was cut off without an answer
	Error      string `json:"error,omitempty"`
}

// maxText bounds what a caller may have written down of its own making.
const maxText = 256

func cut(s string) string {
	if len(s) > maxText {
		return s[:maxText] + "…"
	}
	return s
}

func authOf(identity *auth.Identity, secret api.Sensitive, err error) Auth {
	switch {
	case err != nil:
		return Auth{Error: err.Error()}
	case identity == nil:
		return Auth{}
	case identity.Workload != nil:
		w := identity.Workload
		return Auth{Type: "workload", Policies: identity.Policies, Workload: &Workload{w.Namespace, w.JobID, w.Task, w.AllocationID}}
	case identity.Token == nil && secret == "":
		return Auth{AccessorID: "anonymous", Name: "Anonymous Token", Type: "client", Policies: identity.Policies}
	case identity.Token == nil:
		return Auth{}
	}
	t := identity.Token
	a := Auth{AccessorID: t.AccessorID, Name: cut(t.Name), Type: t.Type, Global: t.Global, Policies: identity.Policies}
	if !t.CreateTime.IsZero() {
		a.CreateTime = &t.CreateTime
	}
	return a
}

func namespaceOf(r *http.Request) Namespace {
	if ns := r.URL.Query().Get("namespace"); ns != "" {
		return Namespace{cut(ns)}
	}
	return Namespace{api.DefaultNamespace}
}
