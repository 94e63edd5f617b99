namespace "a" { policy =
#-- policy:
