node "x" { policy = "read" }
#-- rule "node" takes no label
