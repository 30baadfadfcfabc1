"""The functions as data, and the construct that makes one of them.

Its environment is exactly the fields of its settings class, its role exactly its grants.
"""

from collections.abc import Mapping
from typing import NamedTuple

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.constructs.acknowledgements import acknowledge, acknowledge_wildcards
from shared.runtime.settings import (
    AgentApiSettings,
    AiClassificationSettings,
    DuplicateSuggestionSettings,
    EventPublishingSettings,
    FollowUpDeliverySettings,
    FollowUpSchedulingSettings,
    MediaFetchingSettings,
    PreferencePageSettings,
    PrivacyRequestsSettings,
    ProfileUpdateSettings,
    SegmentEvaluationSettings,
    Settings,
    TicketCreationSettings,
    WebhookDeliverySettings,
    WebhookIntakeSettings,
)

GET = "dynamodb:GetItem"
BATCH_GET = "dynamodb:BatchGetItem"
PUT = "dynamodb:PutItem"
UPDATE = "dynamodb:UpdateItem"
DELETE = "dynamodb:DeleteItem"
CHECK = "dynamodb:ConditionCheckItem"
QUERY = "dynamodb:Query"
SCAN = "dynamodb:Scan"
GET_OBJECT = "s3:GetObject"
DELETE_OBJECT = "s3:DeleteObject"
LIST_BUCKET = "s3:ListBucket"
PUT_OBJECT = "s3:PutObject"
READ_SECRET = "secretsmanager:GetSecretValue"
INVOKE = "lambda:InvokeFunction"


BASE_PACKAGES = ("aws-lambda-powertools", "pydantic")
"""What every function imports: its logger and its models."""


class Grant(NamedTuple):
    """Actions on one resource of the stack, by the name the stack gives it."""

    on: str
    actions: tuple[str, ...]


class FunctionShape(NamedTuple):
    settings: type[Settings]
    timeout_seconds: int
    grants: tuple[Grant, ...]
    packages: tuple[str, ...] = ()
    """What it imports beside `BASE_PACKAGES`; each brings its own dependencies along."""
    memory_mb: int = 256
    """Buys a share of a processor as well. Waiting for AWS and for providers is paid by the MB, so
    only what somebody waits for, or what computes, has more. After its first call each function
    holds 50 to 72 MB (`ru_maxrss`, the models of `ai_classification` among them).
    """
    asynchronous: bool = False
    """Whether an event is handed to it without anybody waiting: then its failures go to a queue."""
    wakes: str = ""
    """The function that the schedules it sets invoke."""


TIMER = (
    Grant("schedules", ("scheduler:CreateSchedule", "scheduler:UpdateSchedule")),
    Grant("schedule_role", ("iam:PassRole",)),
)
# A touchpoint too large for its item stands in the bucket.
READ_TOUCHPOINT = (Grant("touchpoints", (GET,)), Grant("touchpoint_objects", (GET_OBJECT,)))

