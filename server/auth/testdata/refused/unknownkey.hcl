namespace "a" { polcy = "read" }
#-- unknown key "polcy"; did you mean "policy"?
