/* SPDX-License-Identifier: MIT */
/* culver: the command that starts the server, and tells a running one to reload or stop. */
#include "config.h"
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"

#define STOP_PATIENCE_MS 30000
#define OVERRIDES_MAX 64

enum { OPT_VERSION = 256, OPT_BUILD, OPT_HOSTDOMAIN, OPT_HELP };

static const char usage_text[] =
    "usage: culver [-F] [-c FILE] [-o NAME=VALUE]     starts the server\n"
    "       culver [-c FILE] reload | stop            tells the running server\n"
    "       culver [-c FILE] -n | -a                  shows the settings (changed ones, all)\n"
    "       culver --version | --build-options | --hostdomain | --help\n";

struct options {
	bool foreground, show_changed, show_all, hostdomain;
	const char *config, *command;
	const char *overrides[OVERRIDES_MAX + 1];
	size_t override_count;
};

static void
show_build_options(void)
{
	printf("Configuration: %s/dovecot.conf\n", CULVER_SYSCONFDIR);
	printf("Programs: %s\n", CULVER_LIBEXECDIR);
	printf("Running server: %s\n", CULVER_RUNSTATEDIR);
	printf("Storage: maildir\nTLS: OpenSSL\nSASL: Cyrus SASL\nIndex: LMDB\nEvents: libev\n");
	printf("Password databases: passwd-file pam static\nUser databases: passwd passwd-file static prefetch\n");
}

static void
parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longer[] = {
		{ "version", no_argument, NULL, OPT_VERSION }, { "build-options", no_argument, NULL, OPT_BUILD },
		{ "hostdomain", no_argument, NULL, OPT_HOSTDOMAIN }, { "help", no_argument, NULL, OPT_HELP },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	o->config = getenv("CULVER_CONFIG");
	while ((c = getopt_long(argc, argv, "Fc:o:nah", longer, NULL)) != -1) {
		switch (c) {
		case 'F':
			o->foreground = true;
			break;
		case 'c':
			o->config = optarg;
			break;
		case 'o':
			if (o->override_count < OVERRIDES_MAX)
				o->overrides[o->override_count++] = optarg;
			break;
		case 'n':
			o->show_changed = true;
			break;
		case 'a':
			o->show_all = true;
			break;
		case OPT_VERSION:
			printf("%s\n", PACKAGE_VERSION);
			exit(0);
		case OPT_BUILD:
			show_build_options();
			exit(0);
		case OPT_HOSTDOMAIN:
			o->hostdomain = true;
			break;
		case OPT_HELP:
		case 'h':
			fputs(usage_text, stdout);
			exit(0);
		default:
			fputs(usage_text, stderr);
			exit(64);
		}
	}
	if (optind < argc)
		o->command = argv[optind++];
	if (optind < argc) {
		fputs(usage_text, stderr);
		exit(64);
	}
	if (o->config == NULL)
		o->config = CULVER_SYSCONFDIR "/dovecot.conf";
}

static char exe_dir[4096];

static void
find_exe_dir(void)
{
	ssize_t n = readlink("/proc/self/exe", exe_dir, sizeof(exe_dir) - 1);
	char *slash;

	exe_dir[n < 0 ? 0 : n] = '\0';
	slash = strrchr(exe_dir, '/');
	if (slash != NULL)
		*slash = '\0';
}

static void
show_config(const struct options *o)
{
	static const char *const places[] = { "../bin/culverconf", "../adm/culverconf" };
	const char *flag = o->show_all ? "-a" : "-n";
	char path[sizeof(exe_dir) + 32];

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", exe_dir, places[i]);
		if (access(path, X_OK) == 0)
			execl(path, "culverconf", "-c", o->config, flag, (char *)NULL);
	}
	execlp("culverconf", "culverconf", "-c", o->config, flag, (char *)NULL);
	fprintf(stderr, "culver: culverconf: %s\n", strerror(errno));
	exit(71);
}

static void
say_on_stderr(bool is_error, const char *text)
{
	fprintf(stderr, "culver: %s: %s\n", is_error ? "Error" : "Warning", text);
}

static void
say_errors_only(bool is_error, const char *text)
{
	if (is_error)
		say_on_stderr(is_error, text);
}

static void
read_config(struct master *m, void (*say)(bool, const char *))
{
	struct err e = ERR_INIT;

	if (master_read_config(m, &m->image_fd, &m->settings, &m->view, say, &e) == 0)
		return;
	fprintf(stderr, "culver: %s\n", e.log);
	exit(89);
}

static void
pid_path(const struct master *m, char out[4096])
{
	snprintf(out, 4096, "%.*s/master.pid", SPAN_ARG(set_str(m->view, SET_base_dir)));
}

/* The process that holds the lock of the pid file; 0: no server runs on this base_dir. */
static pid_t
running_server(const struct master *m)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[4096];
	pid_t pid = 0;
	int fd;

	pid_path(m, path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd == -1) {
		if (errno != ENOENT) {
			fprintf(stderr, "culver: %s: %s\n", path, strerror(errno));
			exit(77);
		}
		return 0;
	}
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		pid = lock.l_pid;
	close(fd);
	return pid;
}

