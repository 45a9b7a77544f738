/* SPDX-License-Identifier: MIT */
/* Compressed mail: read whoever wrote it, written as set, the sizes and digests of the plain message everywhere. */
#include "storage-fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct fixture f;

static void
start(enum pack_kind kind)
{
	fixture_init(&f);
	f.conf.pack = kind;
	fixture_open(&f);
}

/* A message of about n octets, the same for the same n; its lines end in CRLF. */
static struct span
make_text(size_t n, bool random)
{
	struct buf text = BUF_INIT(n + 4096);
	unsigned seed = (unsigned)n;
	struct span out;

	buf_addf(&text, "From: a@example.org\r\nSubject: %zu octets\r\n\r\n", n);
	for (unsigned i = 0; text.n < n; i++) {
		seed = seed * 1103515245 + 12345;
		if (random)
			buf_addf(&text, "%08x%08x\r\n", seed, seed * 2654435761u);
		else
			buf_addf(&text, "Line %u of a message\r\n", i);
	}
	out = arena_dup(f.a, buf_span(&text));
	buf_clear(&text);
	return out;
}

static uint32_t
save(struct mailbox *box, struct span text)
{
	struct save_params p = { .internal_date = INT64_MIN };
	struct err e = ERR_INIT;
	struct uid_list uids;
	struct saver *s;
	uint32_t validity;

	MUST(saver_new(box, &s, &e), &e);
	MUST(saver_begin(s, &p, &e), &e);
	for (size_t at = 0; at < text.n || at == 0; at += 10000)
		MUST(saver_write(s, span_sub(text, at, 10000), &e), &e);
	MUST(saver_finish(s, &e), &e);
	MUST(saver_commit(s, f.a, &validity, &uids, &e), &e);
	saver_free(s);
	return uids.uids[0];
}

/* The body with LF line ends is text with CRLF ones; size, header and what the index says fit. */
static void
check_message(struct mailbox *box, uint32_t uid, struct span text)
{
	struct buf lf = BUF_INIT(text.n + 1);
	struct summary_view sum;
	struct err e = ERR_INIT;
	struct span got;
	uint64_t size;

	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != '\r')
			buf_addc(&lf, text.p[i]);
	MUST(mailbox_size(box, uid, &size, &e), &e);
	assert_int_equal(size, text.n);
	MUST(mailbox_header(box, uid, &got, &e), &e);
	assert_true(span_starts(buf_span(&lf), got) && (lf.n == 0 || got.n > 40));
	MUST(mailbox_body(box, uid, &got, &e), &e);
	assert_true(span_eq(got, buf_span(&lf)));
	MUST(mailbox_summary(box, uid, NEED_HEADER | NEED_STRUCTURE, &sum, &e), &e);
	mailbox_read_end(box);
	buf_clear(&lf);
}

static void
test_round_trip(void **state)
{
	static const size_t sizes[] = { 60, 5000, 262000, 300000, 5000000 };

	(void)state;
	for (int kind = PACK_NONE; kind <= PACK_ZSTD; kind++) {
		struct mailbox *box;
		char ids[10][33];
		struct err e = ERR_INIT;
		uint32_t uids[10];
		size_t n = 0;

		start((enum pack_kind)kind);
		box = box_of(f.st, "INBOX", MAILBOX_WRITE);
		for (int random = 0; random < 2; random++)
			for (size_t i = 0; i < 5; i++, n++) {
				uids[n] = save(box, make_text(sizes[i], random));
				sync_box(box, NULL);
				check_message(box, uids[n], make_text(sizes[i], random));
				MUST(mailbox_email_id(box, uids[n], ids[n], &e), &e);
			}
		mailbox_close(box);
		fixture_close(&f);
		assert_int_equal(fixture_number(&f, "ls Maildir/tmp | wc -l"), 0);
		assert_int_equal(fixture_number(&f, "grep -lE '^Subject: ' -r Maildir/new | wc -l") == 10, kind == PACK_NONE);
		/* S= is the size of what was compressed. */
		assert_int_equal(fixture_number(&f, "for x in Maildir/new/*; do s=${x#*,S=}; s=${s%%%%,*}; case $(head -c4 $x | od -An -tx1) in "
		    "*1f*8b*) n=$(zcat <$x | wc -c);; *28*b5*) n=$(zstd -dcq <$x | wc -c);; *) n=$(wc -c <$x);; esac; "
		    "test $n = $s || echo $x >&2; test $n = $s || echo bad; done | grep -c bad"), 0);
		/* The same from the files alone. */
		fixture_lose_index(&f);
		f.conf.pack = PACK_NONE;
		fixture_open(&f);
		box = box_of(f.st, "INBOX", MAILBOX_WRITE);
		for (size_t i = 0; i < n; i++) {
			char id[33];

			check_message(box, uids[i], make_text(sizes[i % 5], i >= 5));
			MUST(mailbox_email_id(box, uids[i], id, &e), &e);
			assert_string_equal(id, ids[i]);
		}
		sync_box(box, NULL);
		check_counts(box);
		mailbox_close(box);
		fixture_clear(&f);
	}
}

