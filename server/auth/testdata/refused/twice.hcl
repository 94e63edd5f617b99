namespace "a" { policy = "read" }
namespace "a" { policy = "write" }
#-- policy:2,1: rule namespace "a" stands twice
