job "a" {
}
job "b" {
}
job {
}
x = 1
