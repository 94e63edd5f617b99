package image

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// The media types of manifests that are understood.
const (
	typeOCIManifest    = "application/vnd.oci.image.manifest.v1+json"
	typeOCIIndex       = "application/vnd.oci.image.index.v1+json"
	typeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	typeDockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// descriptor points to a blob.
type descriptor struct {
	MediaType string    `json:"mediaType"`
	Digest    string    `json:"digest"`
	Size      int64     `json:"size"`
	Platform  *platform `json:"platform,omitempty"`

	Annotations map[string]string `json:"annotations,omitempty"`
}

// manifest is a manifest or an index of either format.
type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        *descriptor  `json:"config"`
	Layers        []descriptor `json:"layers"`
	Manifests     []descriptor `json:"manifests"`
}

// parseManifest reads a manifest or an index. The given media type is what the
// one who sent it called it; what it is is told by what is in it.
func parseManifest(b []byte) (*manifest, error) {
	var m manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("the manifest cannot be read: %w: %w", ErrCorrupt, err)
	}
	switch {
	case m.SchemaVersion == 1:
		return nil, fmt.Errorf("the manifest is of Docker's schema 1, which has no digests of content: push the image again with a newer tool: %w", ErrInvalid)
	case m.Config != nil && m.Manifests != nil:
		return nil, fmt.Errorf("it is a manifest and an index at once: %w", ErrHostile)
	case m.Config == nil && m.Manifests == nil:
		return nil, fmt.Errorf("it is neither a manifest nor an index: %w", ErrInvalid)
	}
	index := m.MediaType == typeOCIIndex || m.MediaType == typeDockerList
	if known := index || m.MediaType == "" || m.MediaType == typeOCIManifest || m.MediaType == typeDockerManifest; !known {
		return nil, fmt.Errorf("manifests of type %.100q are not known: %w", m.MediaType, ErrInvalid)
	}
	if m.MediaType != "" && index != (m.Manifests != nil) {
		return nil, fmt.Errorf("the manifest calls itself %s, which it is not: %w", m.MediaType, ErrHostile)
	}
	return &m, nil
}

// configFile is an image's configuration blob.
type configFile struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Variant      string `json:"variant"`
	Config       struct {
		User         string              `json:"User"`
		ExposedPorts map[string]struct{} `json:"ExposedPorts"`
		Env          []string            `json:"Env"`
		Entrypoint   []string            `json:"Entrypoint"`
		Cmd          []string            `json:"Cmd"`
		Volumes      map[string]struct{} `json:"Volumes"`
		WorkingDir   string              `json:"WorkingDir"`
		Labels       map[string]string   `json:"Labels"`
		StopSignal   string              `json:"StopSignal"`
	} `json:"config"`
	RootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

// parseConfig reads a configuration and the diff IDs of its layers.
func parseConfig(b []byte, limits Limits) (*configFile, []digest, error) {
	var c configFile
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, nil, fmt.Errorf("the image's configuration cannot be read: %w: %w", ErrCorrupt, err)
	}
	if c.RootFS.Type != "" && c.RootFS.Type != "layers" {
		return nil, nil, fmt.Errorf("the image's root filesystem is of type %.100q, not layers: %w", c.RootFS.Type, ErrInvalid)
	}
	if n := len(c.RootFS.DiffIDs); n > limits.Layers {
		return nil, nil, fmt.Errorf("the image has %d layers, the limit is %d: %w", n, limits.Layers, ErrTooLarge)
	}
	var ids []digest
	for _, s := range c.RootFS.DiffIDs {
		d, err := parseDigest(s)
		if err != nil {
			return nil, nil, err
		}
		ids = append(ids, d)
	}
	for what, texts := range map[string][]string{
		"Env": c.Config.Env, "Entrypoint": c.Config.Entrypoint, "Cmd": c.Config.Cmd,
		"User, WorkingDir or StopSignal": {c.Config.User, c.Config.WorkingDir, c.Config.StopSignal},
	} {
		if slices.ContainsFunc(texts, func(s string) bool { return strings.ContainsRune(s, 0) }) {
			return nil, nil, fmt.Errorf("the image's %s has a NUL character in it: %w", what, ErrHostile)
		}
	}
	return &c, ids, nil
}

// ours is the configuration as the runtime reads it.
func (c *configFile) ours() Config {
	return Config{
		Entrypoint: c.Config.Entrypoint, Cmd: c.Config.Cmd, Env: c.Config.Env, User: c.Config.User,
		WorkingDir: c.Config.WorkingDir, StopSignal: c.Config.StopSignal, Labels: c.Config.Labels,
		Volumes: sortedKeys(c.Config.Volumes), ExposedPorts: sortedKeys(c.Config.ExposedPorts),
	}
}

func sortedKeys(m map[string]struct{}) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
