namespace "" { policy = "read" }
#-- policy:1,1: rule "namespace": "" is no name or glob
