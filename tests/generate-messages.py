#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes some 700 messages of every usual and unusual shape into a directory, a file each, with names that never change.

    generate-messages.py [--seed N] [--small] DIR

The same seed gives the same octets.  Messages over a megabyte are named large-*; --small leaves those out.  Everything is
put together octet by octet here, since a library that writes mail would not write the broken mail that servers get.
"""
import argparse
import base64
import os
import random
import sys

CHARSETS = [
    ("us-ascii", "plain old ascii"), ("utf-8", "Grüße, Ελλάδα, 日本 \U0001f54a"), ("iso-8859-1", "Grüße à tous"),
    ("iso-8859-2", "Příliš žluťoučký"), ("iso-8859-5", "Привет"), ("iso-8859-7", "Καλημέρα"), ("iso-8859-9", "İstanbul ğ"),
    ("iso-8859-15", "10 € für œuvre"), ("windows-1250", "Zażółć gęślą"), ("windows-1251", "Привет, мир"),
    ("windows-1252", "“quotes” – €"), ("windows-1255", "שלום"), ("windows-1256", "مرحبا"), ("koi8-r", "Доброе утро"),
    ("koi8-u", "Добрий ранок їжак"), ("big5", "你好嗎"), ("gb2312", "你好吗"), ("gb18030", "你好吗 𠀀"),
    ("iso-2022-jp", "こんにちは"), ("euc-jp", "日本語テキスト"), ("shift_jis", "日本語テキスト"), ("euc-kr", "안녕하세요"),
    ("utf-7", "Grüße"), ("utf-16", "Grüße"), ("iso-2022-kr", "안녕하세요"),
]

ADDRESSES = [
    "a@b", "foo", '"foo bar"', "foo bar", "foo@", "@foo", "<foo>", "<foo@>", "<@foo>", "Foo <>", "<>", "a@b, ,c@d", "a@b;c@d",
    "grp: a@b, c@d;", "grp:;", "grp: a@b", "a@b (Name)", "(Name) a@b", "Foo (c) <a@b>", "Foo (c) Bar <a(x)@(y)b>",
    '"a\\"b" <"x y"@z>', "<@r1,@r2:a@b>", "Foo <a@b", "Foo <a@b> trailing", "Foo <a b@c>", "a b@c", "a.b. c@d . e",
    "=?utf-8?q?x?= <a@b>", "=?utf-8?q?x,y?= <a@b>", "Müller <a@b>", "mü@ü", "a@[1.2.3.4]", "<a@[IPv6:::1]>", "a@b c@d",
    '"unterminated <a@b>', "(unterminated <a@b>", "J. R. Smith <a@b>", "undisclosed-recipients:;", '"foo"@bar', "a@b@c",
    ",", "", " ", ":", ";", "a@b:", "g1: g2: a@b;;, c@d", "a..b@c", ".a@c", "a.@c", "<mailto:a@b>", "[foo]", "foo[bar@b",
    "a@b (x (y) z) (second)", "a@b (\\) x)", '"" <a@b>', "Foo\n Bar\n <a@b>", '"Foo\n Bar" <a@b>', "a@b\n ,c@d", "<<a@b>>",
    "foo\0bar <a@b>", "foo\\bar@x", 'Foo "q" bar <a@b>', "Foo <@:a@b>", "<a,b@c>", "a@b.", "a@.b", '"quoted group": a@b;',
    "a@b, " * 50 + "z@y", "(" * 200 + ")" * 200 + " a@b", "x" * 900 + "@" + "y" * 900, '"' + "\\\\" * 300 + '" <a@b>',
]

DATES = [
    "Sat, 21 Nov 2026 12:33:08 +0000", "Sat, 21 Nov 2026 12:33:08 +0530", "21 Nov 2026 12:33 -0800", "Sat, 21 Nov 26 12:33 GMT",
    "Sat, 21 Nov 99 12:33:08 EST", "21 nov 126 1:2:3 PDT", "Sat Nov 21 12:33:08 2026", "Sat Nov 21 12:33:08 EST 2026",
    "Sat, 21 Nov 2026 12:33:08 (comment) +0000 (UTC)", "Sat,21 Nov 2026 12:33:08+0000", "Saturday, 21-Nov-26 12:33:08 UT",
    "Sat, 21 Nov 2026", "21 Nov 2026 12.33.08 +0000", "31 Feb 2026 00:00:00 +0000", "29 Feb 2024 23:59:60 +0000",
    "32 Jan 2026 00:00 +0000", "1 Foo 2026 00:00 +0000", "", "yesterday", "Sat, 21 Nov 2026 25:00:00 +0000",
    "Sat, 21 Nov 2026 12:33:08 +9999", "Sat, 21 Nov 2026 12:33:08 A", "Sat, 21 Nov 2026 12:33:08 \"GMT\"", "1 Jan 0001 00:00:00 +0000",
    "1 Jan 9999 00:00:00 +0000", "1 Jan 99999 00:00:00 +0000", "Sat,\n 21\n Nov\n 2026\n 12:33:08\n +0000", "((((",
    "Sat, 21 Nov 2026 12:33:08 -0000", "2026-11-21T12:33:08Z", "Sat, 21 Nov 2026 12:33:08 +000", "0 Jan 2026 00:00:00 Z",
]

CONTENT_TYPES = [
    "text/html", "text", "text/", "/x", "garbage here/x", "text/plain; charset=utf-8; format=flowed", "text/plain; charset",
    'text/plain; charset="utf-8"; name="a\\"b;c"', "text/plain; charset=", "text/plain; ; a=b", "text/plain a=b",
    "text/plain; a=b c=d; e=f", "text/plain; name*0=a; name*1*=b%20", "text/plain; name*=utf-8''x%20y", "text/plain; name=x y z",
    "text/plain; name=é", "Text/Plain\n (comment); (c) charset (c) = (c) us-ascii (c)", "TEXT/PLAIN; CHARSET=X",
    "multipart/mixed", 'multipart/mixed; boundary=""', "message/rfc822", "message/delivery-status", "message/partial; id=x; number=1",
    "message/external-body; access-type=ANON-FTP", "", 'text/plain; charset="a\n b"', 'text/plain; charset="unterminated',
    "text/plain; charset=a,b/c@d?e=f", '"text/plain"', "text / html", "text/html/x; a=b", "text/html,a=b", "text/html; =b; c=d",
    "x.y+z/a.b+c", "application/octet-stream; name==?utf-8?q?a=C3=A9?=", 'application/pdf; name="=?iso-8859-1?Q?=E4?="',
    "application/x; name*2=c; name*0=a; name*1=b", "application/x; name*0=a; name*2=c", "application/x; name*1=a",
    "application/x; name*0*=utf-8'en'%C3; name*1*=%A4; name*2=plain", "application/x; name*=%zz''x", "image/png; name=a(1).png",
    "application/x; " + "; ".join("p%d=v%d" % (i, i) for i in range(300)), "application/x; n=" + "y" * 5000,
    "application/x; " + "; ".join("n*%d=v" % i for i in range(120)), 'text/plain; name="a\0b"',
    "text/plain; charset=iso-8859-1 (Latin)", "video/mp4; codecs=\"avc1.640028, mp4a.40.2\"",
]

ENCODINGS = ["7bit", "8BIT", "Base64", "quoted-printable", "binary", "x-uuencode", '"base64"', "(c) base64 (d)", "", "a b",
             "quoted-printable; x", "8-Bit"]
DISPOSITIONS = ["attachment; filename=x.pdf", "inline", "ATTACHMENT", "", "; filename=x", "a b; filename=y", '"attachment"; filename=z',
                "attachment; filename*0*=iso-8859-1'en'x%e4; filename*1=y.txt", "form-data; name=x; size=0",
                'attachment; filename="' + "long" * 200 + '"']

HEADERS = [
    "Subject: foo  ", "Subject:", "Subject: ", "Subject : x", "Subject:\n foo", "Subject: foo\n  bar\n\tbaz", "Subject: x\n ",
    "Subject: a\nSubject: b", "From: a@b\nFrom: c@d", "To: a@b\nTo: c@d\nCc: e@f\nCc: g@h", "garbage line", " starts with space",
    "From x@y Thu Jan  1 00:00:00 1970", ">From x@y Thu Jan  1", ":novalue", "Sender: q@r\nFrom: ", "From: a@b\nSender: ,",
    "Subject: a\rb", "Subject: a\0b", "Subject: " + "x" * 1500, "Subject: " + "word " * 2000, "Message-ID: <a@b>\nMessage-ID: <c@d>",
    "In-Reply-To: <a>\n <b>", "References:" + "".join("\n <%d@ref.example>" % i for i in range(300)), "subject: lower", "SUBJECT: UPPER",
    "Subject: Re: Re: [list] Fwd: x (fwd)", "Subject: [Fwd: [a] re[2]: y]", "X-Empty:\nX-Empty:\nX-Empty:",
    "Subject: \t tab", "Content-Language: en, de-CH (x), fr", "Content-Location: http://x/\n y", "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==",
    "Content-Description: a  b \"c\"", "Content-ID: <a (c) b>", "Received: from a by b; Sat, 21 Nov 2026 12:33:08 +0000\n" * 40 + "X-End: y",
    "List-Id: <x.y>\nList-Post: <mailto:x@y>\nList-Unsubscribe: <http://x>\nX-Priority: 1 (Highest)\nImportance: high",
    "DKIM-Signature: v=1; a=rsa-sha256;\n\tb=" + "\n\t ".join(["A" * 60] * 8), "-- dashes: in a name", "--no-colon", "Bcc: hidden@example.org",
    "Date: Sat, 21 Nov 2026 12:33:08 +0000\nDate: Fri, 20 Nov 2026 12:33:08 +0000", "Subject: =?utf-8?q?=00?=", "X" * 3000 + ": y",
    "Resent-From: a@b\nResent-To: c@d\nMail-Followup-To: e@f\nNewsgroups: a.b.c\nLines: 5\nStatus: RO\nX-Status: A",
]

ENCODED_WORDS = [
    "=?utf-8?q?a?= =?utf-8?q?b?=", "=?utf-8?q?a?=b", "a=?utf-8?q?b?=", "=?utf-8?x?a?=", "=?utf-8?q?a b?=", "=?nocharset?q?=E4?=",
    "=?utf-8*en?q?a?=", "=?utf-8?b?w6Q?=", "=?utf-8?b?w?= =?utf-8?b?6Q=?=", "=?utf-8?b?ww==?= =?utf-8?b?pA==?=", "=?utf-8?q?=E4?=",
    "=?utf-8?q?", "=?", "=?=?=?=", "=?utf-8?q??=", "=?" + "x" * 100 + "?q?a?=", "=?utf-8?q?" + "=C3=A4" * 100 + "?=", "Grüße roh",
    "=?iso-2022-jp?b?" + base64.b64encode("日本".encode("iso-2022-jp")).decode() + "?=", "=?utf-8?Q?=?=", "=?utf-8?Q?=G1_=4?=",
    "=?a?b?" * 300, "(=?utf-8?q?in_comment?=)", '"=?utf-8?q?in_quotes?="', "=?utf-8?q?two\n lines?=",
]


def octets(text):
    """Text as UTF-8; bytes as they are."""
    return text if isinstance(text, bytes) else text.encode("utf-8")


def header(*lines):
    return b"".join(octets(line) + b"\n" for line in lines)


BASIC = header("From: Anna Beispiel <anna@example.org>", "To: Bob <bob@example.net>", "Date: Sat, 21 Nov 2026 12:33:08 +0000",
               "Message-ID: <1@example.org>")


def message(extra, body, subject=None):
    """LF line ends; extra is header lines."""
    subject = header("Subject: " + subject) if subject else b""
    return BASIC + subject + octets(extra) + (b"\n" if extra and not octets(extra).endswith(b"\n") else b"") + b"\n" + octets(body)


def crlf(data):
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def wrap76(data):
    text = base64.b64encode(data)
    return b"\n".join(text[i:i + 76] for i in range(0, len(text), 76)) + b"\n"


def quoted_printable(data):
    out, line = [], b""
    for byte in data:
        piece = bytes([byte]) if (33 <= byte <= 126 and byte != 61) or byte in (32, 10) else b"=%02X" % byte
        if byte == 10:
            out.append(line)
            line = b""
            continue
        if len(line) + len(piece) > 75:
            out.append(line + b"=")
            line = b""
        line += piece
    return b"\n".join(out + [line])


def leaf(ctype, body, *extra):
    lines = (["Content-Type: " + ctype] if ctype is not None else []) + list(extra)
    return header(*lines) + b"\n" + octets(body)


def multipart(subtype, boundary, parts, preamble=b"", epilogue=b"", close=True, params=""):
    quoted = boundary if all(c.isalnum() for c in boundary) else '"%s"' % boundary.replace("\\", "\\\\").replace('"', '\\"')
    head = header("Content-Type: multipart/%s; boundary=%s%s" % (subtype, quoted, params))
    body = octets(preamble)
    for part in parts:
        body += b"--" + octets(boundary) + b"\n" + part + b"\n"
    if close:
        body += b"--" + octets(boundary) + b"--\n"
    return head + b"\n" + body + octets(epilogue)


def mime_message(part, *extra):
    """A message of a part: its fields join the message's."""
    return BASIC + header("MIME-Version: 1.0", *extra) + part


