package config

import (
	"fmt"
	"strings"
)

// Accepted is a key that was given, is known from Nomad, and has no effect.
type Accepted struct {
	Key  string // dotted: "client.template.max_stale"
	File string
	Line int
}

// String gives the key with its place.
func (a Accepted) String() string { return fmt.Sprintf("%s:%d: %s", a.File, a.Line, a.Key) }

// accepted lists, by block, the keys of Nomad's agent configuration that have
// no effect here. A name with a star takes any content below it (blocks whose
// labels or keys are free). The blocks themselves are listed in their parent.
var accepted = map[string]string{
	"": `enable_syslog syslog_facility disable_update_check disable_anonymous_signature
		rpc sentinel reporting keyring* eventlog consul* vault*`,
	"autopilot": `disable_upgrade_migration`,
	"client": `host_volumes_dir host_volume_plugin_dir common_plugin_dir cpu_disable_dmidecode client_max_port client_min_port
		gc_volumes_on_node_gc bind_wildcard_default_host_network
		nomad_service_discovery drain_on_shutdown log_file intro_token`,
	"client.artifact":              `gcs_timeout hg_timeout`,
	"client.drain_on_shutdown":     `deadline ignore_system_jobs force`,
	"client.template":              `max_stale block_query_wait consul_retry vault_default_lease_duration vault_retry nomad_retry use_client_consul_token`,
	"client.template.consul_retry": `attempts backoff max_backoff`,
	"client.template.vault_retry":  `attempts backoff max_backoff`,
	"client.template.nomad_retry":  `attempts backoff max_backoff`,
	"eventlog":                     `enabled level`,
	"reporting":                    `license address export_interval snapshot_retention_time disable_product_usage_reporting`,
	"reporting.license":            `enabled`,
	"rpc":                          `accept_backlog keep_alive_interval connection_write_timeout stream_open_timeout stream_close_timeout dial_timeout`,
	"sentinel":                     `import* additional_enabled_modules`,
	"server": `authoritative_region client_introduction raft_protocol csi_volume_claim_gc_interval
		csi_volume_claim_gc_threshold csi_plugin_gc_threshold root_key_gc_interval
		root_key_gc_threshold root_key_rotation_threshold
		upgrade_version plan_rejection_tracker
		plan_apply_pipeline license_path deploy_query_rate_limit raft_logstore raft_boltdb log_file non_production`,
	"server.client_introduction":        `enforcement default_identity_ttl max_identity_ttl`,
	"server.plan_rejection_tracker":     `enabled node_threshold node_window`,
	"server.raft_boltdb":                `no_freelist_sync`,
	"server.raft_logstore":              `backend boltdb wal disable_log_cache verification`,
	"server.raft_logstore.boltdb":       `no_freelist_sync`,
	"server.raft_logstore.verification": `enabled interval`,
	"server.raft_logstore.wal":          `segment_size_mb`,
	"telemetry": `datadog_address datadog_tags include_alloc_metadata_in_metrics allowed_metadata_keys_in_metrics
		disable_quota_utilization_metrics disable_rpc_rate_metrics_labels circonus_api_token circonus_api_app
		circonus_api_url circonus_submission_interval circonus_submission_url circonus_check_id
		circonus_check_force_metric_activation circonus_check_instance_id circonus_check_search_tag
		circonus_check_tags circonus_check_display_name circonus_broker_id circonus_broker_select_tag`,
	"ui":                         `content_security_policy consul vault`,
	"ui.consul":                  `ui_url`,
	"ui.content_security_policy": `connect_src default_src form_action frame_ancestors img_src script_src style_src`,
	"ui.vault":                   `ui_url`,
}

// acceptedKey looks a key up among those that have no effect. free says that
// anything may stand below it.
func acceptedKey(block, name string) (known, free bool) {
	for _, key := range strings.Fields(accepted[block]) {
		if key == name {
			return true, false
		}
		if key == name+"*" {
			return true, true
		}
	}
	return false, false
}

// acceptedNames lists the keys of a block that have no effect, for suggestions.
func acceptedNames(block string) []string {
	return strings.Fields(strings.ReplaceAll(accepted[block], "*", ""))
}
