"""The secrets: of the providers a company uses, of accounts with their own, and three of ours."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from aws_cdk import RemovalPolicy, SecretValue
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.constructs.acknowledgements import acknowledge

PROVIDERS = Path(__file__).parents[2] / "shared" / "providers"


def provider_names(folder: Path = PROVIDERS) -> list[str]:
    """By file name: the stack never imports a provider."""
    return sorted(file.stem for file in folder.glob("[a-z]*.py") if file.stem != "base")


class Drawn(NamedTuple):
    """A key of ours. Nobody needs to know it, so it is drawn when the stack is made."""

    description: str
    rotated: str
    """Why Secrets Manager does not rotate it."""
    is_kept: bool
    """Whether it outlives the stack in production."""
    template: str = "{}"


DRAWN = {
    "preferences": Drawn(
        "Signs the links to the preference page",
        # The present one goes under `previous`: the links that are about still hold.
        "Links are about for a year; a person replaces it, and keeps the previous key.",
        is_kept=False,
        template='{"id": "k1"}',
    ),
    "privacy": Drawn(
        "What makes the proof of an erasure lead back to nobody",
        "With another key no proof would be recognised, and no backup erased again.",
        is_kept=True,
    ),
    "webhooks": Drawn(
        "Signs the webhooks that the company's own systems receive",
        # Each subscription's own secret derives from it.
        "Each subscription's own secret is rotated, by the API, with a day of overlap.",
        is_kept=True,
    ),
}


class DrawnSecret(Construct):
    """One of `DRAWN`, by its name."""

    def __init__(
        self, scope: Construct, construct_id: str, *, name: str, prefix: str, production: bool
    ) -> None:
        super().__init__(scope, construct_id)
        drawn = DRAWN[name]
        stays = drawn.is_kept and production
        self.secret = secretsmanager.Secret(
            self,
            "secret",
            secret_name=f"{prefix}/{name}",
            description=drawn.description,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=drawn.template,
                generate_string_key="key",
                password_length=64,
                exclude_punctuation=True,
            ),
            removal_policy=RemovalPolicy.RETAIN if stays else RemovalPolicy.DESTROY,
        )
        acknowledge(self.secret, {"SMG4": drawn.rotated})


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