FUNCTIONS = {
    "webhook_intake": FunctionShape(
        WebhookIntakeSettings,
        timeout_seconds=15,
        memory_mb=512,
        packages=(
            "charset-normalizer",
            "cryptography",
            "html2text",
            "idna",
            "multipart",
            "PyYAML",
            "urllib3",
        ),
        # What the store did not take in time it hands to itself.
        asynchronous=True,
        grants=(
            Grant("webhook_intake", (INVOKE,)),
            Grant("touchpoints", (GET, BATCH_GET, UPDATE)),
            Grant("touchpoints/index/by_mailbox", (QUERY,)),
            Grant("objects", (PUT_OBJECT,)),
            Grant("touchpoint_objects", (GET_OBJECT,)),
            # What a web chat page is sent along it fetches by a link that this role signs.
            Grant("sent_objects", (GET_OBJECT,)),
            Grant("secrets", (READ_SECRET,)),
        ),
    ),
    "event_publishing": FunctionShape(
        EventPublishingSettings,
        timeout_seconds=30,
        grants=(Grant("bus", ("events:PutEvents",)),),
    ),
    "profile_update": FunctionShape(
        ProfileUpdateSettings,
        timeout_seconds=20,
        packages=("idna", "phonenumbers", "PyYAML", "tzdata"),
        grants=(
            *READ_TOUCHPOINT,
            Grant("touchpoints", (BATCH_GET, UPDATE)),
            Grant("touchpoints/index/by_profile", (QUERY,)),
            Grant("profiles", (GET, BATCH_GET, PUT, UPDATE, DELETE, QUERY)),
        ),
    ),
    "ai_classification": FunctionShape(
        AiClassificationSettings,
        timeout_seconds=30,
        memory_mb=512,
        packages=("fasttext-predict", "phonenumbers", "python-stdnum", "PyYAML", "tzdata"),
        grants=(
            *READ_TOUCHPOINT,
            Grant("profiles", (GET, BATCH_GET, PUT)),
            Grant("ai_uses", (BATCH_GET,)),
            Grant("ai_spending", (UPDATE,)),
            Grant("bedrock", ("bedrock:InvokeModel",)),
        ),
    ),
    "ticket_creation": FunctionShape(
        TicketCreationSettings,
        timeout_seconds=20,
        packages=("PyYAML", "tzdata"),
        grants=(
            *READ_TOUCHPOINT,
            Grant("touchpoints", (CHECK,)),
            Grant("tickets", (GET, BATCH_GET, PUT, UPDATE, QUERY)),
        ),
    ),
    "follow_up_scheduling": FunctionShape(
        FollowUpSchedulingSettings,
        timeout_seconds=20,
        packages=("PyYAML", "tzdata"),
        asynchronous=True,
        wakes="follow_up_delivery",
        grants=(Grant("tickets", (GET, PUT)), *TIMER),
    ),
    "follow_up_delivery": FunctionShape(
        FollowUpDeliverySettings,
        timeout_seconds=60,
        packages=("PyYAML", "tzdata", "urllib3"),
        asynchronous=True,
        wakes="follow_up_delivery",
        grants=(
            *READ_TOUCHPOINT,
            Grant("touchpoints", (BATCH_GET, UPDATE)),
            Grant("touchpoints/index/by_profile", (QUERY,)),
            Grant("profiles", (BATCH_GET, GET, PUT, UPDATE, QUERY)),
            Grant("tickets", (GET, BATCH_GET, PUT, UPDATE, QUERY)),
            Grant("tickets/index/by_worklist", (QUERY,)),
            Grant("sent_objects", (GET_OBJECT,)),
            Grant("bucket", (LIST_BUCKET,)),
            Grant("secrets", (READ_SECRET,)),
            Grant("preference_secret", (READ_SECRET,)),
            Grant("ai_uses", (BATCH_GET,)),
            Grant("mail_identities", ("ses:SendEmail", "ses:SendRawEmail")),
            Grant("push_endpoints", ("sns:Publish",)),
            *TIMER,
        ),
    ),
    "webhook_delivery": FunctionShape(
        WebhookDeliverySettings,
        timeout_seconds=30,
        packages=("urllib3",),
        asynchronous=True,
        wakes="webhook_delivery",
        grants=(
            Grant("webhooks", (GET, PUT)),
            Grant("webhook_secret", (READ_SECRET,)),
            *TIMER,
        ),
    ),
    "media_fetching": FunctionShape(
        MediaFetchingSettings,
        # Fifteen files, each as slow as is waited for; one at a time, and what reading it takes.
        timeout_seconds=900,
        memory_mb=1024,
        packages=("filetype", "PyYAML", "tzdata", "urllib3"),
        asynchronous=True,
        grants=(
            *READ_TOUCHPOINT,
            Grant("touchpoints", (UPDATE,)),
            Grant("attachment_objects", (GET_OBJECT, PUT_OBJECT, DELETE_OBJECT)),
            Grant("bucket", (LIST_BUCKET,)),
            Grant("secrets", (READ_SECRET,)),
        ),
    ),
    "segment_evaluation": FunctionShape(
        SegmentEvaluationSettings,
        timeout_seconds=30,
        packages=("PyYAML", "tzdata"),
        asynchronous=True,
        wakes="segment_evaluation",
        grants=(*READ_TOUCHPOINT, Grant("profiles", (BATCH_GET, UPDATE, QUERY)), *TIMER),
    ),
    "duplicate_suggestion": FunctionShape(
        DuplicateSuggestionSettings,
        timeout_seconds=30,
        packages=("jellyfish", "PyYAML", "tzdata"),
        asynchronous=True,
        grants=(
            Grant("profiles", (GET, BATCH_GET, PUT, DELETE, CHECK, QUERY)),
            Grant("ai_uses", (BATCH_GET,)),
        ),
    ),
    "privacy_requests": FunctionShape(
        PrivacyRequestsSettings,
        timeout_seconds=900,
        memory_mb=1024,
        packages=("Jinja2", "PyYAML", "tzdata"),
        grants=(
            *READ_TOUCHPOINT,
            Grant("touchpoints", (BATCH_GET, SCAN, DELETE)),
            Grant("touchpoints/index/by_profile", (QUERY,)),
            Grant("profiles", (GET, BATCH_GET, PUT, UPDATE, DELETE, QUERY)),
            Grant("tickets", (GET, BATCH_GET, DELETE, QUERY)),
            Grant("tickets/index/by_profile", (QUERY,)),
            Grant("objects", (GET_OBJECT, PUT_OBJECT, DELETE_OBJECT)),
            Grant("bucket", (LIST_BUCKET,)),
            Grant("schedules", ("scheduler:DeleteSchedule",)),
            Grant("privacy_secret", (READ_SECRET,)),
        ),
    ),
    "agent_api": FunctionShape(
        AgentApiSettings,
        timeout_seconds=20,
        memory_mb=512,
        packages=("filetype", "idna", "phonenumbers", "PyYAML", "tzdata"),
        grants=(
            *READ_TOUCHPOINT,
            Grant("touchpoints", (BATCH_GET, SCAN, UPDATE)),
            Grant("touchpoints/index/by_profile", (QUERY,)),
            Grant("touchpoints/index/by_trouble", (QUERY,)),
            Grant("profiles", (GET, BATCH_GET, PUT, UPDATE, DELETE, QUERY)),
            Grant("profiles/index/by_review", (QUERY,)),
            Grant("profiles/index/by_segment", (QUERY,)),
            Grant("tickets", (GET, BATCH_GET, PUT, UPDATE, QUERY)),
            Grant("tickets/index/by_worklist", (QUERY,)),
            Grant("tickets/index/by_profile", (QUERY,)),
            Grant("tickets/index/by_assignee", (QUERY,)),
            Grant("touchpoint_objects", (PUT_OBJECT,)),
            Grant("attachment_objects", (GET_OBJECT,)),
            # An upload's form is signed by this role, and holds whoever has it to one key of these.
            Grant("upload_objects", (GET_OBJECT, PUT_OBJECT)),
            Grant("sent_objects", (PUT_OBJECT,)),
            # Without it, S3 does not say of an object that it is not there.
            Grant("bucket", (LIST_BUCKET,)),
            Grant("ai_uses", (BATCH_GET, UPDATE)),
            Grant("export_objects", (GET_OBJECT,)),
            Grant("preference_secret", (READ_SECRET,)),
            Grant("webhooks", (GET, PUT, DELETE, QUERY)),
            Grant("webhook_secret", (READ_SECRET,)),
            Grant(
                "webhook_rules",
                (
                    "events:DeleteRule",
                    "events:PutRule",
                    "events:RemoveTargets",
                ),
            ),
            Grant("webhook_targets", ("events:PutTargets",)),
        ),
    ),
    "preference_page": FunctionShape(
        PreferencePageSettings,
        timeout_seconds=15,
        memory_mb=512,
        packages=("Jinja2", "PyYAML", "tzdata"),
        grants=(
            Grant("touchpoints", (UPDATE,)),
            Grant("profiles", (GET, BATCH_GET, PUT, QUERY)),
            Grant("preference_secret", (READ_SECRET,)),
        ),
    ),
}


