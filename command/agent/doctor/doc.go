// Package doctor looks at an installation and tells what is wrong with it and
// how to mend it: the configuration, who may read its files and keys, its
// certificates, how it is exposed, the disk, the limits and the kernel, and, when
// an agent answers, the cluster around it. It changes nothing.
//
// A check is a function that adds findings to a report; they are written out in
// Examine. What a check needs of the machine comes through Host, so that tests
// can plant defects. The command "serai doctor" is its only caller.
package doctor
