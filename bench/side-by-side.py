#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What storage costs a client, here and with Debian's Dovecot: the same commands on the same mail, in turns.

    CULVER_PREFIX=... bench/side-by-side.py [--sizes 10000,100000] [--mbox 10000]

Both servers are private ones on loopback (those of tests/e2e), with maildir_very_dirty_syncs, and mail_fsync as it is by
default.  One session, one command at a time; times are those of the client, in milliseconds: medians where there are several.
"""
import argparse
import multiprocessing
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
            self.server = dovecot.Dovecot(self.place.path("home"), self.place.uid, self.place.gid, location,
                                          EXTRA + extra.replace("%(place)s", self.place.dir), start=False)
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


SIEVE = "".join("""\
%s header :contains "%s" "rule-%d" {
  fileinto "Folder%d";
  stop;
}
""" % ("if", ("subject", "from", "list-id")[n % 3], n, n % 5) for n in range(28))
SIEVE = 'require ["fileinto", "envelope", "copy"];\n' + SIEVE + """\
if anyof (address :is :domain "from" "nowhere.example", envelope :matches "from" "bounce-*") {
  discard;
}
if header :matches "x-priority" ["1*", "2*"] {
  fileinto :copy "Urgent";
}
"""


RECIPES = "".join(""":0
* ^%s:.*rule-%d
%s

""" % (("Subject", "From", "List-Id")[n % 3], n, "%s") for n in range(28)) + """:0
* ^From:.*@nowhere\\.example|^Return-Path: <bounce-
/dev/null

