"""What a mail server says of a mail counts; what a sender makes of that costs nothing."""

from shared.mail.authentication import Stated, stated_dmarc
from shared.providers.mailgun import MAIL_SERVER

FOUND = "mxa.mailgun.org; dmarc=pass {}header.from=example.com"


def test_comments_within_comments_are_read() -> None:
    headers = [("Authentication-Results", FOUND.format("(p=(NONE) dis=NONE) "))]
    assert stated_dmarc(headers, MAIL_SERVER) == Stated("pass", "example.com")


def test_what_is_longer_than_any_sound_one_says_nothing() -> None:
    """Read, a hundred thousand comments in each other would take the function's whole time."""
    nested = "(" * 100_000 + ")" * 100_000
    headers = [("Authentication-Results", FOUND.format(nested))]
    assert stated_dmarc(headers, MAIL_SERVER) is None
