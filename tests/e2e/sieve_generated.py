# SPDX-License-Identifier: MIT
"""Sieve tests and scripts that nobody thought of, from a seed, and messages with odd fields for them.

Left out is where the two servers that run them are known to differ: :value with letters beside other characters, :count
without i;ascii-numeric or of parts of what is no address, :index of dates, empty address fields,
`string' without a comparator, halves of characters, and the implicit keep beside INBOX (which sieve-test prints though it is not
done).
"""

MESSAGES = {
    "addresses": """\
From: =?utf-8?q?J=C3=BCrgen?= <jue@example.org> (the one)
To: a@b.c, "x, y" <x+y+z@Example.COM>, <@r.org,@s.org:route@example.net>, group: g1@example.org, g2@example.org;, nobody
Cc: <>, "q u"@example.org, .dot.@example.org, a..b@example.org, lone
Bcc: Someone else
Sender: Foo Bar foo@bar.com
Reply-To: <unterminated@example.org
Subject: =?iso-8859-1?q?=E4=F6?= =?utf-8?b?w7w=?= x  y
Subject: second
\tsubject line
X-Number: 42abc
X-Number: -5
X-Number:  7\x20
X-Tag: Two words
X-Tag:
Date: Mon, 29 Feb 2016 23:59:58 -0330 (NST)
Received: from a by b (c; d); Sat, 1 Mar 2003 12:34:56 EST

body
""",
    "folded": """\
From: a@example.org
To: bob+One+two@example.com
Subject: *star* ? [x] \\ back
 folded
\tmore
X-Tag: äÄ
X-Number: 18446744073709551616
Date: Fri, 31 Dec 1999 23:30:00 +0100

Line one
Line two
""",
}

VALUES = ["", "a", "example.org", "EXAMPLE.COM", "*", "?", "*@*", "*.org", "one", "two", "TWO", "7", "42", "0017", "-5", "[list]",
          "\\\\*star\\\\*", "*\\\\?*", "ä", "ü", "äöü*", "foo@bar.com", "someone else", "lone", "nobody", "x+y+z", "y+z", "x", "bob",
          "One+two", "Grüße*", "* from home*", "second subject line", "x y", "x  y", "1999", "23", "-0330", "2016-02-29", "59",
          "+0100", "1999-12-31", "12:34:56", "*home*", "???", "two words", "*words"]
FIELDS = ["subject", "x-tag", "x-number", "from", "to", "date", "received", "x-none", "SUBJECT", "x-empty"]
ADDRESSES = ["from", "to", "bcc", "sender", "reply-to"]
DATES = ["year", "month", "day", "date", "julian", "hour", "minute", "second", "time", "iso8601", "std11", "zone", "weekday"]
STRINGS = ['"a"', '"A b"', '"${v}"', '"${w}x"', '"${1}"', '"${0}-${2}"', '"*"', '"x*y?"', '""', '"ä"', '"${hex:41}"', '"\\\\"',
           '"q\\"q"', '"${unknown}"', '"${v"', '"$${v}"', '"${ v}"']
FLAGS = ['"\\\\Seen"', '["\\\\Flagged", "\\\\seen"]', '"abc"', '["a", "b"]', '"\\\\Answered x"', '"\\\\Bogus y"']


def quoted(text):
    return '"%s"' % text


def some(r, values):
    """A string or a list of up to three."""
    chosen = [quoted(r.choice(values)) for _ in range(r.choice([1, 1, 1, 2, 3]))]
    return chosen[0] if len(chosen) == 1 and r.random() < 0.8 else "[%s]" % ", ".join(chosen)


def match(r, count=True):
    kind = r.choice(["", ":is", ":contains", ":matches", ":matches"] + ([":count"] if count else []))
    if kind == ":count":
        return ':comparator "i;ascii-numeric" :count "%s"' % r.choice(["eq", "ne", "gt", "ge", "lt", "le"])
    both = [kind, r.choice(["", ':comparator "i;octet"', ':comparator "i;ascii-casemap"'])]
    r.shuffle(both)
    return " ".join(x for x in both if x)