:0 c
* ^X-Priority: [12]
%s
"""


def recipes(folder):
    """As many as the Sieve script has rules; folder: how a mailbox is named."""
    return RECIPES % tuple(folder % name for name in ["Folder%d" % (n % 5) for n in range(28)] + ["Urgent"])


def lmtp_worker(path, first, count):
    """count messages over one connection, the commands of each in two pieces."""
    sock = culver.socket.socket(culver.socket.AF_UNIX)
    sock.settimeout(60)
    sock.connect(path)
    stream = sock.makefile("rb")

    def answer(want):
        line = stream.readline()
        while line[3:4] == b"-":
            line = stream.readline()
        if not line.startswith(want):
            raise SystemExit("LMTP: %r" % line)
    answer(b"220")
    sock.sendall(b"LHLO client\r\n")
    answer(b"250")
    for n in range(first, first + count):
        sock.sendall(b"MAIL FROM:<s@example.org>\r\nRCPT TO:<alice>\r\nDATA\r\n")
        answer(b"250")
        answer(b"250")
        answer(b"354")
        sock.sendall(text(n).replace("\n", "\r\n").encode() + b".\r\n")
        answer(b"250")
    sock.close()


def deliveries(side, count):
    """A function of the number of connections."""
    base = side.server.dir if side.name == "dovecot" else side.place.dir
    path = os.path.join(base, "run", "lmtp")

    def rate(connections):
        def run():
            share = count // connections
            start = time.perf_counter()
            workers = [multiprocessing.Process(target=lmtp_worker, args=(path, i * share, share)) for i in range(connections)]
            for w in workers:
                w.start()
            for w in workers:
                w.join()
            if any(w.exitcode != 0 for w in workers):
                raise SystemExit("a delivery failed")
            return share * connections / (time.perf_counter() - start)
        run()
        return max(run() for _ in range(3))
    return rate


def lmtp_steps(side, count):
    side.server.start()
    rate = deliveries(side, count)
    yield "deliveries/s, no filter, 1 connection", rate(1)
    yield "deliveries/s, no filter, 4 connections", rate(4)
    with open(side.home(".dovecot.sieve"), "w") as f:
        f.write(SIEVE)
    side.own(side.home(".dovecot.sieve"))
    yield "deliveries/s, Sieve, 30 rules, 1 connection", rate(1)
    yield "deliveries/s, Sieve, 30 rules, 4 connections", rate(4)


PIPE_TO_PROCMAIL = """
protocol lmtp {
  mail_plugins = sieve
}
plugin {
  sieve_plugins = sieve_extprograms
  sieve_extensions = +vnd.dovecot.pipe
  sieve_pipe_bin_dir = %(place)s/bin
}
"""


def recipe_steps(side, count):
    """
    Dovecot has no recipes: its LMTP pipes each message to procmail (Pigeonhole's vnd.dovecot.pipe), which files it in the
    Maildir itself.  The other way is that the MTA starts procmail, which hands the message to dovecot-lda.
    """
    if side.name == "dovecot":
        for path, text_of in (("bin/procmail.sh", "#!/bin/sh\nexec procmail -t %s\n" % side.home(".procmailrc")),
                              ("home", 'require "vnd.dovecot.pipe";\npipe "procmail.sh";\n')):
            path = side.home(".dovecot.sieve") if path == "home" else os.path.join(side.place.dir, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write(text_of)
            os.chmod(path, 0o755)
            side.own(path)
        # procmail's own HOME is that of the uid.
        rc = "HOME=%s\nMAILDIR=$HOME/Maildir\nDEFAULT=$MAILDIR/\nORGMAIL=$DEFAULT\n" % side.home() + recipes(".%s/")
        for sub in ("", "cur", "new", "tmp"):
            os.makedirs(side.home("Maildir", sub), exist_ok=True)
            side.own(side.home("Maildir", sub))
    else:
        rc = recipes("mailbox:%s")
    with open(side.home(".procmailrc"), "w") as f:
        f.write(rc)
    side.own(side.home(".procmailrc"))
    side.server.start()
    rate = deliveries(side, count)
    yield "deliveries/s, procmail, 30 recipes, 1 connection", rate(1)
    yield "deliveries/s, procmail, 30 recipes, 4 connections", rate(4)
    arrived = len(os.listdir(side.home("Maildir", "new")))
    if arrived < 8 * count:
        raise SystemExit("%s: only %d of %d messages arrived" % (side.name, arrived, 8 * count))


def lda_steps(side, count):
    """A process a message, as an MTA starts it for its user: culver-lda with recipes; procmail, whose rcfile ends with dovecot-lda."""
    if side.name == "dovecot":
        lda = "/usr/lib/dovecot/dovecot-lda -c %s -d alice" % side.server.config
        rc = "HOME=%s\nMAILDIR=$HOME\nORGMAIL=$HOME/lost\nDEFAULT=$ORGMAIL\n" % side.home() + recipes("| " + lda + " -m %s") + ":0 w\n| %s\n" % lda
        command = ["procmail", "-t", side.home(".procmailrc")]
    else:
        rc = recipes("mailbox:%s")
        command = [os.path.join(culver.PREFIX, "libexec", "culver", "culver-lda"), "-c", side.place.config, "-d", "alice"]
    with open(side.home(".procmailrc"), "w") as f:
        f.write(rc)
    side.own(side.home(".procmailrc"))
    os.chmod(side.server.config, 0o644)
    side.server.start()
    if side.name == "dovecot":
        os.chmod(os.path.join(side.server.dir, "log"), 0o666)

    def run():
        start = time.perf_counter()
        for n in range(count):
            subprocess.run(command, input=text(n).encode(), env={"HOME": side.home(), "LOGNAME": "alice", "PATH": os.environ["PATH"]},
                           user=side.place.uid, group=side.place.gid, extra_groups=[], cwd="/", stderr=subprocess.DEVNULL, check=True)
        return count / (time.perf_counter() - start)
    run()
    yield "deliveries/s, LDA, 30 recipes", max(run() for _ in range(3))
    arrived = len(os.listdir(side.home("Maildir", "new")))
    if arrived != 4 * count:
        raise SystemExit("%s: %d of %d messages arrived" % (side.name, arrived, 4 * count))


USERDB = "service auth {\n  unix_listener auth-userdb {\n    mode = 0666\n  }\n}\n"
STATS = "service stats {\n  unix_listener stats-writer {\n    mode = 0666\n  }\n}\n"


def compare(title, location, steps, count, extra="", dovecot_extra=None):
    extras = {"culver": extra, "dovecot": extra if dovecot_extra is None else dovecot_extra}
    sides = [Side(name, location, extras[name]) for name in ("dovecot", "culver")]
    runs = [steps(s, count) for s in sides]
    print("\n| %s | dovecot | culver | ahead |\n| --- | ---: | ---: | ---: |" % title, flush=True)
    try:
        for (what, a), (_, b) in zip(*runs):
            ratio = (b / a if "/s" in what else a / b) if a and b else 0
            print("| %s | %.2f | %.2f | %.2f |" % (what, a, b, ratio), flush=True)
    finally:
        for s in sides:
            s.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,100000", help="of Maildirs")
    parser.add_argument("--lmtp", default="400", help="messages of a round of deliveries; 0: none")
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
    if int(args.lmtp) > 0:
        compare("LMTP", MAILDIR, lmtp_steps, int(args.lmtp), "protocol lmtp {\n  mail_plugins = sieve\n}\n")
        compare("LMTP, procmail", MAILDIR, recipe_steps, int(args.lmtp), "mail_plugins = procmail\n", PIPE_TO_PROCMAIL)
        if os.geteuid() == 0:
            compare("LDA, procmail", MAILDIR, lda_steps, 50, "mail_plugins = procmail\n" + USERDB, USERDB + STATS)


if __name__ == "__main__":
    main()
