// Package bucket keeps objects in an s3-compatible store: it puts, gets, lists
// and deletes them, with signed requests. Conditions on a write (only if the
// object is not there, or still the same) let several writers agree.
//
// It is for small trees of objects of one owner, such as saved snapshots. What
// jobs fetch goes through client/artifact instead, in a confined process.
package bucket
