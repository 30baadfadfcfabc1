"""What wakes somebody, and the page that shows why. Each alarm says what to do first."""

from collections.abc import Mapping
from typing import NamedTuple

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

NAMESPACE = "Passerelle"
QUARANTINED = "TouchpointsQuarantined"
MINUTES = Duration.minutes(5)

INTAKE_P95_MS = 500
"""WhatsApp wants a median of 250 ms and less than 1 % above a second."""
ITERATOR_AGE_MS = 60_000
"""A customer's message that waits a minute to be published."""


class Watch(NamedTuple):
    name: str
    metric: cloudwatch.IMetric
    threshold: float
    first_step: str
    periods: int = 1


class Alarms(Construct):
    """All alarms tell one topic. Silence is health: a metric without data is not an alarm."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        prefix: str,
        email: str,
        functions: Mapping[str, lambda_.IFunction],
        intake_log: logs.ILogGroup,
        dead_letters: Mapping[str, sqs.IQueue],
        journey: sfn.IStateMachine,
        batches: sfn.IStateMachine,
        privacy: Mapping[str, sfn.IStateMachine],
        api_id: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(self, "topic", enforce_ssl=True)
        if email:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))
        quarantined = _quarantined(intake_log)
        watches = [
            *(_dead_letter(name, queue) for name, queue in dead_letters.items()),
            *(_errors(name, function) for name, function in functions.items()),
            *(_throttles(name, function) for name, function in functions.items()),
            *_journey("journeys", journey),
            *_journey("batches", batches),
            *(_privacy(name, machine) for name, machine in privacy.items()),
            Watch(
                "touchpoints-quarantined",
                quarantined,
                1,
                "Read GET /v1/touchpoints?state=quarantined: an authentic request is unreadable.",
            ),
            Watch(
                "publishing-late",
                functions["event_publishing"].metric(
                    "IteratorAge", statistic="Maximum", period=MINUTES
                ),
                ITERATOR_AGE_MS,
                "Look at the errors of event_publishing: events of a table wait.",
            ),
            Watch(
                "api-5xx",
                _api_metric("5xx", api_id, "Sum"),
                1,
                "Look at the access log for the route, then at that function's log.",
            ),
            Watch(
                "intake-slow",
                functions["webhook_intake"].metric_duration(statistic="p95", period=MINUTES),
                INTAKE_P95_MS,
                "Compare with the latency of DynamoDB; raise the memory of webhook_intake.",
                periods=3,
            ),
        ]
        for watch in watches:
            self._alarm(prefix, watch)
        self._dashboard(prefix, watches, functions, journey, api_id)

    def _alarm(self, prefix: str, watch: Watch) -> None:
        alarm = cloudwatch.Alarm(
            self,
            watch.name,
            alarm_name=f"{prefix}-{watch.name}",
            alarm_description=watch.first_step,
            metric=watch.metric,
            threshold=watch.threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=watch.periods,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))

    def _dashboard(
        self,
        prefix: str,
        watches: list[Watch],
        functions: Mapping[str, lambda_.IFunction],
        journey: sfn.IStateMachine,
        api_id: str,
    ) -> None:
        def graph(title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
            return cloudwatch.GraphWidget(title=title, left=list(metrics), width=12)

        facts = [
            cloudwatch.MathExpression(
                expression=f"SUM(SEARCH('{{{NAMESPACE},provider}} MetricName=\"{fact}\"', 'Sum'))",
                using_metrics={},
                label=fact,
                period=MINUTES,
            )
            for fact in ("TouchpointsReceived", "TouchpointsDuplicate", QUARANTINED)
        ]
        by_name = {watch.name: watch.metric for watch in watches}
        waiting = [metric for name, metric in by_name.items() if name.startswith("dead-letters")]
        cloudwatch.Dashboard(
            self,
            "dashboard",
            dashboard_name=prefix,
            widgets=[
                [
                    graph("Touchpoints", *facts),
                    graph(
                        "Journeys",
                        journey.metric_started(period=MINUTES),
                        journey.metric_succeeded(period=MINUTES),
                        journey.metric_failed(period=MINUTES),
                    ),
                ],
                [
                    graph(
                        "API, milliseconds at p50 and p95",
                        _api_metric("Latency", api_id, "p50"),
                        _api_metric("Latency", api_id, "p95"),
                    ),
                    graph(
                        "API, requests and refusals",
                        _api_metric("Count", api_id, "Sum"),
                        _api_metric("4xx", api_id, "Sum"),
                        _api_metric("5xx", api_id, "Sum"),
                    ),
                ],
                [
                    graph(
                        "Functions, milliseconds at p95",
                        *(
                            function.metric_duration(statistic="p95", label=name, period=MINUTES)
                            for name, function in functions.items()
                        ),
                    ),
                    graph(
                        "Functions, errors",
                        *(
                            function.metric_errors(label=name, period=MINUTES)
                            for name, function in functions.items()
                        ),
                    ),
                ],
                [
                    graph("Dead letters", *waiting),
                    graph("Age of what waits to be published", by_name["publishing-late"]),
                ],
            ],
        )


def _dead_letter(name: str, queue: sqs.IQueue) -> Watch:
    return Watch(
        f"dead-letters-{name}",
        queue.metric_approximate_number_of_messages_visible(
            statistic="Maximum", period=MINUTES, label=name
        ),
        1,
        "Read a message of the queue, mend the cause, then send it again (docs/operations.md).",
    )


def _errors(name: str, function: lambda_.IFunction) -> Watch:
    return Watch(
        f"errors-{name}",
        function.metric_errors(period=MINUTES),
        1,
        "Search the function's log for step_failed; the name of the error stands in it.",
    )


def _throttles(name: str, function: lambda_.IFunction) -> Watch:
    return Watch(
        f"throttles-{name}",
        function.metric_throttles(period=MINUTES),
        1,
        "The account's limit of concurrent executions is reached: have it raised.",
    )


def _journey(name: str, journey: sfn.IStateMachine) -> list[Watch]:
    first_step = (
        "Read GET /v1/touchpoints?state=failed: the step and the error stand there; then `redrive`."
    )
    return [
        Watch(f"{name}-failed", journey.metric_failed(period=MINUTES), 1, first_step),
        Watch(f"{name}-timed-out", journey.metric_timed_out(period=MINUTES), 1, first_step),
    ]


def _privacy(name: str, machine: sfn.IStateMachine) -> Watch:
    failed = {"failed": machine.metric_failed(), "late": machine.metric_timed_out()}
    return Watch(
        f"{name}-failed",
        cloudwatch.MathExpression(
            expression="failed + late", using_metrics=failed, label=name, period=MINUTES
        ),
        1,
        "Read the execution's last state; mend the cause, then ask again: it goes on there.",
    )


def _quarantined(intake_log: logs.ILogGroup) -> cloudwatch.Metric:
    """The sum over the providers, by which the intake counts, taken from the same log lines."""
    filter_ = intake_log.add_metric_filter(
        "quarantined",
        metric_namespace=NAMESPACE,
        metric_name=QUARANTINED,
        filter_pattern=logs.FilterPattern.number_value(f"$.{QUARANTINED}", ">", 0),
        metric_value=f"$.{QUARANTINED}",
    )
    return filter_.metric(statistic="Sum", period=MINUTES)


def _api_metric(name: str, api_id: str, statistic: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace="AWS/ApiGateway",
        metric_name=name,
        dimensions_map={"ApiId": api_id},
        statistic=statistic,
        period=MINUTES,
        label=f"{name} {statistic}",
    )
