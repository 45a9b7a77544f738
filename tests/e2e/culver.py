# SPDX-License-Identifier: MIT
"""A private Culver for one test module: its own directory, users, certificate and free ports on loopback.

    with culver.Server() as server:
        imap = server.imap("alice")

The server is the one installed below $CULVER_PREFIX.  Started by root, mail belongs to an unprivileged user; started by
a plain user, everything runs as that user.  stop() fails the test when a process stays behind, or when the log tells of
a crash.
"""
import contextlib
import ctypes
import errno
import grp
import imaplib
import os
import poplib
import pwd
import random
import shutil
import signal
import smtplib
import socket
import ssl
import struct
import subprocess
import tempfile
import time

PREFIX = os.environ.get("CULVER_PREFIX", "/usr/local")
PASSWORD = "secret words"
USERS = ("alice", "bob", "carol", "dave")
SLOW = int(os.environ.get("CULVER_SLOW", "1"))
WAIT = 20 * SLOW    # seconds: how long anything may take before a test gives up

CONFIG = """\
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
log_timestamp = "%Y-%m-%d %H:%M:%S "
instance_name = test-{ports[imap]}
protocols = imap pop3 lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{dir}/cert.pem
ssl_key = <{dir}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
mail_location = maildir:~/Maildir
first_valid_uid = 1
{internal}
passdb {{
  driver = passwd-file
  args = username_format=%u {dir}/passwd
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={dir}/home/%u
}}
namespace inbox {{
  inbox = yes
  mailbox Drafts {{
    special_use = \\Drafts
  }}
  mailbox Sent {{
    special_use = \\Sent
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {ports[imap]}
  }}
  inet_listener imaps {{
    port = {ports[imaps]}
    ssl = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {ports[pop3]}
  }}
  inet_listener pop3s {{
    port = {ports[pop3s]}
    ssl = yes
  }}
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {ports[lmtp]}
  }}
}}
{extra}
"""


_ports_taken = []       # names that hold a port for this process, gone with it


def _take_port():
    """A port below those that the kernel gives to connections, which no other test has while this process lives."""
    for port in random.sample(range(10000, 32000), 1000):
        name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            name.bind("\0culver-test-port-%d" % port)
            with socket.socket() as s:
                s.bind(("127.0.0.1", port))
        except OSError:
            name.close()
            continue
        _ports_taken.append(name)
        return port
    raise AssertionError("no port is free")


def free_ports(names):
    """A free port for each name."""
    return {name: _take_port() for name in names}


def children_of(pid):
    """Of a process that may have ended: then it has none."""
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(child) for child in f.read().split()]
    except OSError:
        return []


def owner_of(pid):
    """The uid of a process; None: it has ended."""
    try:
        return os.stat("/proc/%d" % pid).st_uid
    except OSError:
        return None