def words(rng, count):
    pool = "the quick brown dove carries mail home over hills and far away while nobody looks at headers".split()
    return " ".join(rng.choice(pool) for _ in range(count))


def text_body(rng, lines):
    return "".join(words(rng, rng.randrange(1, 14)) + "\n" for _ in range(lines))


def random_part(rng, depth):
    """A part of a random tree."""
    kind = rng.randrange(10)
    if depth > 0 and kind < 4:
        boundary = rng.choice(["b%d" % rng.randrange(1000), "=_Part_%d.%d" % (depth, rng.randrange(99)), "-" * rng.randrange(1, 30) + "x",
                               "b", "bb", "b b", "a'()+_,-./:=?" + "b" * rng.randrange(50)])
        parts = [random_part(rng, depth - 1) for _ in range(rng.randrange(0, 5))]
        return multipart(rng.choice(["mixed", "alternative", "related", "digest", "parallel", "signed", "x-odd"]), boundary, parts,
                         preamble=rng.choice([b"", b"preamble\n", b"\n\n"]), epilogue=rng.choice([b"", b"epilogue\n", b"\n"]),
                         close=rng.random() < 0.85)
    if depth > 0 and kind == 4:
        return leaf("message/rfc822", mime_message(random_part(rng, depth - 1)))
    if kind == 5:
        data = bytes(rng.randrange(256) for _ in range(rng.randrange(300)))
        return leaf("application/octet-stream; name=f%d.bin" % depth, wrap76(data), "Content-Transfer-Encoding: base64",
                    "Content-Disposition: attachment; filename=f%d.bin" % depth)
    if kind == 6:
        return leaf("text/plain; charset=iso-8859-1", quoted_printable(text_body(rng, 3).replace("o", "ö").encode("latin-1")),
                    "Content-Transfer-Encoding: quoted-printable")
    if kind == 7:
        return leaf("text/html; charset=utf-8", "<p>" + words(rng, 20) + " é</p>", "Content-Transfer-Encoding: 8bit", "Content-ID: <%d@x>" % depth)
    if kind == 8:
        return leaf(None, text_body(rng, 2))
    return leaf("text/plain", text_body(rng, rng.randrange(0, 6)))


