package image

import "time"

// Request asks for one image.
type Request struct {
	// Ref names the image: "busybox:1.36", "registry.example:5000/team/app@sha256:…". For an image from Load it may be empty, or name one
	// of several images in there.
	Ref string
	// Load, when set, is an OCI layout directory or an archive made by "docker save", beneath LoadRoot; no registry is asked.
	Load string
	// LoadRoot is the directory that Load is looked for in; links do not lead out of it.
	LoadRoot string
	// Auth is what the job gives to log in with; nil leaves it to the store's own configuration.
	Auth *Auth
	// AuthSoftFail: when logging in fails, try without.
	AuthSoftFail bool
	// Platform is "os/arch" or "os/arch/variant"; empty means the node's.
	Platform string
	// ForcePull asks the registry what the reference means now, also when the store knows an answer. References without a tag, and with
	// the tag "latest", are always asked for.
	ForcePull bool
}

// Auth is what to log in to a registry with. It is never printed.
type Auth struct {
	Username string
	Password string
	// IdentityToken, when set, is exchanged for access instead of a password.
	IdentityToken string
}

// String hides what is secret.
func (a *Auth) String() string {
	if a == nil {
		return "none"
	}
	return "(hidden)"
}

// GoString hides what is secret.
func (a *Auth) GoString() string { return a.String() }

// Image is an image that is wholly in the store.
type Image struct {
	// ID is the digest of the image's configuration ("sha256:…"), which names its content.
	ID string
	// ManifestDigest is the digest of the manifest it came by; empty for an archive that has none.
	ManifestDigest string
	// Ref is the reference that was asked for, with registry and tag filled in.
	Ref string
	// Platform is what it was built for, "linux/amd64".
	Platform string
	Config   Config
	// Layers are the directories of the unpacked layers, lowest first, with whiteouts as overlayfs wants them. They are shared and must
	// not be changed. An image may have none.
	Layers []string
	// Size is what the layers take, unpacked, in bytes.
	Size int64
}

// Config is what an image says about how it wants to be run. It is text of a stranger.
type Config struct {
	Entrypoint []string
	Cmd        []string
	// Env are "NAME=value" lines, in order.
	Env        []string
	User       string
	WorkingDir string
	StopSignal string
	// Volumes and ExposedPorts are sorted.
	Volumes      []string
	ExposedPorts []string
	Labels       map[string]string
}

// Progress is how far an Acquire has come.
type Progress struct {
	// Phase is PhaseResolve, PhasePull or PhaseDone.
	Phase string
	// Layers is how many there are, Ready how many of them are unpacked.
	Layers, Ready int
	// Bytes of Total have arrived, compressed; layers that the node had already are in neither.
	Bytes, Total int64
}

// The phases of an Acquire.
const (
	PhaseResolve = "resolve"
	PhasePull    = "pull"
	PhaseDone    = "done"
)

// Owner is one use of an image.
type Owner struct {
	Name  string
	Image string
	Since time.Time
}
