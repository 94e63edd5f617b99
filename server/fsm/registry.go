package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"

	"github.com/seraihq/serai/internal/wire"
	"github.com/seraihq/serai/server/state"
)

// Number identifies a command in the log. A number is never reused.
type Number uint16

// Command is an intent in the log.
type Command interface {
	// apply does what the command says. An error refuses the command: nothing
	// of the transaction is kept.
	apply(tx *state.Tx) (result any, err error)
}

// compact is a command with an encoding of its own.
type compact interface {
	encode(w *wire.Writer) error
	decode(r *wire.Reader)
}

// definition is an entry of the registry.
type definition struct {
	number Number
	name   string
	new    func() Command
	since  int // protocol version from which on it may be in the log; 0 is the first
}

// from says that a command came with a later protocol version.
func (d definition) from(protocol int) definition {
	d.since = protocol
	return d
}

// define makes a registry entry for the command type C, of which *C is a
// Command.
func define[C any, P interface {
	*C
	Command
}](number Number, name string) definition {
	return definition{number: number, name: name, new: func() Command { return P(new(C)) }}
}

// definitions lists every command there is. Add at the end; take none away. One
// that comes after a release is define[…](…).from(N), with version.ProtocolMax
// at N or more: it is not written before all servers know it.
var definitions = []definition{
	define[JobRegister](1, "JobRegister"),
	define[JobDeregister](2, "JobDeregister"),
	define[JobStability](3, "JobStability"),
	define[JobVersionTag](4, "JobVersionTag"),
	define[EvalUpsert](5, "EvalUpsert"),
	define[EvalDelete](6, "EvalDelete"),
	define[PlanApply](7, "PlanApply"),
	define[AllocUpdate](8, "AllocUpdate"),
	define[AllocDesiredTransition](9, "AllocDesiredTransition"),
	define[NodeRegister](10, "NodeRegister"),
	define[NodeStatus](11, "NodeStatus"),
	define[NodeEligibility](12, "NodeEligibility"),
	define[NodeDeregister](13, "NodeDeregister"),
	define[NodePoolUpsert](14, "NodePoolUpsert"),
	define[NodePoolDelete](15, "NodePoolDelete"),
	define[NamespaceUpsert](16, "NamespaceUpsert"),
	define[NamespaceDelete](17, "NamespaceDelete"),
	define[SchedulerConfigSet](18, "SchedulerConfigSet"),
	define[ScaleEvent](19, "ScaleEvent"),
	define[Reap](20, "Reap"),
	define[PeriodicLaunch](21, "PeriodicLaunch"),
	define[ClusterMeta](22, "ClusterMeta"),
	define[DeploymentUpsert](23, "DeploymentUpsert"),
	define[DeploymentDelete](24, "DeploymentDelete"),
	define[DeploymentVerdicts](25, "DeploymentVerdicts"),
	define[DeploymentPromote](26, "DeploymentPromote"),
	define[DeploymentPause](27, "DeploymentPause"),
	define[DeploymentHealth](28, "DeploymentHealth"),
	define[PeriodicStart](30, "PeriodicStart"),
	define[JobDispatch](31, "JobDispatch"),
	define[NodeDrain](32, "NodeDrain"),
	define[DrainStep](33, "DrainStep"),
	define[EvalCancel](34, "EvalCancel"),
	define[ACLPolicyUpsert](40, "ACLPolicyUpsert"),
	define[ACLPolicyDelete](41, "ACLPolicyDelete"),
	define[ACLRoleUpsert](42, "ACLRoleUpsert"),
	define[ACLRoleDelete](43, "ACLRoleDelete"),
	define[ACLTokenUpsert](44, "ACLTokenUpsert"),
	define[ACLTokenDelete](45, "ACLTokenDelete"),
	define[ACLBootstrap](46, "ACLBootstrap"),
	define[OneTimeTokenUpsert](47, "OneTimeTokenUpsert"),
	define[OneTimeTokenExchange](48, "OneTimeTokenExchange"),
	define[ACLExpire](49, "ACLExpire"),
	define[ProtocolRaise](100, "ProtocolRaise"),
	define[StateMark](101, "StateMark"),
	define[AutopilotConfigSet](60, "AutopilotConfigSet"),
	define[AuthorityAdd](80, "AuthorityAdd"),
	define[AuthorityRetire](81, "AuthorityRetire"),
	define[CertificateIssue](82, "CertificateIssue"),
	define[CertificateConfirm](83, "CertificateConfirm"),
	define[CertificateRevoke](84, "CertificateRevoke"),
	define[JoinTokenRevoke](85, "JoinTokenRevoke"),
	define[JoinTokenIssue](86, "JoinTokenIssue"),
	define[RootKeyAdd](90, "RootKeyAdd"),
	define[RootKeyDelete](91, "RootKeyDelete"),
}

var (
	byNumber = func() map[Number]definition {
		m := make(map[Number]definition, len(definitions))
		for _, d := range definitions {
			m[d.number] = d
		}
		return m
	}()
	byType = func() map[reflect.Type]definition {
		m := make(map[reflect.Type]definition, len(definitions))
		for _, d := range definitions {
			m[reflect.TypeOf(d.new())] = d
		}
		return m
	}()
)

// ErrFatal is the kind of error after which a server must stop: the entry is
// in the log and this version cannot apply it.
var ErrFatal = errors.New("log entry cannot be applied")

// Encode makes the log entry of a command (a pointer to one of the types of
// this package).
func Encode(c Command) ([]byte, error) {
	d, ok := byType[reflect.TypeOf(c)]
	if !ok {
		return nil, fmt.Errorf("encode command %T: it is not in the registry", c)
	}
	head := binary.BigEndian.AppendUint16(make([]byte, 0, 512), uint16(d.number))
	if x, ok := c.(compact); ok {
		w := wire.NewWriter(head)
		if err := x.encode(w); err != nil {
			return nil, fmt.Errorf("encode command %s: %w", d.name, err)
		}
		return w.Bytes(), nil
	}
	b, err := wire.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode command %s: %w", d.name, err)
	}
	return append(head, b...), nil
}

// Decode reads a log entry.
func Decode(entry []byte) (Command, error) {
	if len(entry) < 2 {
		return nil, fmt.Errorf("%w: an entry of %d bytes has no command number; the log is damaged, restore a snapshot", ErrFatal, len(entry))
	}
	number := Number(binary.BigEndian.Uint16(entry))
	d, ok := byNumber[number]
	if !ok {
		return nil, fmt.Errorf("%w: command number %d is unknown to this version; run the version that wrote it, or a newer one", ErrFatal, number)
	}
	c := d.new()
	if x, ok := c.(compact); ok {
		r := wire.NewReader(entry[2:])
		x.decode(r)
		if err := r.End(); err != nil {
			return nil, fmt.Errorf("%w: command %s: %w", ErrFatal, d.name, err)
		}
		return c, nil
	}
	if err := wire.Unmarshal(entry[2:], c); err != nil {
		return nil, fmt.Errorf("%w: command %s: %w", ErrFatal, d.name, err)
	}
	if x, ok := c.(judge); ok {
		if err := x.known(); err != nil {
			return nil, fmt.Errorf("%w: command %s: %w", ErrFatal, d.name, err)
		}
	}
	return c, nil
}

// Name returns the name of the command in a log entry, for logs and tools.
func Name(entry []byte) string {
	if len(entry) >= 2 {
		n := Number(binary.BigEndian.Uint16(entry))
		if d, ok := byNumber[n]; ok {
			return d.name
		}
		return fmt.Sprintf("unknown command %d", n)
	}
	return "empty entry"
}
