namespcae "a" { policy = "read" }
#-- did you mean "namespace"?
