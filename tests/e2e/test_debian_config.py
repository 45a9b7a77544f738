# SPDX-License-Identifier: MIT
"""The configuration that Debian ships for Dovecot, not a letter changed, starts Culver.

The packages are downloaded and unpacked aside, never installed.  Their files name /etc/dovecot and the standard ports, so
the server runs in a mount namespace where a copy of /etc with them lies over /etc, and in a network namespace of its own,
where those ports are free.
"""
import fcntl
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PACKAGES = ("dovecot-core", "dovecot-imapd", "dovecot-pop3d", "dovecot-lmtpd")
PORTS = {143: b"* OK", 110: b"+OK"}
TLS_PORTS = {993: b"* OK", 995: b"+OK"}
PROTOCOLS = {"imapd": "imap", "pop3d": "pop3", "lmtpd": "lmtp"}
SHARE = "/usr/share/dovecot"
CONFIG = "/etc/dovecot/dovecot.conf"


def make_etc(unpacked, target):
    """A copy of /etc in which the packages' files lie, as their installation would leave it."""
    shutil.copytree("/etc", target, symlinks=True, ignore=lambda top, names: ["dovecot"] if top == "/etc" else [])
    shutil.copytree(unpacked + "/etc/dovecot", target + "/dovecot", symlinks=True, dirs_exist_ok=True)
    share = unpacked + "/usr/share/dovecot"
    # dovecot-core keeps the originals here, and puts them into /etc when it is installed
    for top, _, names in os.walk(share):
        for name in names:
            relative = os.path.relpath(os.path.join(top, name), share)
            wanted = os.path.join(target, "dovecot", relative)
            if (name.endswith((".conf", ".conf.ext")) and not os.path.exists(wanted)
                    and relative.split("/")[0] in ("conf.d", name)):
                os.makedirs(os.path.dirname(wanted), exist_ok=True)
                shutil.copy(os.path.join(top, name), wanted)
    private = target + "/dovecot/private"
    os.makedirs(private, exist_ok=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost",
                    "-keyout", private + "/dovecot.key", "-out", private + "/dovecot.pem"], check=True,
                   capture_output=True)


def make_share(unpacked, target):
    """/usr/share/dovecot, with the files by which each package's script adds its protocol."""
    shutil.copytree(unpacked + SHARE, target, symlinks=True)
    os.makedirs(target + "/protocols.d", exist_ok=True)
    for package, protocol in PROTOCOLS.items():
        with open("%s/protocols.d/%s.protocol" % (target, package), "w") as f:
            f.write("protocols = $protocols %s\n" % protocol)


def loopback_up():
    with socket.socket() as s:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(s, 0x8913, request))[1]      # SIOCGIFFLAGS
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", flags | 1))          # SIOCSIFFLAGS, IFF_UP


def greeting(port):
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        if port not in TLS_PORTS:
            return s.recv(1000)
        with ssl._create_unverified_context().wrap_socket(s) as tls:
            return tls.recv(1000)


def lmtp_says(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(path)
        said = s.recv(1000)
        s.sendall(b"LHLO localhost\r\nQUIT\r\n")
        while chunk := s.recv(1000):
            said += chunk
        return said


def inside(etc, share):
    """In the namespaces: the status of this process says whether all went well."""
    subprocess.run(["mount", "--bind", etc, "/etc"], check=True)
    # Where Debian's packages are not installed the files there are not missed: all protocols are the default.
    if os.path.isdir(SHARE):
        subprocess.run(["mount", "--bind", share, SHARE], check=True)
    loopback_up()
    prefix = os.environ["CULVER_PREFIX"]
    options = subprocess.run([prefix + "/sbin/culver", "--build-options"], capture_output=True, text=True, check=True)
    run_dir = dict(line.split(": ", 1) for line in options.stdout.splitlines())["Running server"]
    process = subprocess.Popen([prefix + "/sbin/culver", "-F", "-c", CONFIG], stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        for port, begins in {**PORTS, **TLS_PORTS}.items():
            while True:
                if process.poll() is not None:
                    sys.exit("culver ended with status %d" % process.returncode)
                try:
                    said = greeting(port)
                    break
                except OSError as problem:
                    if time.monotonic() > deadline:
                        sys.exit("port %d: %s" % (port, problem))
                    time.sleep(0.05)
            if not said.startswith(begins):
                sys.exit("port %d says %r" % (port, said))
        said = lmtp_says(run_dir + "/lmtp")
        if not said.startswith(b"220 ") or b"\r\n250" not in said or b"\r\n221 " not in said:
            sys.exit("LMTP says %r" % said)
        process.send_signal(signal.SIGTERM)
        if process.wait(30) != 0:
            sys.exit("culver ended with status %d" % process.returncode)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


class DebianConfigTest(unittest.TestCase):
    def test_starts(self):
        if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True).returncode:
            self.skipTest("only root may make namespaces")
        folder = tempfile.mkdtemp(prefix="culver-debian-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        unpacked = os.path.join(os.environ.get("CULVER_BUILD", folder), "debian")
        fetched = subprocess.run([TOP + "/tools/unpack-debian", unpacked, *PACKAGES], capture_output=True, text=True)
        if fetched.returncode != 0:
            self.skipTest("Debian's packages can not be downloaded: " + fetched.stderr)
        etc = folder + "/etc"
        make_etc(unpacked, etc)
        make_share(unpacked, folder + "/share")
        done = subprocess.run(["unshare", "--mount", "--net", sys.executable, os.path.abspath(__file__), etc,
                               folder + "/share"],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("Fatal:", done.stderr)
        self.assertNotIn("Error:", done.stderr)


if __name__ == "__main__":
    inside(sys.argv[1], sys.argv[2])
