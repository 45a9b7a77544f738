/* SPDX-License-Identifier: MIT */
/*
 *	octets 0..7	magic
 *	octets 8..23	hash of the boot id; time of the boot in seconds (the id may be out of reach in a sandbox)
 *	octet  24	1: suspect, 2: condemned
 *	octet  25	how many began to open the index and have not come to its end: 0, or processes died of it
 *	octets 32..	slots: the process id, 4 octets each
 *	octets 4088..	claim.c's: mailbox id, and the UID behind the last that may be in a file's name
 * Octet 0 is what is locked while somebody opens.
 */
#include "lib-index/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "lib/buf.h"

#define MAGIC "culvers1"
#define HEAD 32
#define OPENING 25
#define SLOTS 1014
#define SLOT_SIZE 4
#define CLAIM (HEAD + SLOTS * SLOT_SIZE)	/* in the same block */
#define BOOT_TOLERANCE 300	/* seconds that a set clock may move the time of the boot */

struct boot {
	uint64_t id;		/* 0: unknown */
	int64_t time;
};

static struct boot this_boot;	/* looked up once in a process */

void
session_boot_set(uint64_t id)
{
	this_boot = (struct boot){ .id = id, .time = INT64_MAX / 2 };
}

static struct boot
boot_now(void)
{
	struct boot b = this_boot;
	struct timespec real, boot;

	if (b.time != 0)
		return b;
	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	b.time = real.tv_sec - boot.tv_sec;
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t n = fd == -1 ? -1 : read(fd, text, sizeof(text));

	if (fd != -1)
		close(fd);
	if (n > 0) {
		b.id = 0xcbf29ce484222325;
		for (ssize_t i = 0; i < n; i++)
			b.id = (b.id ^ (uint8_t)text[i]) * 0x100000001b3;
	}
	this_boot = b;
	return b;
}

static ssize_t
read_at(int fd, void *out, size_t n, off_t at)
{
	ssize_t got;

	do {
		got = pread(fd, out, n, at);
	} while (got == -1 && errno == EINTR);
	return got;
}

static bool
slot_lock(int fd, off_t at, off_t len, bool wait, bool on)
{
	struct flock fl = { .l_type = on ? F_WRLCK : F_UNLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = len };
	int rc;

	do {
		rc = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &fl);
	} while (rc == -1 && errno == EINTR);
	return rc == 0;
}

static bool
is_same_boot(const char head[HEAD])
{
	struct boot b = boot_now();
	uint64_t id = be64_get(head + 8);
	int64_t t = (int64_t)be64_get(head + 16);

	if (id != 0 && b.id != 0)
		return id == b.id;
	return llabs(t - b.time) <= BOOT_TOLERANCE;
}

static void
write_at(int fd, const void *p, size_t n, off_t at)
{
	ssize_t done = pwrite(fd, p, n, at);

	/* What could not be noted makes the next open verify more or less than it must: no reason to refuse the mail. */
	(void)done;
}

/* *others_out: somebody who lives has it open. */
static enum session_verdict
verdict_of(int fd, const char *data, ssize_t n, bool *others_out)
{
	enum session_verdict verdict = SESSION_CLEAN;

	/* Whoever wrote it last may have done so before the system went down. */
	if (n < HEAD || memcmp(data, MAGIC, 8) != 0)
		return SESSION_REBOOTED;
	if (!is_same_boot(data))
		return SESSION_REBOOTED;
	if (data[24] == 2)
		return SESSION_CONDEMNED;
	if (data[24] != 0)
		verdict = SESSION_CRASHED;
	for (off_t at = HEAD; at + SLOT_SIZE <= n; at += SLOT_SIZE) {
		if (be32_get(data + at) == 0)
			continue;
		if (!slot_lock(fd, at, SLOT_SIZE, false, true)) {
			*others_out = true;
			continue;
		}
		verdict = SESSION_CRASHED;
		slot_lock(fd, at, SLOT_SIZE, false, false);
	}
	return verdict;
}