static int
tell_server(const struct master *m, const char *command)
{
	pid_t pid = running_server(m);
	int64_t deadline = clock_ms() + STOP_PATIENCE_MS;
	bool stop = strcmp(command, "stop") == 0;

	if (!stop && strcmp(command, "reload") != 0) {
		fputs(usage_text, stderr);
		return 64;
	}
	if (pid == 0) {
		fprintf(stderr, "culver: no server is running on %.*s\n", SPAN_ARG(set_str(m->view, SET_base_dir)));
		return 75;
	}
	if (kill(pid, stop ? SIGTERM : SIGHUP) == -1) {
		fprintf(stderr, "culver: process %ld: %s\n", (long)pid, strerror(errno));
		return 77;
	}
	while (stop && running_server(m) == pid) {
		if (clock_ms() >= deadline) {
			fprintf(stderr, "culver: process %ld does not end\n", (long)pid);
			return 75;
		}
		poll(NULL, 0, 20);
	}
	return 0;
}

/* The lock dies with its holder, so a pid file that was left behind hinders nobody. */
static void
lock_base_dir(struct master *m)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct err e = ERR_INIT;
	char path[4096], text[32];
	int n;

	snprintf(path, sizeof(path), "%.*s", SPAN_ARG(set_str(m->view, SET_base_dir)));
	if (dir_make(path, 0755, &e) == -1) {
		fprintf(stderr, "culver: base_dir: %s\n", e.log);
		exit(73);
	}
	pid_path(m, path);
	m->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (m->lock_fd == -1) {
		fprintf(stderr, "culver: %s: %s\n", path, strerror(errno));
		exit(73);
	}
	if (fcntl(m->lock_fd, F_SETLK, &lock) == -1) {
		pid_t pid = running_server(m);

		fprintf(stderr, "culver: a server is running on %.*s already (process %ld)\n",
			SPAN_ARG(set_str(m->view, SET_base_dir)), (long)pid);
		exit(89);
	}
	n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(m->lock_fd, 0) == -1 || pwrite(m->lock_fd, text, (size_t)n, 0) != n)
		fprintf(stderr, "culver: %s: %s\n", path, strerror(errno));
}

/* Standard descriptors of a daemon lead nowhere; standard error stays until the server has started. */
static void
silence(bool errors_too)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd == -1)
		return;
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	if (errors_too)
		dup2(fd, STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

/* The parent waits until the server serves, or has said on standard error why not. */
static void
daemonize(struct master *m)
{
	int pipe_fds[2];
	char status = 1;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) == -1 || (pid = fork()) == -1) {
		fprintf(stderr, "culver: %s\n", strerror(errno));
		exit(71);
	}
	if (pid > 0) {
		close(pipe_fds[1]);
		while (read(pipe_fds[0], &status, 1) == -1 && errno == EINTR)
			;
		_exit(status == 0 ? 0 : 89);
	}
	close(pipe_fds[0]);
	setsid();
	pid = fork();
	if (pid != 0)
		_exit(pid == -1 ? 71 : 0);
	m->ready_fd = pipe_fds[1];
	silence(false);		/* before there are services, which would keep whoever reads our output waiting */
	if (chdir("/") == -1)
		fprintf(stderr, "culver: /: %s\n", strerror(errno));
}

int
main(int argc, char **argv)
{
	static struct master m = { .image_fd = -1, .logs = { .fd = -1, .info_fd = -1, .debug_fd = -1 }, .lock_fd = -1,
				   .ready_fd = -1, .tool_fd = -1 };
	struct options o = { .config = NULL };
	struct err e = ERR_INIT;
	char path[4096], full[4096];
	int status;

	parse_options(argc, argv, &o);
	find_exe_dir();
	log_prefix("master");
	/* A daemon's working directory is another one at the time of a reload. */
	m.config_path = realpath(o.config, full) == NULL ? o.config : full;
	m.exe_dir = exe_dir;
	m.overrides = o.overrides;
	if (o.show_all || o.show_changed)
		show_config(&o);
	read_config(&m, o.command != NULL || o.hostdomain ? say_errors_only : say_on_stderr);
	if (o.hostdomain) {
		struct span name = set_str(m.view, SET_hostname);

		printf("%.*s\n", SPAN_ARG(name.n > 0 ? name : span_str(host_name())));
		return 0;
	}
	if (o.command != NULL)
		return tell_server(&m, o.command);
	umask(022);
	if (running_server(&m) != 0)
		lock_base_dir(&m);	/* says so and exits, before anybody forks */
	if (!o.foreground)
		daemonize(&m);
	lock_base_dir(&m);
	if (master_start(&m, &e) == -1) {
		fprintf(stderr, "culver: %s\n", e.log);
		return 89;
	}
	if (!o.foreground)
		silence(span_eq(set_str(m.view, SET_log_path), SPAN("/dev/stderr")) ? false : true);
	status = master_run(&m);
	pid_path(&m, path);
	unlink(path);
	return status;
}
