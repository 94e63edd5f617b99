namespace "a" { policy = "admin" }
#-- unknown policy "admin"
