// Package diskwatch looks whether allocations keep to the size of their
// ephemeral disks.
//
// Project quotas are not everywhere, and an image file for each allocation costs
// a mount and its space at once. So the space that an allocation takes is
// measured, by adding up its files; what that costs is kept small by asking the
// file system first. Its own count of used blocks is one system call: until it
// has grown by what an allocation has left, that allocation cannot be over its
// limit, but for what others have freed meanwhile; so each is measured now and
// then in any case.
//
// A Watch is called in rounds by the client, which ends what is over. It owns no
// goroutine and no timer.
package diskwatch
