#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the tests of a build tree; ./runtests makes the tree and calls this.

Suites, in order:
  check   make check-layers, make check-headers, make check-settings
  unit    each program of unit-tests.list (cmocka, its TAP output: each test counts)
  fuzz    each program of fuzz-targets.list over fuzz/corpus/NAME/ (each program counts)
  procmail  tests/procmail/compare.py: recipes run by Debian's procmail and by ours (each case counts)
  crash   each program of crash-tests.list: operations on mail with faults at sampled system calls (TAP as well)
  e2e     tests/e2e/test_*.py, each module in a process of its own (each test method counts)

CULVER_BUILD names the build tree, CULVER_PREFIX where it was installed.
"""
import argparse
import concurrent.futures
import ctypes
import fnmatch
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIMITS = {"check": 300, "unit": 180, "crash": 300, "fuzz": 120, "procmail": 240, "test": 120, "module": 600}    # seconds
SUITES = ("check", "unit", "fuzz", "procmail", "crash", "e2e")
OUTPUT_LINES = 80
MARK = "CULVER_TEST_RUN"    # in the environment of everything that a test starts
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1",
              "UBSAN_OPTIONS": "print_stacktrace=1"}


class Results:
    def __init__(self, verbose):
        self.verbose = verbose
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}
        self.failures = []
        self.skips = []

    def add(self, name, verdict, output="", seconds=0.0):
        self.counts[verdict] += 1
        if verdict == "failed":
            self.failures.append(name)
            print("FAILED  %s (%.1f s)" % (name, seconds))
            lines = output.rstrip().split("\n")
            if len(lines) > OUTPUT_LINES:
                lines = ["... %d lines before" % (len(lines) - OUTPUT_LINES)] + lines[-OUTPUT_LINES:]
            print("\n".join("    " + x for x in lines))
        elif verdict == "skipped":
            self.skips.append("%s: %s" % (name, output.strip().split("\n")[-1]))
        if self.verbose and verdict != "failed":
            print("%-8s%s (%.1f s)" % ("ok" if verdict == "passed" else "skipped", name, seconds))
        sys.stdout.flush()


def wanted(name, only):
    return not only or any(p in name or fnmatch.fnmatchcase(name, p) for p in only)


def module_wanted(prefix, only):
    """Whether any test below prefix may be meant."""
    return not only or any(p in prefix or prefix in p or fnmatch.fnmatchcase(prefix + "/x", p) or
                           "/" not in p for p in only)


def kill_marked(mark):
    """Ends every process that the run with this mark has started and left; gives their command lines."""
    left = []
    needle = ("%s=%s" % (MARK, mark)).encode()
    for _ in range(20):
        found = []
        for name in os.listdir("/proc"):
            if not name.isdigit() or int(name) == os.getpid():
                continue
            try:
                with open("/proc/%s/environ" % name, "rb") as f:
                    environment = f.read().split(b"\0")
                with open("/proc/%s/stat" % name) as f:
                    state = f.read().rsplit(")", 1)[1].split()[0]
                if needle not in environment or state == "Z":
                    continue
                with open("/proc/%s/cmdline" % name, "rb") as f:
                    command = f.read().replace(b"\0", b" ").decode(errors="replace").strip()
                os.kill(int(name), signal.SIGKILL)
            except OSError:
                continue
            found.append("%s %s" % (name, command))
        left += [x for x in found if x not in left]
        if not found:
            break
        time.sleep(0.1)
    return left


def run_command(command, limit, extra_env=None, cwd=None):
    """(exit status or None at the limit, output, processes left over, seconds)"""
    mark = "%d.%f" % (os.getpid(), time.monotonic())
    env = dict(os.environ, **SANITIZERS)
    env.update(extra_env or {})
    env[MARK] = mark
    start = time.monotonic()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                   env=env, cwd=cwd, start_new_session=True)
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = None
            process.send_signal(signal.SIGABRT)    # Python's faulthandler then says where it hangs
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        left = kill_marked(mark)
        out.seek(0)
        text = out.read().decode(errors="replace")
    return status, text, left, time.monotonic() - start


def how_it_ended(status, limit):
    if status is None:
        return "killed after its limit of %d s" % limit
    if status < 0:
        return "killed by signal %d (%s)" % (-status, signal.Signals(-status).name)
    return "exit status %d" % status


def run_check(name, args):
    status, text, _, seconds = run_command(["make", "-s", "-C", args.build, name], LIMITS["check"])
    verdict = "passed" if status == 0 else "failed"
    return [("check/" + name[6:], verdict, text, seconds)]


# A verdict, and what was wrong: lines that begin with "#".
TAP = re.compile(r"^(ok|not ok) (\d+) (# SKIP|-) (\S+).*\n?((?:#.*\n?)*)", re.M)


def run_unit(program, args):
    return run_tap(program, "unit", args)


def run_procmail(group, args):
    """Its cases of one group; without procmail it says that they are skipped."""
    ours = os.path.join(args.build, "tests", "procmail", "procmail-run")
    return run_tap_command([sys.executable, os.path.join(TOP, "tests", "procmail", "compare.py"), "--tap", group, ours],
                           "procmail", "procmail/" + group, args)


def run_crash(program, args):
    return run_tap(program, "crash", args)


def run_tap(program, suite, args):
    name = "%s/%s" % (suite, os.path.basename(program))
    if not os.access(os.path.join(args.build, program), os.X_OK):
        return [(name, "failed", "it was not built", 0.0)]
    return run_tap_command([os.path.join(args.build, program)], suite, name, args)


def run_tap_command(command, suite, name, args):
    limit = LIMITS[suite] * args.slow
    status, text, left, seconds = run_command(command, limit, {"CMOCKA_MESSAGE_OUTPUT": "TAP"}, args.build)
    planned = sum(int(n) for n in re.findall(r"^1\.\.(\d+)", text, re.M))
    rows, pos = [], 0
    for m in TAP.finditer(text):
        verdict = "skipped" if m.group(3) == "# SKIP" else "passed" if m.group(1) == "ok" else "failed"
        # what it printed stands before its verdict
        rows.append(("%s/%s" % (name, m.group(4)), verdict, text[pos:m.start()] + m.group(5), seconds))
        pos, seconds = m.end(), 0.0
    failed = any(row[1] == "failed" for row in rows)
    if len(rows) < planned or not rows:
        rows.append(("%s/the rest" % name, "failed", "%s; %d of %d tests ran\n%s" %
                     (how_it_ended(status, limit), len(rows), planned, text[pos:]), seconds))
    elif status != 0 and not failed:    # a sanitizer at the end, a leak
        rows.append(("%s/exit" % name, "failed", "%s\n%s" % (how_it_ended(status, limit), text), seconds))
    if left:
        rows.append(("%s/processes" % name, "failed", "left running: " + "; ".join(left), 0.0))
    return rows


def run_fuzz(program, args):
    name = os.path.basename(program)
    corpus = os.path.join(TOP, "fuzz", "corpus", name[5:])
    path = os.path.join(args.build, program)
    if not os.path.isdir(corpus) or not os.listdir(corpus):
        return [("fuzz/" + name, "failed", "no seeds in fuzz/corpus/%s" % name[5:], 0.0)]
    if not os.access(path, os.X_OK):
        return [("fuzz/" + name, "failed", "it was not built", 0.0)]
    if args.fuzz:
        limit = args.fuzz + 120
        with tempfile.TemporaryDirectory(prefix="culver-fuzz-") as found:
            status, text, _, seconds = run_command(
                [path, "-max_total_time=%d" % args.fuzz, "-timeout=20", "-print_final_stats=0",
                 "-artifact_prefix=%s/crash-of-%s-" % (args.build, name), found, corpus], limit)
    else:
        limit = LIMITS["fuzz"] * args.slow
        status, text, _, seconds = run_command([path, corpus], limit)
    verdict = "passed" if status == 0 else "failed"
    return [("fuzz/" + name, verdict, "%s\n%s" % (text, how_it_ended(status, limit)), seconds)]


def run_module(path, args):
    module = os.path.basename(path)[:-3]
    limit = LIMITS["module"] * args.slow
    with open(path) as f:
        m = re.search(r"^TIME_LIMIT = (\d+)", f.read(), re.M)
    if m:
        limit = int(m.group(1)) * args.slow
    fd, report = tempfile.mkstemp(prefix="culver-report-")
    os.close(fd)
    command = [sys.executable, "-X", "faulthandler", os.path.abspath(__file__), "--module", path, "--report", report,
               "--slow", str(args.slow)]
    for p in args.only:
        command += ["--only", p]
    try:
        status, text, left, seconds = run_command(command, limit,
                                                  {"PYTHONPATH": os.path.dirname(path), "CULVER_SLOW": str(args.slow)}, TOP)
        rows, running = [], None
        with open(report) as f:
            for line in f:
                entry = json.loads(line)
                if "verdict" in entry:
                    rows.append((entry["name"], entry["verdict"], entry["output"], entry["seconds"]))
                    running = None
                else:
                    running = entry["name"]
    finally:
        os.unlink(report)
    bad = any(r[1] == "failed" for r in rows)
    if running or status not in (0, 1) or (status == 1 and not bad):
        rows.append((running or "e2e/%s/run" % module, "failed", "%s\n%s" % (how_it_ended(status, limit), text),
                     seconds))
    if left:
        rows.append(("e2e/%s/processes" % module, "failed", "left running: " + "; ".join(left), 0.0))
    return rows


class ReportingResult(unittest.TestResult):
    """Writes one line of JSON when a test starts, and one when it ends."""

    def __init__(self, module, report, limit):
        super().__init__()
        self.module, self.report, self.limit = module, report, limit
        self.begun = time.monotonic()

    def name_of(self, test):
        parts = test.id().split(".")
        if isinstance(test, unittest.TestCase):
            return "e2e/%s/%s" % (self.module, "/".join(parts[1:]))
        return "e2e/%s/%s" % (self.module, test.id())    # setUpClass and its like

    def write(self, **entry):
        self.report.write(json.dumps(entry) + "\n")
        self.report.flush()

    def startTest(self, test):
        super().startTest(test)
        self.begun = time.monotonic()
        self.subfailed = []
        self.write(name=self.name_of(test))
        signal.alarm(getattr(test, "time_limit", self.limit))

    def stopTest(self, test):
        signal.alarm(0)
        super().stopTest(test)

    def end(self, test, verdict, output=""):
        self.write(name=self.name_of(test), verdict=verdict, output=output, seconds=time.monotonic() - self.begun)

    @staticmethod
    def text_of(err):
        return "".join(traceback.format_exception(*err))

    def addSuccess(self, test):
        self.end(test, "passed")

    def addError(self, test, err):
        super().addError(test, err)
        self.end(test, "failed", self.text_of(err))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.end(test, "failed", self.text_of(err))

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.subfailed.append("%s\n%s" % (subtest, self.text_of(err)))
            super().addSubTest(test, subtest, err)
            self.end(subtest.test_case, "failed", self.subfailed[-1])

    def addSkip(self, test, reason):
        self.end(test, "skipped", reason)

    def addExpectedFailure(self, test, err):
        self.end(test, "failed", "expected failures are not used here:\n" + self.text_of(err))

    def addUnexpectedSuccess(self, test):
        self.end(test, "passed")


def on_alarm(signum, frame):
    raise TimeoutError("the test is over its time limit")


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def fork_below_init():
    """Goes on in a child; this process only waits, as init does for those that lose their parent: what a test has
    killed is then gone, and not a zombie for ever where the machine's first process does not care."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)      # PR_SET_CHILD_SUBREAPER
    child = os.fork()
    if child == 0:
        return
    signal.signal(signal.SIGABRT, lambda *_: os.kill(child, signal.SIGABRT))
    while True:
        pid, status = os.wait()
        if pid == child:
            os._exit(os.waitstatus_to_exitcode(status) & 0xff)


