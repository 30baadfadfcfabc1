"""The whole house in one stack. It only composes; each part is made in its construct."""

import json
from typing import Any

from aws_cdk import ArnFormat, CfnOutput, Stack
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.constructs import batch, journey
from infra.constructs.alarms import Alarms
from infra.constructs.code import complete, source_only
from infra.constructs.dead_letters import DeadLetters
from infra.constructs.erasure import ERASURE, EXPORT, PrivacyMachine
from infra.constructs.event_bus import Bus, Rules, StreamPublishing
from infra.constructs.functions import FUNCTIONS, FunctionShape, JourneyFunction, environment_of
from infra.constructs.http_api import Agents, HttpApi
from infra.constructs.journey import TouchpointJourney
from infra.constructs.options import Options
from infra.constructs.secrets import DrawnSecret, ProviderSecrets
from infra.constructs.storage import RawBucket, Tables
from infra.constructs.timers import Timers
from infra.constructs.webhooks import WebhookRules
from shared.domain.ai_use import AiUseName
from shared.policies.reader import read_policies
from shared.runtime.settings import OperationsSettings

RETENTION = {
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    60: logs.RetentionDays.TWO_MONTHS,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}


def _refuse_unpriced(model: str) -> None:
    """A budget counts with the price of the model it is spent on. Raises ValueError."""
    paid = read_policies().ai_register[AiUseName.BEDROCK_CLASSIFICATION].paid
    if paid is None or not f".{model}".endswith(f".{paid.price.model}"):
        known = paid.price.model if paid else "no model"
        raise ValueError(
            f"context bedrock_model_id: {model} has no price; ai_register.yaml has that of {known}"
        )


