"""The composition root: which adapter stands behind which port. Each is made once, on first use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.config import Config
from botocore.loaders import Loader

from shared.adapters.clock import SystemClock

# An adapter is imported where it is wired, and a port is a name for the type checker alone, so that
# a function pays only for what it uses.
if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.domain.account import Accounts
    from shared.domain.matching import Similarity
    from shared.policies.reader import Policies
    from shared.ports.consents import ConsentStore
    from shared.ports.ledger import Haste, Ledger, MediaFiles
    from shared.ports.privacy import PersonalData, PrivacyRequests
    from shared.ports.profiles import (
        IdentifierForms,
        MailAddresses,
        MatchIndex,
        PhoneNumbers,
        ProfileStore,
    )
    from shared.ports.providers import (
        AccountBreakers,
        Clock,
        FileType,
        ProviderMedia,
        Secrets,
        Sender,
    )
    from shared.ports.segments import SegmentStore
    from shared.ports.tickets import TicketStore, Timer
    from shared.ports.understanding import AiUses, Classifier, Masker
    from shared.ports.webhooks import Bus, EventRules, WebhookReceivers, Webhooks
    from shared.providers.base import Fetch, WebhookRequest
    from shared.runtime.settings import (
        AiClassificationSettings,
        AiUsesSettings,
        EventPublishingSettings,
        EventRuleSettings,
        FollowUpDeliverySettings,
        LedgerSettings,
        MediaFetchingSettings,
        PrivacyRequestsSettings,
        PrivacySettings,
        ProfileSettings,
        SecretSettings,
        TicketSettings,
        TimerSettings,
        WebhookIntakeSettings,
        WebhookSettings,
    )

current_clock: ContextVar[Clock] = ContextVar("current_clock")
"""Set by the local cloud, whose clock can be moved."""

SERVICES = (
    "bedrock-runtime",
    "cloudformation",
    "dynamodb",
    "events",
    "lambda",
    "s3",
    "scheduler",
    "secretsmanager",
    "sesv2",
    "sns",
)
"""Every service that an adapter or `shared.operations` calls."""
SIGN_IN_SERVICES = ("signin", "sso", "sso-oidc", "sts")
"""Those that botocore itself asks for the credentials of a person on duty."""


class _Models(Loader):
    """Botocore's models, without the look through its four hundred folders that it takes to tell
    whether there is a service of that name: a tenth of a client's making.
    """

    def list_available_services(self, type_name: str) -> list[str]:
        return [*SERVICES, *SIGN_IN_SERVICES]


_models = cache(_Models)

_ONLY: Mapping[str, Mapping[str, Any]] = {
    "s3": {
        "signature_version": "s3v4",
        "s3": {"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"},
    }
}
"""What one service needs of its own. botocore still signs links to a bucket for the global host, in
older regions by Signature Version 2: a key made since 2020 is refused there, and other regions
redirect to a host that the signature does not cover.
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""


CONNECT_SECONDS = 2
HURRIED_SECONDS = 1


@cache
def client(service: str, attempts: int = 4, read_timeout: float = 10) -> Any:
    """A client of one AWS service: short timeouts, and botocore's own retries with jitter."""
    config = Config(
        connect_timeout=min(CONNECT_SECONDS, read_timeout),
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        tcp_keepalive=True,
        **_ONLY.get(service, {}),
    )
    session = botocore.session.get_session()
    session.register_component("data_loader", _models())
    return session.create_client(service, config=config)


def stack_outputs(stack: str) -> dict[str, str]:
    """A deployed stack's outputs as an environment: TouchpointsTable is TOUCHPOINTS_TABLE."""
    (described,) = client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return {
        "".join(f"_{one}" if one.isupper() else one for one in output["OutputKey"])
        .lstrip("_")
        .upper(): output["OutputValue"]
        for output in described["Outputs"]
    }


def clock() -> Clock:
    return current_clock.get(SystemClock())


@cache
def ledger(settings: LedgerSettings) -> Ledger:
    return _ledger(settings, client("dynamodb"))


@cache
def hurried_ledger(settings: LedgerSettings) -> Ledger:
    """For whoever waits a second: one attempt, given up in the end even where nobody looks."""
    return _ledger(settings, client("dynamodb", attempts=1, read_timeout=HURRIED_SECONDS))


