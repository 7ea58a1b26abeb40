"""`postroad keys dkim`: the keys that sign mail for the world (O13, RFC 6376, RFC 8463)."""

import os
from pathlib import Path
from typing import Annotated, Literal

import cyclopts
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cyclopts import Parameter

from postroad.cli.main import complain
from postroad.cli.propose import Where, Who, absent, directory_of, json_line, propose, standing
from postroad.cli.zone import zone_text
from postroad.dispatch.signing import NoKey, PrivateKey, Signer, keys_for, public_octets
from postroad.mail.dkim import key_name, key_record
from postroad.routing.cleaning import clean
from postroad.runtime.config import secret as resolved
from postroad_schemas.directory import DkimKey, row_key

app = cyclopts.App(
    name="dkim",
    help="""The keys that sign mail of a domain (DKIM): list, generate, add, retire.

    To begin, or to change keys: generate one, publish the record that it prints, then add it.
    Of several active keys of a domain the one declared last signs, RSA and Ed25519 each for itself.""",
)

_BITS = 2048  # what every verifier takes and a DNS answer holds (RFC 8301 3.2)


Algorithm = Annotated[
    Literal["rsa-sha256", "ed25519-sha256"],
    Parameter(help="Everybody reads rsa-sha256; ed25519-sha256 only beside it."),
]


@app.command(name="list")
def list_(*, where: Where = Where()) -> int:  # noqa: B008  # frozen
    """Every key: its domain and selector, whether it signs, and where its secret is (never the secret itself)."""
    found = standing(where.reach())
    rows = sorted(
        (row for row in found.values() if isinstance(row, DkimKey)), key=lambda row: (row.domain, row.selector)
    )
    view = directory_of(found)
    for row in rows:
        key = _key(row)
        if where.json:
            print(
                json_line({"key": row_key(row), "row": msgspec.to_builtins(row), "publish": key and _record(row, key)})
            )
            continue
        signs = row in keys_for(view, f"@{row.domain}")
        state = "signs" if signs else "active, but a newer key signs" if row.active else "does not sign"
        here = "" if key else " (cannot be used from here)"
        print(f"{key_name(row.domain, row.selector)}: {row.algorithm}, {state}; {row.secret}{here}")
    if not rows and not where.json:
        complain(
            "no key yet: mail goes out unsigned; `postroad keys dkim generate DOMAIN SELECTOR --to FILE`", os.EX_OK
        )
    return os.EX_OK


@app.command
def generate(
    domain: str,
    selector: str,
    /,
    *,
    to: Path,
    algorithm: Algorithm = "rsa-sha256",
    who: Who = Who(),  # noqa: B008
) -> int:
    """Make a key in a new file that only its user reads, and print the record to publish. It does not sign yet.

    Parameters
    ----------
    domain
        Whose mail it signs: the domain of From, or one above it.
    selector
        A name for this key among those of the domain, never used before: such as the month.
    to
        Where the private key goes; every dispatch worker must find it under this path.
    """
    row = clean(
        DkimKey(domain=domain, selector=selector, algorithm=algorithm, secret=f"file:{to.absolute()}", active=False)
    )
    if row_key(row) in standing(who.reach()):
        return complain(
            f"{key_name(row.domain, row.selector)} is declared already: take another selector", os.EX_DATAERR
        )
    made = Ed25519PrivateKey.generate() if algorithm == "ed25519-sha256" else generate_private_key(65537, _BITS)
    try:
        _write(to, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    except OSError as error:
        return complain(f"{to} cannot be made: {error.strerror}; name a new file with --to", os.EX_CANTCREAT)
    if code := propose(who, row):
        to.unlink()
        return code
    _tell(row, made, who)
    return os.EX_OK


@app.command
def add(
    domain: str,
    selector: str,
    /,
    *,
    secret: Annotated[
        str, Parameter(help="By reference: env:NAME or file:PATH, as every dispatch worker resolves it.")
    ],
    algorithm: Algorithm = "rsa-sha256",
    who: Who = Who(),  # noqa: B008
) -> int:
    """Sign with a key from now on, or with one that was retired again. Publish its record first.

    Parameters
    ----------
    domain
        Whose mail it signs: the domain of From, or one above it.
    selector
        Its name among the keys of the domain.
    """
    row = clean(DkimKey(domain=domain, selector=selector, algorithm=algorithm, secret=secret))
    key: PrivateKey | None = None
    try:
        key = Signer(resolved).key(row)
    except NoKey as error:
        if not who.settings.kafka.bootstrap:
            return complain(f"{error}: mail of {row.domain} would wait; mend that first", os.EX_NOINPUT)
        complain(
            f"{error} from here: the dispatch workers must find it, mail of {row.domain} waits until then", os.EX_OK
        )
    if code := propose(who, row):
        return code
    if key:
        _tell(row, key, who)
    return os.EX_OK


@app.command
def retire(domain: str, selector: str, /, *, who: Who = Who()) -> int:  # noqa: B008
    """Sign with it no more. Leave its record in DNS for a week: mail that it signed is still on its way.

    Parameters
    ----------
    domain
        Of the key.
    selector
        Of the key; `postroad keys dkim list` shows them.
    """
    found = standing(who.reach())
    asked = clean(DkimKey(domain=domain, selector=selector, secret=""))
    row = found.get(row_key(asked))
    if not isinstance(row, DkimKey):
        names = [key_name(it.domain, it.selector) for it in found.values() if isinstance(it, DkimKey)]
        return absent("DKIM key", key_name(asked.domain, asked.selector), names)
    return propose(who, msgspec.structs.replace(row, active=False))


def _tell(row: DkimKey, key: PrivateKey, who: Who) -> None:
    """The record to publish, as zone files have it."""
    record = _record(row, key)
    if who.json:
        print(json_line({"publish": record}))
        return
    print(f"to publish: {record['name']}. TXT {zone_text(record['value'])}")
    if not row.active:
        kind = "" if row.algorithm == "rsa-sha256" else f" --algorithm {row.algorithm}"
        print(f"then sign with it: postroad keys dkim add {row.domain} {row.selector} --secret {row.secret}{kind}")


def _record(row: DkimKey, key: PrivateKey) -> dict[str, str]:
    """What receivers need to find in DNS."""
    value = key_record(row.algorithm, public_octets(key))
    return {"name": key_name(row.domain, row.selector), "type": "TXT", "value": value}


def _key(row: DkimKey) -> PrivateKey | None:
    try:
        return Signer(resolved).key(row)
    except NoKey:
        return None


def _write(path: Path, octets: bytes) -> None:
    """Raises OSError, also if it is there."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
