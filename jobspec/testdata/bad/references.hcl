variable "image" {
  default = "x"
}
variable "missing" {}
variable "typed" {
  type    = number
  default = "many"
}
variable "checked" {
  default = 3
  validation {
    condition     = var.checked > 5
    error_message = "Must be more than five."
  }
}
locals {
  broken = var.nowhere
  uses   = local.broken
}
job "references" {
  meta {
    a = var.imgae
    b = vars.image
    c = local.borken
    d = foo
    e = uper("x")
    f = "${foo.bar}"
    g = local.broken
    h = upper()
    i = 1 + "x"
    j = file("nowhere.txt")
    k = var.missing
  }
}
