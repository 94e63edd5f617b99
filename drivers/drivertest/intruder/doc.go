// Command intruder is a hostile task: it tries to get out of what holds it, by every way in its list, and says what it reached.
//
// A test builds it, hands it the facts of what it must not reach (the variable INTRUDER, see facts) and runs it inside of each driver, as root and as
// an unprivileged user, as the task and as a command beside one. It prints a line for each attack, "held NAME" or "GOT NAME: what", and at last
// "end N" with their number. Nothing that it does changes the machine: what it could open is closed, what it could mount is unmounted.
//
// It needs no libraries, so that it runs in any image.
package main
