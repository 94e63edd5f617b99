namespace "a" {
  variables {
    path "x y" { capabilities = ["read"] }
  }
}
#-- policy:3,5: "x y" is no path of variables
