namespace "a" {
}
#-- says nothing