int
session_begin(int dir_fd, mode_t mode, enum session_verdict *verdict_out, bool *others_out, struct err *e)
{
	int fd = openat(dir_fd, "sessions", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
	char data[HEAD + SLOTS * SLOT_SIZE], opening;
	ssize_t n;

	if (fd == -1)
		return err_errno(e, "open the index's file of sessions");
	if (!slot_lock(fd, 0, 1, true, true)) {
		err_errno(e, "lock the index's file of sessions");
		close(fd);
		return -1;
	}
	n = read_at(fd, data, sizeof(data), 0);
	*others_out = false;
	*verdict_out = verdict_of(fd, data, n, others_out);
	opening = n > OPENING ? data[OPENING] : 0;
	/* The first ones who died of it may have been killed by chance; three have shown that even a guarded look is deadly. */
	if (opening > 2)
		*verdict_out = SESSION_DEADLY;
	else if (opening > 0 && *verdict_out == SESSION_CLEAN)
		*verdict_out = SESSION_CRASHED;
	opening = (char)(opening > 2 ? 3 : opening + 1);
	write_at(fd, &opening, 1, OPENING);
	return fd;
}

void
session_opened(int fd)
{
	write_at(fd, "", 1, OPENING);
}

int
session_enter(int fd, bool verified)
{
	char data[HEAD + SLOTS * SLOT_SIZE], pid[SLOT_SIZE];
	ssize_t n = read_at(fd, data, sizeof(data), 0);
	struct boot b = boot_now();
	int slot = -1;

	if (n < 0)
		n = 0;
	memset(data + n, 0, sizeof(data) - (size_t)n);
	if (verified || n < HEAD) {
		char head[HEAD] = MAGIC;

		be64_put(head + 8, b.id);
		be64_put(head + 16, (uint64_t)b.time);
		write_at(fd, head, HEAD, 0);
	}
	for (int i = 0; i < SLOTS; i++) {
		off_t at = HEAD + i * SLOT_SIZE;

		/* A dead one's slot is taken over, so that it is seen once; a live one's can not be locked. */
		if (be32_get(data + at) != 0 && !verified)
			continue;
		if ((at >= n || be32_get(data + at) == 0) && slot != -1)
			continue;
		if (!slot_lock(fd, at, SLOT_SIZE, false, true))
			continue;
		if (slot == -1) {
			slot = i;
			be32_put(pid, (uint32_t)getpid());
			write_at(fd, pid, SLOT_SIZE, at);
		} else {
			if (be32_get(data + at) != 0)
				write_at(fd, "\0\0\0", SLOT_SIZE, at);
			slot_lock(fd, at, SLOT_SIZE, false, false);
		}
		if (!verified)
			break;
	}
	session_opened(fd);
	slot_lock(fd, 0, 1, false, false);
	return slot;
}

void
session_leave(int fd, int slot)
{
	if (slot != -1)
		write_at(fd, "\0\0\0", SLOT_SIZE, HEAD + slot * SLOT_SIZE);
	close(fd);
}

void
session_rest(int fd, int slot, bool on)
{
	char pid[SLOT_SIZE] = { 0 };

	if (slot == -1)
		return;
	if (!on)
		be32_put(pid, (uint32_t)getpid());
	write_at(fd, pid, SLOT_SIZE, HEAD + slot * SLOT_SIZE);
}

void
session_suspect(int fd, enum session_verdict verdict)
{
	write_at(fd, verdict == SESSION_CONDEMNED ? "\2" : verdict == SESSION_CLEAN ? "" : "\1", 1, 24);
}

bool
session_lock(int fd, bool on)
{
	return slot_lock(fd, 0, 1, true, on);
}

bool
session_is_suspect(int fd)
{
	char c = 0;

	return read_at(fd, &c, 1, 24) == 1 && c != 0;
}

int
session_others(int fd, int own, uint32_t *pids, int max)
{
	char data[HEAD + SLOTS * SLOT_SIZE];
	ssize_t n;
	int others = 0;

	if (!slot_lock(fd, 0, 1, true, true))
		return -1;
	n = read_at(fd, data, sizeof(data), 0);
	for (int i = 0; HEAD + (i + 1) * SLOT_SIZE <= n; i++) {
		off_t at = HEAD + i * SLOT_SIZE;

		if (i == own || be32_get(data + at) == 0)
			continue;
		if (slot_lock(fd, at, SLOT_SIZE, false, true))
			slot_lock(fd, at, SLOT_SIZE, false, false);
		else if (others++ < max)
			pids[others - 1] = be32_get(data + at);
	}
	slot_lock(fd, 0, 1, false, false);
	return n < 0 ? -1 : others;
}

int
session_claim_get(int fd, char out[SESSION_CLAIM_LEN])
{
	memset(out, 0, SESSION_CLAIM_LEN);
	return read_at(fd, out, SESSION_CLAIM_LEN, CLAIM) == -1 ? -1 : 0;
}

int
session_claim_put(int fd, const char claim[SESSION_CLAIM_LEN])
{
	for (size_t done = 0; done < SESSION_CLAIM_LEN;) {
		ssize_t n = pwrite(fd, claim + done, SESSION_CLAIM_LEN - done, CLAIM + (off_t)done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			return -1;
	}
	return 0;
}
