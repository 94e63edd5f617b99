package audit

import (
	"bufio"
	"net"
	"net/http"
)

// writer writes a request's end down before the answer goes out. When that
// fails, another answer goes out.
type writer struct {
	http.ResponseWriter
	entry    *entry
	status   int  // that was sent; 0: nothing yet
	withheld bool // the answer is not the handler's
	finished bool // the handler has returned
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader sends the status.
func (w *writer) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.status = status
	if err := w.complete(status); err != nil {
		w.withheld = true
		h := w.Header()
		for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Type"} {
			h.Del(name)
		}
		http.Error(w.ResponseWriter, "the request was carried out as far as the agent could, and its end is not in the audit log: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) complete(status int) error {
	return w.entry.log.write(Complete, w.entry.who, w.entry.request, &Response{StatusCode: status})
}

// Write sends a part of the answer.
func (w *writer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK) // does nothing when that was sent
	if w.withheld {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// FlushError sends what was written so far.
func (w *writer) FlushError() error {
	w.WriteHeader(http.StatusOK)
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush is FlushError for those who do not ask.
func (w *writer) Flush() { _ = w.FlushError() }

// Hijack hands the connection over: the protocol is changed.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.status == 0 {
		if err := w.complete(http.StatusSwitchingProtocols); err != nil {
			return nil, nil, err
		}
		w.status = http.StatusSwitchingProtocols
	}
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// end writes down what said nothing.
func (w *writer) end() {
	switch {
	case w.status != 0:
	case w.finished:
		w.WriteHeader(http.StatusOK)
	default: // it is cut off
		_ = w.entry.log.write(Complete, w.entry.who, w.entry.request, &Response{Error: "cut off without an answer"})
	}
}
