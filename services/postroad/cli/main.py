"""The command `postroad`: one table of subcommands, each imported when it is called."""

import io
import os
import signal
import sys
from pathlib import Path

from cyclopts import App, CycloptsError

from postroad import __version__
from postroad.runtime.config import ConfigError
from postroad.runtime.worker import Unavailable
from postroad.views.declared import Undeclarable

HELP = """An e-mail gateway for business applications.

Mail to an alias opens a record, replies land on their thread, posts reach followers, bounces mark messages.
Start with `postroad demo`; run it all on one machine with `postroad up`."""

COMMANDS = (
    ("demo", "postroad.cli.demo:demo", "The tour: real mails through the whole pipeline, told as a story."),
    ("up", "postroad.cli.up:up", "Run the whole system on this machine, durable, doors open."),
    ("worker", "postroad.cli.worker:worker", "Run one worker of a cluster on Kafka."),
    ("pipe", "postroad.cli.pipe:app", "Take one mail in from standard input, as a mail server hands it over."),
    ("broker", "postroad.cli.broker:app", "A real Apache Kafka on this machine, for development and tests."),
    ("topics", "postroad.cli.topics:app", "The catalogue of topics against a cluster: plan, apply, check."),
    ("apply", "postroad.cli.directory:apply", "Declare domains, aliases, servers, parameters from a file."),
    ("show", "postroad.cli.directory:show", "What is declared: all of it, or one kind, or one row."),
    ("params", "postroad.cli.params:app", "The settings of the rules: list, get, set, unset."),
    ("alias", "postroad.cli.alias:app", "Addresses whose mail opens records: list, add, rename, disable, remove."),
    ("domain", "postroad.cli.domain:app", "Alias domains, one per company: list, add, set, remove."),
    ("contact", "postroad.cli.contact:app", "The people that are known: list, add, remove."),
    ("smarthost", "postroad.cli.smarthost:app", "Outgoing servers: list, add, remove, test, explain."),
    ("keys", "postroad.cli.keys:app", "The keys that sign what we send: list, rotate, retire, dkim."),
    ("history", "postroad.cli.history:show_history", "Who changed what in the directory, and when."),
    ("held", "postroad.cli.held:app", "Mails that wait for a person: list, show, release, drop."),
    ("outbound", "postroad.cli.outbound:app", "Messages that wait: list, show, retry, hold, release, cancel."),
    ("preview", "postroad.cli.preview:preview", "What each follower would get of a post, without sending it."),
    ("publish", "postroad.cli.events:publish", "Put an application's events onto the log, from JSON lines."),
    ("events", "postroad.cli.events:events", "What lies on a topic, as JSON lines; --follow goes on."),
    ("dead", "postroad.cli.dead:app", "Records that a worker could not work on: list, show, retry, drop."),
    ("suppression", "postroad.cli.suppression:app", "Addresses without bulk mail: list, show, lift, add, what-if."),
    ("budgets", "postroad.cli.budgets:budgets", "Budgets of the loop guard near their limit."),
    ("explain", "postroad.cli.explain:explain_", "What would happen to a mail, or to an address, now, rule by rule."),
    ("mailbox", "postroad.cli.mailbox:app", "Incoming mailboxes: list, add, confirm by a login that works, remove."),
    ("doctor", "postroad.cli.doctor:app", "What is missing or wrong, and what to do about it; also in a domain's DNS."),
    ("simulate", "postroad.cli.simulate:simulate", "Play a scenario in memory: JSON lines in, JSON lines out."),
    ("trace", "postroad.cli.trace:trace", "One mail's story, by Message-ID, event, thread or notification."),
    ("parse", "postroad.cli.parse:parse", "What we read in a mail: fields, text, attachments."),
    ("bounce", "postroad.cli.bounce:bounce", "What we read in a report: who failed, for good or not, and why."),
    ("schemas", "postroad.cli.schemas:schemas", "The events' JSON Schema and AsyncAPI document."),
    ("manifests", "postroad.cli.manifests:manifests", "Kubernetes manifests: topics, users, workers."),
)


def command() -> App:
    app = App(name="postroad", help=HELP, version=__version__, help_format="markdown")
    for name, target, text in COMMANDS:
        app.command(target, name=name, help=text)
    app.command(version, name="version", help="The version of postroad.")
    return app


def version() -> None:
    print(__version__)


def main() -> None:
    """Exit codes are those of sysexits: 64 usage, 65 bad input, 69 unavailable, 74 no output, 78 configuration."""
    _open_streams()
    try:
        try:
            command()(sys.argv[1:], exit_on_error=False, print_error=True)
        finally:
            sys.stdout.flush()  # here a failure still has words
    except CycloptsError as error:
        called = " ".join(("postroad", *(error.command_chain or ())))
        sys.exit(complain(f"`{called} --help` says how it is called", os.EX_USAGE))
    except (ConfigError, Undeclarable) as error:
        sys.exit(complain(str(error), os.EX_CONFIG))
    except Unavailable as error:
        sys.exit(complain(str(error), os.EX_UNAVAILABLE))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except UnicodeEncodeError as error:
        sys.exit(complain(f"{error.object[error.start : error.end]!r} is not UTF-8: write it so", os.EX_DATAERR))
    except BrokenPipeError:  # the reader of our output went away
        _say_no_more()
        sys.exit(os.EX_OK)
    except OSError as error:
        if not error.strerror or sys.excepthook is not sys.__excepthook__:  # a server's last words are in its log
            raise
        _say_no_more()
        sys.exit(complain(f"{error.filename or 'input or output failed'}: {error.strerror}", os.EX_IOERR))


def _open_streams() -> None:
    """Who starts us may have closed some; and no letter that a terminal lacks ends a command."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115  # as long as the process
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _say_no_more() -> None:
    """What is left to be written would fail again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(words: str, code: int) -> int:
    """One line on standard error; gives the code back."""
    print(f"postroad: {words}", file=sys.stderr)
    return code