def plain_messages(rng):
    bodies = {
        "text": text_body(rng, 8), "empty": "", "one-lf": "\n", "no-newline": "no newline at the end", "dots": ".\n..\n.x\n.\n", "lone-dot": "a\n.\nb\n",
        "from": "From a@b\n>From c@d\nFrom \n", "long": "x" * 5000 + "\n" + "y" * 70000, "blank-lines": "\n" * 50, "cr": "a\rb\rc\n\r\r\n\r",
        "nul": "a\0b\n\0\n", "8bit": "Grüße\n".encode("latin-1"), "utf8": "Grüße\n", "binary": bytes(range(256)) * 4, "dashes": "--\n--x\n-- \n---\n--\n",
        "signature": "hi\n-- \nme\n", "uuencode": "begin 644 x\n#86)C\n`\nend\n", "pgp": "-----BEGIN PGP MESSAGE-----\n\nabc\n-----END PGP MESSAGE-----\n",
        "flowed": "a line \nof text \nflows\n", "trailing-cr": "text\r", "lf-cr": "a\n\rb\n\r",
    }
    for name, body in bodies.items():
        data = message("", body, "plain " + name)
        yield "plain-%s-lf" % name, data
        yield "plain-%s-crlf" % name, BASIC.replace(b"\n", b"\r\n") + b"\r\n" + octets(body).replace(b"\n", b"\r\n")
        yield "plain-%s-mixed" % name, b"".join(line + (b"\r\n" if i % 3 == 0 else b"\n") for i, line in enumerate(data.split(b"\n")))
    yield "odd-no-header", b"\njust a body\n"
    yield "odd-no-body", BASIC
    yield "odd-no-body-no-newline", BASIC[:-1]
    yield "odd-one-octet", b"x"
    yield "odd-newline", b"\n"
    yield "odd-crlf", b"\r\n"
    yield "odd-cr", b"\r"
    yield "odd-header-cr-end", b"Subject: x\r"
    yield "odd-only-cr-lines", b"Subject: x\rFrom: a@b\r\rbody\r"
    yield "odd-mbox-from", b"From a@b Sat Nov 21 12:33:08 2026\n" + BASIC + b"\nbody\n"
    yield "odd-bom", b"\xef\xbb\xbf" + BASIC + b"\nbody\n"
    yield "odd-random", bytes(rng.randrange(256) for _ in range(4000))
    yield "odd-zeros", b"\0" * 1000
    yield "odd-spaces-line", BASIC + b"   \nX-After: y\n\nbody\n"


