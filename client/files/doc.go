// Package files is the one way into an allocation's directory.
//
// What lies in such a directory belongs to the tasks: they may swap a file for
// a symbolic link, a FIFO or a device at any moment. So no path that a task or
// a user controls is ever joined to a string and opened. A Root walks the path
// one component at a time from an open directory, each with O_NOFOLLOW, follows
// links itself and only beneath the root, and looks at what it has in hand
// (fstat) before it opens it. Directories that hold secrets are known by device
// and inode, so that no spelling, case fold, link or bind mount opens them.
//
// The steps (set-up), the log collector and the fs API are its callers. The
// package owns no goroutine.
package files
