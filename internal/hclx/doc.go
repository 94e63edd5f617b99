// Package hclx parses HCL2 and JSON sources safely and reports what is wrong
// with them in one form.
//
// It adds three things to the HCL library. Sources are checked for size,
// nesting and long operator chains before the recursive parser sees them, so no
// input can exhaust the stack. Quoted attribute names ("driver.raw_exec.enable" = "1"),
// which people's files have from HCL1 and which HCL2 bodies do not allow, are
// accepted. And diagnostics become Problems: file, line, column, the offending
// text and the nearest known name, all of them at once.
//
// Two packages use it: jobspec, which evaluates expressions itself over File.Body,
// and command/agent/config, which needs no evaluation and reads the plain Tree.
// It holds no state and starts no goroutine.
package hclx