def table_messages():
    for i, addr in enumerate(ADDRESSES):
        yield "address-%03d" % i, header("From: " + addr, "Date: Sat, 21 Nov 2026 12:33:08 +0000", "Cc: x@y, " + addr, "Reply-To: " + addr) + b"\nbody\n"
    for i, date in enumerate(DATES):
        yield "date-%03d" % i, header("From: a@b", "Date: " + date) + b"\nbody\n"
    for i, line in enumerate(HEADERS):
        yield "header-%03d" % i, BASIC + header(line) + b"\nbody\n"
        yield "header-%03d-crlf" % i, crlf(header(line) + BASIC + b"\nbody\n")
        yield "header-%03d-last" % i, BASIC + octets(line)
    for i, ctype in enumerate(CONTENT_TYPES):
        yield "type-%03d" % i, message(header("MIME-Version: 1.0", "Content-Type: " + ctype), "body of it\n")
        yield "type-%03d-part" % i, mime_message(multipart("mixed", "xx", [leaf(ctype, "a part\n"), leaf("text/plain", "second\n")]))
    for i, enc in enumerate(ENCODINGS):
        yield "encoding-%03d" % i, message(header("MIME-Version: 1.0", "Content-Transfer-Encoding: " + enc, "Content-Type: text/plain; charset=utf-8"),
                                           "R3LDvMOfZSBhdXMgYmFzZTY0\n")
    for i, disposition in enumerate(DISPOSITIONS):
        yield "disposition-%03d" % i, mime_message(multipart("mixed", "xx", [leaf("text/plain", "x\n"),
                                                   leaf("application/pdf", "y\n", "Content-Disposition: " + disposition)]))
    for i, text in enumerate(ENCODED_WORDS):
        yield "encoded-word-%03d" % i, BASIC + header("Subject: " + text, "Cc: " + text + " <a@b>") + b"\nbody\n"
    for name, text in CHARSETS:
        raw = text.encode({"iso-2022-kr": "iso2022_kr", "gb2312": "gb2312"}.get(name, name))
        q = "".join("=%02X" % b for b in raw)
        yield "charset-%s-b" % name, message(header("Subject: =?%s?B?%s?=" % (name, base64.b64encode(raw).decode()), "MIME-Version: 1.0",
              "Content-Type: text/plain; charset=" + name, "Content-Transfer-Encoding: base64"), wrap76(raw + b"\n"))
        yield "charset-%s-q" % name, message(header("Subject: =?%s?Q?%s?=" % (name.upper(), q), "MIME-Version: 1.0",
              "Content-Type: text/plain; charset=\"%s\"" % name, "Content-Transfer-Encoding: quoted-printable"), quoted_printable(raw) + b"\n")
        yield "charset-%s-8bit" % name, message(header("MIME-Version: 1.0", "Content-Type: text/plain; charset=" + name, "Content-Transfer-Encoding: 8bit"),
              raw + b"\n")


