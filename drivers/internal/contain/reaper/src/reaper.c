// The first process of a container that asks for one: it starts the program, hands signals on to it, waits for whatever ends in the container,
// and ends as the program does. With "-t" the program gets a terminal, and what it writes there goes to the standard output: the terminal then lives as
// long as the container, whatever becomes of the driver. It has no library, for it must run in any image. Arguments: itself, perhaps -t, the program's
// file, the program's arguments.
typedef unsigned long word;

enum { // x86-64
	SYS_read = 0, SYS_write = 1, SYS_open = 2, SYS_close = 3, SYS_rt_sigprocmask = 14, SYS_ioctl = 16, SYS_dup2 = 33, SYS_setsid = 112, SYS_fork = 57, SYS_execve = 59, SYS_wait4 = 61, SYS_kill = 62, SYS_rt_sigtimedwait = 128, SYS_exit_group = 231,
};
enum { SIGCHLD = 17, WNOHANG = 1, EACCES = 13, EINTR = 4, O_RDWR = 2, O_NOCTTY = 0400, O_CLOEXEC = 02000000 };
enum { TIOCSCTTY = 0x540e, TIOCSWINSZ = 0x5414, TIOCGPTN = 0x80045430, TIOCSPTLCK = 0x40045431 };

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

static long fork(void) { return call(SYS_fork, 0, 0, 0, 0); }

// What was started, and how the program has ended: -1 while it runs. The copier is 0 without a terminal, and once it has ended.
static long program, copier;
static int code = -1;

// reap waits for all that has ended.
static void reap(void)
{
	int status;
	long pid;
	while ((pid = call(SYS_wait4, -1, (word)&status, WNOHANG, 0)) > 0 || pid == -EINTR) {
		if (pid == program)
			code = status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff;
		if (pid == copier)
			copier = 0;
	}
}

// copy copies what is written on the terminal to the standard output, until nobody has it open any more.
static void copy(long master)
{
	static char buffer[4096];
	long n, done, w;
	while ((n = call(SYS_read, master, (word)buffer, sizeof buffer, 0)) > 0 || n == -EINTR)
		for (done = 0; done < n; done += w)
			if ((w = call(SYS_write, 1, (word)(buffer + done), n - done, 0)) < 0 && (w = w == -EINTR ? 0 : w) < 0)
				leave(1);
	leave(0);
}

// terminal makes a terminal, has it copied, and returns the side of the program.
static long terminal(void)
{
	static char name[] = "/dev/pts/0000000000";
	static unsigned short size[4] = {24, 80};
	int unlock = 0, number, digits = 1;
	long master = call(SYS_open, (word) "/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC, 0, 0);
	if (master < 0 || call(SYS_ioctl, master, TIOCSPTLCK, (word)&unlock, 0) < 0 || call(SYS_ioctl, master, TIOCGPTN, (word)&number, 0) < 0)
		leave(126);
	call(SYS_ioctl, master, TIOCSWINSZ, (word)size, 0);
	for (int n = number; n >= 10; n /= 10)
		digits++;
	name[9 + digits] = 0;
	for (int n = number; digits > 0; n /= 10)
		name[9 + --digits] = '0' + n % 10;
	long slave = call(SYS_open, (word)name, O_RDWR | O_NOCTTY | O_CLOEXEC, 0, 0);
	if (slave < 0 || (copier = fork()) < 0)
		leave(126);
	if (copier == 0) {
		call(SYS_close, slave, 0, 0, 0);
		copy(master);
	}
	call(SYS_close, master, 0, 0, 0);
	return slave;
}

__attribute__((used)) static void begin(word *stack)
{
	word argc = stack[0], all = ~0ul, before = 0;
	char **argv = (char **)stack + 1, **env = argv + argc + 1;
	long tty = -1;
	call(SYS_rt_sigprocmask, 0, (word)&all, (word)&before, sizeof all);
	if (argc > 2 && argv[1][0] == '-') {
		argv++, argc--;
		tty = terminal();
	}
	if (argc < 2)
		leave(127);
	if ((program = fork()) < 0)
		leave(126);
	if (program == 0) {
		if (tty >= 0) {
			call(SYS_setsid, 0, 0, 0, 0);
			call(SYS_ioctl, tty, TIOCSCTTY, 0, 0);
			for (int fd = 0; fd < 3; fd++)
				call(SYS_dup2, tty, fd, 0, 0);
		}
		call(SYS_rt_sigprocmask, 2, (word)&before, 0, sizeof before);
		leave(call(SYS_execve, (word)argv[1], (word)(argv + 1), (word)env, 0) == -EACCES ? 126 : 127);
	}
	if (tty >= 0)
		call(SYS_close, tty, 0, 0, 0);
	// The last that was written is copied before the end, for a second at most: others may have the terminal open.
	static const word second[2] = {1, 0};
	while (code < 0 || copier > 0) {
		long signal = call(SYS_rt_sigtimedwait, (word)&all, 0, code < 0 ? 0 : (word)second, sizeof all);
		if (signal == SIGCHLD)
			reap();
		else if (signal > 0 && code < 0)
			call(SYS_kill, program, signal, 0, 0);
		else if (code >= 0)
			break;
	}
	leave(code);
}

__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall begin\n");
