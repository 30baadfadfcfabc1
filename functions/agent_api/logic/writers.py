"""Who wrote a reply, and whether it fits its way with the words that say so."""

from shared.domain.disclosure import GAP, TEMPLATE
from shared.domain.errors import InvalidInput
from shared.domain.touchpoint import Endpoint, Writer
from shared.policies.reader import Policies
from shared.providers.base import find_provider


def writer_of(stated: Writer | None, *, caller_is_machine: bool) -> Writer:
    """A person, where nobody says otherwise; a caller that is a machine wrote it, said or not.

    Raises InvalidInput where it says that a person did.
    """
    if caller_is_machine and stated is Writer.PERSON:
        reason = "this token is a client's own: what it sends, a machine wrote"
        raise InvalidInput(reason, field="written_by")
    return Writer.MACHINE if caller_is_machine else stated or Writer.PERSON


def refuse_too_long(text: str, by: Writer, endpoint: Endpoint, policies: Policies) -> None:
    """With the disclosure in its longest language, since what they read may change until it leaves.

    Raises InvalidInput.
    """
    most = find_provider(endpoint.provider).longest_text
    if by is Writer.MACHINE:
        most -= policies.templates.longest(TEMPLATE) + len(GAP)
    if len(text) > most:
        beside = " beside the words that a machine wrote it" if by is Writer.MACHINE else ""
        reason = f"should have at most {most} characters on this way{beside}"
        raise InvalidInput(reason, field="text")