def typical_messages(rng):
    """What mail programs, lists and mail systems really send."""
    alternative = multipart("alternative", "alt", [leaf("text/plain; charset=utf-8", text_body(rng, 5)),
                            leaf("text/html; charset=utf-8", "<html><body>" + text_body(rng, 5) + "</body></html>\n")])
    png = wrap76(bytes(rng.randrange(256) for _ in range(900)))
    inner = BASIC + header("Subject: the inner one") + b"\ninner text\n"
    yield "typical-alternative", mime_message(alternative, "Subject: alternative")
    yield "typical-attachment", mime_message(multipart("mixed", "mix", [alternative, leaf("application/pdf; name=\"a b.pdf\"", wrap76(b"%PDF" * 300),
          "Content-Transfer-Encoding: base64", "Content-Disposition: attachment;\n filename=\"a b.pdf\"")], preamble=b"This is a multi-part message in MIME format.\n"))
    yield "typical-related", mime_message(multipart("related", "rel", [leaf("text/html", "<img src=cid:i@x>\n"), leaf("image/png", png,
          "Content-Transfer-Encoding: base64", "Content-ID: <i@x>", "Content-Disposition: inline; filename=i.png")], params="; type=\"text/html\""))
    yield "typical-forward", mime_message(multipart("mixed", "fwd", [leaf("text/plain", "see below\n"), leaf("message/rfc822", inner,
          "Content-Disposition: attachment; filename=\"inner.eml\"")]), "Subject: Fwd: inner")
    yield "typical-digest", mime_message(multipart("digest", "dig", [b"\n" + inner, b"\n" + mime_message(alternative), leaf("text/plain", "no message\n")]))
    yield "typical-digest-defaults", mime_message(multipart("digest", "dig", [header("Content-Description: one") + b"\n" + inner, b"\n", b""]))
    yield "typical-smime-signed", mime_message(multipart("signed", "sig", [alternative, leaf("application/pkcs7-signature; name=smime.p7s", png,
          "Content-Transfer-Encoding: base64", "Content-Disposition: attachment; filename=smime.p7s")], params="; protocol=\"application/pkcs7-signature\"; micalg=sha-256"))
    yield "typical-smime-encrypted", message(header("MIME-Version: 1.0", "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m",
          "Content-Transfer-Encoding: base64", "Content-Disposition: attachment; filename=smime.p7m"), png)
    yield "typical-pgp-mime", mime_message(multipart("encrypted", "pgp", [leaf("application/pgp-encrypted", "Version: 1\n"),
          leaf("application/octet-stream", "-----BEGIN PGP MESSAGE-----\n\nx\n-----END PGP MESSAGE-----\n")], params="; protocol=\"application/pgp-encrypted\""))
    yield "typical-pgp-signed", mime_message(multipart("signed", "pgs", [leaf("text/plain", "signed \n"), leaf("application/pgp-signature", "-----BEGIN PGP SIGNATURE-----\n")]))
    dsn = leaf("message/delivery-status", "Reporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; x@y\nAction: failed\nStatus: 5.1.1\n")
    yield "typical-dsn", mime_message(multipart("report", "dsn", [leaf("text/plain", "could not be delivered\n"), dsn, leaf("message/rfc822", inner)],
          params="; report-type=delivery-status"), "Auto-Submitted: auto-replied")
    yield "typical-dsn-headers", mime_message(multipart("report", "dsn", [leaf("text/plain", "late\n"), dsn, leaf("text/rfc822-headers", BASIC)],
          params="; report-type=delivery-status"))
    yield "typical-mdn", mime_message(multipart("report", "mdn", [leaf("text/plain", "was displayed\n"),
          leaf("message/disposition-notification", "Disposition: manual-action/MDN-sent-manually; displayed\n")], params="; report-type=disposition-notification"))
    ics = "BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:1@x\nEND:VEVENT\nEND:VCALENDAR\n"
    yield "typical-calendar", mime_message(multipart("alternative", "cal", [leaf("text/plain", "come\n"), leaf("text/calendar; method=REQUEST; charset=utf-8", ics)]))
    yield "typical-calendar-attached", mime_message(multipart("mixed", "cal", [leaf("text/plain", "come\n"),
          leaf("application/ics; name=invite.ics", ics, "Content-Disposition: attachment; filename=invite.ics")]))
    yield "typical-tnef", mime_message(multipart("mixed", "tnef", [leaf("text/plain", "x\n"), leaf("application/ms-tnef; name=winmail.dat", png,
          "Content-Transfer-Encoding: base64")]))
    yield "typical-list", BASIC + header("List-Id: A list <l.example.org>", "List-Post: <mailto:l@example.org>", "List-Unsubscribe: <mailto:l-u@example.org>",
          "List-Unsubscribe-Post: List-Unsubscribe=One-Click", "Precedence: list", "Sender: l-bounces@example.org", "Errors-To: l-bounces@example.org",
          "Subject: [l] Re: subject", "In-Reply-To: <0@example.org>", "References: <0@example.org>") + b"\nbody\n_____\nl mailing list\n"
    for count in (1, 3, 9, 12):
        received = "".join("Received: from h%d.example (h%d.example [192.0.2.%d])\n\tby h%d.example (Postfix) with ESMTPS id ABC%d\n\tfor <bob@example.net>; "
                           "Sat, 21 Nov 2026 12:33:%02d +0000 (UTC)\n" % (i, i, i, i + 1, i, i) for i in range(count))
        yield "typical-received-%02d" % count, octets(received) + message("", text_body(rng, 20), "received")
        yield "typical-received-%02d-crlf" % count, crlf(octets(received) + message("", text_body(rng, 20), "received"))
    for lines in (10, 100, 500):
        yield "typical-html-%03d" % lines, mime_message(multipart("alternative", "alt", [leaf("text/plain; charset=utf-8", quoted_printable(octets(text_body(rng, lines))),
              "Content-Transfer-Encoding: quoted-printable"), leaf("text/html; charset=utf-8", wrap76(octets("<p>" + text_body(rng, lines) + "</p>")),
              "Content-Transfer-Encoding: base64")]), "X-Mailer: generator", "Subject: newsletter %d" % lines)
    nest = inner
    for level in range(12):
        nest = mime_message(multipart("mixed", "n%d" % level, [leaf("text/plain", "level %d\n" % level), leaf("message/rfc822", nest)]), "Subject: level %d" % level)
        yield "typical-nested-%02d" % level, nest
    plain_nest = inner
    for level in range(6):
        plain_nest = BASIC + header("MIME-Version: 1.0", "Content-Type: message/rfc822", "Subject: wrap %d" % level) + b"\n" + plain_nest
        yield "typical-wrapped-%d" % level, plain_nest


