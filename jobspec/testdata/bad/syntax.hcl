job "syntax" {
  group "web" {
    count = 
    task "t" {
      driver = "exec
    }
  }
