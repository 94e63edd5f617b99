package rpc

import "time"

// within does something that has to be done in time: else the deadline is set to
// now, which ends it. To set it beforehand and take it back takes two turns of the
// connection's own goroutine, for each message and each call.
func within(d time.Duration, deadline func(time.Time) error, do func() error) error {
	ended := make(chan struct{})
	late := time.AfterFunc(d, func() {
		defer close(ended)
		_ = deadline(time.Now())
	})
	err := do()
	if !late.Stop() {
		<-ended // it must not be used when the call is over
	}
	return err
}
