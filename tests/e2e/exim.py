# SPDX-License-Identifier: MIT
"""
Debian's Exim, unpacked where ./runtests puts what can not be installed beside Postfix ($CULVER_ASIDE): one run hands one
message to the server under test.
"""
import os
import pwd
import subprocess

import culver

ASIDE = os.environ.get("CULVER_ASIDE", "")
EXIM = os.path.join(ASIDE, "usr/sbin/exim4")


def there():
    if ASIDE == "" or not os.path.exists(EXIM) or os.geteuid() != 0:
        return False
    try:
        pwd.getpwnam("Debian-exim")     # the name is compiled in
        return True
    except KeyError:
        return False


class Exim:
    def __init__(self, server, transport):
        """transport: the options of a transport in Exim's configuration language."""
        self.server = server
        self.dir = server.path("exim-%d" % len(os.listdir(server.dir)))
        user = pwd.getpwnam("Debian-exim")
        for sub in ("", "spool"):
            os.makedirs(os.path.join(self.dir, sub))
            os.chown(os.path.join(self.dir, sub), user.pw_uid, user.pw_gid)
        with open(self.dir + "/conf", "w") as f:
            f.write("""\
primary_hostname = mx.example.org
spool_directory = %s/spool
log_file_path = %s/%%slog
exim_path = %s
keep_environment =
never_users =
trusted_users = root
begin routers
all:
  driver = accept
  domains = example.org
  local_parts = alice : bob
  transport = culver
begin transports
culver:
%s
begin retry
* * F,1h,1m
""" % (self.dir, self.dir, EXIM, transport))

    def send(self, message, sender, *recipients):
        """Delivers at once; AssertionError with Exim's log when a recipient did not get it."""
        self.run("-odq", "-oi", "-f", sender, *recipients, input=message)
        # Received and delivered in two runs: with a configuration of one's own, only what root itself runs stays root's.
        said = self.retry()
        log = self.server.read(self.dir + "/mainlog")
        if "Completed" not in log or "**" in log:
            raise AssertionError("Exim: %s %s" % (said, log))

    def retry(self):
        """Tries the message that waits."""
        queued, = (x[:-2] for _, _, names in os.walk(self.dir + "/spool/input") for x in names if x.endswith("-H"))
        return self.run("-M", queued)

    def run(self, *args, input=None):
        done = subprocess.run([EXIM, "-C", self.dir + "/conf", *args], input=input, capture_output=True, timeout=culver.WAIT)
        if done.returncode != 0:
            raise AssertionError("Exim: %d %s" % (done.returncode, done.stderr.decode(errors="replace")))
        return done.stderr.decode(errors="replace")
