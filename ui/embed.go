// Package ui holds the web UI: its sources, and what was built of them. `make
// ui` builds the sources into dist, which is taken into the binary; without
// that, dist is empty and the agent says so where the UI would be.
package ui

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Files are the built files: index.html as it is, and everything else only
// compressed, as NAME.gz and NAME.br. There is no index.html where the UI was not built.
func Files() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the name is written above
	}
	return files
}
