namespace "a" {
  capabilities = ["read-job", "submit-jobs"]
}
#-- policy:2,31: unknown capability "submit-jobs"; did you mean "submit-job"?
