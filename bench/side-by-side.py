#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What storage costs a client, here and with Debian's Dovecot: the same commands on the same mail, in turns.

    CULVER_PREFIX=... bench/side-by-side.py [--sizes 10000,100000] [--mbox 10000]

Both servers are private ones on loopback (those of tests/e2e), with maildir_very_dirty_syncs, and mail_fsync as it is by
default.  One session, one command at a time; times are those of the client, in milliseconds: medians where there are several.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
import culver   # noqa: E402
import dovecot  # noqa: E402

EXTRA = "maildir_very_dirty_syncs = yes\n"
MAILDIR, MBOX = "maildir:~/Maildir", "mbox:~/mail:INBOX=~/inbox"
BODY = "A line of text, as there are many.\n" * 20


def text(n):
    return ("From: Sender %d <s%d@example.org>\nTo: alice@example.org\nSubject: Number %d\nDate: Mon, 1 Jan 2024 10:%02d:%02d "
            "+0000\nMessage-ID: <%d@example.org>\n\n%s" % (n % 50, n % 50, n, n // 60 % 60, n % 60, n, BODY))


class Client:
    def __init__(self, port, password):
        self.raw = culver.socket.create_connection(("127.0.0.1", port), 600)
        self.data, self.n = b"", 0
        self.line()
        self.do("LOGIN alice %s" % ('"%s"' % password))

    def line(self):
        while b"\n" not in self.data:
            more = self.raw.recv(1 << 16)
            if not more:
                raise SystemExit("the server has gone")
            self.data += more
        line, self.data = self.data.split(b"\n", 1)
        return line

    def do(self, command):
        """Milliseconds."""
        self.n += 1
        tag = b"a%d " % self.n
        start = time.perf_counter()
        self.raw.sendall(tag + command.encode() + b"\r\n")
        while True:
            # Lines are not looked at but for the last: the client is to cost nothing.
            end = self.data.rfind(b"\n", 0, len(self.data) - 1) + 1
            if self.data.endswith(b"\n") and self.data[end:].startswith(tag):
                break
            self.data = self.data[end:]
            more = self.raw.recv(1 << 18)
            if not more:
                raise SystemExit("the server has gone: " + command)
            self.data += more
        spent, last = (time.perf_counter() - start) * 1000, self.data[end:]
        self.data = b""
        if not last[len(tag):].startswith(b"OK"):
            raise SystemExit("%s: %s" % (command, last.decode()))
        return spent

    def each(self, commands):
        return statistics.median(self.do(c) for c in commands)

    def close(self):
        self.do("LOGOUT")
        self.raw.close()


class Side:
    """One server with its homes."""

    def __init__(self, name, location, extra=""):
        self.name, self.location = name, location
        self.place = culver.Server(start=False, extra="mail_location = %s\n%s%s" % (location, EXTRA, extra))
        if name == "dovecot":
            self.server = dovecot.Dovecot(self.place.path("home"), self.place.uid, self.place.gid, location, EXTRA, start=False)
        else:
            self.server = self.place

    def client(self):
        return Client(self.server.ports["imap"], culver.PASSWORD.replace(" ", "_") if self.name == "dovecot" else culver.PASSWORD)

    def home(self, *parts):
        return self.place.path("home", "alice", *parts)

    def own(self, path):
        os.chown(path, self.place.uid, self.place.gid)

    def fill(self, count):
        if self.location == MBOX:
            with open(self.home("inbox"), "w") as f:
                for n in range(count):
                    f.write("From s@example.org Mon Jan  1 10:00:00 2024\n%s\n" % text(n))
            self.own(self.home("inbox"))
            return
        for sub in ("", "cur", "new", "tmp"):
            os.makedirs(self.home("Maildir", sub), exist_ok=True)
            self.own(self.home("Maildir", sub))
        for n in range(count):
            self.add(n, "cur", ":2,S")

    def add(self, n, sub="new", info=""):
        octets = text(n)
        path = self.home("Maildir", sub, "17%08d.M%dP1.host,S=%d,W=%d%s" % (n, n, len(octets), len(octets) + octets.count("\n"), info))
        with open(path, "w") as f:
            f.write(octets)
        self.own(path)

    def index_octets(self):
        total = 0
        for top, _, files in os.walk(self.home()):
            for name in files:
                path = os.path.join(top, name)
                if "culver.index" in top or name.startswith("dovecot"):
                    total += os.stat(path).st_blocks * 512
        return total

    def drop_index(self):
        for top, dirs, files in os.walk(self.home()):
            for d in [d for d in dirs if d.lstrip(".").startswith("culver.index")]:
                shutil.rmtree(os.path.join(top, d))
                dirs.remove(d)
            for name in files:
                if name.startswith("dovecot.index") or name == "dovecot.list.index.log":
                    os.unlink(os.path.join(top, name))

    def close(self):
        if self.name == "dovecot":
            self.server.close()
        else:
            self.place.allowed = ("",)
        self.place.close()


def maildir_steps(side, count):
    """Generator of (what, figure): both sides are taken one step at a time."""
    spread = [1 + i * (count // 100) for i in range(100)]
    side.fill(count)
    side.server.start()
    c = side.client()
    c.do('CREATE Other')
    yield "first SELECT of foreign files", c.do("SELECT INBOX")
    c.do("FETCH 1:* (ENVELOPE BODYSTRUCTURE)")
    yield "octets of index a message", side.index_octets() / count
    yield "STORE +FLAGS, all", c.do("STORE 1:* +FLAGS.SILENT (\\Flagged)")
    yield "STORE +FLAGS, one", c.each("STORE %d +FLAGS (\\Answered)" % n for n in spread)
    time.sleep(3)       # what is written behind
    c.close()
    added = []
    c = side.client()
    c.do("SELECT INBOX")
    for i in range(10):
        c.do("CLOSE")
        time.sleep(1.1)
        side.add(count + i)
        added.append(c.do("SELECT INBOX"))
    yield "SELECT after another program added one", statistics.median(added)
    yield "COPY, one", c.each("COPY %d Other" % n for n in spread)
    yield "COPY, all", c.do("COPY 1:%d Other" % count)
    c.do("SELECT Other")
    c.do("STORE 1:* +FLAGS.SILENT (\\Deleted)")
    yield "EXPUNGE, all", c.do("EXPUNGE")
    c.do("SELECT INBOX")
    yield "MOVE, one", c.each("MOVE %d Other" % n for n in spread[:80])

    def expunge(n):
        return c.do("STORE %d +FLAGS.SILENT (\\Deleted)" % n) + c.do("EXPUNGE")
    yield "STORE and EXPUNGE, one", statistics.median(expunge(n) for n in spread[:80])
    yield "MOVE, all", c.do("MOVE 1:* Other")
    c.do("SELECT Other")
    c.close()
    side.server.stop()
    side.drop_index()
    side.server.start()
    c = side.client()
    yield "SELECT without index", c.do("SELECT Other")
    c.close()


def mbox_steps(side, count):
    side.fill(count)
    side.server.start()
    c = side.client()
    yield "first SELECT", c.do("SELECT INBOX")
    yield "STORE +FLAGS, one", c.each("STORE %d +FLAGS (\\Answered)" % (1 + i * (count // 20)) for i in range(20))
    yield "CHECK after it", c.do("CHECK")
    c.do("CLOSE")
    yield "SELECT again", statistics.median(c.do("SELECT INBOX") for _ in range(20))
    c.do("CLOSE")
    time.sleep(1.1)
    with open(side.home("inbox"), "a") as f:
        f.write("From s@example.org Mon Jan  1 10:00:00 2024\n%s\n" % text(count))
    yield "SELECT after another program added one", c.do("SELECT INBOX")

    def expunge(n):
        return c.do("STORE %s +FLAGS.SILENT (\\Deleted)" % n) + c.do("EXPUNGE")
    yield "EXPUNGE, the last", statistics.median(expunge("*") for _ in range(5))
    yield "EXPUNGE, the first", statistics.median(expunge("1") for _ in range(5))
    c.close()


def compare(title, location, steps, count):
    sides = [Side(name, location) for name in ("dovecot", "culver")]
    runs = [steps(s, count) for s in sides]
    print("\n| %s | dovecot | culver | |\n| --- | ---: | ---: | ---: |" % title, flush=True)
    try:
        for (what, a), (_, b) in zip(*runs):
            print("| %s | %.2f | %.2f | %.2f |" % (what, a, b, a / b if b else 0), flush=True)
    finally:
        for s in sides:
            s.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,100000", help="of Maildirs")
    parser.add_argument("--mbox", default="10000", help="messages of the mbox; 0: none")
    args = parser.parse_args()
    if not os.path.exists(dovecot.PROGRAM):
        raise SystemExit("dovecot-imapd is not installed")
    print("%s; %s" % (subprocess.run([dovecot.PROGRAM, "--version"], capture_output=True, text=True).stdout.strip(),
                      culver.PREFIX))
    for count in [int(x) for x in args.sizes.split(",") if x]:
        compare("Maildir, %d messages (ms)" % count, MAILDIR, maildir_steps, count)
    if int(args.mbox) > 0:
        compare("mbox, %s messages (ms)" % args.mbox, MBOX, mbox_steps, int(args.mbox))


if __name__ == "__main__":
    main()