class PasserelleStack(Stack):
    def __init__(
        self, scope: Construct, construct_id: str, *, options: Options, **settings: Any
    ) -> None:
        super().__init__(scope, construct_id, **settings)
        self.options = options
        self.log_retention = RETENTION[options.log_days]
        prefix = self.stack_name.lower()

        self.tables = Tables(self, "tables", production=options.production)
        self.retention = read_policies().retention
        self.raws = RawBucket(
            self,
            "raws",
            production=options.production,
            retention=self.retention,
            origins=options.web_origins,
        )
        self.dead_letters = DeadLetters(self, "dead_letters")
        self.account_secrets = read_policies().accounts.secrets
        self.secrets = ProviderSecrets(
            self,
            "secrets",
            prefix=prefix,
            names=[*options.providers, *self.account_secrets],
            production=options.production,
        )
        self.preference_secret, self.webhook_secret, self.privacy_secret = (
            DrawnSecret(self, path, name=name, prefix=prefix, production=options.production)
            for path, name in (
                ("preference_secret", "preferences"),
                ("webhook_secret", "webhooks"),
                ("privacy_secret", "privacy"),
            )
        )
        self.bus = Bus(self, "bus", bus_name=prefix)
        self.timers = Timers(
            self,
            "timers",
            group_name=prefix,
            target_arns=[
                self._function_arn(name)
                for name in sorted({shape.wakes for shape in FUNCTIONS.values()} - {""})
            ],
            dead_letters=self.dead_letters.by_name["unscheduled"],
        )
        self.http = HttpApi(
            self,
            "http",
            api_name=prefix,
            origins=options.web_origins,
            requests_per_second=options.requests_per_second,
            request_burst=options.request_burst,
            log_retention=self.log_retention,
        )
        values = self._values(prefix)
        self.functions = self._make_functions(values=values, resources=self._resources())
        touchpoints = self.tables.by_name["touchpoints"]
        self.journey = TouchpointJourney(
            self,
            "journey",
            machine_name=f"{prefix}-touchpoint_journey",
            definition=journey.definition(
                functions={
                    name: self.functions[name].function.function_arn for name in journey.STEPS
                },
                touchpoints_table=touchpoints.table_name,
                partition=self.partition,
            ),
            steps=[self.functions[name].function for name in journey.STEPS],
            touchpoints=touchpoints,
            log_retention=self.log_retention,
        )
        self.batch = TouchpointJourney(
            self,
            "batch",
            machine_name=f"{prefix}-touchpoint_batch",
            definition=batch.definition(
                profile_update=self.functions["profile_update"].function.function_arn,
                touchpoints_table=touchpoints.table_name,
                partition=self.partition,
            ),
            steps=[self.functions["profile_update"].function],
            touchpoints=touchpoints,
            log_retention=self.log_retention,
        )
        machines = {
            name: PrivacyMachine(
                self,
                name,
                machine_name=f"{prefix}-{name}",
                steps=steps,
                id_name=f"{name}_id",
                comment=comment,
                privacy_requests=self.functions["privacy_requests"].function,
                log_retention=self.log_retention,
            ).machine
            for name, steps, comment in (
                ("erasure", ERASURE, "Forgetting a person"),
                ("export", EXPORT, "A copy of everything known of a person"),
            )
        }
        StreamPublishing(
            self,
            "publishing",
            tables=self.tables.by_name,
            publisher=self.functions["event_publishing"].function,
            publisher_role=self.functions["event_publishing"].role,
            dead_letters=self.dead_letters.by_name["unpublished"],
        )
        Rules(
            self,
            "rules",
            bus=self.bus.bus,
            touchpoint_journey=self.journey.machine,
            touchpoint_batch=self.batch.machine,
            follow_up_scheduling=self.functions["follow_up_scheduling"].function,
            follow_up_delivery=self.functions["follow_up_delivery"].function,
            media_fetching=self.functions["media_fetching"].function,
            segment_evaluation=self.functions["segment_evaluation"].function,
            duplicate_suggestion=self.functions["duplicate_suggestion"].function,
            webhook_delivery=self.functions["webhook_delivery"].function,
            moods=[mood.value for mood in read_policies().segments.moods],
            erasure=machines["erasure"],
            export=machines["export"],
            dead_letters=self.dead_letters.by_name["unrouted"],
        )
        WebhookRules(
            self,
            "webhook_rules",
            rule_arns=self._webhook_rule_arns(prefix),
            webhook_delivery=self.functions["webhook_delivery"].function,
            dead_letters=self.dead_letters.by_name["unrouted"],
        )
        self.agents = Agents(self, "agents", production=options.production)
        self.http.connect(
            webhook_intake=self.functions["webhook_intake"].function,
            agent_api=self.functions["agent_api"].function,
            preference_page=self.functions["preference_page"].function,
            agents=self.agents,
        )
        self.alarms = Alarms(
            self,
            "alarms",
            prefix=prefix,
            email=options.alarm_email,
            functions={name: one.function for name, one in self.functions.items()},
            intake_log=self.functions["webhook_intake"].log_group,
            dead_letters=self.dead_letters.by_name,
            journey=self.journey.machine,
            batches=self.batch.machine,
            privacy=machines,
            api_id=self.http.api.api_id,
        )
        self._tell(values)

    def _tell(self, values: dict[str, str]) -> None:
        """What a company, and its `python -m shared.operations`, must know of what it deployed."""
        settings = OperationsSettings.model_fields
        outputs = {
            **{name.title().replace("_", ""): values[name.upper()] for name in settings},
            "Webhooks": values["WEBHOOKS_URL"],
            "Api": f"{self.http.api.api_endpoint}/v1/",
            "UserPool": self.agents.pool.user_pool_id,
            "UserPoolClient": self.agents.client.user_pool_client_id,
            "AiUsesTable": values["AI_USES_TABLE"],
            "AlarmTopic": self.alarms.topic.topic_arn,
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)

    def _function_name(self, name: str) -> str:
        return f"{self.stack_name.lower()}-{name}"

    def _function_arn(self, name: str) -> str:
        return self.format_arn(
            service="lambda",
            resource="function",
            resource_name=self._function_name(name),
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    def _webhook_rule_arns(self, prefix: str) -> str:
        """The rules that subscriptions make; a bus's own rules stand below its name."""
        return self.format_arn(
            service="events", resource="rule", resource_name=f"{prefix}/{prefix}-webhook-*"
        )

    def _values(self, prefix: str) -> dict[str, str]:
        """Every variable that a settings class may ask for."""
        address = self.options.public_url or self.http.api.api_endpoint
        return {
            "TOUCHPOINTS_TABLE": self.tables.by_name["touchpoints"].table_name,
            "PROFILES_TABLE": self.tables.by_name["profiles"].table_name,
            "WEBHOOKS_TABLE": self.tables.by_name["webhooks"].table_name,
            "WEBHOOK_RULE_PREFIX": f"{prefix}-webhook-",
            "WEBHOOK_TARGET_ARN": self._function_arn("webhook_delivery"),
            "WEBHOOK_DEAD_LETTER_ARN": self.dead_letters.by_name["unrouted"].queue_arn,
            "AI_USES_TABLE": self.tables.by_name["ai_uses"].table_name,
            "TICKETS_TABLE": self.tables.by_name["tickets"].table_name,
            "RAW_BUCKET": self.raws.bucket.bucket_name,
            "SECRETS_PREFIX": prefix,
            "BUS_NAME": self.bus.bus.event_bus_name,
            "SCHEDULE_GROUP": self.timers.group_name,
            "SCHEDULE_ROLE_ARN": self.timers.role.role_arn,
            "SCHEDULE_DEAD_LETTER_ARN": self.timers.dead_letters.queue_arn,
            "RETENTION": self.retention.model_dump_json(),
            "INTAKE_FUNCTION_ARN": self._function_arn("webhook_intake"),
            "PUBLIC_URL": self.options.public_url,
            "ACCOUNT_SECRETS": json.dumps(self.account_secrets) if self.account_secrets else "",
            "PREFERENCES_URL": f"{address}/preferences/",
            "WEBHOOKS_URL": f"{address}/webhooks/",
            "BEDROCK_MODEL_ID": self.options.bedrock_model_id,
        }

    def _resources(self) -> dict[str, list[str]]:
        """What a function may be granted something on, by the name the grants use."""
        return {
            **{name: [table.table_arn] for name, table in self.tables.by_name.items()},
            **{name: [arn] for name, arn in self.tables.index_arns().items()},
            "objects": [self.raws.bucket.arn_for_objects("*")],
            "export_objects": [self.raws.bucket.arn_for_objects("exports/*")],
            "bucket": [self.raws.bucket.bucket_arn],
            "preference_secret": [self.preference_secret.secret.secret_arn],
            "webhook_secret": [self.webhook_secret.secret.secret_arn],
            "webhook_rules": [self._webhook_rule_arns(self.stack_name.lower())],
            "webhook_targets": [self._webhook_rule_arns(self.stack_name.lower())],
            "privacy_secret": [self.privacy_secret.secret.secret_arn],
            "upload_objects": [self.raws.bucket.arn_for_objects("uploads/*")],
            "sent_objects": [self.raws.bucket.arn_for_objects("attachments/tickets/*")],
            "attachment_objects": [self.raws.bucket.arn_for_objects("attachments/*")],
            "touchpoint_objects": [self.raws.bucket.arn_for_objects("touchpoint/*")],
            "secrets": [secret.secret_arn for secret in self.secrets.by_name.values()],
            "bus": [self.bus.bus.event_bus_arn],
            "webhook_intake": [self._function_arn("webhook_intake")],
            "schedules": [self.timers.schedule_arns],
            "schedule_role": [self.timers.role.role_arn],
            "mail_identities": [
                self.format_arn(service="ses", resource="identity", resource_name=identity)
                for identity in self.options.mail_identities
            ],
            "push_endpoints": [
                self.format_arn(
                    service="sns", resource="endpoint", resource_name=f"{application}/*"
                )
                for application in self.options.push_applications
            ],
            "bedrock": self._model_arns(),
            # Only who may ask a paid model counts what it costs.
            "ai_spending": [self.tables.by_name["ai_uses"].table_arn]
            if self.options.bedrock_model_id
            else [],
        }

    def _model_arns(self) -> list[str]:
        """The model; for an inference profile (`eu.amazon.nova-micro-v1:0`) the profile as well."""
        model = self.options.bedrock_model_id
        if not model:
            return []
        _refuse_unpriced(model)
        geography, _, rest = model.partition(".")
        if geography not in {"us", "eu", "apac", "global", "jp", "au", "ca", "us-gov"}:
            return [
                f"arn:{self.partition}:bedrock:{self.region}::foundation-model/{model}",
            ]
        return [
            self.format_arn(service="bedrock", resource="inference-profile", resource_name=model),
            # A profile calls the model in whichever of its regions has room.
            f"arn:{self.partition}:bedrock:*::foundation-model/{rest}",
        ]

    def _wakes(self, shape: FunctionShape) -> dict[str, str]:
        return {"SCHEDULE_TARGET_ARN": self._function_arn(shape.wakes)} if shape.wakes else {}

    def _make_functions(
        self, *, values: dict[str, str], resources: dict[str, list[str]]
    ) -> dict[str, JourneyFunction]:
        return {
            name: JourneyFunction(
                self,
                name,
                name=name,
                function_name=self._function_name(name),
                shape=shape,
                code=complete(name, shape) if self.options.bundle == "full" else source_only(name),
                environment=environment_of(shape.settings, values | self._wakes(shape)),
                resources=resources,
                # A rule of a subscription hands its events to nobody else.
                # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
                conditions={
                    "webhook_targets": {
                        "ArnEquals": {"events:TargetArn": self._function_arn("webhook_delivery")}
                    }
                },
                log_retention=self.log_retention,
                unfinished=self.dead_letters.by_name["unfinished"],
            )
            for name, shape in FUNCTIONS.items()
        }
