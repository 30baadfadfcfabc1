"""The one form of a mail domain: as the mail servers know it, in ASCII and small letters."""

import re

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?!\d+\Z){_LABEL}")
"""RFC 1123 labels, at least two; the last one is no number, so that no IP address is a domain."""
LONGEST_DOMAIN = 253


def ascii_domain(domain: str) -> str | None:
    """IDNA 2008 with the mapping of UTS 46, so that `Straße.DE`, `straße.de` and
    `xn--strae-oqa.de` are one, and not `strasse.de`, which is somebody else's.

    None for what is no domain, and for what IDNA 2008 does not allow as one (emoji).
    """
    domain = (domain.lower() if domain.isascii() else domain).removesuffix(".")
    if len(domain) > LONGEST_DOMAIN:
        return None
    if not domain.isascii() or "xn--" in domain:
        mapped = _mapped(domain)
        if mapped is None:
            return None
        domain = mapped
    return domain if len(domain) <= LONGEST_DOMAIN and _DOMAIN.fullmatch(domain) else None


def _mapped(domain: str) -> str | None:
    # Here, and not above: hardly a domain needs it, and it and its tables take 45 ms to load.
    import idna

    try:
        return idna.encode(domain, uts46=True).decode("ascii").removesuffix(".")
    except (idna.IDNAError, UnicodeError):
        return None
