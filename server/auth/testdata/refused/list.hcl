namespace "a" { capabilities = "read-job" }
#-- capabilities must be a list of strings, not a string
