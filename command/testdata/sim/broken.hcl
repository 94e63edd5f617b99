node "a" {
  count = -1
  cpu   = "many"
  memry = 5
}

nodes "b" {}
