"""What DNS says of a domain that we send from: SPF, DKIM, DMARC, MX; and what to publish where it is wrong (O13)."""

from collections.abc import AsyncIterator, Sequence

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from postroad.cli.doctor_spf import spf
from postroad.cli.finding import Finding, Installation, Published, State
from postroad.dispatch.signing import NoKey, Signer, keys_for, public_octets
from postroad.mail.dkim import key_name, key_record, read_key_record
from postroad.mail.dmarc import find_policy, read_policy
from postroad.mail.spf_check import LookUp
from postroad_schemas.directory import DkimKey


async def examine(domain: str, here: Installation, look_up: LookUp) -> list[Finding]:
    """Everything, in the order in which receivers look at it. Raises what `look_up` raises."""
    parts = (spf(domain, here, look_up), _dkim(domain, here, look_up), _dmarc(domain, here, look_up))
    return [finding for part in (*parts, _mx(domain, here, look_up)) async for finding in part]


# DKIM (RFC 6376)


async def _dkim(domain: str, here: Installation, look_up: LookUp) -> AsyncIterator[Finding]:
    rows = [row for row in here.directory.rows("dkim_key") if isinstance(row, DkimKey) and row.domain == domain]
    signing = keys_for(here.directory, f"@{domain}")
    keys = sorted({*rows, *signing}, key=lambda row: (row not in signing, row.domain, row.selector))
    if not signing:
        words = f"no key signs mail of {domain}: `postroad keys dkim generate {domain} SELECTOR --to FILE` makes one"
        yield Finding("dkim", State.NOTE, words)
    for row in keys:
        texts = await look_up(key_name(row.domain, row.selector), "TXT")
        yield _key(row, texts, here.signer, signs=row in signing)


def _key(row: DkimKey, texts: Sequence[str], signer: Signer, signs: bool) -> Finding:
    name = key_name(row.domain, row.selector)
    try:
        public = public_octets(signer.key(row))
    except NoKey as error:
        public, unread = b"", f"; it was not compared: {error} from here"
    else:
        unread = ""
    ours = Published(name, "TXT", key_record(row.algorithm, public)) if public else None
    bad = State.WRONG if signs else State.NOTE  # what does not sign harms nothing
    idle = "" if signs else ", a key that does not sign,"
    if len(texts) != 1:
        there = f"has {len(texts)} records, one is allowed" if texts else "is not published"
        return Finding("dkim", bad, f"{name}{idle} {there}{unread}", ours)
    found = read_key_record(texts[0])
    if found.fault:
        return Finding("dkim", bad, f"{name}{idle} cannot be used: {found.fault}{unread}", ours)
    if public and found.public != public:
        return Finding("dkim", bad, f"{name}{idle} is not the key in {row.secret}: signatures fail", ours)
    if found.testing:
        return Finding(
            "dkim", State.NOTE, f"{name}{idle} is published for testing (t=y): signatures mean nothing", ours
        )
    bits = _bits(found.type, found.public)
    if found.type == "rsa" and bits < 2048:
        return Finding("dkim", State.NOTE, f"{name}{idle} has {bits} bits: 2048 are usual, make a new key{unread}")
    return Finding(
        "dkim", State.NOTE if unread else State.OK, f"{name}{idle} is published: {found.type}, {bits} bits{unread}"
    )


def _bits(type_: str, public: bytes) -> int:
    """Of a published key; 0 for what is none."""
    if type_ != "rsa":
        return len(public) * 8
    try:
        key = load_der_public_key(public)
    except (ValueError, UnsupportedAlgorithm):
        return 0
    return key.key_size if isinstance(key, RSAPublicKey) else 0


# DMARC (RFC 7489)


async def _dmarc(domain: str, here: Installation, look_up: LookUp) -> AsyncIterator[Finding]:
    found = await find_policy(domain, look_up)
    if found is None:
        first = Published(f"_dmarc.{domain}", "TXT", f"v=DMARC1; p=none; rua=mailto:postmaster@{domain}")
        yield Finding("dmarc", State.WRONG, f"{domain} has no DMARC policy, nor has a domain above it", first)
        return
    where = f"_dmarc.{found.domain}"
    if len(found.texts) > 1:
        yield Finding("dmarc", State.WRONG, f"{where} has {len(found.texts)} policies, so that none counts: leave one")
        return
    policy = read_policy(found.texts[0])
    if policy.fault:
        first = Published(where, "TXT", f"v=DMARC1; p=none; rua=mailto:postmaster@{found.domain}")
        yield Finding("dmarc", State.WRONG, f"{where} cannot be used: {policy.fault}", first)
        return
    asked = policy.policy if found.domain == domain else policy.subdomains
    share = "" if policy.percent == 100 else f" for {policy.percent} %"
    yield Finding("dmarc", State.OK, f"{where}: {asked}{share} ({found.texts[0]})")
    if asked == "none":
        yield Finding("dmarc", State.NOTE, "it only watches: once its reports look well ask for p=quarantine")
    if not policy.reports_to:
        yield Finding("dmarc", State.NOTE, "nobody is sent reports: add rua=mailto:...")
    signing = keys_for(here.directory, f"@{domain}")
    above = [row for row in signing if policy.strict_dkim and row.domain != domain]
    bounces = here.directory.has_domain(domain)  # return paths of this very domain
    if (above or not signing) and not bounces:
        why = f"the key is of {above[0].domain}, and adkim=s wants one of {domain}" if above else "no key signs"
        state = State.NOTE if asked == "none" else State.WRONG
        yield Finding("dmarc", state, f"nothing of our mail is aligned: {why}, and bounces go to another domain")


# MX (RFC 5321 5.1, RFC 7505)


async def _mx(domain: str, here: Installation, look_up: LookUp) -> AsyncIterator[Finding]:
    records = sorted(await look_up(domain, "MX"), key=lambda record: (int(record.split()[0]), record))
    ours = here.directory.has_domain(domain)
    hosts = [record.partition(" ")[2] for record in records]
    publish = Published(domain, "MX", f"10 {here.hostname}.") if here.hostname else None
    if not any(hosts):  # none, or the null MX
        words = f"{domain} takes no mail: it has no exchanger"
        yield Finding("mx", State.WRONG if ours else State.NOTE, words, publish if ours else None)
        return
    yield Finding("mx", State.OK, f"{domain}: {', '.join(records)}")
    if ours and here.hostname and here.hostname.lower() not in hosts:
        words = f"none of them is {here.hostname}: they must hand mail for aliases, catchall and bounce to this one"
        yield Finding("mx", State.NOTE, words)