def broken_mime():
    text, html = leaf("text/plain", "one\n"), leaf("text/html", "two\n")
    whole = mime_message(multipart("mixed", "bound", [text, html]))
    yield "unclosed", mime_message(multipart("mixed", "bound", [text, html], close=False))
    yield "unclosed-nested", mime_message(multipart("mixed", "out", [multipart("mixed", "in", [text, html], close=False), text]))
    yield "unclosed-all", mime_message(multipart("mixed", "out", [multipart("mixed", "in", [text, html], close=False), text], close=False))
    yield "same-boundary", mime_message(multipart("mixed", "b", [multipart("mixed", "b", [text, html]), html]))
    yield "prefix-inner-longer", mime_message(multipart("mixed", "b", [multipart("mixed", "bb", [text, html]), html]))
    yield "prefix-inner-shorter", mime_message(multipart("mixed", "bb", [multipart("mixed", "b", [text, html]), html]))
    yield "prefix-dashes", mime_message(multipart("mixed", "b", [multipart("mixed", "b--", [text, html]), html]))
    yield "wrong-boundary", whole.replace(b"--bound\n", b"--other\n")
    yield "no-boundary-lines", mime_message(header("Content-Type: multipart/mixed; boundary=x") + b"\nno part at all\n")
    yield "only-close", mime_message(header("Content-Type: multipart/mixed; boundary=x") + b"\n--x--\n")
    yield "only-open", mime_message(header("Content-Type: multipart/mixed; boundary=x") + b"\n--x\n")
    yield "only-open-no-newline", mime_message(header("Content-Type: multipart/mixed; boundary=x") + b"\n--x")
    yield "body-is-boundary-no-blank", mime_message(header("Content-Type: multipart/mixed; boundary=x") + b"--x\n\na\n--x--\n")
    yield "empty-parts", mime_message(multipart("mixed", "x", [b"", b"\n", b"\n\n", b"A: b\n", b"A: b"]))
    yield "adjacent", mime_message(header("Content-Type: multipart/mixed; boundary=x") + b"\n--x\n--x\n--x\n--x--\n")
    yield "close-then-more", mime_message(multipart("mixed", "x", [text]) + b"--x\n\nafter the end\n--x--\n")
    yield "trailing-space", whole.replace(b"--bound\n", b"--bound  \t\n").replace(b"--bound--", b"--bound-- ")
    yield "trailing-text", whole.replace(b"--bound\n", b"--boundary\n")
    yield "boundary-with-dashes", mime_message(multipart("mixed", "--b", [text, html]))
    yield "boundary-spaces", mime_message(multipart("mixed", "a b c", [text, html]))
    yield "boundary-70", mime_message(multipart("mixed", "x" * 70, [text, html]))
    yield "boundary-500", mime_message(multipart("mixed", "y" * 500, [text, html]))
    yield "boundary-2000", mime_message(multipart("mixed", "z" * 2000, [text, html]))
    yield "boundary-quotes", mime_message(multipart("mixed", 'a"b\\c', [text, html]))
    yield "boundary-continued", mime_message(header("Content-Type: multipart/mixed; boundary*0=bo; boundary*1=und") + b"\n--bound\n\na\n--bound--\n")
    yield "boundary-case", whole.replace(b"boundary=bound", b"BOUNDARY=BOUND").replace(b"--bound", b"--Bound")
    yield "boundary-in-header", mime_message(multipart("mixed", "x", [b"Content-Type: text/html\n--x\n\nsecond\n"]))
    yield "boundary-in-folded", mime_message(multipart("mixed", "x", [b"Content-Type: text/html;\n --x\n\nsecond\n"]))
    yield "preamble-boundary-like", mime_message(multipart("mixed", "x", [text], preamble=b"--y\n--xy is one\n-x\n"))
    yield "indented-boundary", whole.replace(b"--bound", b" --bound")
    yield "cr-boundary", whole.replace(b"--bound\n", b"--bound\r\r\n")
    yield "lf-in-crlf", crlf(whole).replace(b"--bound\r\n", b"--bound\n")
    yield "multipart-in-text", message(header("MIME-Version: 1.0", "Content-Type: text/plain; boundary=x"), "--x\n\na\n--x--\n")
    yield "multipart-base64", mime_message(header("Content-Type: multipart/mixed; boundary=x", "Content-Transfer-Encoding: base64") + b"\n--x\n\na\n--x--\n")
    yield "rfc822-base64", mime_message(leaf("message/rfc822", wrap76(b"Subject: hidden\n\nbody\n"), "Content-Transfer-Encoding: base64"))
    yield "rfc822-empty", mime_message(leaf("message/rfc822", ""))
    yield "rfc822-in-multipart-empty", mime_message(multipart("mixed", "x", [leaf("message/rfc822", ""), header("Content-Type: message/rfc822")[:-1]]))
    yield "rfc822-unclosed-inside", mime_message(multipart("mixed", "x", [leaf("message/rfc822", mime_message(multipart("mixed", "y", [text], close=False))), html]))
    yield "no-mime-version", BASIC + multipart("mixed", "x", [text, html])
    yield "two-types", mime_message(header("Content-Type: text/plain") + multipart("mixed", "x", [text, html]))
    yield "part-junk-header", mime_message(multipart("mixed", "x", [b"this is no header\nContent-Type: text/html\n\nbody\n", b" \nfolded: nothing\n\nz\n"]))
    yield "part-nul", mime_message(multipart("mixed", "x", [leaf("text/plain", b"a\0b\n"), leaf("text/html", b"no\n")]))
    yield "digest-in-mixed", mime_message(multipart("mixed", "o", [multipart("digest", "d", [b"\nSubject: x\n\ny\n", b"\nSubject: z\n\nw\n"])]))
    yield "many-names", mime_message(leaf("text/plain; name=a; NAME=b; Name=c", "x\n", "Content-Type: text/html", "Content-ID: <1>", "Content-ID: <2>"))


