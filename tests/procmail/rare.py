# SPDX-License-Identifier: MIT
"""Whole rcfiles, what is left behind when a recipe fails or is passed over; formail with names that are odd."""

FAILS = 'LOG="[${LASTFOLDER-unset}][$?]\n"\n'
FAILED = {
    "program": ":0wc\n| cat >/dev/null; exit 7\n" + FAILS,
    "quiet program": ":0Wc\n| cat >/dev/null; false\n" + FAILS,
    "program behind a box": ":0c\none\n:0wc\n| cat >/dev/null; false\n" + FAILS,
    "program not there": "LOGFILE=/dev/null\n:0wci\n| nonexist a b\nLOGFILE=$D/log\nLOG=\"[$-]\n\"\n",
    "no program": ":0c\none\n:0wc\n|\nLOG=\"[$-]\n\"\n",
    "mailer": "X=`printf '#!/bin/sh\\ncat >/dev/null; exit 1\\n' >mailer; chmod +x mailer`\nSENDMAIL=$D/mailer\n:0wc\n! a b\n" + FAILS,
    "box": ":0c\nnodir/x\n" + FAILS, "locked box": ":0c:\nnodir/x\n" + FAILS, "maildir": ":0c\nnodir/md/\n" + FAILS,
    "mh": ":0c\nnodir/mh/.\n" + FAILS,
    "several": ":0c\none/md/ md2/\n" + FAILS, "below a file": "X=`touch f`\n:0c\nf/x/\n" + FAILS,
    "in a directory": "X=`mkdir d; touch d/tmp d/new`\n:0c\nd/\n" + FAILS,
    "no name": ":0c\none\n:0c\n$NOPE\n" + FAILS, "empty name": ":0c\none\n:0c\n\"\"\n" + FAILS,
    "empty and another": ":0c\none\n:0c\n\"\" x\n" + FAILS,
    "filter": ":0c\none\n:0fw\n| cat; false\n" + FAILS, "capture": ":0c\none\n:0w\nX=| cat; false\n" + FAILS,
    "default": "DEFAULT=nodir/a ORGMAIL=nodir/b TRAP='cat >/dev/null; echo $LASTFOLDER >t'\n",
    "program, then host": ":0wc\n| cat >/dev/null; false\nHOST=x\n", "box, then host": ":0c\nnodir/x\nHOST=x\n",
    "second box, then host": ":0c\none\n:0c\nnodir/x\nHOST=x\n",
    "abstracts": "LOGABSTRACT=all\n:0wc\n| cat >/dev/null; false\n:0c\nnodir/x\n:0\nbox\n",
}

STATUS = 'LOG="[$?]\n"\n:0e\n{ LOG="failed\n" }\n:0\nbox\n'
# What $? is, of programs that are waited for and others.
WAITED = {"%s %s" % (flags, action): "SENDMAIL=/bin/false\nX=`exit 5;`\n:0%s\n%s\n" % (flags, action) + STATUS for flags, action in (
    ("f", "| cat; exit 3"), ("fw", "| cat; exit 3"), ("f", "| cat"), ("fw", "| cat"), ("fi", "| cat; exit 3"), ("c", "| cat >/dev/null; exit 3"),
    ("cw", "| cat >/dev/null; exit 3"), ("cW", "| cat >/dev/null; exit 3"), ("", "X=| cat; exit 3"), ("w", "X=| cat; exit 3"), ("", "X=| cat"),
    ("ci", "! a"), ("cwi", "! a"), ("cw", "{\nEXITCODE=3\n:0\n/dev/null\n}"))}

