# SPDX-License-Identifier: MIT
"""Debian's Dovecot 2.3 over a directory of homes, for tests of going over from it and back.

    with dovecot.Dovecot(server.path("home"), server.uid, server.gid) as other:
        imap = other.imap("alice")

It never uses the system's service: its own configuration in a directory of its own, free ports on loopback.
"""
import grp
import imaplib
import os
import poplib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile

import culver

PROGRAM = "/usr/sbin/dovecot"

CONFIG = """\
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
instance_name = {dir}
protocols = imap pop3 lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
mail_location = {location}
first_valid_uid = 1
{internal}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={homes}/%n
}}
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {ports[imap]}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {ports[pop3]}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
{extra}
"""


class Dovecot:
    def __init__(self, homes, uid, gid, location="maildir:~/Maildir", extra="", start=True):
        self.dir = tempfile.mkdtemp(prefix="dovecot-test-")
        os.chmod(self.dir, 0o755)
        self.ports = culver.free_ports(("imap", "pop3"))
        self.process = None
        me = pwd.getpwuid(os.geteuid()).pw_name
        user, login = ("dovecot", "dovenull") if os.geteuid() == 0 else (me, me)
        internal = "default_internal_user = %s\ndefault_internal_group = %s\ndefault_login_user = %s\n" % (
            user, grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name, login)
        self.config = os.path.join(self.dir, "dovecot.conf")
        with open(self.config, "w") as f:
            f.write(CONFIG.format(dir=self.dir, ports=self.ports, homes=homes, uid=uid, gid=gid, location=location,
                                  internal=internal, extra=extra, password=culver.PASSWORD.replace(" ", "_")))
        if start:
            self.start()

    def start(self):
        with open(os.path.join(self.dir, "stderr"), "ab") as err:
            self.process = subprocess.Popen([PROGRAM, "-F", "-c", self.config], stdin=subprocess.DEVNULL,
                                            stdout=err, stderr=err, start_new_session=True)
        for port in self.ports.values():
            culver.wait_for(lambda p=port: self._answers(p), "Dovecot's port %d answers" % port)
        return self

    def _answers(self, port):
        if self.process.poll() is not None:
            raise AssertionError("Dovecot ended: %s%s" % (self.read("stderr"), self.read("log")))
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False

    def read(self, name):
        try:
            with open(os.path.join(self.dir, name), errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(culver.WAIT)
        self.process = None

    def close(self):
        try:
            self.stop()
        finally:
            if os.environ.get("CULVER_KEEP") is None:
                shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def imap(self, user):
        conn = imaplib.IMAP4("127.0.0.1", self.ports["imap"], timeout=culver.WAIT)
        conn.login(user, culver.PASSWORD.replace(" ", "_"))
        return conn

    def pop3(self, user):
        conn = poplib.POP3("127.0.0.1", self.ports["pop3"], timeout=culver.WAIT)
        conn.user(user)
        conn.pass_(culver.PASSWORD.replace(" ", "_"))
        return conn

    def deliver(self, user, message):
        """Dovecot's own delivery."""
        subprocess.run(["/usr/lib/dovecot/dovecot-lda", "-c", self.config, "-d", user], input=message, check=True,
                       timeout=culver.WAIT)

    def doveadm(self, *args):
        return subprocess.run(["/usr/bin/doveadm", "-c", self.config, *args], check=True, capture_output=True,
                              text=True, timeout=culver.WAIT).stdout
