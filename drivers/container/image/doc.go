// Package image is the image store of a node: it fetches OCI and Docker images
// from registries, OCI layouts and saved archives, checks every byte by digest,
// and unpacks each layer once, into a directory that overlayfs can stand on.
//
// A Store is a directory. Several processes may have it open at once; they meet
// in file locks (see lock.go), so a driver host may be killed and started again
// at any moment. What is in the directory:
//
//	lock                 the lock under which anything below changes its name
//	layers/HEX/          one unpacked layer by diff ID: fs/ and layer.json
//	images/HEX.json      one image by config digest: its layers and its configuration
//	names/HEX.json       what a reference meant when it was last asked for
//	owners/HEX.json      who uses which image
//	work/ID/             what one Acquire is about to make; dead ones are removed
//	locks/HEX            one lock a layer, so that it is unpacked once
//
// A layer gets its name only when it is whole and both of its digests are right.
// Layers and images that an owner holds, or that a running Acquire counts on,
// are never collected.
//
// An image is data of a stranger. Nothing that it says leads out of the store:
// see tree.go for the files and dial.go for the network. What its configuration
// asks for (user, environment, …) is handed on as text; the runtime decides.
//
// This package is the only one that imports google/go-containerregistry. It
// mounts nothing and starts no process but credential helpers.
package image
