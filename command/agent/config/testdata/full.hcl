region     = "europe"
datacenter = "dc2"
data_dir   = "/var/lib/serai"
log_level  = "warn"
bind_addr  = "127.0.0.1"

ports {
  http = 5646
}

server {
  enabled          = true
  bootstrap_expect = 1
  job_gc_threshold = "30m"
  job_max_source_size = "2M"
  job_children_max = 50
  job_children_ttl = "48h"
  raft_protocol    = 3
  default_scheduler_config {
    scheduler_algorithm = "spread"
    preemption_config {
      batch_scheduler_enabled = true
    }
  }
}

client {
  enabled = true
  options {
    "driver.raw_exec.enable" = "1"
    "user.checked_drivers"   = true
  }
  chroot_env {
    "/bin" = "/bin"
  }
  meta {
    rack = "r1"
    "ssd.size" = 500
  }
  host_volume "data" {
    path      = "/srv/data"
    read_only = true
  }
  template {
    wait {
      min = "1s"
    }
  }
  reserved {
    cpu            = 500
    reserved_ports = "22,8000-8010"
  }
}

plugin "raw_exec" {
  config {
    enabled = true
    denied_envvars = ["AWS_*"]
    limits { cpu = 1.5 }
  }
}

vault {
  address = "http://127.0.0.1:8200"
  token   = "not-shown"
}

http_api_response_headers {
  "Access-Control-Allow-Origin" = "*"
}