def _ledger(settings: LedgerSettings, dynamodb: Any) -> Ledger:
    from shared.adapters.ledger import DynamoLedger

    return DynamoLedger(
        dynamodb,
        lambda: client("s3"),
        settings.touchpoints_table,
        settings.raw_bucket,
        getattr(settings, "retention", None),
    )


@cache
def media_files(settings: LedgerSettings) -> MediaFiles:
    from shared.adapters.media_files import S3MediaFiles

    return S3MediaFiles(lambda: client("s3"), settings.raw_bucket)


def haste(
    settings: WebhookIntakeSettings, event_of: Callable[[WebhookRequest], Mapping[str, Any]]
) -> Haste:
    """Its client is made before there is hurry."""
    from shared.adapters.haste import LambdaHaste

    hurried = client("lambda", attempts=1, read_timeout=HURRIED_SECONDS)
    return LambdaHaste(hurried, settings.intake_function_arn, event_of)


@cache
def accounts(settings: WebhookIntakeSettings) -> Accounts:
    """Those the policy lists. Reading YAML costs a cold start, so only where one has a secret of
    its own, which is what it matters for.
    """
    if not settings.account_secrets:
        from shared.domain.account import Accounts

        return Accounts()
    from shared.policies.reader import read_policies

    return read_policies().accounts


@cache
def profiles(settings: ProfileSettings) -> ProfileStore:
    from shared.adapters.profiles import DynamoProfileStore

    touchpoints_table = getattr(settings, "touchpoints_table", "")
    return DynamoProfileStore(
        client("dynamodb"),
        settings.profiles_table,
        touchpoints_table,
        getattr(settings, "retention", None),
    )


@cache
def consents(settings: ProfileSettings) -> ConsentStore:
    from shared.adapters.consents import DynamoConsentStore

    touchpoints_table = getattr(settings, "touchpoints_table", "")
    return DynamoConsentStore(
        client("dynamodb"),
        settings.profiles_table,
        touchpoints_table,
        getattr(settings, "retention", None),
        clock,
    )


@cache
def segments(settings: ProfileSettings) -> SegmentStore:
    from shared.adapters.segments import DynamoSegmentStore

    return DynamoSegmentStore(client("dynamodb"), settings.profiles_table)


@cache
def match_index(settings: ProfileSettings) -> MatchIndex:
    from shared.adapters.match_index import DynamoMatchIndex

    return DynamoMatchIndex(client("dynamodb"), settings.profiles_table)


@cache
def similarity() -> Similarity:
    from shared.adapters.similarity import JellyfishSimilarity

    return JellyfishSimilarity()


@cache
def tickets(settings: TicketSettings) -> TicketStore:
    from shared.adapters.tickets import DynamoTicketStore

    return DynamoTicketStore(
        client("dynamodb"),
        settings.tickets_table,
        getattr(settings, "touchpoints_table", ""),
        getattr(settings, "profiles_table", ""),
        getattr(settings, "retention", None),
    )


@cache
def privacy_requests(settings: PrivacySettings) -> PrivacyRequests:
    from shared.adapters.privacy import DynamoPrivacyRequests

    return DynamoPrivacyRequests(
        client("dynamodb"),
        lambda: client("s3"),
        settings.profiles_table,
        settings.raw_bucket,
        settings.retention,
    )


@cache
def personal_data(settings: PrivacyRequestsSettings) -> PersonalData:
    from shared.adapters.ledger_reading import LedgerReader
    from shared.adapters.personal_data import AwsPersonalData, Tables

    dynamodb = client("dynamodb")
    files = partial(client, "s3")
    return AwsPersonalData(
        dynamodb,
        files,
        lambda: client("scheduler"),
        LedgerReader(dynamodb, files, settings.touchpoints_table, settings.raw_bucket),
        tables=Tables(settings.touchpoints_table, settings.profiles_table, settings.tickets_table),
        bucket=settings.raw_bucket,
        schedule_group=settings.schedule_group,
    )


@cache
def secrets(settings: SecretSettings) -> Secrets:
    from shared.adapters.secrets import SecretsManager

    return SecretsManager(
        client("secretsmanager"),
        settings.secrets_prefix,
        elapsed=lambda: clock().now().timestamp(),
    )


@cache
def timer(settings: TimerSettings) -> Timer:
    from shared.adapters.timer import SchedulerTimer

    return SchedulerTimer(
        lambda: client("scheduler"),
        group=settings.schedule_group,
        role_arn=settings.schedule_role_arn,
        target_arn=settings.schedule_target_arn,
        dead_letter_arn=settings.schedule_dead_letter_arn,
    )