/* Mail that begins like a compressed file is what was sent, not what is in it, whatever is set. */
static void
test_lookalikes(void **state)
{
	static const struct span heads[] = { { "\x1f\x8b\x08\0\0\0\0\0\0\x03 and so on\r\n", 22 },
		{ "\x28\xb5\x2f\xfd\x20\0\0\0\0\0\0\0\0", 13 }, { "BZh91AY&SY and more\r\n", 21 }, { "Dovecot-LZ4\r\x2a\x9b\xc5\r\n", 17 } };

	(void)state;
	for (int kind = PACK_NONE; kind <= PACK_ZSTD; kind++) {
		struct mailbox *box;

		start((enum pack_kind)kind);
		box = box_of(f.st, "INBOX", MAILBOX_WRITE);
		for (size_t i = 0; i < 8; i++) {
			struct buf text = BUF_INIT(1 << 20);
			struct err e = ERR_INIT;
			struct span got;
			uint32_t uid;

			buf_add(&text, heads[i % 4]);
			while (i >= 4 && text.n < 300000)
				buf_adds(&text, "another line\n");
			uid = save(box, buf_span(&text));
			sync_box(box, NULL);
			MUST(mailbox_body(box, uid, &got, &e), &e);
			assert_true(got.n > 10 && memcmp(got.p, text.p, 10) == 0);
			assert_true(got.n >= text.n - 2);
			buf_clear(&text);
		}
		mailbox_close(box);
		fixture_clear(&f);
	}
}