SCORE = 'LOG="[$=]\n"\n:0\nbox\n'
PASSED = {
    "E": ":0c\n* 10^2 .\none\n:0Ec\n* 3^0 .\nthree\n" + SCORE,
    "e": ":0c\n* 10^2 .\none\n:0ec\n* 3^0 .\nthree\n" + SCORE,
    "a and E": ":0c\n* 10^2 .\none\n:0aEc\n* 3^0 .\nthree\n" + SCORE,
    "A": ":0c\n* -10^2 .\none\n:0Ac\n* 3^0 .\nthree\n" + SCORE,
    "block": ":0\n* -10^2 .\n{\nX=1\n:0\n* 5^0 .\n{ }\n}\n" + SCORE,
    "block without recipes": ":0\n* -10^2 .\n{\nX=1\n}\n" + SCORE,
    "block in a block": ":0\n* -1^0 .\n{\nX=1\n:0\n{\n:0\n{ }\n}\n}\n" + SCORE,
    "block of a clone": ":0c\n* -1^0 .\n{\n:0\none\n}\n" + SCORE,
    "clone": ":0cw\n* 5^0 .\n{\nLOG=\"[$=]\n\"\n:0\none\n}\n" + SCORE, "clone without recipes": ":0cw\n* 5^0 .\n{\nDEFAULT=one\n}\n" + SCORE,
    "empty block": ":0\n* 7^0 .\n* nope\n{ }\n" + SCORE,
}

# Of several weights of a condition the last counts.
WEIGHTS = [
    "3^0 1^1 s", "3^0 ! 1^1 szz", "3^0 $ 1^1 s", "3^0 $ 1^1 ! szz", "3^0 HB ?? 1^1 s", "3^0 H ?? $ 1^1 s", "3^0 ! $ 1^1 szz", "$ 3^0 1^1 s",
    "5^1 ! > 100", "5^1 ! < 100", "5^2 !> 100", "5^1 !< 0", "5^1 !> 0", "5^.5 !> 1000", "-5^1 !> 0", "5^1 NO ?? ! < 3", "5^1 NO ?? ! > 3",
    "5^1 NO ?? ! > 0", "$ 3^0 $ 1^1 s", "3^0 $ 1^1 ? true", "3^0 1^1 > 10", "$ $W s", "2^0 $ $W s", "1^0 ! 2^0 ! 3^0 s", "3^0 \\1^1 s", "3^0 1^ s",
]

FORMAIL = [
    "-R Subject: X-S", "-R Subject X-S:", "-R Sub X-:", "-R X- Y-:", "-R X-N Y-M:", "-R \"Subject: \" \"X-S: \"",
    "-R Subject:hello X-S:", "-R Subject: X-S:foo",
    "-R Subject: \"X-S: foo\"", "-R Nope: X-S", "-R \"\" X-S:", "-R Subject: \"\"", "-R \"Subj ect:\" X-S:",
    "-R Subject: \"X S:\"", "-R Subject: \":\"",
    "-R To: To", "-R To To:", "-R \"From \" X-From", "-R \"From \" \"X-From: \"", "-R From: X-From",
    "-R From X-From:", "-R \"X-Number: 17\" X-N:",
    "-R X- \"Y- Z\"", "-R X- \"Y- :\"", "-R X-Number: \"Y-Z :a\"", "-R X-Number \"From \"", "-R X-Number: \"From x\"",
    "-r -R To: X-To", "-r -R To X-To:", "-r -R T X-", "-r -R To: X-To: -R X-To: Y-To:",
    "-r -R To: X-To: -R To: Y-To:",
    "-x \"Subject: x\"", "-X \"Subject: x\"", "-X Subject:x", "-x \"From x\"", "-X \"From x\"", "-x X-Number:17",
    "-x \"Subj x\"",
    "-I \"X- y\"", "-I \"X-  \"", "-I \" X-\"", "-I \"X-Number : 5\"", "-A \"X-Number : 5\"", "-a \"X-Number : 5\"",
    "-i \"X-Number : 5\"",
    "-I \"X-Number: \"", "-i \"X-Number: \"", "-ri \"To: \"", "-rI \"To: \"", "-u X-", "-U X-", "-u \"X-Number: x\"",
    "-U \"X-Number: x\"",
]

# Blanks between names and their colons, as RFC 822 let them be: formail takes them away.
BLANKS = [
    "-A \"X-New: y\"", "-x Subject:", "-zx Subject:", "-x Subj", "-I Subject:", "-I \"Subject : z\"",
    "-i \"Subject: z\"", "-R Subject: X-S:",
    "-R \"Subject :\" X-S:", "-r", "-rt", "-rk", "-a \"Subject: z\"", "-a \"Subject : z\"", "-u Subject:", "-u To:",
    "-U To:", "-c", "-z", "-X Subj", "-X \"\"",
    "-I To", "-I To:", "-R To X:", "-R To X", "-f", "-b", "-I \"From \"", "-k -x To", "-r -A \"X-B : 1\"",
]
SPACED = "From ann@example.org Sat Nov 28 05:33:20 2026\nFrom : <ann@b>\nTo\t: a\nTo: b\nSubject : hello\n more\nMessage-ID  :  <a@b>\nX-Last: x\n\nbody : x\n"

