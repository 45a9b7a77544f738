/* SPDX-License-Identifier: MIT */
#include "lib-config/script-request.h"

#define HELLO "VERSION\tscript\t4\t"

bool
script_command(struct span executable, struct span *command_out)
{
	struct span rest = span_trim(executable);

	if (!span_starts(rest, SPAN("script ")))
		return false;
	*command_out = span_trim(span_from(rest, 7));
	return command_out->n > 1 && command_out->p[0] == '/';
}

void
script_request_begin(struct buf *out)
{
	buf_adds(out, HELLO "0\nnoreply\n");
}

void
script_request_begin_answered(struct buf *out, unsigned seconds)
{
	buf_addf(out, HELLO "0\nalarm=%u\n-\n", seconds);
}

void
script_request_add(struct buf *out, struct span argument)
{
	for (size_t i = 0; i < argument.n; i++) {
		switch (argument.p[i]) {
		case '\001':
			buf_adds(out, "\0011");
			break;
		case '\t':
			buf_adds(out, "\001t");
			break;
		case '\n':
			buf_adds(out, "\001n");
			break;
		case '\r':
			buf_adds(out, "\001r");
			break;
		default:
			buf_addc(out, argument.p[i]);
			break;
		}
	}
	buf_addc(out, '\n');
}

void
script_request_end(struct buf *out)
{
	buf_addc(out, '\n');
}

/* One argument into room; the octets used, or 0: malformed. */
static size_t
unescape(struct span line, char *room)
{
	size_t n = 0;

	for (size_t i = 0; i < line.n; i++) {
		char c = line.p[i];

		if (c == '\001') {
			if (++i == line.n)
				return 0;
			switch (line.p[i]) {
			case '1':
				c = '\001';
				break;
			case 't':
				c = '\t';
				break;
			case 'n':
				c = '\n';
				break;
			case 'r':
				c = '\r';
				break;
			default:
				return 0;
			}
		} else if (c == '\0') {
			return 0;
		}
		room[n++] = c;
	}
	room[n++] = '\0';
	return n;
}

enum place { VERSION_LINE, OPTIONS, ARGUMENTS };

/* The lines between the version and the arguments. */
static bool
take_option(struct span line, struct script_request *out, enum place *place)
{
	uint64_t seconds;

	if (span_starts(line, SPAN("alarm="))) {
		if (!span_u64(span_from(line, 6), UINT32_MAX, &seconds))
			return false;
		out->seconds = (unsigned)seconds;
		return true;
	}
	if (span_starts(line, SPAN("env_")))	/* a program's environment is empty */
		return true;
	*place = ARGUMENTS;
	out->answered = span_eq(line, SPAN("-"));
	return out->answered || span_eq(line, SPAN("noreply"));
}

enum script_parse
script_request_parse(struct span in, char *room, struct script_request *out)
{
	static const struct span hello = { HELLO, sizeof(HELLO) - 1 };
	enum place place = VERSION_LINE;
	size_t used = 0, at = 0, n;

	*out = (struct script_request){ .count = 0 };
	for (;;) {
		struct span rest = span_from(in, used), line;

		n = span_chr(rest, '\n');
		if (n == rest.n)
			return in.n >= SCRIPT_REQUEST_MAX ? SCRIPT_BAD : SCRIPT_MORE;
		line = span_sub(rest, 0, n);
		used += n + 1;
		if (used > SCRIPT_REQUEST_MAX)
			return SCRIPT_BAD;
		switch (place) {
		case VERSION_LINE:
			if (!span_starts(line, hello))
				return SCRIPT_BAD;
			place = OPTIONS;
			break;
		case OPTIONS:
			if (!take_option(line, out, &place))
				return SCRIPT_BAD;
			break;
		case ARGUMENTS:
			if (line.n == 0) {
				out->used = used;
				return out->answered || used == in.n ? SCRIPT_DONE : SCRIPT_BAD;
			}
			if (out->count == SCRIPT_ARGUMENTS_MAX || (n = unescape(line, room + at)) == 0)
				return SCRIPT_BAD;
			out->arguments[out->count++] = room + at;
			at += n;	/* never more than was read */
			break;
		}
	}
}
