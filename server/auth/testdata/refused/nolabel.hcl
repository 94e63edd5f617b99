namespace {
  policy = "read"
}
#-- policy:1,1: rule "namespace" needs one label
