# SPDX-License-Identifier: MIT
"""Debian's sendmail, unpacked beside Postfix as exim.py's Exim is: one run hands one message to the server under test."""
import os
import subprocess

import culver

ASIDE = os.environ.get("CULVER_ASIDE", "")
SENDMAIL = os.path.join(ASIDE, "usr/libexec/sendmail/sendmail")
MACROS = os.path.join(ASIDE, "usr/share/sendmail/cf")

CONFIGURATION = """\
divert(0)dnl
VERSIONID(`one test')
OSTYPE(`linux')dnl
define(`confDEF_USER_ID', `mail:mail')dnl
define(`QUEUE_DIR', `{dir}/queue')dnl
define(`STATUS_FILE', `')dnl
define(`confPID_FILE', `{dir}/pid')dnl
define(`confSERVICE_SWITCH_FILE', `{dir}/switch')dnl
define(`confDOMAIN_NAME', `mx.example.org')dnl
define(`confTO_IDENT', `0')dnl
define(`confDONT_BLAME_SENDMAIL', `Safe')dnl
define(`confBIND_OPTS', `-DNSRCH -DEFNAMES')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
{feature}
undefine(`ALIAS_FILE')dnl
MODIFY_MAILER_FLAGS(`LOCAL', `-w')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
LOCAL_CONFIG
Cwexample.org
"""


# It waits for a minute when the host's name has no domain, whatever its configuration says: it sees one that has.
NAMED = ("unshare", "--uts", "sh", "-c", 'hostname mx.example.org && exec "$@"', "sh")


def there():
    return ASIDE != "" and os.path.exists(SENDMAIL) and os.path.exists(MACROS) and os.geteuid() == 0 and \
        subprocess.run(NAMED + ("true",), capture_output=True).returncode == 0


class Sendmail:
    def __init__(self, server, feature):
        """feature: the macros that say what its local mailer is."""
        self.dir = server.path("sendmail-%d" % len(os.listdir(server.dir)))
        os.makedirs(self.dir + "/queue")
        os.chmod(self.dir + "/queue", 0o700)
        with open(self.dir + "/switch", "w") as f:      # no name server is asked
            f.write("hosts files\naliases files\npasswd files\n")
        source = CONFIGURATION.format(dir=self.dir, feature=feature)
        done = subprocess.run(["m4", "-D_CF_DIR_=%s/" % MACROS, MACROS + "/m4/cf.m4", "-"], input=source, text=True,
                              capture_output=True, cwd=MACROS + "/cf", timeout=culver.WAIT)
        if done.returncode != 0:
            raise AssertionError("sendmail's configuration: " + done.stderr)
        with open(self.dir + "/sendmail.cf", "w") as f:
            f.write(done.stdout)

    def send(self, message, sender, *recipients):
        """Delivers at once; AssertionError when a recipient did not get it."""
        done = subprocess.run([*NAMED, SENDMAIL, "-C", self.dir + "/sendmail.cf", "-odi", "-oi", "-oem", "-v", "-f", sender,
                               *recipients], input=message, capture_output=True, timeout=culver.WAIT)
        said = (done.stdout + done.stderr).decode(errors="replace")
        if done.returncode != 0 or "Sent" not in said or "Deferred" in said or "unknown" in said:
            raise AssertionError("sendmail: %d %s" % (done.returncode, said))

    def flush(self):
        """Tries all that waits now."""
        done = subprocess.run([*NAMED, SENDMAIL, "-C", self.dir + "/sendmail.cf", "-q"], capture_output=True, timeout=culver.WAIT)
        if done.returncode != 0:
            raise AssertionError("sendmail: %d %s" % (done.returncode, done.stderr.decode(errors="replace")))
