#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs procmail(1) and ours over the cases: the same files with the same octets and modes, the same exit code, the same LOG.

compare.py OURS [PATTERN...]       the cases whose names contain a pattern; prints the differences
compare.py --tap GROUP OURS        the cases of a group, in the form that tests/run.py reads
compare.py --random SEED OURS      generated cases of another seed than the suite's

A difference that is not in cases.KNOWN is a failure, and so is one that is there and has gone.
"""
import concurrent.futures
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases
import generated

# procmail sleeps for a second when it begins an mbox file: so many at once cost little.
AT_ONCE = 32
LIMIT = 60      # seconds for one run
HOST = socket.gethostname().encode()    # of the Message-IDs that formail makes


def normal_log(content):
    """LOG and abstracts: diagnostics are worded in another way, files of a Maildir have other names."""
    content = re.sub(rb"(?m)^procmail: .*\n?", b"", content)
    content = re.sub(rb"(new|cur)/\d+\.[^/\s]*", rb"\1/*", content)
    content = re.sub(rb"(msg\.|new-)[A-Za-z0-9_-]+", rb"\1*", content)
    return re.sub(rb"(?m)^(  Folder: .*?)\s+(\d+)$", rb"\1 \2", content)


def tree(top, unordered):
    out = []
    for where, _, names in os.walk(top):
        for name in names:
            path = os.path.join(where, name)
            relative = os.path.relpath(path, top)
            relative = re.sub(r"(new|cur)/\d+\.[^/]*$", r"\1/*", relative)
            relative = re.sub(r"(msg\.|new-)[A-Za-z0-9_-]+$", r"\1*", relative)
            with open(path if os.path.isfile(path) else "/dev/null", "rb") as f:
                content = f.read()
            if relative in ("log", "log2"):
                content = normal_log(content)
                if unordered:       # procmail's clones run beside each other
                    content = b"\n".join(sorted(content.split(b"\n")))
                if not content.strip():
                    continue
            content = re.sub(rb"(?m)^From (\S+)  .*$", rb"From \1  DATE", content)     # two blanks: formail made it
            content = re.sub(rb"<[^<>@\s]+@%b>" % re.escape(HOST), rb"<MADE@HOST>", content)
            out.append((relative, os.lstat(path).st_mode & 0o777, content))
    return sorted(out)


def run(program, case, scratch):
    """(exit code, files, what it said)"""
    with tempfile.TemporaryDirectory(dir=scratch) as top:
        os.chmod(top, 0o755)
        mail = os.path.join(top, "m")
        os.mkdir(mail)
        for name in case.present:
            with open(os.path.join(mail, name), "w") as f:
                f.write(cases.PRESENT)
            os.chmod(f.name, 0o600)
        path = os.path.join(top, "rc")
        with open(path, "wb") as f:
            f.write(("D=%s\nLOGFILE=%s/log\n" % (mail, mail)).encode() + case.rc.encode("latin-1"))
        os.chmod(path, 0o644)
        command = [program, "MAILDIR=" + mail, "DEFAULT=" + mail + "/default", "ORGMAIL=" + mail + "/orgmail", path]
        done = subprocess.run(command, input=case.message.encode("latin-1"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              cwd=mail, timeout=LIMIT, env={"HOME": mail, "LOGNAME": os.environ.get("LOGNAME", "root"),
                                                            "PATH": "/usr/bin:/bin", "TZ": "UTC"})
        found = [(n, m, c.replace(top.encode(), b"TOP")) for n, m, c in tree(mail, "clone" in case.name)]
        return done.returncode, found, done.stderr.replace(top.encode(), b"TOP")


def describe(want, have):
    out = []
    for which, (code, files, err), other in (("procmail", want, have), ("ours", have, want)):
        out.append("  %s: exit %d" % (which, code))
        others = {name: content for name, _, content in other[1]}
        for path, mode, content in files:
            if (path, mode, content) in other[1]:
                continue
            if content.count(b"\n") > 5 and path in others:     # of a long log only the lines that differ
                theirs = others[path].split(b"\n")
                content = b"\n".join(x for x in content.split(b"\n") if x not in theirs)
            out.append("    %s %o %r" % (path, mode, content[:1500]))
        if err:
            out.append("    stderr %r" % err[-300:])
    return "\n".join(out)


def known(name):
    for pattern, why in cases.KNOWN.items():
        if re.fullmatch(pattern, name):
            return why
    return None


def compare(wanted, ours, theirs="procmail"):
    """(case's name, None or what is wrong) of each."""
    with tempfile.TemporaryDirectory(prefix="culver-procmail-", ignore_cleanup_errors=True) as scratch:
        os.chmod(scratch, 0o755)

        def one(case):
            try:
                want, have = run(theirs, case, scratch), run(ours, case, scratch)
            except subprocess.TimeoutExpired as e:
                return case.name, str(e)
            why = known(case.name)
            if (want[:2] == have[:2]) == (why is None):
                return case.name, None
            if why is None:
                return case.name, describe(want, have)
            return case.name, "no longer different: cases.KNOWN has it, with \"%s\"" % why

        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            yield from pool.map(one, wanted)


def main(argv):
    tap = group = seed = None
    if argv[:1] == ["--tap"]:
        tap, group, argv = True, argv[1], argv[2:]
    elif argv[:1] == ["--random"]:
        seed, argv = int(argv[1]), argv[2:]
    every = list(generated.cases(seed) if seed is not None else cases.cases())
    if seed is None:
        every += generated.cases(generated.SEED)
    every = [c for c in every if group in (None, c.group) and (len(argv) < 2 or any(p in c.name for p in argv[1:]))]
    if tap and shutil.which("procmail") is None:
        print("1..1\nok 1 # SKIP %s\n# procmail is not installed" % group)
        return 0
    if tap:
        print("1..%d" % len(every))
    bad = 0
    for i, (name, wrong) in enumerate(compare(every, os.path.abspath(argv[0])), 1):
        bad += wrong is not None
        if tap:
            print("%s %d - %s" % ("not ok" if wrong else "ok", i, re.sub(r"\s", "-", name)))
            for line in (wrong or "").split("\n") if wrong else ():
                print("# " + line)
        elif wrong:
            print("DIFFERENT %s\n%s" % (name, wrong))
        sys.stdout.flush()
    if not tap:
        print("%d cases, %d wrong" % (len(every), bad))
    return bad != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