def test(r, depth=0):
    kind = r.randrange(11)
    if kind < 3:
        index = r.choice(["", "", ":index %d" % r.randrange(1, 4), ":last :index %d" % r.randrange(1, 3)])
        return "header %s %s %s %s" % (index, match(r, not index), some(r, FIELDS), some(r, VALUES))
    if kind < 6:
        part = r.choice(["", ":all", ":localpart", ":domain", ":user", ":detail"])
        return "address %s %s %s %s" % (part, match(r, part in ("", ":all")), some(r, ADDRESSES), some(r, VALUES))
    if kind == 6:
        return "envelope %s %s %s %s" % (r.choice(["", ":all", ":localpart", ":domain", ":user"]), match(r),
                                         some(r, ["from", "to"]), some(r, VALUES))
    if kind == 7:
        return "exists %s" % some(r, FIELDS)
    if kind == 8:
        return "date %s %s %s %s %s" % (r.choice([":originalzone", ':zone "+0000"', ':zone "-0330"']), match(r, False),
                                        quoted(r.choice(["date", "received", "subject"])), quoted(r.choice(DATES)), some(r, VALUES))
    if kind == 9:
        return 'string :comparator "i;octet" %s %s %s' % (r.choice([":is", ":contains", ":matches"]), some(r, VALUES), some(r, VALUES))
    if depth == 2:
        return r.choice(["true", "false"])
    if r.random() < 0.3:
        return "not " + test(r, depth + 1)
    return "%s (%s)" % (r.choice(["anyof", "allof"]), ", ".join(test(r, depth + 1) for _ in range(r.randint(1, 3))))


def modifiers(r):
    return " ".join(m for m, often in ((r.choice([":lower", ":upper"]), 0.3), (r.choice([":upperfirst", ":lowerfirst"]), 0.3),
                                       (":quotewildcard", 0.2), (":length", 0.2)) if r.random() < often)


def condition(r):
    return r.choice([
        "true", "false", 'header :matches "subject" "*%s*"' % r.choice("aeo "), 'address :matches "from" "*@*"', 'exists "x-tag"',
        'header :count "eq" :comparator "i;ascii-numeric" "x-a" "%d"' % r.randrange(3),
        'string :matches :comparator "i;octet" %s "%s"' % (r.choice(STRINGS), r.choice(["*", "*x*", "a?b", "*a*b*"])),
        'string :is :comparator "i;octet" %s %s' % (r.choice(STRINGS), r.choice(STRINGS)),
        "hasflag %s" % r.choice(FLAGS), 'hasflag :contains "%s"' % r.choice(["seen", "a", "abc", "x"]),
        'hasflag :count "ge" :comparator "i;ascii-numeric" "%d"' % r.randrange(3)])


def command(r, depth=0):
    kind = r.randrange(18)
    if kind == 0:
        return r.choice(["keep;", "discard;", "keep :flags %s;" % r.choice(FLAGS)])
    if kind in (1, 2, 3):
        flags = ":flags %s" % r.choice(FLAGS) if r.random() < 0.3 else ""
        if r.random() < 0.2:
            return 'fileinto %s "INBOX";' % flags
        return "fileinto %s %s %s;" % (r.choice(["", ":copy"]), flags, r.choice(['"A"', '"B"', '"A/B"', '"${v}Z"']))
    if kind == 4:
        return 'redirect %s "%s";' % (r.choice(["", ":copy"]), r.choice(["a@x.org", "b@x.org", "Ann <a@x.org>", " a @ x.org"]))
    if kind in (5, 6):
        return "%s %s;" % (r.choice(["addflag", "setflag", "removeflag"]), r.choice(FLAGS))
    if kind in (7, 8):
        name = r.choice("vw")
        value = r.choice([s for s in STRINGS if name not in s])
        return 'set %s "%s" %s;' % (modifiers(r), name, value)
    if kind == 9:
        return r.choice(["stop;", "keep;", "keep;", 'reject "no";'])
    if kind == 10:
        return 'addheader %s "X-A" %s;' % (r.choice(["", ":last"]), r.choice(STRINGS))
    if kind == 11:
        return 'deleteheader %s "%s" %s;' % (r.choice(["", ":index 1", ":index 2 :last", ":index 1 :last"]),
                                             r.choice(["x-a", "x-tag", "subject"]), r.choice(["", '"one"']))
    if depth == 3:
        return "keep;"
    text = "if %s { %s }" % (condition(r), " ".join(command(r, depth + 1) for _ in range(r.randrange(4))))
    if r.random() < 0.4:
        text += " elsif %s { %s }" % (condition(r), command(r, depth + 1))
    if r.random() < 0.4:
        text += " else { %s }" % command(r, depth + 1)
    return text


def script(r):
    return "\n".join(command(r) for _ in range(r.randrange(2, 8))) + '\nfileinto "end-${v}-${w}";\n'
