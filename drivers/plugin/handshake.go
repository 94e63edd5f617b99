package plugin

import (
	goplugin "github.com/hashicorp/go-plugin"
)

// Facts of the handshake, the same for every driver of this protocol.
const (
	magicCookieKey   = "NOMAD_PLUGIN_MAGIC_COOKIE"
	magicCookieValue = "e4327c2e01eabfd75a8a67adb114fb34a757d57eee7728d857a8cec6e91a7255"
	coreVersion      = 1
	protocolVersion  = 2
	// apiVersion is the version of the driver protocol proper.
	apiVersion = "v0.1.0"
	// pluginSet names the one plugin that a process serves; "base" goes with it.
	driverPlugin = "driver"
	basePlugin   = "base"
)

var handshake = goplugin.HandshakeConfig{
	ProtocolVersion:  protocolVersion,
	MagicCookieKey:   magicCookieKey,
	MagicCookieValue: magicCookieValue,
}
