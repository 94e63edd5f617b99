package contain

import _ "embed"

//go:generate sh reaper/build.sh
//go:embed reaper/reaper_amd64
var reaper []byte
