package config

import (
	"strings"
	"time"

	"github.com/seraihq/serai/client/artifact"
)

// Artifact bounds what the artifacts of tasks may take. Zero means no limit.
type Artifact struct {
	HTTPReadTimeout              time.Duration `hcl:"http_read_timeout"` // for the whole of a fetch by http, https or from a file
	HTTPMaxSize                  int64         `hcl:"http_max_size" unit:"size"`
	GitTimeout                   time.Duration `hcl:"git_timeout"`
	S3Timeout                    time.Duration `hcl:"s3_timeout"`
	DecompressionFileCountLimit  int           `hcl:"decompression_file_count_limit"`
	DecompressionSizeLimit       int64         `hcl:"decompression_size_limit" unit:"size"`
	DisableArtifactInspection    bool          `hcl:"disable_artifact_inspection"`  // keep links that lead out of an artifact
	DisableFilesystemIsolation   bool          `hcl:"disable_filesystem_isolation"` // fetch with the host's files in sight
	FilesystemIsolationExtraPath []string      `hcl:"filesystem_isolation_extra_paths"`
	SetEnvironmentVariables      string        `hcl:"set_environment_variables"` // names with commas, of the agent's own that fetching sees
}

func defaultArtifact() Artifact {
	return Artifact{
		HTTPReadTimeout: 30 * time.Minute, GitTimeout: 30 * time.Minute, S3Timeout: 30 * time.Minute,
		HTTPMaxSize: 100 << 30, DecompressionSizeLimit: 100 << 30, DecompressionFileCountLimit: 4096,
	}
}

// ArtifactConfig gives what the client needs of it.
func (c *Client) ArtifactConfig() artifact.Config {
	a := c.Artifact
	out := artifact.Config{
		HTTPTime: a.HTTPReadTimeout, GitTime: a.GitTimeout, S3Time: a.S3Timeout,
		HTTPBytes: a.HTTPMaxSize, Unpack: a.DecompressionSizeLimit, Files: a.DecompressionFileCountLimit,
		NoIsolation: a.DisableFilesystemIsolation, NoInspection: a.DisableArtifactInspection,
	}
	for _, text := range a.FilesystemIsolationExtraPath {
		if p, err := artifact.ParsePath(text); err == nil { // checkArtifact tells of the others
			out.ExtraPaths = append(out.ExtraPaths, p)
		}
	}
	for name := range strings.SplitSeq(a.SetEnvironmentVariables, ",") {
		if name = strings.TrimSpace(name); name != "" {
			out.Environment = append(out.Environment, name)
		}
	}
	return out
}

func (v *checker) checkArtifact() {
	a := v.agent.Client.Artifact
	for key, d := range map[string]time.Duration{
		"http_read_timeout": a.HTTPReadTimeout, "git_timeout": a.GitTimeout, "s3_timeout": a.S3Timeout,
	} {
		if d < 0 {
			v.add("client.artifact."+key, "client.artifact.%s must not be negative", key)
		}
	}
	v.within("client.artifact.decompression_file_count_limit", a.DecompressionFileCountLimit, 0, 1<<30)
	for _, text := range a.FilesystemIsolationExtraPath {
		if _, err := artifact.ParsePath(text); err != nil {
			v.add("client.artifact.filesystem_isolation_extra_paths", "client.artifact.filesystem_isolation_extra_paths: %v", err)
		}
	}
}
