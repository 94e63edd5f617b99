package plugin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/driver"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/shared"
)

// kinds maps the errors of the SDK to codes of the wire, both ways.
var kinds = []struct {
	err  error
	code codes.Code
}{
	{drivers.ErrTaskNotFound, codes.NotFound},
	{drivers.ErrUnsupported, codes.Unimplemented},
	{drivers.ErrDisabled, codes.PermissionDenied},
	{drivers.ErrUnavailable, codes.Unavailable},
	{context.Canceled, codes.Canceled},
	{context.DeadlineExceeded, codes.DeadlineExceeded},
}

// texts are what the drivers of this protocol say by text alone.
var texts = []struct {
	suffix string
	err    error
}{
	{drivers.ErrTaskNotFound.Error(), drivers.ErrTaskNotFound},
	{"driver does not support exec", drivers.ErrUnsupported},
	{"RPC not supported by driver", drivers.ErrUnsupported},
}

// toStatus turns a driver's error into one that keeps its kind over the wire.
func toStatus(err error) error {
	if err == nil {
		return nil
	}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return status.Error(k.code, err.Error())
		}
	}
	if _, ok := errors.AsType[*drivers.ConfigError](err); ok {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	if drivers.IsRecoverable(err) {
		st, detailErr := status.New(codes.FailedPrecondition, err.Error()).WithDetails(&shared.RecoverableError{Recoverable: true})
		if detailErr == nil {
			return st.Err()
		}
	}
	return status.Error(codes.Unknown, err.Error())
}

// startStatus turns the error of a start into one of the wire: Nomad's hosts look for one there, and not at what the answer says. The answer goes
// along for ours.
func startStatus(err error) error {
	st, detailErr := status.New(codes.FailedPrecondition, err.Error()).WithDetails(
		&shared.RecoverableError{Recoverable: drivers.IsRecoverable(err)}, startFailure(err))
	if detailErr != nil {
		return status.Error(codes.FailedPrecondition, err.Error())
	}
	return st.Err()
}

// startAnswer is what startStatus sent along, if it did.
func startAnswer(err error) (*driver.StartTaskResponse, bool) {
	st, ok := status.FromError(err)
	if !ok {
		return nil, false
	}
	for _, d := range st.Details() {
		if answer, ok := d.(*driver.StartTaskResponse); ok && answer.GetResult() != driver.StartTaskResponse_SUCCESS {
			return answer, true
		}
	}
	return nil, false
}

// fromStatus turns an error of the wire into one of the SDK. A context that ended on this side is told as such.
func fromStatus(ctx context.Context, driver string, err error) error {
	if err == nil {
		return nil
	}
	st, ok := status.FromError(err)
	if !ok {
		return err
	}
	if ctx.Err() != nil && (st.Code() == codes.Canceled || st.Code() == codes.DeadlineExceeded) {
		return ctx.Err()
	}
	text := st.Message()
	// The connection of a process that has died is closed under the calls on it, which are told that they were cancelled.
	if st.Code() == codes.Unavailable || st.Code() == codes.Canceled {
		return fmt.Errorf("driver %q: %w: %s", driver, drivers.ErrUnavailable, text)
	}
	for _, k := range kinds {
		if k.code == st.Code() {
			return &remoteError{text: text, kind: k.err}
		}
	}
	for _, t := range texts {
		if strings.HasSuffix(text, t.suffix) {
			return &remoteError{text: text, kind: t.err}
		}
	}
	for _, d := range st.Details() {
		if r, ok := d.(*shared.RecoverableError); ok {
			return &drivers.StartError{Recoverable: r.GetRecoverable(), Err: errors.New(text)}
		}
	}
	return errors.New(text)
}

// remoteError is an error that came over the wire: its text as it was, and the kind that it matches.
type remoteError struct {
	text string
	kind error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.kind }
