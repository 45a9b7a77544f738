#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs procmail(1) and ours over the cases: the same files with the same octets, the same exit code, the same LOG.

compare.py OURS [PATTERN...]     prints the differences; exit code 1 when there is one that is not known
"""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))
import cases

# What is different on purpose: doc/procmail.md has each.
KNOWN = re.compile(r"^recipe (filter fails unwatched|missing action)/")


def tree(top):
    out = []
    for where, _, names in os.walk(top):
        for name in names:
            path = os.path.join(where, name)
            relative = os.path.relpath(path, top)
            relative = re.sub(r"(new|cur)/\d+\.[^/]*$", r"\1/*", relative)
            relative = re.sub(r"(msg\.|new-)[A-Za-z0-9_-]+$", r"\1*", relative)
            with open(path, "rb") as f:
                content = f.read()
            if relative in ("log", "log2"):
                # Only what LOG wrote: diagnostics are worded in another way, and abstracts have names of files.
                content = b"\n".join(l for l in content.split(b"\n") if l.strip() and not re.match(rb"procmail: |  Folder:| Subject:|From .* 2026$", l))
                if not content.strip():
                    continue
            content = re.sub(rb"(?m)^From foo@bar  .*$", b"From foo@bar  DATE", content)
            out.append((relative, os.stat(path).st_mode & 0o777, content))
    return sorted(out)


def run(program, rc, message, scratch):
    with tempfile.TemporaryDirectory(dir=scratch) as top:
        os.chmod(top, 0o755)
        mail = os.path.join(top, "m")
        os.mkdir(mail)
        path = os.path.join(top, "rc")
        with open(path, "w") as f:
            f.write("D=%s\nLOGFILE=%s/log\n" % (mail, mail) + rc)
        os.chmod(path, 0o644)
        done = subprocess.run([program, "MAILDIR=" + mail, "DEFAULT=" + mail + "/default", "ORGMAIL=" + mail + "/orgmail", path],
                              input=message.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=mail, timeout=60,
                              env={"HOME": os.environ.get("HOME", "/"), "LOGNAME": os.environ.get("LOGNAME", "root"), "PATH": "/usr/bin:/bin"})
        found = [(n, m, c.replace(top.encode(), b"TOP")) for n, m, c in tree(mail)]
        return done.returncode, found, done.stderr


def compare(ours, patterns=(), theirs="procmail", on_difference=None):
    count = bad = 0
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o755)
        for name, rc, message in cases.cases():
            if patterns and not any(p in name for p in patterns):
                continue
            count += 1
            want = run(theirs, rc, message, scratch)
            have = run(ours, rc, message, scratch)
            if want[:2] != have[:2] and not KNOWN.match(name):
                bad += 1
                if on_difference:
                    on_difference(name, want, have)
    return count, bad


def show(name, want, have):
    print("DIFFERENT %s" % name)
    for which, (code, files, err) in (("procmail", want), ("ours", have)):
        print("  %s: exit %d" % (which, code))
        for path, mode, content in files:
            if (path, mode, content) not in (have if which == "procmail" else want)[1]:
                print("    %s %o %r" % (path, mode, content[:600]))
        if err:
            print("    stderr %r" % err[-400:])


if __name__ == "__main__":
    total, different = compare(os.path.abspath(sys.argv[1]), sys.argv[2:], on_difference=show)
    print("%d cases, %d different" % (total, different))
    sys.exit(different != 0)
