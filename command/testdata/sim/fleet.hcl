node "web" {
  count       = 6
  datacenters = ["a", "b", "c"]
  cpu         = 4000
  memory      = 8000
  disk        = 50000

  meta {
    rack = "r1"
  }
}

node "gpu" {
  datacenter = "a"
  cpu        = 8000
  memory     = 32000
  drivers    = ["docker"]

  device "nvidia/gpu/a100" {
    count = 2
  }
}
