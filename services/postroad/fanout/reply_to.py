"""Where an answer to a post goes (F4)."""

from postroad.fanout.thread import Thread
from postroad.mail.address import normalise
from postroad.mail.message_id import reply_handle
from postroad.views import Views
from postroad.views.directory import Directory, Kind
from postroad_schemas.directory import Alias
from postroad_schemas.values import Mailbox

LINE = 68  # characters: RFC 5322's 78 without "Reply-To: "
LOCAL_PART = 64  # octets, RFC 5321 4.5.3.1.1


def reply_to(thread: str, state: Thread, views: Views, *, token: bool = True) -> Mailbox | None:
    """The address of the thread with the name of its record. None: there is no address of ours to answer to."""
    directory = views.directory
    address = (
        _bound(thread, state, directory)
        or _of_owner(state, directory)
        or _of_type(state, directory)
        or directory.catchall_address(state.domain)
    )
    if not address:
        return None
    domain = directory.domain(state.domain)
    name = shown(domain.company if domain else "", state.title, address)
    return Mailbox(name=name, address=with_handle(thread, address, views) if token else address)


def shown(company: str, record: str, address: str) -> str:
    """The display name that leaves the mailbox within 68 characters: "Company Record", the record's alone, or none."""
    for name in (f"{company} {record}".strip(), record):
        escapes = sum(map(name.count, '\\"'))  # RFC 5322 3.2.4: each is written as two characters
        if name and len(f'"{name}" <{address}>') + escapes <= LINE:
            return name
    return ""


def with_handle(thread: str, address: str, views: Views) -> str:
    """`local+handle@domain`; the address as it is without a signing key or when its local part grew too long."""
    if not views.keys.keys:
        return address
    local, _, domain = address.rpartition("@")
    local = f"{local}+{reply_handle(views.keys, thread)}"
    return f"{local}@{domain}" if len(local.encode()) <= LOCAL_PART else address


def _bound(thread: str, state: Thread, directory: Directory) -> str:
    if found := _oldest([a for a in directory.aliases() if a.thread == thread], state, directory):
        return found
    ours = directory.ours(normalise(state.alias))
    if ours is None or ours.kind is not Kind.ALIAS:
        return ""
    return ours.former.now or ours.address if ours.former else ours.address  # D9: by its living address


def _of_owner(state: Thread, directory: Directory) -> str:
    if not state.owner_thread:
        return ""
    return _oldest([a for a in _same_type(state, directory) if a.owner_thread == state.owner_thread], state, directory)


def _of_type(state: Thread, directory: Directory) -> str:
    """The document's "alias of the model", the record's company first; only if the setting says so."""
    if not directory.flag("mail.reply_to.any_alias"):
        return ""
    domain = directory.domain(state.domain)
    aliases = _same_type(state, directory)
    near = [alias for alias in aliases if domain and alias.domain in ("", domain.name)]
    return _oldest(near, state, directory) or _oldest(aliases, state, directory)


def _same_type(state: Thread, directory: Directory) -> list[Alias]:
    return [a for a in directory.aliases() if state.record_type and a.record_type == state.record_type and not a.thread]


def _oldest(aliases: list[Alias], state: Thread, directory: Directory) -> str:
    """The address of the oldest active one. One without domain is written with the record's company's."""
    domain = directory.domain(state.domain)
    for alias in sorted(aliases, key=_age):
        where = alias.domain or (domain.name if domain else "")
        if alias.active and where:
            return f"{alias.local_part}@{where}"
    return ""


def _age(alias: Alias) -> tuple[bool, float, str, str]:
    created = alias.created_at
    return created is None, created.timestamp() if created else 0.0, alias.local_part, alias.domain
