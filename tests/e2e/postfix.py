# SPDX-License-Identifier: MIT
"""A private Postfix for one test, which hands its mail to the server under test."""
import os
import pwd
import subprocess
import time

import culver


class Postfix:
    """A Postfix of our own: its configuration directory, queue and port."""

    def __init__(self, server, transport, settings=None, services=""):
        self.dir = server.path("postfix-%d" % time.monotonic_ns())
        self.port = culver.free_ports(["smtp"])["smtp"]
        for sub in ("", "etc", "queue", "data"):
            os.makedirs(os.path.join(self.dir, sub), exist_ok=True)
        os.chmod(self.dir, 0o755)
        postfix = pwd.getpwnam("postfix")
        os.chown(os.path.join(self.dir, "data"), postfix.pw_uid, postfix.pw_gid)
        values = {"compatibility_level": "3.6", "queue_directory": self.dir + "/queue", "data_directory": self.dir + "/data",
                  "myhostname": "mx.example.org", "mydestination": "", "inet_interfaces": "127.0.0.1",
                  "inet_protocols": "ipv4", "mynetworks": "127.0.0.0/8", "virtual_mailbox_domains": "example.org",
                  "virtual_mailbox_maps": "static:x", "virtual_transport": transport, "alias_maps": "",
                  "maillog_file": self.dir + "/log", "maillog_file_prefixes": self.dir, "multi_instance_enable": "no",
                  "smtpd_tls_security_level": "none", "lmtp_tls_security_level": "none",
                  # the user is known by the part before the @
                  "smtp_generic_maps": "", "virtual_alias_maps": "", "recipient_delimiter": ""}
        values.update(settings or {})
        with open(self.dir + "/etc/main.cf", "w") as f:
            f.write("".join("%s = %s\n" % x for x in values.items()))
        master = """\
127.0.0.1:%d inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
%s
""" % (self.port, services)
        with open(self.dir + "/etc/master.cf", "w") as f:
            f.write(master)
        for name in ("main.cf", "master.cf"):
            os.chmod(os.path.join(self.dir, "etc", name), 0o644)

    def __enter__(self):
        env = dict(os.environ, MAIL_CONFIG=self.dir + "/etc")
        done = subprocess.run(["/usr/sbin/postfix", "-c", self.dir + "/etc", "start"], capture_output=True, text=True,
                              timeout=60, env=env)
        if done.returncode != 0:
            raise AssertionError("Postfix does not start: %s%s%s" % (done.stdout, done.stderr, self.log()))
        return self

    def __exit__(self, *exc):
        subprocess.run(["/usr/sbin/postfix", "-c", self.dir + "/etc", "stop"], capture_output=True, timeout=60)

    def flush(self):
        """Tries all that waits now: a scan of its queue that meets a message still being delivered leaves it for long."""
        env = dict(os.environ, MAIL_CONFIG=self.dir + "/etc")
        subprocess.run(["/usr/sbin/postfix", "-c", self.dir + "/etc", "flush"], capture_output=True, timeout=60, env=env)

    def log(self):
        try:
            with open(self.dir + "/log", errors="replace") as f:
                return f.read()[-3000:]
        except OSError:
            return ""