WILDCARDS = {
    "objects": "An object is named after its touchpoint, so the names are not known beforehand.",
    "upload_objects": "One object for each file that an agent uploads, below one prefix.",
    "sent_objects": "One object for each file that replies send along, below one prefix.",
    "attachment_objects": "One object for each file of a message, below one prefix of one bucket.",
    "touchpoint_objects": "One object for each large touchpoint, below one prefix of one bucket.",
    "export_objects": "One archive for each export, below one prefix of one bucket.",
    "schedules": "One schedule for each follow-up and person, in one group with nothing else.",
    "webhook_targets": "As the rules; the target itself is one function.",
    "webhook_rules": "One rule for each subscription, under one name on one bus.",
    "mail_identities": "The sender is the company's choice; -c mail_identities narrows it.",
    "push_endpoints": "Devices come and go; -c push_applications says of which applications.",
    "bedrock": "An inference profile calls one model in whichever of its regions has room.",
}
"""Why a grant's resource holds a `*`. A grant that is not here has none."""


def environment_of(settings: type[Settings], values: Mapping[str, str]) -> dict[str, str]:
    """The variables of a settings class; an optional one that is empty is left out.

    Raises KeyError for a required one that nobody gives.
    """
    required = settings.variables()
    names = sorted(name.upper() for name in settings.model_fields)
    return {name: values[name] for name in names if name in required or values.get(name)}


