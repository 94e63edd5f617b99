node "web" {
  count      = 2
  datacenter = "a"
  cpu        = 4000
  memory     = 8000
}

node "web" {
  count      = 2
  datacenter = "b"
  cpu        = 2000
  memory     = 8000
}
