// Package webui answers /ui/: the files of the web UI under the headers that
// keep a page of them from being talked into anything. It is called by
// command/agent and owns no goroutine.
package webui