def large_messages(rng):
    yield "parts-10000", mime_message(header("Content-Type: multipart/mixed; boundary=b") + b"\n" + b"--b\n\nx\n" * 10000 + b"--b--\n")
    yield "parts-12000", mime_message(header("Content-Type: multipart/mixed; boundary=b") + b"\n" + b"--b\nA: b\n\nx\n" * 12000 + b"--b--\n")
    for depth in (50, 99, 100, 101, 150):
        head = b"".join(b"Content-Type: multipart/mixed; boundary=b%d.\n\n--b%d.\n" % (i, i) for i in range(depth))
        yield "depth-%03d" % depth, mime_message(head + b"\ndeep\n" + b"".join(b"--b%d.--\n" % i for i in reversed(range(depth))))
        yield "depth-%03d-unclosed" % depth, mime_message(head + b"\ndeep\n")
        yield "depth-%03d-rfc822" % depth, (BASIC + header("MIME-Version: 1.0", "Content-Type: message/rfc822") + b"\n") * depth + BASIC + b"\nend\n"
    common = b"x" * 900
    head = b"".join(b"Content-Type: multipart/mixed; boundary=%s%d\n\n--%s%d\n" % (common, i, common, i) for i in range(90))
    yield "depth-090-long-boundaries", mime_message(head + b"\n" + (b"--" + common + b"!\n") * 300)
    yield "digest-10000", mime_message(header("Content-Type: multipart/digest; boundary=b") + b"\n" + b"--b\n\nTo: a\n\nx\n" * 6000 + b"--b--\n")
    yield "header-line-500k", BASIC + b"Subject: " + b"y" * 500000 + b"\n\nbody\n"
    yield "header-folds-100k", BASIC + b"X-Fold: a\n" + b" b\n" * 100000 + b"\nbody\n"
    yield "headers-6000", BASIC + b"".join(b"X-%d: v\n" % i for i in range(6000)) + b"Subject: far down\n\nbody\n"
    yield "addresses-10000", header("From: a@b") + b"To: " + b",\n ".join(b"u%d@example.org" % i for i in range(10000)) + b"\n\nbody\n"
    yield "params-30000", mime_message(leaf("text/plain" + "".join("; p%d=v" % i for i in range(30000)), "x\n"))
    yield "dashes-100k", mime_message(multipart("mixed", "-", [leaf("text/plain", "--\n" * 100000)]))
    yield "parens", header("From: " + "(" * 200000) + b"\nbody\n"
    yield "quotes", header("From: " + '"a" ' * 50000 + '"', 'To: ' + '\\"' * 100000) + b"\nbody\n"
    yield "encoded-words", header("Subject: " + "=?utf-8?q?x?= " * 20000, "From: " + "=?a?q?x " * 20000) + b"\nbody\n"
    yield "large-headers-1000000", BASIC + b"a: b\n" * 1000000 + b"\nbody\n"
    yield "large-addresses-120000", header("From: a@b") + b"To: " + b", ".join(b"user%d@example.org" % i for i in range(120000)) + b"\n\nbody\n"
    yield "large-body-3m", message("", b"".join(octets(words(rng, 10)) + b"\n" for _ in range(50000)), "large")
    yield "large-attachment-3m", mime_message(multipart("mixed", "x", [leaf("text/plain", "see\n"), leaf("application/x", wrap76(rng.randbytes(2 << 20)),
          "Content-Transfer-Encoding: base64")]))


