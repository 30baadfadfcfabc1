"""Forms and surveys by Typeform: a score becomes a survey answer, a form with words a message.

Set `https://…/webhooks/typeform` in the form under Connect > Webhooks, with a secret. Read against
https://www.typeform.com/developers/webhooks/example-payload/ and
https://www.typeform.com/developers/webhooks/secure-your-webhooks/ (2026-11).
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Literal, NamedTuple
from urllib.parse import unquote

from pydantic import BeforeValidator, Field, JsonValue, StringConstraints

from shared.domain.errors import MalformedPayload, Unauthentic
from shared.domain.identity import Identifier, IdentifierType, email_identifier
from shared.domain.touchpoint import (
    Attachment,
    Channel,
    Content,
    Direction,
    Message,
    SurveyAnswer,
    Touchpoint,
    TrackedEvent,
    Unsupported,
)
from shared.providers.base import (
    JSON_TYPE,
    MEGABYTE,
    Fetch,
    HttpRequest,
    IfReadable,
    Observed,
    Payload,
    Provider,
    ProviderId,
    Secret,
    WebhookRequest,
    as_list,
    as_text,
    believable,
    read_json,
    read_model,
    same,
)

Metric = Literal["csat", "nps", "ces"]

FILE = re.compile(r"https://api\.typeform\.com/[!-~]{1,2048}")
"""Where a file that was handed in lies today."""

SCALES: Mapping[Metric, tuple[int, int]] = {"csat": (1, 5), "nps": (0, 10), "ces": (1, 7)}

METRIC_OF_TYPE: Mapping[str, Metric] = {"nps": "nps", "opinion_scale": "nps", "rating": "csat"}
"""What a question measures where the company does not say so: Typeform's own scales are 0 to 10 for
an opinion and five stars for a rating. The payload does not tell how many steps there were.
"""

HIDDEN_IDENTIFIERS: Mapping[str, IdentifierType] = {
    "customer_number": IdentifierType.CUSTOMER_NUMBER,
    "customer_id": IdentifierType.CUSTOMER_NUMBER,
    "user_id": IdentifierType.WEB_USER,
    "email": IdentifierType.EMAIL,
    "phone": IdentifierType.PHONE,
    "phone_number": IdentifierType.PHONE,
    "order_number": IdentifierType.ORDER_NUMBER,
    "order_id": IdentifierType.ORDER_NUMBER,
    "loyalty_card": IdentifierType.LOYALTY_CARD,
}
"""Hidden fields of these names say who answers, however they are written: `customerId` is one of
them. They stand in the address of the form, where anybody can change them, so they are stated and
prove nothing.
"""

NOBODY = frozenset({"xxxxx", "undefined", "null"})
"""What stands in a hidden field into which nobody put a value: Typeform offers an address with
`#email=xxxxx` to share, which many companies' pages show as it is, and scripts write the others.
Taken for somebody's, it would make one person of all who come that way.
"""

GIVEN_NAME = frozenset(
    {"name", "firstname", "givenname", "fullname", "prénom", "vorname", "nombre", "nome"}
)
FAMILY_NAME = frozenset(
    {
        *("lastname", "familyname", "surname", "nom", "nachname"),
        *("apellido", "apellidos", "sobrenome", "cognome"),
    }
)
"""Questions whose answer is the person's name, by their reference or title. In this order they make
it whole. A block of contact details asks them as short texts like any other.
"""

COMPANY = frozenset(
    {
        *("company", "companyname", "organization", "organisation"),
        *("entreprise", "société", "unternehmen", "firma", "empresa", "azienda"),
    }
)
"""Of the same block: where the person works."""


def _plain(name: str) -> str:
    """A name of something without what people write differently."""
    return re.sub(r"[\W_]", "", name.casefold())


def _asked(title: str) -> str:
    """What a question is after: of "What's your first name?" it is `firstname`."""
    return _plain(title).rpartition("your")[2]


class TypeformSecret(Secret):
    """`signing_secrets`: what you entered as the webhook's secret.

    `metrics`: what a question measures, by its reference or id, where its type does not say it.
    `access_token`: of your account, with `responses:read`, to fetch the files that were handed in.
    """

    signing_secrets: list[Annotated[str, StringConstraints(min_length=8)]] = Field(min_length=1)
    metrics: dict[str, Metric] = {}
    access_token: Annotated[str, StringConstraints(min_length=8)] | None = None


Text = Annotated[str, BeforeValidator(as_text)]

LONG_WORDS: frozenset[str | None] = frozenset({"long_text", "multi_format"})
SHORT_WORDS: frozenset[str | None] = frozenset({"short_text", None})
"""Types of questions that are answered in one's own words; the oldest forms tell no type."""


class Question(Payload):
    id: Text = Field(default="", max_length=200)
    ref: IfReadable[Annotated[Text, Field(max_length=300)]] = None
    type: IfReadable[Annotated[str, Field(max_length=60)]] = None


