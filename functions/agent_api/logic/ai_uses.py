"""The register of AI uses as the API shows it, with how each stands now, and its kill switch."""

from datetime import UTC, date, datetime

from pydantic import Field, StrictBool

from functions.agent_api.logic.paging import Listing
from shared.domain.ai_use import (
    MICRO,
    AiRegister,
    AiUse,
    AiUseName,
    AiUseState,
    Kpi,
    PaidModel,
    RiskClass,
    Switch,
)
from shared.domain.errors import NotFound
from shared.domain.model import Instant, Model
from shared.events.catalogue import AiUseSwitched
from shared.ports.understanding import AiUses


class SwitchChange(Model):
    """What to turn the switch to, and why."""

    on: StrictBool
    reason: str = Field(min_length=1, max_length=500, pattern=r"\S")


class SwitchView(Model):
    """Who last turned the switch."""

    on: bool
    by: str
    at: Instant
    reason: str


class SpendingView(Model):
    """Of a use that is paid by the call. Money is in dollars."""

    model: str = Field(description="The one whose price is counted with.")
    price_as_of: date
    day: date = Field(description="UTC's.")
    daily_budget: float
    spent: float = Field(description="With what the calls under way may cost at the most.")
    failures_in_a_row: int
    breaker_open_until: Instant | None = Field(
        description="Until then nothing is asked; then one call tries."
    )
    masks_personal_data: bool


class AiUseView(Model):
    """A use of AI: its entry in the register, and how it stands now."""

    ai_use: AiUseName
    on: bool
    switched: SwitchView | None = Field(description="Null where nobody ever turned the switch.")
    purpose: str
    owner: str
    risk_class: RiskClass = Field(description="Of Regulation (EU) 2024/1689.")
    risk_because: str
    reads: tuple[str, ...]
    kpi: Kpi | None = Field(description="The number it is held to.")
    not_measured_because: str | None = Field(
        description="Where there is no such number: why, and where to look."
    )
    falls_back_to: str = Field(description="What happens while it is off.")
    reviewed: date
    spending: SpendingView | None


def list_ai_uses(*, register: AiRegister, ai_uses: AiUses, now: datetime) -> Listing[AiUseView]:
    states = ai_uses.states(list(register))
    return Listing(items=tuple(_view(entry, states[name], now) for name, entry in register.items()))


def read_ai_use(name: str, *, register: AiRegister, ai_uses: AiUses, now: datetime) -> AiUseView:
    ai_use, entry = _existing(name, register)
    return _view(entry, ai_uses.states([ai_use])[ai_use], now)


def switch_ai_use(
    name: str,
    change: SwitchChange,
    *,
    register: AiRegister,
    ai_uses: AiUses,
    by: str,
    now: datetime,
) -> AiUseView:
    """Turning it to where it stands changes nothing: who came first is who did it."""
    ai_use, entry = _existing(name, register)
    who = f"agent:{by}"
    switch = Switch(on=change.on, by=who, at=now, because=change.reason)
    event = AiUseSwitched(ai_use=ai_use, on=change.on, by=who)
    return _view(entry, ai_uses.switch(ai_use, switch, event), now)


def _existing(name: str, register: AiRegister) -> tuple[AiUseName, AiUse]:
    found = next(((ai_use, entry) for ai_use, entry in register.items() if ai_use == name), None)
    if found is None:
        raise NotFound("there is no such use of AI")
    return found


def _view(entry: AiUse, state: AiUseState, now: datetime) -> AiUseView:
    switch = state.switch
    return AiUseView(
        **{name: getattr(entry, name) for name in AiUse.model_fields if name != "paid"},
        ai_use=state.ai_use,
        on=state.is_on,
        switched=switch
        and SwitchView(on=switch.on, by=switch.by, at=switch.at, reason=switch.because),
        spending=entry.paid and _spending(entry.paid, state, now),
    )


def _spending(paid: PaidModel, state: AiUseState, now: datetime) -> SpendingView:
    today = now.astimezone(UTC).date()
    return SpendingView(
        model=paid.price.model,
        price_as_of=paid.price.as_of,
        day=today,
        daily_budget=paid.daily_budget / MICRO,
        spent=state.spent_on(today) / MICRO,
        failures_in_a_row=state.failures,
        breaker_open_until=state.open_until,
        masks_personal_data=paid.mask_personal_data,
    )
