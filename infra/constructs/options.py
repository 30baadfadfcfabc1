"""What a company may choose about its deployment, given as `-c name=value` or in cdk.json."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from infra.constructs.secrets import provider_names


class Options(BaseModel):
    """The context of a synthesis. A wrong value raises ValueError, which names it."""

    model_config = ConfigDict(frozen=True)

    production: bool = False
    """Keeps tables, files and agents when the stack goes, and refuses to delete them."""
    bundle: Literal["full", "none"] = "full"
    """`none` leaves the packages out: for tests and the local cloud, which run from the source."""
    alarm_email: str = Field(default="", pattern=r"^(\S+@\S+)?$")
    providers: tuple[str, ...] = ()
    """Those the company uses, separated by commas, or `all`: each has a secret, which costs 0.40
    dollars a month.
    """
    web_origins: tuple[str, ...] = ("*",)
    """Sites whose pages may call the API and the web chat, separated by commas.

    Every site is a sound default: there is no cookie that a foreign page could ride on.
    """
    public_url: str = Field(default="", pattern=r"^(https://[^/\s]+)?$")
    """Scheme and host of a custom domain in front of the API."""
    bedrock_model_id: str = ""
    """Enables the model behind the embedded classifier; empty: no model is called, none may be."""
    mail_identities: tuple[str, ...] = ("*",)
    """The verified SES identities that follow-ups may be sent from, separated by commas."""
    push_applications: tuple[str, ...] = ()
    """The SNS platform applications (`GCM/Boutique`) whose devices may be written to, separated by
    commas.
    """
    log_days: Literal[7, 14, 30, 60, 90, 180, 365] = 30
    requests_per_second: int = Field(default=500, ge=1, le=10_000)
    request_burst: int = Field(default=1000, ge=1, le=5_000)

    @field_validator(
        "providers", "web_origins", "mail_identities", "push_applications", mode="before"
    )
    @classmethod
    def split(cls, value: Any) -> Any:
        parts = value.split(",") if isinstance(value, str) else value
        return [part.strip() for part in parts if part.strip()]

    @field_validator("providers")
    @classmethod
    def known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        everyone = tuple(provider_names())
        if unknown := [name for name in names if name not in {*everyone, "all"}]:
            raise ValueError(f"no provider is called {', '.join(unknown)}; {', '.join(everyone)}")
        return everyone if "all" in names else tuple(sorted(set(names)))

    @field_validator("log_days", mode="before")
    @classmethod
    def number(cls, value: Any) -> Any:
        return int(value) if isinstance(value, str) and value.isdigit() else value


def read_options(context: dict[str, Any]) -> Options:
    try:
        return Options.model_validate(context)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"]))
        raise ValueError(f"context {name}: {first['msg']}") from None
