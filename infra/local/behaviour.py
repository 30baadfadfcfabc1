"""How each provider is told to behave: slow, busy, broken, refusing, silent; and its callbacks of
failures, twice, in the wrong order.
"""

from collections.abc import Mapping
from enum import StrEnum
from threading import Lock
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from infra.local.simulators.base import Fault, calls_back, fallible, simulators
from shared.domain.errors import InvalidInput


class Behaviour(StrEnum):
    NORMAL = "normal"
    SLOW = "slow"
    """Answers late, at the cloud's own pace."""
    THROTTLE = "throttle"
    """Takes nothing now, and says when to come back."""
    FAIL = "fail"
    """Breaks: nobody can tell whether it took the message. It did not."""
    REFUSE = "refuse"
    """Will never take this message."""
    DISCONNECT = "disconnect"
    """Takes the message, and the connection ends before anybody hears of it."""
    STATUS_FAILED = "status_failed"
    """Takes the message, and tells later that it did not arrive."""
    REDELIVER = "redeliver"
    """Tells everything several times."""
    REORDER = "reorder"
    """Tells the last thing first."""


OF_ANSWERS = (
    Behaviour.SLOW,
    Behaviour.THROTTLE,
    Behaviour.FAIL,
    Behaviour.REFUSE,
    Behaviour.DISCONNECT,
)
"""How it answers: one of these at a time."""
OF_STATUSES = (Behaviour.STATUS_FAILED, Behaviour.REDELIVER, Behaviour.REORDER)
"""How it calls back: any of these together, and beside one of the others."""


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class Manner(BaseModel):
    """What a provider was told, as `POST /_local/providers/<provider>` reads it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    behaviour: Annotated[tuple[Behaviour, ...], BeforeValidator(_several), Field(min_length=1)] = (
        Behaviour.NORMAL,
    )
    requests: Annotated[int, Field(ge=1, le=1000)] | None = None
    """After so many it answers as ever; None: until it is told."""
    seconds: float = Field(default=5, gt=0, le=3600)
    """How late a slow one is."""
    retry_after: int = Field(default=60, ge=1, le=86_400)
    """Seconds that a busy one asks for."""
    code: str | None = None
    """The provider's own: of the refusal, or of the failed delivery."""
    copies: int = Field(default=2, ge=2, le=20)
    """How often a callback comes."""

    @property
    def answers(self) -> Behaviour:
        return next((one for one in self.behaviour if one in OF_ANSWERS), Behaviour.NORMAL)

    def has(self, behaviour: Behaviour) -> bool:
        return behaviour in self.behaviour

    def after_one(self) -> "Manner":
        """What is left of it when one more request was answered that way."""
        if self.requests is None or self.answers is Behaviour.NORMAL:
            return self
        if self.requests > 1:
            return self.model_copy(update={"requests": self.requests - 1})
        left = tuple(one for one in self.behaviour if one in OF_STATUSES)
        return self.model_copy(update={"behaviour": left or (Behaviour.NORMAL,), "requests": None})


def read_manner(provider: str, told: Mapping[str, Any]) -> Manner:
    """Raises InvalidInput, which says what could be told instead."""
    if provider not in simulators():
        reason = f"nothing is sent through it here; one of {', '.join(simulators())} is wanted"
        raise InvalidInput(reason, field="provider")
    if "behaviour" not in told:
        raise InvalidInput(f"one of {', '.join(Behaviour)} is wanted", field="behaviour")
    try:
        manner = Manner.model_validate(told)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "body"
        reason = f"one of {', '.join(Behaviour)} is wanted" if name == "behaviour" else first["msg"]
        raise InvalidInput(reason, field=name) from None
    _check_together(manner)
    _check_able(provider, manner)
    return manner


def _check_together(manner: Manner) -> None:
    answers = [one for one in manner.behaviour if one in OF_ANSWERS]
    alone = Behaviour.NORMAL in manner.behaviour and len(manner.behaviour) > 1
    if len(answers) > 1 or alone or len(set(manner.behaviour)) < len(manner.behaviour):
        reason = f"one of {', '.join(OF_ANSWERS)}, and beside it any of {', '.join(OF_STATUSES)}"
        raise InvalidInput(f"{reason}; or normal alone", field="behaviour")
    if manner.requests is not None and not answers:
        raise InvalidInput("it counts requests for which it answers so", field="requests")


def _check_able(provider: str, manner: Manner) -> None:
    """Whether this provider can do so, and knows the code."""
    statuses = [one for one in manner.behaviour if one in OF_STATUSES]
    if statuses and calls_back(provider) is None:
        reason = f"{provider} never tells what became of a message"
        raise InvalidInput(reason, field="behaviour")
    faults = getattr(fallible(provider), "FAULTS", None)
    if faults is None:
        if manner.answers in {Behaviour.THROTTLE, Behaviour.FAIL, Behaviour.REFUSE}:
            reason = f"the simulator of {provider} cannot be told to {manner.answers}"
            raise InvalidInput(reason, field="behaviour")
        return
    if manner.has(Behaviour.STATUS_FAILED) and not faults.failures:
        reason = f"{provider} never tells that a message did not arrive"
        raise InvalidInput(reason, field="behaviour")
    codes = [one.code for one in faults.refusals] if manner.has(Behaviour.REFUSE) else []
    codes += faults.failures if manner.has(Behaviour.STATUS_FAILED) else []
    if manner.code is not None and manner.code not in codes:
        known = f"one of {', '.join(codes)} is wanted"
        reason = known if codes else "only refuse and status_failed have one"
        raise InvalidInput(reason, field="code")


def fault_of(provider: str, manner: Manner) -> Fault | None:
    """What its API says in place of taking a message; None where it takes it."""
    simulator = fallible(provider)
    if simulator is None:
        return None
    faults = simulator.FAULTS
    if manner.answers is Behaviour.REFUSE:
        named = {one.code: one for one in faults.refusals}
        return named.get(manner.code or "", faults.refusals[0])
    return {Behaviour.THROTTLE: faults.throttled, Behaviour.FAIL: faults.broken}.get(manner.answers)


def failure_of(provider: str, manner: Manner) -> str | None:
    """The code with which its statuses say that a message did not arrive."""
    simulator = fallible(provider)
    if simulator is None or not manner.has(Behaviour.STATUS_FAILED):
        return None
    failures = simulator.FAULTS.failures
    return manner.code if manner.code in failures else next(iter(failures))


class Manners:
    """Of every provider; `normal` for who was told nothing."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._told: dict[str, Manner] = {}

    def tell(self, provider: str, manner: Manner) -> None:
        with self._lock:
            self._told[provider] = manner

    def of(self, provider: str) -> Manner:
        with self._lock:
            return self._told.get(provider, Manner())

    def take(self, provider: str) -> Manner:
        """For one request that the provider would take."""
        with self._lock:
            manner = self._told.get(provider, Manner())
            self._told[provider] = manner.after_one()
        return manner