class Choice(Payload):
    label: IfReadable[Annotated[Text, Field(max_length=2000)]] = None
    other: IfReadable[Annotated[Text, Field(max_length=2000)]] = None


class Choices(Payload):
    labels: Annotated[
        list[IfReadable[Annotated[Text, Field(max_length=2000)]]], BeforeValidator(as_list)
    ] = []
    other: IfReadable[Annotated[Text, Field(max_length=2000)]] = None


def _as_choices(value: object) -> object:
    """What is told one by one, each with its id, in place of all labels together."""
    if not isinstance(value, list):
        return value
    return {"labels": [one.get("label") for one in value if isinstance(one, dict)]}


class Payment(Payload):
    amount: IfReadable[Annotated[Text, Field(max_length=60)]] = None


class Answer(Payload):
    field: Question = Question()
    text: IfReadable[Annotated[Text, Field(max_length=65_536)]] = None
    email: IfReadable[Annotated[str, Field(max_length=320)]] = None
    phone_number: IfReadable[Annotated[Text, Field(max_length=64)]] = None
    number: IfReadable[int | float] = None
    boolean: IfReadable[bool] = None
    date: IfReadable[Annotated[str, Field(max_length=40)]] = None
    url: IfReadable[Annotated[str, Field(max_length=2048)]] = None
    file_url: IfReadable[Annotated[str, Field(max_length=2048)]] = None
    choice: IfReadable[Choice] = None
    choices: Annotated[IfReadable[Choices], BeforeValidator(_as_choices)] = None
    payment: IfReadable[Payment] = None

    @property
    def fact(self) -> JsonValue:
        """What was picked, set or handed in; None for words and for addresses, which stand
        elsewhere. Of a list to pick from, older forms tell the text.
        """
        for told in (self.number, self.boolean, self.date, self.url, self.file_url):
            if told is not None:
                return told
        if self.choice:
            return self.choice.label or self.choice.other
        if self.choices:
            return [one for one in (*self.choices.labels, self.choices.other) if one] or None
        if self.payment:
            return self.payment.amount
        return self.text if self.field.type not in {*LONG_WORDS, *SHORT_WORDS} else None


class Asked(Payload):
    id: Text = Field(default="", max_length=200)
    title: IfReadable[Annotated[Text, Field(max_length=2000)]] = None


class Definition(Payload):
    fields: Annotated[list[IfReadable[Asked]], BeforeValidator(as_list)] = []


class Response(Payload):
    form_id: ProviderId
    submitted_at: IfReadable[Annotated[str, Field(max_length=40)]] = None
    hidden: IfReadable[dict[str, JsonValue]] = None
    answers: Annotated[list[IfReadable[Answer]], BeforeValidator(as_list)] = []
    definition: IfReadable[Definition] = None

    def texts(self, types: frozenset[str | None]) -> list[tuple[Question, str]]:
        """What was written into questions of these types."""
        told = (one for one in self.answers if one and one.text and one.field.type in types)
        return [(one.field, one.text or "") for one in told]

    @property
    def words(self) -> str:
        """The person's own: the long answers, or the short ones where there are no long ones.

        Contact details are none: who only left them has not asked for anything.
        """
        details = GIVEN_NAME | FAMILY_NAME | COMPANY
        long, short = (
            [text for question, text in self.texts(types) if not self.asks(question, details)]
            for types in (LONG_WORDS, SHORT_WORDS)
        )
        return "\n".join(long or short)

    @property
    def files(self) -> tuple[Attachment, ...]:
        """What was handed in beside the words; the last part of its address is its name."""
        return tuple(
            Attachment(
                name=unquote(one.file_url.partition("?")[0].rpartition("/")[2])[:255],
                provider_reference=one.file_url,
            )
            for one in self.answers
            if one and one.file_url
        )

    def asks(self, question: Question, after: frozenset[str]) -> bool:
        """Whether it is after one of these, by what the company or the page calls it."""
        called = (question.ref, self.titles.get(question.id))
        return any(_asked(one) in after for one in called if one)

    @cached_property
    def titles(self) -> dict[str, str]:
        """What each question is called on the page, by its id."""
        fields = self.definition.fields if self.definition else []
        return {one.id: one.title for one in fields if one and one.id and one.title}

    @property
    def facts(self) -> dict[str, JsonValue]:
        """What was answered without words, by the question's reference."""
        told = [(one.field, one.fact) for one in self.answers if one]
        told += [one for one in self.texts(SHORT_WORDS) if self.asks(one[0], COMPANY)]
        named = ((question.ref or question.id, fact) for question, fact in told)
        return {question: fact for question, fact in named if question and fact is not None}

    def stated(self, name: str) -> str:
        """A hidden field, or an empty string."""
        values = (
            value for key, value in (self.hidden or {}).items() if _plain(key) == _plain(name)
        )
        texts = (one.strip() for one in values if isinstance(one, str) and len(one) <= 320)
        return next((one for one in texts if one and one not in NOBODY), "")

    @property
    def name(self) -> str | None:
        """As the address of the form states it, or else as it was entered."""
        parts = f"{self.stated('first_name')} {self.stated('last_name')}".strip()
        texts = self.texts(LONG_WORDS | SHORT_WORDS)
        entered = " ".join(
            text.strip()
            for part in (GIVEN_NAME, FAMILY_NAME)
            for question, text in texts
            if self.asks(question, part)
        )
        return (self.stated("name") or parts or entered.strip())[:200] or None


