"""The secrets: of the providers a company uses, of accounts with their own, and two of ours."""

from collections.abc import Collection
from pathlib import Path

from aws_cdk import RemovalPolicy, SecretValue
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.constructs.acknowledgements import acknowledge

PROVIDERS = Path(__file__).parents[2] / "shared" / "providers"


def provider_names(folder: Path = PROVIDERS) -> list[str]:
    """By file name: the stack never imports a provider."""
    return sorted(file.stem for file in folder.glob("[a-z]*.py") if file.stem != "base")


class PrivacySecret(Construct):
    """The key of the digests in the proofs of erasure. Nobody needs to know it, so it is drawn."""

    def __init__(
        self, scope: Construct, construct_id: str, *, prefix: str, production: bool
    ) -> None:
        super().__init__(scope, construct_id)
        self.secret = secretsmanager.Secret(
            self,
            "secret",
            secret_name=f"{prefix}/privacy",
            description="What makes the proof of an erasure lead back to nobody",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template="{}",
                generate_string_key="key",
                password_length=64,
                exclude_punctuation=True,
            ),
            removal_policy=RemovalPolicy.RETAIN if production else RemovalPolicy.DESTROY,
        )
        reason = "With another key no proof would be recognised, and no backup erased again."
        acknowledge(self.secret, {"SMG4": reason})


class WebhookSecret(Construct):
    """The key from which each subscription's signing secret derives. Nobody needs to know it.

    To replace it is to rotate every subscription's secret at once.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, prefix: str, production: bool
    ) -> None:
        super().__init__(scope, construct_id)
        self.secret = secretsmanager.Secret(
            self,
            "secret",
            secret_name=f"{prefix}/webhooks",
            description="Signs the webhooks that the company's own systems receive",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template="{}",
                generate_string_key="key",
                password_length=64,
                exclude_punctuation=True,
            ),
            removal_policy=RemovalPolicy.RETAIN if production else RemovalPolicy.DESTROY,
        )
        reason = "Each subscription's own secret is rotated, by the API, with a day of overlap."
        acknowledge(self.secret, {"SMG4": reason})


class PreferenceSecret(Construct):
    """The key that signs the links to people's preferences. Nobody needs to know it.

    To replace it, put the present one under `previous`: the links that are about still hold.
    """

    def __init__(self, scope: Construct, construct_id: str, *, prefix: str) -> None:
        super().__init__(scope, construct_id)
        self.secret = secretsmanager.Secret(
            self,
            "secret",
            secret_name=f"{prefix}/preferences",
            description="Signs the links to the preference page",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template='{"id": "k1"}',
                generate_string_key="key",
                password_length=64,
                exclude_punctuation=True,
            ),
            removal_policy=RemovalPolicy.DESTROY,
        )
        reason = "Links are about for a year; a person replaces it, and keeps the previous key."
        acknowledge(self.secret, {"SMG4": reason})


class ProviderSecrets(Construct):
    """Each begins as `{}`, which opens no route.

    The company fills it in, and a later deployment leaves it alone: in production even one that
    forgot the provider.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        prefix: str,
        names: Collection[str],
        production: bool,
    ) -> None:
        """`names` are `twilio`, or `twilio/milano` for an account."""
        super().__init__(scope, construct_id)
        self.by_name = {
            name: secretsmanager.Secret(
                self,
                name.replace("/", "-"),
                secret_name=f"{prefix}/{name}",
                description=f"What proves and signs for {name}",
                secret_string_value=SecretValue.unsafe_plain_text("{}"),
                removal_policy=RemovalPolicy.RETAIN if production else RemovalPolicy.DESTROY,
            )
            for name in names
        }
        for secret in self.by_name.values():
            reason = "The provider issues it and the company fills it in; no code can rotate it."
            acknowledge(secret, {"SMG4": reason})
