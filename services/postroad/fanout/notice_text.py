"""The words of a notice: a frame around one paragraph for each reason why a mail was not taken."""

from collections.abc import Mapping
from string import Formatter

from postroad.mail.address import normalise
from postroad.views import Views
from postroad_schemas.directory import Policy
from postroad_schemas.mail import MailRefused, Refusal, RefusalReason

Texts = Mapping[str, Mapping[str, str]]  # language, name -> text
FALLBACK = "en"
ADDRESSES_NAMED = 10
SUBJECT_SHOWN = 200  # characters

# What each text must say: no more and no fewer placeholders.
PLACEHOLDERS: dict[str, frozenset[str]] = {
    "frame": frozenset({"subject", "refusals", "company"}),
    RefusalReason.POLICY: frozenset({"alias"}),
    RefusalReason.MISCONFIGURED: frozenset(),
    RefusalReason.CATCHALL: frozenset({"addresses"}),
    "catchall_alone": frozenset(),  # there is no address to name
    RefusalReason.LOOP_LIMIT: frozenset(),
    RefusalReason.RECORD_REJECTED: frozenset(),
}


def checked(texts: Texts) -> Texts:
    """The texts as they are. Raises ValueError for one that is missing, has not its placeholders or does not render."""
    if FALLBACK not in texts:
        raise ValueError(f"notices: the language {FALLBACK!r} is missing")
    for language, named in texts.items():
        for name, wanted in PLACEHOLDERS.items():
            if name not in named:
                raise ValueError(f"notices/{language}/{name}.txt is missing")
            found = _placeholders(language, name, named[name])
            for fault, fields in (("lacks", wanted - found), ("has the unknown", found - wanted)):
                if fields:
                    raise ValueError(f"notices/{language}/{name}.txt {fault} placeholder {{{min(fields)}}}")
            _render(language, name, named[name], wanted)
    return texts


def _placeholders(language: str, name: str, text: str) -> set[str]:
    try:
        return {field for _, field, _, _ in Formatter().parse(text) if field is not None}
    except ValueError as error:
        raise ValueError(f"notices/{language}/{name}.txt: {error}; write {{{{ and }}}} for braces") from None


def _render(language: str, name: str, text: str, fields: frozenset[str]) -> None:
    """A placeholder may have its name and still be none: `{alias:d}`, `{alias!x}`, `{alias:{alias}}`."""
    try:
        rendered = text.format(**dict.fromkeys(fields, "{x}"))
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(f"notices/{language}/{name}.txt does not render: {error}; write {{name}} alone") from None
    if not rendered.strip():
        raise ValueError(f"notices/{language}/{name}.txt is empty")


def body(texts: Texts, event: MailRefused, views: Views) -> str:
    """The whole text in the author's language; refusals that read alike are said once."""
    words = texts[language_of(event, texts, views)]
    domain = views.directory.domain(event.notice.domain)
    paragraphs = dict.fromkeys(_paragraph(words, refusal, event, views) for refusal in event.refusals)
    text = words["frame"].format(
        subject=" ".join(event.subject.split())[:SUBJECT_SHOWN],
        refusals="\n\n".join(paragraphs),
        company=domain.company if domain else "",
    )
    return text.strip() + "\n"


def _paragraph(words: Mapping[str, str], refusal: Refusal, event: MailRefused, views: Views) -> str:
    """R12: the alias's own text, if it has one, stands for ours."""
    if refusal.text.strip():
        return refusal.text.strip()
    if refusal.reason != RefusalReason.CATCHALL:
        return words[refusal.reason].format(alias=_whole(refusal.alias, event.notice.domain, views)).strip()
    addresses = open_addresses(event.notice.domain, views)
    if not addresses:
        return words["catchall_alone"].strip()
    return words[RefusalReason.CATCHALL].format(addresses="\n".join(f"  {address}" for address in addresses)).strip()


def _whole(alias: str, domain: str, views: Views) -> str:
    """An alias that matches by its local part as an address people know; without alias the catchall's."""
    local, _, own_domain = alias.partition("@")
    company = views.directory.domain(domain)
    if own_domain or company is None:
        return alias
    return f"{local or company.catchall}@{company.name}"


def open_addresses(domain: str, views: Views) -> tuple[str, ...]:
    """Where anybody may write instead: the company's active aliases with policy `everyone`; else its own address."""
    company = views.directory.domain(domain)
    if company is None:
        return ()
    aliases = (a for a in views.directory.aliases() if a.active and a.policy == Policy.EVERYONE)
    found = sorted(f"{a.local_part}@{company.name}" for a in aliases if a.domain in ("", company.name))
    return tuple(found[:ADDRESSES_NAMED]) or ((company.company_address,) if company.company_address else ())


def language_of(event: MailRefused, texts: Texts, views: Views) -> str:
    """BCP 47: the contact's language, without its region if need be."""
    address = event.author.address if event.author else event.notice.addressee
    contact = views.contacts.shown_as(normalise(address)) if address else None
    tag = contact.language.replace("_", "-").lower() if contact else ""
    return next((language for language in (tag, tag.partition("-")[0]) if language in texts), FALLBACK)