class Body(Payload):
    event_id: ProviderId
    event_type: str = Field(pattern=r"^[a-z0-9_]{1,60}$")
    form_response: Response


class Score(NamedTuple):
    question: Question
    metric: Metric
    score: int


class Typeform(Provider[TypeformSecret]):
    name = "typeform"
    secret_type = TypeformSecret
    largest_body = MEGABYTE
    media_hosts = ("api.typeform.com",)

    def verify(self, request: WebhookRequest, secret: TypeformSecret, fetch: Fetch) -> None:
        given = request.header("typeform-signature")
        valid = [
            "sha256=" + b64encode(hmac.digest(key.encode(), request.body, sha256)).decode()
            for key in secret.signing_secrets
        ]
        if not any(same(given, one) for one in valid):
            raise Unauthentic("Typeform-Signature is missing or wrong")

    def parse(
        self, request: WebhookRequest, secret: TypeformSecret, received_at: datetime
    ) -> list[Observed]:
        if request.content_type != JSON_TYPE:
            raise MalformedPayload("the body is not declared as JSON")
        body = read_model(Body, read_json(request.body))
        return [
            Observed(_touchpoint(body, event_id, content, received_at), request.body)
            for event_id, content in _contents(body, secret)
        ]

    def media(self, attachment: Attachment, secret: TypeformSecret) -> HttpRequest | None:
        """The address is itself the reference. Only a form's owner may fetch from it, unless the
        form is set up so that everybody may.
        https://www.typeform.com/developers/responses/reference/retrieve-response-file/
        """
        url = attachment.provider_reference or ""
        if not FILE.fullmatch(url):
            return None
        token = secret.access_token
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return HttpRequest(method="GET", url=url, headers=headers, body=b"")


def _contents(body: Body, secret: TypeformSecret) -> list[tuple[str, Content]]:
    """One for each score, the words with the first; without a score one for the whole form."""
    response = body.form_response
    if body.event_type == "form_response_partial":
        return [(body.event_id, TrackedEvent(name="form_abandoned", properties=response.facts))]
    if body.event_type != "form_response":
        return [(body.event_id, Unsupported(what=f"event of type {body.event_type}"))]
    answers = filter(None, response.answers)
    scores = [one for answer in answers if (one := _score(answer, secret)) is not None]
    if not scores and not response.words:
        return [(body.event_id, TrackedEvent(name="form_submitted", properties=response.facts))]
    if not scores:
        return [(body.event_id, Message(text=response.words, attachments=response.files))]
    return [
        (
            f"{body.event_id}:{one.question.id or position}" if position else body.event_id,
            SurveyAnswer(
                survey=response.form_id,
                metric=one.metric,
                score=one.score,
                text="" if position else response.words,
            ),
        )
        for position, one in enumerate(scores)
    ]


def _score(answer: Answer, secret: TypeformSecret) -> Score | None:
    """None for a question that measures nothing, or on another scale than its metric's."""
    question, number = answer.field, answer.number
    metric = (
        secret.metrics.get(question.ref or "")
        or secret.metrics.get(question.id)
        or METRIC_OF_TYPE.get(question.type or "")
    )
    if metric is None or number is None or number != int(number):
        return None
    least, most = SCALES[metric]
    return Score(question, metric, int(number)) if least <= number <= most else None


def _touchpoint(body: Body, event_id: str, content: Content, received_at: datetime) -> Touchpoint:
    response = body.form_response
    said = isinstance(content, Message | SurveyAnswer)
    return Touchpoint(
        provider=Typeform.name,
        account=response.form_id,
        provider_event_id=event_id,
        channel=Channel.WEB,
        direction=Direction.INBOUND if said else Direction.PASSIVE,
        occurred_at=believable(_moment(response.submitted_at or ""), received_at),
        received_at=received_at,
        content=content,
        identifiers=_identifiers(response),
        name=response.name,
        language=response.stated("language")[:35] or None,
    )


def _identifiers(response: Response) -> tuple[Identifier, ...]:
    """Of the hidden fields, then of what was entered as mail address or phone."""
    answers = [one for one in response.answers if one]
    stated = [(kind, response.stated(name)) for name, kind in HIDDEN_IDENTIFIERS.items()]
    stated += [(IdentifierType.EMAIL, one.email or "") for one in answers]
    stated += [(IdentifierType.PHONE, (one.phone_number or "").strip()) for one in answers]
    found = [
        email_identifier(value)
        if kind is IdentifierType.EMAIL
        else Identifier(type=kind, value=value)
        for kind, value in stated
        if value
    ]
    return tuple(dict.fromkeys(one for one in found if one is not None))


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


PROVIDER = Typeform()