def messages(seed):
    def rng(name):
        return random.Random("%d %s" % (seed, name))

    yield from plain_messages(rng("plain"))
    yield from table_messages()
    yield from typical_messages(rng("typical"))
    for name, data in broken_mime():
        yield "broken-" + name, data
        if b"\r" not in data:
            yield "broken-" + name + "-crlf", crlf(data)
    for i in range(120):
        data = mime_message(random_part(rng("tree %d" % i), 2 + i % 5), "Subject: tree %d" % i)
        yield "tree-%03d" % i, crlf(data) if i % 4 == 0 else data
    for i in range(40):     # the same, with octets changed, dropped and doubled
        r = rng("mutant %d" % i)
        data = bytearray(mime_message(random_part(r, 4)))
        for _ in range(20):
            at = r.randrange(len(data))
            what = r.randrange(3)
            if what == 0:
                data[at] = r.choice(b"\n\r\0-:;\"()=\\ \xff")
            elif what == 1:
                del data[at:at + r.randrange(1, 8)]
            else:
                data[at:at] = data[at:at + r.randrange(1, 60)]
        yield "mutant-%03d" % i, bytes(data)
    yield from large_messages(rng("large"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--small", action="store_true", help="without the messages of over a megabyte")
    parser.add_argument("directory")
    args = parser.parse_args()
    os.makedirs(args.directory, exist_ok=True)
    names = set()
    for name, data in messages(args.seed):
        if args.small and name.startswith("large-"):
            continue
        if name in names:
            sys.exit("two messages are named " + name)
        names.add(name)
        with open(os.path.join(args.directory, name + ".eml"), "wb") as f:
            f.write(data)
    print("%d messages" % len(names))


if __name__ == "__main__":
    main()