@cache
def bus(settings: EventPublishingSettings) -> Bus:
    from shared.adapters.bus import EventBridgeBus

    return EventBridgeBus(client("events"), settings.bus_name)


@cache
def sender(settings: FollowUpDeliverySettings) -> Sender:
    from shared.adapters.sender import ProviderSender

    # One attempt: what was taken and whose answer got lost must not leave twice.
    return ProviderSender(
        lambda: client("sesv2", attempts=1),
        lambda: client("sns", attempts=1),
        gateway=settings.provider_gateway,
    )


@cache
def breakers(settings: TicketSettings) -> AccountBreakers:
    from shared.adapters.account_breakers import DynamoAccountBreakers

    return DynamoAccountBreakers(client("dynamodb"), settings.tickets_table)


@cache
def provider_media(settings: MediaFetchingSettings) -> ProviderMedia:
    from shared.adapters.media import HttpMedia

    return HttpMedia(gateway=settings.provider_gateway)


def file_type() -> FileType:
    from shared.adapters.file_types import file_type

    return file_type


@cache
def ai_uses(settings: AiUsesSettings) -> AiUses:
    from shared.adapters.ai_uses import DynamoAiUses

    return DynamoAiUses(
        client("dynamodb"), settings.ai_uses_table, partial(client, "dynamodb", attempts=1)
    )


@cache
def webhooks(settings: WebhookSettings) -> Webhooks:
    from shared.adapters.webhooks import DynamoWebhooks

    return DynamoWebhooks(client("dynamodb"), settings.webhooks_table)


@cache
def webhook_receivers(settings: WebhookSettings) -> WebhookReceivers:
    from shared.adapters.webhook_receivers import HttpWebhookReceivers

    return HttpWebhookReceivers(loopback=bool(settings.loopback_webhooks))


@cache
def event_rules(settings: EventRuleSettings) -> EventRules:
    from shared.adapters.webhooks import EventBridgeRules

    return EventBridgeRules(
        client("events"),
        bus=settings.bus_name,
        prefix=settings.webhook_rule_prefix,
        target_arn=settings.webhook_target_arn,
        dead_letter_arn=settings.webhook_dead_letter_arn,
    )


def masker() -> Masker:
    """What hides personal data before a text leaves the account; imported for the first one.

    Of a text longer than any classifier reads the rest is left out: its cost is bounded.
    """

    def mask(text: str, names: Sequence[str] = (), /) -> str:
        from shared.adapters.message_words import plain
        from shared.adapters.personal_data_finder import PersonalDataFinder

        return PersonalDataFinder().mask(plain(text), names)

    return mask


@cache
def classifier(settings: AiClassificationSettings) -> Classifier:
    from shared.adapters.classifier import build_classifier
    from shared.domain.ai_use import AiUseName
    from shared.policies.reader import read_policies

    bedrock = None
    if settings.bedrock_model_id:
        paid = read_policies().ai_register[AiUseName.BEDROCK_CLASSIFICATION].paid
        seconds = paid.timeout_seconds if paid else 0
        # One attempt: the embedded answer is at hand, and a second call would cost a second time.
        bedrock = partial(client, "bedrock-runtime", attempts=1, read_timeout=seconds)
    return build_classifier(
        bedrock,
        settings.bedrock_model_id,
        ai_uses=ai_uses(settings),
        clock=clock,
        mask=masker(),
    )


def free_classifier(policies: Policies, model: Path | None = None) -> Classifier:
    """Rules and the embedded model of these policies; no call that is paid for."""
    from shared.adapters.classifier import build_classifier
    from shared.adapters.embedded_classifier import MODEL

    return build_classifier(None, "", policies, model=model or MODEL)


def fetch() -> Fetch:
    from shared.adapters.web import fetch

    return fetch


@cache
def phone_numbers() -> PhoneNumbers:
    from shared.adapters.phone_numbers import LibPhoneNumber

    return LibPhoneNumber()


@cache
def mail_addresses() -> MailAddresses:
    from shared.adapters.mail_addresses import Rfc5321MailAddresses

    return Rfc5321MailAddresses()


@cache
def identifier_forms() -> IdentifierForms:
    from shared.adapters import identifiers

    return identifiers.IdentifierForms(phone_numbers(), mail_addresses())
