node { policy = "read" }
node { policy = "write" }
#-- policy:2,1: rule "node" stands twice
