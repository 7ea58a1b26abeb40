"""Dovecot, where it is installed (Debian: dovecot-imapd, dovecot-pop3d), as configured here, on the loopback."""

import contextlib
import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from postroad.runtime.broker_files.loopback import free_ports
from postroad_schemas.directory import Protocol
from tests.support.mailservers import PASSWORD, MailServer, wait_for_ports
from tests.support.smtp_sink import make_certificate

SETTINGS = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap pop3
listen = 127.0.0.1
disable_plaintext_auth = no
auth_mechanisms = plain login{more_mechanisms}
auth_failure_delay = 0
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
ssl_min_protocol = TLSv1.2
mail_location = maildir:{folder}/mail/%u
default_internal_user = {internal}
default_login_user = {login}
default_internal_group = {group}
first_valid_uid = 1
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
  }}
}}
{more_passdb}passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
"""

BY_TOKEN = """passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {folder}/oauth2.conf
}}
"""
INTROSPECTION = """
introspection_mode = post
introspection_url = {url}
username_attribute = username
active_attribute = active
active_value = true
"""


@contextlib.contextmanager
def dovecot(introspection: str = "") -> Iterator[MailServer]:
    """Runs until the block ends, without any mails. Skips, saying why, where it is not installed.

    With the URL of an `introspection` (RFC 7662) access tokens are believed that are believed there: XOAUTH2.
    """
    program = shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("no Dovecot here: apt-get install dovecot-imapd dovecot-pop3d")
    root = os.getuid() == 0
    owner = pwd.getpwnam("mail") if root else pwd.getpwuid(os.getuid())
    with tempfile.TemporaryDirectory(prefix="dv") as place:  # short: paths of Unix sockets are
        folder = Path(place)
        folder.chmod(0o755)
        (folder / "mail").mkdir()
        os.chown(folder / "mail", owner.pw_uid, owner.pw_gid)
        certificate = make_certificate(folder)
        imap, imaps, pop3, pop3s = ports = free_ports(4)
        (folder / "oauth2.conf").write_text(INTROSPECTION.format(url=introspection))
        settings = folder / "dovecot.conf"
        settings.write_text(
            SETTINGS.format(
                folder=folder,
                more_mechanisms=" xoauth2" if introspection else "",
                more_passdb=BY_TOKEN.format(folder=folder) if introspection else "",
                cert=certificate.ca_file,
                key=certificate.key_file,
                internal="dovecot" if root else getpass.getuser(),
                login="dovenull" if root else getpass.getuser(),
                group="dovecot" if root else "",
                password=PASSWORD,
                uid=owner.pw_uid,
                gid=owner.pw_gid,
                imap=imap,
                imaps=imaps,
                pop3=pop3,
                pop3s=pop3s,
            ),
            "utf-8",
        )
        log = folder / "dovecot.log"
        log.touch()
        process = subprocess.Popen([program, "-F", "-c", str(settings)], stderr=subprocess.DEVNULL)
        try:
            wait_for_ports(ports, lambda: process.poll() is None, log)
            yield MailServer(
                "dovecot",
                {
                    (Protocol.IMAP, False): imap,
                    (Protocol.IMAP, True): imaps,
                    (Protocol.POP3, False): pop3,
                    (Protocol.POP3, True): pop3s,
                },
                certificate,
            )
        finally:
            process.terminate()
            process.wait(60)
