namespace "a" { policy = level }
#-- policy:1,26: references are not evaluated here
