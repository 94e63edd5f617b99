namespace "a" "b" { policy = "read" }
#-- policy:1,1: rule "namespace" needs one label, the name or glob that it is about, and has 2
