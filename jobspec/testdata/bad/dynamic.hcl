job "dynamic" {
  dynamic "group" {
    for_each = 5
    labels   = ["a"]
    content {}
  }
  dynamic "group" {
    foreach = []
  }
  dynamic "group" {
    for_each = [1]
    content {}
  }
  dynamic {
    for_each = [1]
  }
  group "g" {
    dynamic "task" {
      for_each = ["x"]
      labels   = [task.value, 1]
      content {
        driver = task.vlaue
      }
    }
    dynamic "tsk" {
      for_each = ["x"]
      content {}
    }
  }
}