static void
test_copies(void **state)
{
	struct mailbox *box, *to;
	struct copy_result r;
	struct err e = ERR_INIT;
	uint32_t uids[2];

	(void)state;
	start(PACK_ZSTD);
	MUST(storage_create(f.st, SPAN("to"), false, &e), &e);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	to = box_of(f.st, "to", MAILBOX_SAVE);
	uids[0] = save(box, make_text(5000, false));
	/* And one of another program, without any size in its name. */
	fixture_run(&f, "printf 'From: a@example.org\\nSubject: foreign and long enough\\n\\nText\\n' | gzip >Maildir/cur/1700000000.x:2,SZ");
	sync_box(box, NULL);
	uids[1] = mailbox_uid(box, 2);
	MUST(mailbox_copy(box, uids, 2, to, false, f.a, &r, &e), &e);
	assert_int_equal(fixture_number(&f, "ls Maildir/.to/new Maildir/.to/cur | grep -c ',S=4'"), 1);
	assert_int_equal(fixture_number(&f, "ls Maildir/.to/cur | grep -v S= | grep -c ':2,SZ$'"), 1);
	assert_int_equal(fixture_number(&f, "stat -c %%h Maildir/.to/cur/* Maildir/.to/new/* | sort -u"), 2);
	add_flags(box, uids[1], MSG_FLAGGED);
	MUST(storage_maintain(f.st, &e), &e);
	assert_int_equal(fixture_number(&f, "ls Maildir/cur | grep -c ':2,FSZ$'"), 1);
	mailbox_close(to);
	to = box_of(f.st, "to", MAILBOX_WRITE);
	check_message(to, r.to.uids[0], make_text(5000, false));
	assert_int_equal(mailbox_count(to), 2);
	MUST(mailbox_copy(to, r.to.uids, 2, box, true, f.a, &r, &e), &e);
	mailbox_close(to);
	mailbox_close(box);
	fixture_close(&f);
	fixture_lose_index(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	assert_int_equal(mailbox_count(box), 4);
	check_message(box, mailbox_uid(box, 3), make_text(5000, false));
	mailbox_close(box);
	fixture_clear(&f);
}

static void
refused(struct mailbox *box, uint32_t seq, enum err_code code, const char *why)
{
	uint32_t uid = mailbox_uid(box, seq);
	struct summary_view sum;
	struct span got;
	uint64_t size;

	for (int i = 0; i < 5; i++) {
		struct err e = ERR_INIT;
		int rc = i == 0 ? mailbox_body(box, uid, &got, &e) : i == 1 ? mailbox_size(box, uid, &size, &e) :
		    i == 2 ? mailbox_summary(box, uid, NEED_STRUCTURE, &sum, &e) : i == 3 ? mailbox_body(box, uid, &got, &e) :
		    mailbox_header(box, uid, &got, &e);

		if (i == 4 && rc == 0)
			continue;	/* the header alone may be there */
		if (rc != -1 || e.code != code || strstr(e.log, why) == NULL)
			fail_msg("message %u, try %d: %d %s", seq, i, e.code, e.log);
	}
	mailbox_read_end(box);
}

/* One message that can not be read is one message. */
static void
test_damage(void **state)
{
	struct mailbox_status status;
	struct mailbox *box;
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&f);
	f.conf.message_max = 1 << 20;
	fixture_run(&f, "mkdir -p Maildir/cur Maildir/new Maildir/tmp && cd Maildir/cur && "
	    "{ printf 'From: a@example.org\\nSubject: Number 1\\n\\n'; seq 20000; } >../m && gzip -c ../m >1.x:2, && head -c 3000 1.x:2, >2.x:2, && "
	    "zstd -qc ../m >../z && head -c 3000 ../z >3.x:2, && { cat 1.x:2,; echo more; } >4.x:2, && printf 'BZh91AY&SY\\027' >5.x:2, && "
	    "head -c 3000000 /dev/zero | tr '\\0' '\\n' | gzip >6.x:2, && "
	    "{ printf 'From: a@example.org\\nSubject: Number 7\\n\\n'; head -c 3000000 /dev/zero; } | zstd -qc >7.x,S=3000040:2, && "
	    "printf '\\037\\213\\010' >8.x:2, && { head -c 2000 ../z; head -c 100 /dev/zero; tail -c +2101 ../z; } >9.x:2, && rm ../m ../z");
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	assert_int_equal(mailbox_count(box), 9);
	assert_int_equal(number_of(box, 1), 1);
	refused(box, 2, ERR_CORRUPT, "cut off");
	refused(box, 3, ERR_CORRUPT, "cut off");
	refused(box, 4, ERR_CORRUPT, "gzip");
	refused(box, 5, ERR_CORRUPT, "not read here");
	refused(box, 6, ERR_LIMIT, "more than");
	assert_int_equal(number_of(box, 7), 7);		/* its name says how large it is */
	refused(box, 8, ERR_CORRUPT, "cut off");
	refused(box, 9, ERR_CORRUPT, "zstd");
	assert_int_equal(number_of(box, 1), 1);
	mailbox_close(box);
	MUST(storage_status(f.st, SPAN("INBOX"), 0xff, &status, &e), &e);
	assert_int_equal(status.messages, 9);
	fixture_clear(&f);
}

/* The header of a large message is not worth the whole. */
static void
test_header_alone(void **state)
{
	struct mailbox *box;
	struct err e = ERR_INIT;
	struct span got;
	uint32_t uid;

	(void)state;
	for (int kind = PACK_GZIP; kind <= PACK_ZSTD; kind++) {
		start((enum pack_kind)kind);
		box = box_of(f.st, "INBOX", MAILBOX_WRITE);
		uid = save(box, make_text(8000000, true));
		sync_box(box, NULL);
		MUST(mailbox_header(box, uid, &got, &e), &e);
		assert_true(got.n > 40 && got.n < 1000000);
		assert_true(box->body.cap < 1 << 20);
		/* A header that is longer than what is read at first. */
		struct buf text = BUF_INIT(1 << 20);

		for (int i = 0; i < 4000; i++)
			buf_addf(&text, "X-%d: %08x%08x\r\n", i, (unsigned)i * 2654435761u, (unsigned)i * 40503u);
		buf_adds(&text, "\r\nText\r\n");
		uid = save(box, buf_span(&text));
		sync_box(box, NULL);
		check_message(box, uid, buf_span(&text));
		buf_clear(&text);
		mailbox_close(box);
		fixture_clear(&f);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_lookalikes),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_header_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