class JourneyFunction(Construct):
    """One step: python3.13 on arm64, its own role, its own log group in JSON."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        function_name: str,
        shape: FunctionShape,
        code: lambda_.Code,
        environment: Mapping[str, str],
        resources: Mapping[str, list[str]],
        conditions: Mapping[str, Mapping[str, object]],
        log_retention: logs.RetentionDays,
        unfinished: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        self.log_group = logs.LogGroup(
            self,
            "logs",
            log_group_name=f"/aws/lambda/{function_name}",
            retention=log_retention,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.role = iam.Role(self, "role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self._allow(["logs:CreateLogStream", "logs:PutLogEvents"], [self.log_group.log_group_arn])
        for grant in shape.grants:
            self._allow(list(grant.actions), resources[grant.on], conditions.get(grant.on))
            if grant.on in WILDCARDS:
                acknowledge_wildcards(self.role, resources[grant.on], WILDCARDS[grant.on])
        if shape.asynchronous:
            self._allow(["sqs:SendMessage"], [unfinished.queue_arn])
        self.function = lambda_.Function(
            self,
            "function",
            function_name=function_name,
            code=code,
            handler=f"functions.{name}.handler.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=shape.memory_mb,
            timeout=Duration.seconds(shape.timeout_seconds),
            environment=dict(environment),
            role=self.role.without_policy_updates(),
            log_group=self.log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            system_log_level_v2=lambda_.SystemLogLevel.WARN,
            application_log_level_v2=lambda_.ApplicationLogLevel.INFO,
        )
        acknowledge(
            self.function,
            {"L1": "fasttext-predict has no wheel for 3.14; 3.13 is supported just as long."},
        )
        if shape.asynchronous:
            self.function.configure_async_invoke(
                on_failure=destinations.SqsDestination(unfinished),
                retry_attempts=2,
                max_event_age=Duration.hours(6),
            )

    def _allow(
        self,
        actions: list[str],
        resources: list[str],
        conditions: Mapping[str, object] | None = None,
    ) -> None:
        if resources:
            self.role.add_to_policy(
                iam.PolicyStatement(actions=actions, resources=resources, conditions=conditions)
            )
