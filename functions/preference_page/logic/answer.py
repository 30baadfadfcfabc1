"""From a request to a page: whose link it is, what was sent, what is shown."""

from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qsl

from functions.preference_page.logic.languages import all_words, choose
from functions.preference_page.logic.page import Page, message_page, preferences_page
from functions.preference_page.logic.preferences import (
    Form,
    Ports,
    Preferences,
    read_preferences,
    resume,
    save,
    stop_everything,
    unsubscribe,
)
from shared.domain.errors import MissingSecret, Unauthentic
from shared.domain.preference_link import NAME, read_keys, whose
from shared.domain.profile import Profile
from shared.domain.touchpoint import Channel
from shared.ports.providers import Secrets

LARGEST_BODY = 10_000
MOST_FIELDS = 200


class Request(NamedTuple):
    method: str
    token: str
    accept_language: str
    body: bytes


def answer(request: Request, ports: Ports, secrets: Secrets) -> Page:
    """The page for a link, after what its form wants. A GET changes nothing."""
    header, fallback = request.accept_language, ports.policy.fallback_language
    try:
        profile_id = whose(request.token, read_keys(secrets.read(NAME)), ports.clock.now())
        profile = ports.profiles.read(profile_id)
    except Unauthentic:
        profile = None
    except MissingSecret:
        language = choose(header=header, fallback=fallback)
        return message_page(HTTPStatus.SERVICE_UNAVAILABLE, language, "unavailable")
    if profile is None:
        language = choose(header=header, fallback=fallback)
        return message_page(HTTPStatus.NOT_FOUND, language, "invalid")
    before = read_preferences(profile_id, profile, ports)
    language = choose(before.language, header=header, fallback=fallback)
    if request.method != "POST":
        return preferences_page(before, ports.policy, language)
    fields = _fields(request.body)
    if fields is None:
        return message_page(HTTPStatus.BAD_REQUEST, language, "unavailable")
    if fields.get("List-Unsubscribe") == "One-Click":
        unsubscribe(before, ports)
        return message_page(HTTPStatus.OK, language, "unsubscribed")
    return _changed(fields, before, profile, language, ports)


def _changed(
    fields: dict[str, str],
    before: Preferences,
    profile: Profile,
    language: str,
    ports: Ports,
) -> Page:
    match fields.get("action"):
        case "stop":
            after, said = stop_everything(before, ports), ""
        case "resume":
            after, said = resume(before, ports), "resumed"
        case "save":
            form = _form(fields, ports)
            after, said = save(form, before, profile, ports), "saved"
            language = form.language or language
        case _:
            return message_page(HTTPStatus.BAD_REQUEST, language, "unavailable")
    return preferences_page(after, ports.policy, language, said)


def _fields(body: bytes) -> dict[str, str] | None:
    """None where it is no form of ours."""
    if len(body) > LARGEST_BODY:
        return None
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return None
    return dict(pairs)


def _form(fields: dict[str, str], ports: Ports) -> Form:
    """What is not one of the choices is not chosen."""
    language, channel = fields.get("language"), fields.get("channel")
    return Form(
        granted=frozenset(
            (purpose, one)
            for purpose in ports.policy.purposes
            for one in ports.policy.channels
            if f"{purpose}.{one}" in fields
        ),
        language=language if language in all_words() else None,
        preferred_channel=Channel(channel) if channel in set(ports.policy.channels) else None,
    )
