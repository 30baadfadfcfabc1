"""Templates: the company's own words, per language, with a declared fallback."""

import re
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from shared.domain.model import Model
from shared.domain.touchpoint import Channel

PREFERENCE_URL = "preference_url"
VARIABLES = frozenset({"ticket_number", PREFERENCE_URL})
"""All that a wording may use: what `follow_up_delivery` fills in."""
_VARIABLE = re.compile(r"\{([a-z_]+)\}")


class ProviderTemplate(Model):
    """The same words as the provider knows and approved them (WhatsApp message templates)."""

    name: str
    language: str
    state: Literal["approved", "pending", "rejected"]


class Wording(Model):
    """One template in one language.

    `{ticket_number}` and its like are the variables, in the order they appear.
    """

    text: str = Field(min_length=1, max_length=1024)
    subject: str | None = None
    approved: dict[Channel, ProviderTemplate] = {}

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_VARIABLE.findall(self.text)))

    @property
    def asks_for_link(self) -> bool:
        """Whether it shows the way to the person's preferences."""
        return PREFERENCE_URL in self.variables

    def approved_on(self, channel: Channel) -> ProviderTemplate | None:
        """As the provider approved it there, or None."""
        known = self.approved.get(channel)
        return known if known is not None and known.state == "approved" else None

    def filled(self, values: Mapping[str, str]) -> str:
        """The text with its variables replaced. What a value holds is never read as a variable."""
        return _VARIABLE.sub(lambda found: values[found[1]], self.text)


class Templates(Model):
    """`policies/templates.yaml`."""

    fallback_language: str
    templates: dict[str, dict[str, Wording]]

    @model_validator(mode="after")
    def _consistent(self) -> "Templates":
        for name, wordings in self.templates.items():
            if self.fallback_language not in wordings:
                raise ValueError(
                    f"templates: {name} has no {self.fallback_language}, the fallback language"
                )
            for language, wording in wordings.items():
                for variable in wording.variables:
                    if variable not in VARIABLES:
                        raise ValueError(
                            f"templates: {name}.{language} uses an unknown variable {{{variable}}}"
                        )
        return self

    def longest(self, name: str) -> int:
        """Of this template, in whatever language: characters, without what variables hold."""
        return max(len(wording.text) for wording in self.templates[name].values())

    def wording(self, name: str, language: str | None) -> tuple[str, Wording]:
        """The language it is in, and the words: the asked language, or the declared fallback."""
        wordings = self.templates[name]
        chosen = language if language in wordings else self.fallback_language
        return chosen, wordings[chosen]
