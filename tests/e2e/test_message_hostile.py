# SPDX-License-Identifier: MIT
"""Hostile messages through Sieve scripts, by LMTP and culver-lda: bounded in time and memory, and nothing is lost."""
import unittest

import culver
from test_filter_hostile import REQUIRE, Base

LARGE = 95 << 20


class Messages(Base):
    @classmethod
    def hostile(cls):
        yield "a million fields", "X-F: y\r\n" * 1000000 + "\r\nbody\r\n"
        yield "nested parts", "".join("Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i)
                                      for i in range(10000))
        yield "nested messages", "Content-Type: message/rfc822\r\n\r\n" * 10000
        yield "many parts", "Content-Type: multipart/mixed; boundary=w\r\n\r\n" + "--w\r\n\r\nx\r\n" * 100000
        yield "NULs", "X-\0: \0\r\n\0\r\n\r\n" + "\0" * 1000000 + "\r\n"
        yield "a long line", "\r\n" + "x" * LARGE + "\r\n"
        yield "a long field", "X-Long: " + "a" * LARGE + "\r\n\r\nbody\r\n"
        yield "much HTML", "Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n" + (
            "PGEg" * 19 + "\r\n") * 200000
        yield "addresses", "To: " + ",\r\n ".join("u%d@example.org" % i for i in range(300000)) + "\r\n\r\nx\r\n"
        yield "parameters", ("Content-Type: text/plain" + "".join(";\r\n n*%d=aaaa" % i for i in range(300000)) +
                             "\r\n\r\nx\r\n")
        yield "comments", "Cc: " + "(" * 5000000 + "\r\n\r\nx\r\n"
        yield "a long sender", ("Reply-To: " + "a" * 10000000 + "@example.org\r\nReferences: " + "<a@b> " * 500000 +
                                "\r\n\r\nx\r\n")

    def each(self, script, where, delivered=True):
        self.script("alice", REQUIRE + script)
        for what, text in self.hostile():
            text = "MIME-Version: 1.0\r\n" + culver.message("x", body="").rstrip() + "\r\n" + text
            self.both_ways(text, what, where, None, "alice", delivered)

    def test_tests(self):
        """Each test that looks at fields, parts, text."""
        self.each('if header :contains ["to", "cc", "x-f", "x-long"] "nope" { stop; }\n'
                  'if address :matches ["from", "to", "reply-to"] "*nope*" { stop; }\n'
                  'if header :regex ["x-long", "subject", "x-f"] "(a|b)*nope$" { stop; }\n'
                  'if body :contains "nope" { stop; }\nif body :raw :contains "nope" { stop; }\n'
                  'if body :content "text" :regex "(x|y)nope$" { stop; }\n'
                  'if header :mime :anychild :contains "content-type" "nope" { stop; }\n'
                  'if header :mime :anychild :param "n" :contains "content-type" "nope" { stop; }\n'
                  'foreverypart { extracttext :first 100000 "t"; if string :contains "${t}" "nope" { stop; } }\n'
                  'if date :value "ge" "x-f" "year" "2030" { stop; }\n'
                  'if header :count "ge" "x-f" "5" { set "many" "x"; }\n'
                  'if duplicate :header "references" { discard; }\nfileinto :create "Filed";\n', ".Filed")

    def test_answers(self):
        """What answers, passes on and changes: whatever becomes of that, the message stays."""
        self.each('vacation :days 1 :addresses "alice@example.org" "Away.";\n'
                  'if header :matches "reply-to" "*" { set "r" "${1}"; }\n'
                  'notify :message "${r}" "mailto:x@example.net";\n'
                  'addheader "X-New" "${r}";\ndeleteheader "x-f";\nkeep;\n', ".")

    def test_refused(self):
        """By LMTP in the reply, by culver-lda in a message."""
        self.each('reject "No.";\n', "", None)


if __name__ == "__main__":
    unittest.main()
