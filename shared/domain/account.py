"""Our lines at the providers, and what a company says of each (`policies/accounts.yaml`)."""

from pydantic import Field, RootModel

from shared.domain.model import Model


class Account(Model):
    """One configured line: a number, a page, a mailbox, a shop. What is None is as everywhere."""

    provider: str = Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")
    account: str = Field(min_length=1, max_length=320)
    """As it stands in touchpoints and endpoints: what the provider calls the line."""
    name: str = Field(default="", max_length=100)
    """What people call it."""
    slug: str | None = Field(default=None, pattern=r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$")
    """Its part of the webhook's URL, where it has a secret of its own; lines with one have one
    secret.
    """
    region: str | None = Field(default=None, pattern=r"^[A-Z]{2}$")
    """ISO 3166 country in which a phone number without a country code is read."""
    language: str | None = Field(default=None, pattern=r"^[a-z]{2,3}$")
    """What is spoken where neither the provider nor the words tell."""
    calendar: str | None = None
    """In whose working time the clocks of a ticket run that was opened here."""
    queue: str | None = None
    """Takes all that comes here, whatever it is about."""

    @property
    def secret(self) -> str:
        """The name of what proves its webhooks and signs what it sends. The same follows
        `/webhooks/` in their URL.
        """
        return secret_name(self.provider, self.slug or "")


def secret_name(provider: str, slug: str) -> str:
    """`twilio`, or `twilio/milano` for the accounts with that slug."""
    return f"{provider}/{slug}" if slug else provider


class Accounts(RootModel[tuple[Account, ...]]):
    """Those that are not as everywhere; the others need no line."""

    root: tuple[Account, ...] = ()

    def of(self, provider: str, account: str) -> Account:
        """As it is listed, or with nothing of its own."""
        named = (provider, account)
        listed = (one for one in self.root if (one.provider, one.account) == named)
        return next(listed, Account.model_construct(provider=provider, account=account))

    def may_speak(self, slug: str, provider: str, account: str) -> bool:
        """Whether what the secret of that slug proves may be about this line: of one that is
        listed, its own secret alone. Whoever holds another's would be answered in its name, and
        have its files fetched by its login.
        """
        listed = (one for one in self.root if (one.provider, one.account) == (provider, account))
        found = next(listed, None)
        return found is None or (found.slug or "") == slug

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of those that are not a provider's own, in alphabetical order."""
        return tuple(sorted({one.secret for one in self.root if one.slug}))
