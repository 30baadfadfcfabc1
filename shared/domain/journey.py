"""What the steps of the touchpoint journey hand on. One field per step, named like the step."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import ConfigDict

from shared.domain.classification import Classification
from shared.domain.decision import Decision
from shared.domain.model import FollowUpId, Model, ProfileId, TicketId, TouchpointId


class ProfileStep(Model):
    """`next_step` says whether the touchpoint needs understanding; a passive one is finished with
    its profile.
    """

    profile_id: ProfileId
    """Of the touchpoint's home, for good. Empty when the touchpoint names nobody."""
    profile_ids: tuple[ProfileId, ...] = ()
    """All profiles of that person, the home first."""
    next_step: Literal["ai_classification", "nothing"]
    why: str


class ClassificationStep(Model):
    """`next_step` says whether anybody might owe the customer something."""

    classification: Classification
    machine_classification: Classification | None = None
    """What the classifiers and the mark said, where a person said otherwise."""
    paid_classification: Classification | None = None
    """What Bedrock had answered, where the touchpoint's mark said otherwise."""
    next_step: Literal["ticket_creation", "nothing"]
    decisions: tuple[Decision, ...] = ()

    def handed_on(self) -> dict[str, Any]:
        """As JSON. What the text does not hold costs no byte of the state and of the outcome."""
        state = self.model_dump(mode="json", exclude_none=True)
        facts = ("summary", "entities", "personal_data", "weak_signals")
        state["classification"] = {
            name: value
            for name, value in state["classification"].items()
            if value or name not in facts
        }
        return state

    @property
    def machine(self) -> Classification:
        """What counts where no person said otherwise."""
        return self.machine_classification or self.classification

    @property
    def answer(self) -> Classification:
        """What is weighed again with the mark and with what people say; a mark that was weighed
        already changes nothing the second time.
        """
        return self.paid_classification or self.machine


class TicketOutcome(StrEnum):
    OPENED = "opened"
    JOINED = "joined"
    HELD = "held"
    """The ticket is as it was: it held this touchpoint already, or an earlier and a later one."""
    CORRECTED = "corrected"
    """It held this touchpoint already, and a person changed what follows from it."""
    NOTHING = "nothing"


class TicketStep(Model):
    """`next_step` is to schedule follow-ups when the ticket is new, or turned out to have begun
    earlier.
    """

    outcome: TicketOutcome
    ticket_id: TicketId | None = None
    queue: str | None = None
    next_step: Literal["follow_up_scheduling", "nothing"]
    decisions: tuple[Decision, ...] = ()


class JourneyState(Model):
    """The state of one execution. Ids and small facts, and of the text a summary
    that names nobody: no message, no address. No log, event or dead letter carries the state.
    """

    model_config = ConfigDict(extra="ignore")

    touchpoint_id: TouchpointId
    attempt: int | None = None
    """Which round of its journey this is, as the event that started it says."""
    profile_update: ProfileStep | None = None
    ai_classification: ClassificationStep | None = None
    ticket_creation: TicketStep | None = None

    def is_overtaken(self, attempt: int) -> bool:
        """Whether the touchpoint has begun a later round: this one, delivered twice or late, has
        nothing to say any more.
        """
        return self.attempt is not None and self.attempt < attempt


class BatchState(Model):
    """The touchpoints of a batch: each begins its first round, and no other."""

    model_config = ConfigDict(extra="ignore")

    touchpoint_ids: tuple[TouchpointId, ...]

    @property
    def journeys(self) -> tuple[JourneyState, ...]:
        return tuple(JourneyState(touchpoint_id=one, attempt=1) for one in self.touchpoint_ids)


class SchedulingRequest(Model):
    """Schedule what the policy promises on a ticket after `when` happened."""

    model_config = ConfigDict(extra="ignore")

    ticket_id: TicketId
    when: Literal["ticket_opened", "customer_wrote", "agent_replied"]


class NoticeRequest(Model):
    """A word calls for a notice: an opt-out or opt-in is confirmed, or HELP answered."""

    model_config = ConfigDict(extra="ignore")

    touchpoint_id: TouchpointId


class ConfirmationRequest(Model):
    """A provider speaks of a message whose send may have been unconfirmed."""

    model_config = ConfigDict(extra="ignore")

    send_key: str
    message_id: str


class FailureRequest(Model):
    """What a follow-up sent did not arrive."""

    model_config = ConfigDict(extra="ignore")

    ticket_id: TicketId
    follow_up_id: FollowUpId
    failed: TouchpointId


class MediaRequest(Model):
    """A touchpoint came with files."""

    model_config = ConfigDict(extra="ignore")

    touchpoint_id: TouchpointId


class DeliveryRequest(Model):
    """A follow-up is due."""

    model_config = ConfigDict(extra="ignore")

    ticket_id: TicketId
    follow_up_id: FollowUpId
