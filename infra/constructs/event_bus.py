"""How an event leaves a table, and who hears it. The rules are built from the event classes."""

from collections.abc import Collection, Mapping
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from shared.domain.ticket import TicketStatus
from shared.events.catalogue import (
    ClassificationOverridden,
    DeliveryFailed,
    EndpointReleased,
    EndpointSuppressed,
    ErasureRequested,
    ExportRequested,
    FollowUpScheduled,
    HelpRequested,
    MediaReceived,
    OverrideReleased,
    ProfilesMerged,
    ProfilesSeparated,
    ProfileUpdated,
    SendConfirmed,
    TicketChanged,
    TouchpointClassified,
    TouchpointReceived,
    TouchpointsReceived,
    WebhookReplayRequested,
)
from shared.events.envelope import SOURCE, Event

CARRIES_AN_EVENT = {"dynamodb": {"NewImage": {"event": {"M": {"type": {"S": [{"exists": True}]}}}}}}
"""A write without an event costs no invocation."""


class Bus(Construct):
    """Kept for thirty days, so that a new subscriber can be fed with what was.

    The events hold ids, no words.
    """

    def __init__(self, scope: Construct, construct_id: str, *, bus_name: str) -> None:
        super().__init__(scope, construct_id)
        self.bus = events.EventBus(self, "bus", event_bus_name=bus_name)
        self.bus.archive(
            "archive",
            archive_name=bus_name,
            event_pattern=events.EventPattern(source=[SOURCE]),
            retention=Duration.days(30),
        )


