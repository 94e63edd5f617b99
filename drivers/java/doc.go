// Package java is the java driver: a jar or a class in a Java virtual machine of the host, confined as tasks of exec are.
//
// The machine sees the task's own control group, so it sizes its heap by the memory that the job reserves, unless jvm_options say otherwise.
// It only says what the container is; drivers/internal/hostroot and drivers/internal/contain do the rest. A Fingerprint owns one goroutine, which
// looks for the host's Java now and then.
package java
