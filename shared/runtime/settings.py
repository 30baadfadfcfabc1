"""The environment of each function as a typed value. The stack sets exactly these variables, no
other.

The field `touchpoints_table` is the variable TOUCHPOINTS_TABLE.
"""

import os
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Self

from pydantic import BaseModel, ConfigDict, Json

from shared.domain.retention import RetentionPolicy

environment: ContextVar[Mapping[str, str]] = ContextVar("environment", default=os.environ)
"""Where settings are read from.

The local cloud, which runs all functions in one process, gives each its own.
"""

ADMINISTRATORS = "administrators"
"""The group of the user pool whose members decide which systems hear what happens."""


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    @classmethod
    def read(cls) -> Self:
        """From the environment; a missing variable raises pydantic's ValidationError, which names
        it.
        """
        variables = environment.get()
        return cls.model_validate(
            {
                name: variables[name.upper()]
                for name in cls.model_fields
                if name.upper() in variables
            }
        )

    @classmethod
    def variables(cls) -> frozenset[str]:
        """The variables that must be set."""
        return frozenset(
            name.upper() for name, field in cls.model_fields.items() if field.is_required()
        )


class LedgerSettings(Settings):
    touchpoints_table: str
    raw_bucket: str


class ProfileSettings(Settings):
    profiles_table: str


class TicketSettings(Settings):
    tickets_table: str


class AiUsesSettings(Settings):
    ai_uses_table: str


class SecretSettings(Settings):
    secrets_prefix: str
    """Secret names are this, a provider and perhaps a slug: `passerelle/whatsapp_cloud/milano`."""


class RetentionSettings(Settings):
    """Of a function that writes what is kept."""

    retention: Json[RetentionPolicy]
    """How long, as the stack read it from the policy: the intake need not read YAML."""


class PreferenceLinkSettings(SecretSettings):
    """Of whoever writes a link to a person's preferences."""

    preferences_url: str
    """Where the preference page is; a link is this and a token."""


class TimerSettings(Settings):
    schedule_group: str
    schedule_role_arn: str
    schedule_target_arn: str
    """The function that this one's schedules invoke."""
    schedule_dead_letter_arn: str


class PrivacySettings(LedgerSettings, ProfileSettings, RetentionSettings):
    """Of whoever asks for an export or an erasure, or makes one."""


class WebhookIntakeSettings(LedgerSettings, SecretSettings, RetentionSettings):
    public_url: str = ""
    """Scheme and host the providers call, where it is not what the gateway says (a custom domain, a
    proxy).
    """
    account_secrets: Json[frozenset[str]] = frozenset()
    """The names of the secrets that are accounts' own (`twilio/milano`), as the stack read them
    from the policy: the intake need not read YAML.
    """
    intake_function_arn: str
    """Itself: it hands over what the store did not take in time."""


class EventPublishingSettings(Settings):
    bus_name: str


class ProfileUpdateSettings(LedgerSettings, ProfileSettings, RetentionSettings):
    pass


class AiClassificationSettings(LedgerSettings, ProfileSettings, RetentionSettings, AiUsesSettings):
    bedrock_model_id: str = ""
    """Empty: no model is called."""


class TicketCreationSettings(LedgerSettings, ProfileSettings, TicketSettings, RetentionSettings):
    pass


class FollowUpSchedulingSettings(TicketSettings, TimerSettings, RetentionSettings):
    pass


class FollowUpDeliverySettings(
    LedgerSettings,
    ProfileSettings,
    TicketSettings,
    TimerSettings,
    PreferenceLinkSettings,
    RetentionSettings,
    AiUsesSettings,
):
    provider_gateway: str = ""
    """A base URL in front of every provider's host; empty for the providers themselves."""


class MediaFetchingSettings(LedgerSettings, SecretSettings):
    provider_gateway: str = ""
    """A base URL in front of every provider's host; empty for the providers themselves."""


class DuplicateSuggestionSettings(ProfileSettings, AiUsesSettings):
    pass


class SegmentEvaluationSettings(LedgerSettings, ProfileSettings, TimerSettings):
    pass


class WebhookSettings(SecretSettings):
    """Of outgoing webhooks."""

    webhooks_table: str
    loopback_webhooks: str = ""
    """Set on a laptop: this machine may receive them too."""


class WebhookDeliverySettings(WebhookSettings, TimerSettings):
    pass


class EventRuleSettings(Settings):
    bus_name: str
    webhook_rule_prefix: str
    webhook_target_arn: str
    webhook_dead_letter_arn: str


class AgentApiSettings(
    PrivacySettings,
    TicketSettings,
    PreferenceLinkSettings,
    AiUsesSettings,
    WebhookSettings,
    EventRuleSettings,
):
    webhooks_url: str
    """Where the providers call; the name of an account's secret follows."""


class PreferencePageSettings(LedgerSettings, ProfileSettings, SecretSettings, RetentionSettings):
    pass


class PrivacyRequestsSettings(PrivacySettings, TicketSettings, SecretSettings):
    schedule_group: str


class OperationsSettings(PrivacySettings, SecretSettings, AiUsesSettings):
    """What `python -m shared.operations` reads from the outputs of the deployed stack."""
