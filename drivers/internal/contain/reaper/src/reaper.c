// The first process of a container that asks for one: it starts the program, hands signals on to it, waits for whatever ends in the container,
// and ends as the program does. It has no library, for it must run in any image. Arguments: itself, the program's file, the program's arguments.
typedef unsigned long word;

enum { // x86-64
	SYS_rt_sigprocmask = 14, SYS_fork = 57, SYS_execve = 59, SYS_wait4 = 61, SYS_kill = 62, SYS_rt_sigtimedwait = 128, SYS_exit_group = 231,
};
enum { SIGCHLD = 17, WNOHANG = 1, EACCES = 13, EINTR = 4 };

static long call(long n, word a, word b, word c, word d)
{
	long out;
	register word r10 __asm__("r10") = d;
	__asm__ volatile("syscall" : "=a"(out) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
	return out;
}

static void leave(int code)
{
	for (;;)
		call(SYS_exit_group, code, 0, 0, 0);
}

// reap waits for all that has ended, and leaves when the program is among it.
static void reap(long program)
{
	int status;
	long pid;
	while ((pid = call(SYS_wait4, -1, (word)&status, WNOHANG, 0)) > 0 || pid == -EINTR)
		if (pid == program)
			leave(status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff);
}

__attribute__((used)) static void begin(word *stack)
{
	word argc = stack[0], all = ~0ul, before = 0;
	char **argv = (char **)stack + 1, **env = argv + argc + 1;
	if (argc < 2)
		leave(127);
	call(SYS_rt_sigprocmask, 0, (word)&all, (word)&before, sizeof all);
	long program = call(SYS_fork, 0, 0, 0, 0);
	if (program < 0)
		leave(126);
	if (program == 0) {
		call(SYS_rt_sigprocmask, 2, (word)&before, 0, sizeof before);
		leave(call(SYS_execve, (word)argv[1], (word)(argv + 1), (word)env, 0) == -EACCES ? 126 : 127);
	}
	for (;;) {
		long signal = call(SYS_rt_sigtimedwait, (word)&all, 0, 0, sizeof all);
		if (signal == SIGCHLD)
			reap(program);
		else if (signal > 0)
			call(SYS_kill, program, signal, 0, 0);
	}
}

__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall begin\n");