def child_main(args):
    """The process of one e2e module."""
    fork_below_init()
    module = os.path.basename(args.module)[:-3]
    spec = importlib.util.spec_from_file_location(module, args.module)
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[module] = loaded
    spec.loader.exec_module(loaded)
    with open(args.report, "w") as report:
        result = ReportingResult(module, report, LIMITS["test"] * args.slow)
        suite = unittest.defaultTestLoader.loadTestsFromModule(loaded)
        tests = [t for t in flatten(suite) if wanted(result.name_of(t), args.only)]
        signal.signal(signal.SIGALRM, on_alarm)
        unittest.TestSuite(tests).run(result)
    return 0 if result.wasSuccessful() else 1


def read_list(path):
    try:
        with open(path) as f:
            return f.read().split()
    except OSError:
        return []


def gather(args):
    """(suite, function, its argument) of everything wanted."""
    jobs = []
    if "check" in args.suite:
        jobs += [("check", run_check, x) for x in ("check-layers", "check-headers", "check-settings")
                 if wanted("check/" + x[6:], args.only)]
    if "unit" in args.suite:
        jobs += [("unit", run_unit, x) for x in read_list(os.path.join(args.build, "unit-tests.list"))
                 if module_wanted("unit/" + os.path.basename(x), args.only)]
    if "fuzz" in args.suite:
        jobs += [("fuzz", run_fuzz, x) for x in read_list(os.path.join(args.build, "fuzz-targets.list"))
                 if wanted("fuzz/" + os.path.basename(x), args.only)]
    if "procmail" in args.suite:
        jobs += [("procmail", run_procmail, x) for x in ("recipes", "conditions", "formail") if module_wanted("procmail/" + x, args.only)]
    if "crash" in args.suite:
        jobs += [("crash", run_crash, x) for x in read_list(os.path.join(args.build, "crash-tests.list"))
                 if module_wanted("crash/" + os.path.basename(x), args.only)]
    if "e2e" in args.suite:
        folder = os.path.join(TOP, "tests", "e2e")
        for name in sorted(os.listdir(folder)):
            module = name[:-3]
            if (name.startswith("test_") and name.endswith(".py") and module not in args.without and
                    module_wanted("e2e/" + module, args.only)):
                jobs.append(("e2e", run_module, os.path.join(folder, name)))
    return jobs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", action="append", choices=SUITES)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--without", action="append", default=[], help="e2e modules that are left out")
    parser.add_argument("--fuzz", type=int, default=0)
    parser.add_argument("--slow", type=int, default=1, help="limits are multiplied by this")
    parser.add_argument("--tally", help="a line with the counts is added to this file")
    parser.add_argument("-v", action="store_true", dest="verbose")
    parser.add_argument("--module", help=argparse.SUPPRESS)
    parser.add_argument("--report", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.module:
        sys.exit(child_main(args))
    args.suite = args.suite or SUITES
    args.build = os.environ["CULVER_BUILD"]
    results = Results(args.verbose)
    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as pool:
        futures = {}
        for suite, function, what in gather(args):
            futures[pool.submit(function, what, args)] = "%s/%s" % (suite, os.path.basename(what))
        for future in concurrent.futures.as_completed(futures):
            try:
                rows = future.result()
            except Exception:
                rows = [(futures[future], "failed", traceback.format_exc(), 0.0)]
            for name, verdict, output, seconds in rows:
                if verdict == "failed" or wanted(name, args.only):
                    results.add(name, verdict, output, seconds)
    if results.skips:
        print("Skipped:\n    " + "\n    ".join(sorted(results.skips)))
    if results.failures:
        print("Failed:\n    " + "\n    ".join(sorted(results.failures)))
    print("%s: %d passed, %d failed, %d skipped in %.0f s" % (
        os.path.basename(args.build), results.counts["passed"], results.counts["failed"], results.counts["skipped"],
        time.monotonic() - begun))
    if args.tally:
        with open(args.tally, "a") as f:
            f.write("%(passed)d %(failed)d %(skipped)d\n" % results.counts)
    sys.exit(0 if results.counts["failed"] == 0 else 1)


if __name__ == "__main__":
    main()