def wait_for(condition, what, seconds=WAIT):
    """The first true value of condition()."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("%s did not come true within %s s" % (what, seconds))


class Server:
    def __init__(self, extra="", users=USERS, start=True):
        self.dir = tempfile.mkdtemp(prefix="culver-test-")
        os.chmod(self.dir, 0o755)
        self.ports = free_ports(("imap", "imaps", "pop3", "pop3s", "lmtp"))
        self.process = None
        self.users = users
        self.allowed = ()           # words of error lines that the test means to provoke
        self._write_files(extra)
        if start:
            self.start()

    # ---- files ----

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def maildir(self, user):
        return self.path("home", user, "Maildir")

    @property
    def config(self):
        return self.path("dovecot.conf")

    def _write_files(self, extra):
        root = os.geteuid() == 0
        self.uid = pwd.getpwnam("nobody").pw_uid if root else os.geteuid()
        self.gid = pwd.getpwnam("nobody").pw_gid if root else os.getegid()
        os.mkdir(self.path("home"), 0o755)
        for user in self.users:
            os.mkdir(self.path("home", user), 0o700)
            os.chown(self.path("home", user), self.uid, self.gid)
        with open(self.path("passwd"), "w") as f:
            for user in self.users:
                f.write("%s:{PLAIN}%s\n" % (user, PASSWORD))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-keyout", self.path("key.pem"), "-out", self.path("cert.pem")],
                       check=True, capture_output=True)
        me = pwd.getpwuid(os.geteuid()).pw_name
        # The server's users may not be there on a machine where only tests run.
        user, login = (_first_user("culver", "daemon"), _first_user("culvernull", "nobody")) if root else (me, me)
        internal = "default_internal_user = %s\ndefault_internal_group = %s\ndefault_login_user = %s\n" % (
            user, grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name, login)
        with open(self.config, "w") as f:
            f.write(CONFIG.format(dir=self.dir, ports=self.ports, uid=self.uid, gid=self.gid, internal=internal,
                                  extra=extra))

    def add_config(self, text):
        with open(self.config, "a") as f:
            f.write(text + "\n")

    # ---- the process ----

    def start(self, wait=True):
        with open(self.path("stderr"), "ab") as err, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind("\0culver-test-%d-%d" % (os.getpid(), time.monotonic_ns()))
            self.process = subprocess.Popen([os.path.join(PREFIX, "sbin", "culver"), "-F", "-c", self.config],
                                            stdin=subprocess.DEVNULL, stdout=err, stderr=err, start_new_session=True,
                                            env=dict(os.environ, NOTIFY_SOCKET="@" + ready.getsockname()[1:].decode()))
            if wait:
                for port in self.ports.values():
                    wait_for(lambda p=port: self._answers(p), "port %d answers" % port)
                # The sockets without a port as well; a test of what does not become ready has only the ports.
                ready.settimeout(5 * SLOW)
                with contextlib.suppress(socket.timeout):
                    ready.recv(100)
        return self

    def _answers(self, port):
        if self.process.poll() is not None:
            raise AssertionError("the server ended: %s%s" % (self.read("stderr"), self.log_text()))
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False

    def tree(self):
        """Process ids of the server and all below it."""
        children = {}
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open("/proc/%s/stat" % name) as f:
                        fields = f.read().rsplit(")", 1)[1].split()
                except OSError:
                    continue
                if fields[0] != "Z":
                    children.setdefault(int(fields[1]), []).append(int(name))
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            todo += children.get(pid, [])
        return found

    def pids(self, name):
        """The server's processes whose command is libexec's `name`, or the master ("culver")."""
        found = []
        for pid in self.tree():
            try:
                with open("/proc/%d/comm" % pid) as f:
                    if f.read().strip() == name[:15]:
                        found.append(pid)
            except OSError:
                continue
        return found

    def kill_all(self):
        """kill -9 of every process at once, as a crash of the whole would be."""
        tree = self.tree()
        for pid in tree:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.process = None
        # A process that is still going holds its listening sockets: a client could reach it, not the next server.
        wait_for(lambda: not [p for p in tree if os.path.exists("/proc/%d" % p)], "the killed are gone")

    def stop(self):
        if self.process is None:
            return
        tree = self.tree()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(WAIT)
        except subprocess.TimeoutExpired:
            for pid in tree:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()
            raise AssertionError("the server did not stop: %s" % self.log_text()[-3000:])
        self.process = None
        wait_for(lambda: not [p for p in tree if os.path.exists("/proc/%d" % p)], "all processes have ended")

    def close(self):
        try:
            self.stop()
            bad = self.problems()
            if bad:
                raise AssertionError("the log tells of:\n" + "\n".join(bad[:20]))
        finally:
            if os.environ.get("CULVER_KEEP") is None:
                shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if exc[0] is not None and os.environ.get("CULVER_VERBOSE"):
            print(self.read("stderr"), self.log_text()[-5000:])
        self.close()

    def read(self, name):
        try:
            with open(self.path(name), errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def log_text(self):
        return self.read("log")

    def problems(self):
        words = ("Panic:", "Fatal:", "Error:", "killed with signal", "Sanitizer", "runtime error:")
        lines = (self.log_text() + self.read("stderr")).splitlines()
        return [x for x in lines if any(w in x for w in words) and not any(w in x for w in self.allowed)]

    # ---- clients ----

    def imap(self, user="alice", tls=False, login=True, password=PASSWORD):
        if tls:
            client = imaplib.IMAP4_SSL("127.0.0.1", self.ports["imaps"], ssl_context=self.tls_context(), timeout=WAIT)
        else:
            client = imaplib.IMAP4("127.0.0.1", self.ports["imap"], timeout=WAIT)
        if login:
            client.login(user, password)
        return client

    def pop3(self, user="alice", tls=False, login=True):
        if tls:
            client = poplib.POP3_SSL("127.0.0.1", self.ports["pop3s"], context=self.tls_context(), timeout=WAIT)
        else:
            client = poplib.POP3("127.0.0.1", self.ports["pop3"], timeout=WAIT)
        if login:
            client.user(user)
            client.pass_(PASSWORD)
        return client

    def tls_context(self):
        return ssl.create_default_context(cafile=self.path("cert.pem"))

    def lmtp(self):
        return smtplib.LMTP("127.0.0.1", self.ports["lmtp"], timeout=WAIT)

    def deliver(self, message, *users, sender="sender@example.org"):
        """One LMTP transaction; fails unless every recipient is accepted."""
        with self.lmtp() as client:
            refused = client.sendmail(sender, list(users) or ["alice"], message)
        assert refused == {}, refused

    def raw(self, port, tls=False):
        return Raw(self, self.ports[port], tls)

    def adm(self, *args, check=True, stdin=None):
        """culveradm; its standard output."""
        done = subprocess.run([os.path.join(PREFIX, "bin", "culveradm"), "-c", self.config] + list(args), input=stdin,
                              capture_output=True, text=True, timeout=60)
        if check and done.returncode != 0:
            raise AssertionError("culveradm %s: status %d\n%s%s" % (" ".join(args), done.returncode, done.stdout,
                                                                   done.stderr))
        return done.stdout if check else done


def without_landlock():
    """In a process that is to become a program (preexec_fn): its kernel knows no Landlock."""
    code = b"".join(struct.pack("=HBBI", *x) for x in (
        (0x20, 0, 0, 0),            # the call's number
        (0x35, 0, 2, 444),          # landlock_create_ruleset
        (0x25, 1, 0, 446),          # landlock_restrict_self
        (0x06, 0, 0, 0x00050000 | errno.ENOSYS),
        (0x06, 0, 0, 0x7fff0000)))
    libc = ctypes.CDLL(None, use_errno=True)
    buf = ctypes.create_string_buffer(code)
    program = struct.pack("=H6xQ", len(code) // 8, ctypes.addressof(buf)) if ctypes.sizeof(ctypes.c_void_p) == 8 else \
        struct.pack("=H2xI", len(code) // 8, ctypes.addressof(buf))
    libc.prctl(38, 1, 0, 0, 0)      # no new privileges
    if libc.prctl(22, 2, program, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


class Raw:
    """A connection on which a test says exactly what it wants."""

    def __init__(self, server, port, tls=False):
        self.socket = socket.create_connection(("127.0.0.1", port), WAIT)
        if tls:
            self.socket = server.tls_context().wrap_socket(self.socket, server_hostname="localhost")
        self.data = b""

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())
        return self

    def line(self):
        """The next line without its end; b"" at the end of the connection."""
        while b"\n" not in self.data:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b""
            if more == b"":
                rest, self.data = self.data, b""
                return rest
            self.data += more
        line, self.data = self.data.split(b"\n", 1)
        return line.rstrip(b"\r")

    def until(self, *starts):
        """Lines up to the first that begins with one of starts; all of them."""
        lines = []
        while True:
            line = self.line()
            lines.append(line)
            if line == b"" and not self.data:
                return lines
            if any(line.startswith(s.encode() if isinstance(s, str) else s) for s in starts):
                return lines

    def ask(self, tag, command):
        """An IMAP command; the lines up to its tagged answer."""
        self.send("%s %s\r\n" % (tag, command))
        return self.until(tag + " ")

    def start_tls(self, server):
        self.socket = server.tls_context().wrap_socket(self.socket, server_hostname="localhost")

    def ended(self):
        """Whether the server closes the connection (what it says before is passed over)."""
        try:
            while True:
                if self.socket.recv(65536) == b"":
                    return True
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def _first_user(*names):
    for name in names:
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    return pwd.getpwuid(os.geteuid()).pw_name


def message(subject="A test", body="Hello.\r\n", sender="sender@example.org", to="alice@example.org", extra=""):
    return ("From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n"
            "Message-ID: <%x@example.org>\r\n%s\r\n%s" % (sender, to, subject, random.getrandbits(64), extra, body))
