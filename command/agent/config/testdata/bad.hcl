data_dri  = "/x"
data_dir  = "relative"
log_level = "loud"
ports {
  http = 70000
  rpc  = 99
  serf = 99
}
client {
  enable = true
  enabled = "perhaps"
  gc_interval = 60
  template {
    wiat { min = "1s" }
  }
  bootstrap_expect = 3
  cgroup_parent = ["a"]
}
server {
  enabled          = true
  bootstrap_expect = 3
  job_max_source_size = "lots"
  default_scheduler_config {
    scheduler_algorithm = "random"
  }
}
tls {
  http = true
}
acl {
  enabled = true
}
plugin {
  enabled = true
}
bind_addr = "{{ GetDefaultInterfaces | attr \"address\" }}"
