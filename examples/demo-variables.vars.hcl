# Values for demo-variables.nomad.hcl
workers  = ["dee", "eve"]
size     = "large"
greeting = "good evening"