# Who is answered, and what of: headers alone.
ANSWERED = [
    "From ann@example.org Sat Nov 28 05:33:20 2026\nFrom: <ann@b>\n",
    "From ann@example.org Sat Nov 28 05:33:20 2026\nFrom: ann\nReply-To: q@w\n",
    "From ann!x Sat Nov 28 05:33:20 2026\nFrom: ann\nReply-To: q\n", "From: b!ann\nReply-To: q\n",
    "From: root@localhost\nSender: x@y.z\n",
    "From: root@localhost\nReply-To: u@mydomain\nSender: x@y.z\n",
    "From ann@ex Sat Nov 28 05:33:20 2026\nReturn-Path: q@w.e\nSender: z@z.z\n",
    "From: a.b@c\nSender: x@y.z\n", "From: a!b\nSender: x@y\n", "From: a@b\nSender: x!y\n",
    "From: a!b@c.d\nSender: x@y.z\n", "From: b.c\nSender: x\n",
    "From: d@e.f\nMessage-ID:  <x@y>  \nReferences:   <1@2>  \n <3@4>\n",
    "From: d@e.f\nMessage-ID:\n <x@y>\nReferences: \n",
    "From: d@e.f\nMessage-ID:\nReferences:\n", "From: d@e.f\nMessage-ID: <a@b>\nReferences:\n",
    "From: d@e.f\nMessage-ID:<x@y>\nReferences:<1@2>\n",
    "From: d@e.f\nMessage-ID:",
]


def edit(arguments):
    return "LOGABSTRACT=no\nLOGFILE=/dev/null\n:0fwi\n| formail %s\n:0r\nbox\n" % arguments


RECIPES = {"failed " + name: rc for name, rc in FAILED.items()}
RECIPES.update({"waited " + name: rc for name, rc in WAITED.items()})
RECIPES.update({"passed over " + name: rc for name, rc in PASSED.items()})
RECIPES.update({"weights " + x: "W=5^0\n:0\n* %s\n{ LOG=\"yes\" }\n" % x + SCORE for x in WEIGHTS})
RECIPES.update({"nobody %s %s" % (f, x): ":0%s\n| formail %s\nLOG=\"[$?]\n\"\n:0e\n{ LOG=\"failed\n\" }\n:0\nbox\n" % (f, x)
                for f in ("fwb", "fWb", "fb") for x in ("-r", "-rt", "-rk", "-r -I To:", "-r -I To: -A 'To: x@y'")})
RECIPES.update({"formail " + x: edit(x) for x in FORMAIL})


# What the abstract in the log has of them.
ABSTRACTS = [
    "From ann@x Sat Nov 28 05:33:20 2026\nFrom: x\nSubject: no end", "From ann@x Sat Nov 28 05:33:20 2026\nSubject : x\n\nx\n",
    "From ann@x Sat Nov 28 05:33:20 2026\nSubject\n\nx\n", "From ann@x Sat Nov 28 05:33:20 2026\nX: y\nSubject:\n\nx\n",
    "From ann@x Sat Nov 28 05:33:20 2026\nSubject: %s\n\nx\n" % ("x" * 200), "From ann@x Sat Nov 28 05:33:20 2026\nX: y\n Subject: z\n\nx\n",
    "From ann@x Sat Nov 28 05:33:20 2026\nX: y\n\nSubject: z\n\nx\n",
]


def cases():
    """Names, rcfiles, and messages where they are not the usual one (None)."""
    yield from ((name, rc, None) for name, rc in RECIPES.items())
    yield from (("blanks " + x, edit(x), SPACED) for x in BLANKS)
    yield from (("answer %s %d" % (x, i), edit(x), header + "\n") for i, header in enumerate(ANSWERED) for x in ("-r",
    "-rt"))
    yield from (("abstract %d" % i, ":0r\nbox\n", x) for i, x in enumerate(ABSTRACTS))