class StreamPublishing(Construct):
    """Each table's stream to `event_publishing`.

    The window is 0: a second of gathering would save invocations only where there are few, and a
    customer would wait for it. One batch at a time per shard: a batch of 100 takes ten calls of
    PutEvents, about 100 ms, so it is read as fast as a shard can be written, and in order.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        tables: Mapping[str, dynamodb.Table],
        publisher: lambda_.IFunction,
        publisher_role: iam.Role,
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        publisher_role.add_to_policy(
            iam.PolicyStatement(
                actions=[
                    "dynamodb:DescribeStream",
                    "dynamodb:GetRecords",
                    "dynamodb:GetShardIterator",
                    "dynamodb:ListStreams",
                ],
                resources=[str(table.table_stream_arn) for table in tables.values()],
            )
        )
        publisher_role.add_to_policy(
            iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[dead_letters.queue_arn])
        )
        for name, table in tables.items():
            mapping = lambda_.EventSourceMapping(
                self,
                name,
                target=publisher,
                event_source_arn=table.table_stream_arn,
                starting_position=lambda_.StartingPosition.TRIM_HORIZON,
                batch_size=100,
                max_batching_window=Duration.seconds(0),
                parallelization_factor=1,
                report_batch_item_failures=True,
                bisect_batch_on_error=True,
                retry_attempts=20,
                max_record_age=Duration.hours(6),
                on_failure=sources.SqsDlq(dead_letters),
                filters=[lambda_.FilterCriteria.filter(CARRIES_AN_EVENT)],
            )
            # The mapping is checked against the role when it is made.
            mapping.node.add_dependency(publisher_role)


class Rules(Construct):
    """Who acts on which event. What a target does not take within a day goes to the queue."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        bus: events.IEventBus,
        touchpoint_journey: sfn.IStateMachine,
        touchpoint_batch: sfn.IStateMachine,
        follow_up_scheduling: lambda_.IFunction,
        follow_up_delivery: lambda_.IFunction,
        media_fetching: lambda_.IFunction,
        segment_evaluation: lambda_.IFunction,
        duplicate_suggestion: lambda_.IFunction,
        webhook_delivery: lambda_.IFunction,
        moods: Collection[str],
        erasure: sfn.IStateMachine,
        export: sfn.IStateMachine,
        dead_letters: sqs.IQueue,
    ) -> None:
        """`moods` are those of messages that may move somebody between segments."""
        super().__init__(scope, construct_id)
        self._bus = bus
        delivery: dict[str, Any] = {
            "dead_letter_queue": dead_letters,
            "retry_attempts": 185,
            "max_event_age": Duration.hours(24),
        }
        for name, begins, machine in (
            ("received_starts_journey", TouchpointReceived, touchpoint_journey),
            ("batch_starts_its_journey", TouchpointsReceived, touchpoint_batch),
            ("override_starts_journey", ClassificationOverridden, touchpoint_journey),
            ("release_starts_journey", OverrideReleased, touchpoint_journey),
        ):
            self._rule(
                name,
                begins.event_pattern(),
                targets.SfnStateMachine(
                    machine,
                    input=events.RuleTargetInput.from_event_path("$.detail.data"),
                    **delivery,
                ),
            )
        for name, pattern in (
            ("media_are_fetched", TouchpointReceived.event_pattern(has_media=[True])),
            ("late_media_are_fetched", MediaReceived.event_pattern()),
        ):
            self._rule(
                name,
                pattern,
                targets.LambdaFunction(
                    media_fetching,
                    event=events.RuleTargetInput.from_object(
                        {"touchpoint_id": _field(MediaReceived, "touchpoint_id")}
                    ),
                    **delivery,
                ),
            )
        self._rule(
            "words_schedule_follow_ups",
            # Until it was first answered, the journeys of its words schedule what counts from them.
            TicketChanged.event_pattern(
                change=["agent_replied", "customer_wrote"],
                status=[one.value for one in TicketStatus if one is not TicketStatus.NEW],
            ),
            targets.LambdaFunction(
                follow_up_scheduling,
                event=events.RuleTargetInput.from_object(
                    {
                        "ticket_id": _field(TicketChanged, "ticket_id"),
                        "when": _field(TicketChanged, "change"),
                    }
                ),
                **delivery,
            ),
        )
        self._rule(
            "immediate_is_delivered",
            FollowUpScheduled.event_pattern(immediate=[True]),
            targets.LambdaFunction(
                follow_up_delivery,
                event=events.RuleTargetInput.from_object(
                    {
                        name: _field(FollowUpScheduled, name)
                        for name in ("ticket_id", "follow_up_id")
                    }
                ),
                **delivery,
            ),
        )

        told_later: tuple[tuple[str, type[Event], dict[str, str]], ...] = (
            (
                "failure_returns_to_its_ticket",
                DeliveryFailed,
                {
                    "ticket_id": "ticket_id",
                    "follow_up_id": "follow_up_id",
                    "failed": "touchpoint_id",
                },
            ),
            (
                "confirmation_settles_what_was_unconfirmed",
                SendConfirmed,
                {"send_key": "send_key", "message_id": "message_id"},
            ),
        )
        for name, told, form in told_later:
            self._rule(
                name,
                told.event_pattern(),
                targets.LambdaFunction(
                    follow_up_delivery,
                    event=events.RuleTargetInput.from_object(
                        {key: _field(told, field) for key, field in form.items()}
                    ),
                    **delivery,
                ),
            )

        evaluation = targets.LambdaFunction(
            segment_evaluation,
            event=events.RuleTargetInput.from_event_path("$.detail.data"),
            **delivery,
        )
        changes = (ProfileUpdated, ProfilesMerged, ProfilesSeparated)
        self._rule(
            "change_moves_between_segments",
            {**Event.event_pattern(), "detail-type": [event.__name__ for event in changes]},
            evaluation,
        )
        self._rule(
            "change_is_compared",
            ProfileUpdated.event_pattern(has_facts=[True]),
            targets.LambdaFunction(
                duplicate_suggestion,
                event=events.RuleTargetInput.from_object(
                    {"profile_id": _field(ProfileUpdated, "profile_id")}
                ),
                **delivery,
            ),
        )
        if moods:
            self._rule(
                "mood_moves_between_segments",
                TouchpointClassified.event_pattern(sentiment=sorted(moods)),
                evaluation,
            )

        self._rule(
            "webhook_is_replayed",
            WebhookReplayRequested.event_pattern(),
            targets.LambdaFunction(
                webhook_delivery,
                event=events.RuleTargetInput.from_object(
                    {
                        name: _field(WebhookReplayRequested, name)
                        for name in ("subscription", "delivery_id")
                    }
                ),
                **delivery,
            ),
        )

        privacy = (
            ("request_starts_erasure", ErasureRequested, erasure),
            ("request_starts_export", ExportRequested, export),
        )
        for name, event, machine in privacy:
            self._rule(
                name,
                event.event_pattern(),
                targets.SfnStateMachine(
                    machine,
                    input=events.RuleTargetInput.from_event_path("$.detail.data"),
                    **delivery,
                ),
            )

        for name, pattern in (
            ("opt_out_is_confirmed", EndpointSuppressed.event_pattern(confirm=[True])),
            ("opt_in_is_confirmed", EndpointReleased.event_pattern(confirm=[True])),
            ("help_is_answered", HelpRequested.event_pattern()),
        ):
            self._rule(
                name,
                pattern,
                targets.LambdaFunction(
                    follow_up_delivery,
                    event=events.RuleTargetInput.from_object(
                        {"touchpoint_id": _field(HelpRequested, "touchpoint_id")}
                    ),
                    **delivery,
                ),
            )

    def _rule(self, name: str, pattern: dict[str, Any], target: events.IRuleTarget) -> None:
        events.Rule(
            self,
            name,
            event_bus=self._bus,
            event_pattern=events.EventPattern(
                source=pattern["source"],
                detail_type=pattern["detail-type"],
                detail=pattern.get("detail"),
            ),
            targets=[target],
        )


def _field(event: type[Any], name: str) -> str:
    """The path of an event's field in its envelope. Raises ValueError for one it does not have."""
    if name not in event.model_fields:
        raise ValueError(f"{event.__name__} has no field {name}")
    return events.EventField.from_path(f"$.detail.data.{name}")
