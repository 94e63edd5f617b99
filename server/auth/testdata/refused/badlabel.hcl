namespace "a/b" { policy = "read" }
#-- "a/b" is no name or glob
