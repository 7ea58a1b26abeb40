"""DNS records as people paste them into zone files."""


def zone_text(text: str) -> str:
    """A TXT record's value: quoted strings of at most 255 octets (RFC 1035 3.3.14, 5.1). `text` is ASCII."""
    pieces = [text[at : at + 255] for at in range(0, len(text), 255)] or [""]
    return " ".join('"' + piece.replace("\\", "\\\\").replace('"', '\\"') + '"' for piece in pieces)
