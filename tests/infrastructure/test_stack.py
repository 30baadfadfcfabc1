"""What the stack promises: environments, permissions, nothing lost, nothing open."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.constructs.functions import FUNCTIONS
from infra.constructs.storage import TABLES
from shared.domain.ai_use import AiUseName
from shared.events.catalogue import StepFailed, TouchpointClassified, TouchpointReceived
from shared.policies.reader import read_policies
from shared.providers.base import provider_names
from shared.runtime.settings import OperationsSettings
from shared.runtime.wiring import CONNECT_SECONDS
from tests.infrastructure.conftest import Synthesised

ROOT = Path(__file__).parents[2]
CFN_LINT = Path(sys.executable).parent / "cfn-lint"


def text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def test_there_is_one_function_for_each_step_and_nothing_else(stack: Synthesised) -> None:
    assert set(stack.functions()) == set(FUNCTIONS)
    folders = {file.parent.name for file in (ROOT / "functions").glob("*/handler.py")}
    assert set(FUNCTIONS) == folders


@pytest.mark.parametrize("name", FUNCTIONS)
def test_environment_is_exactly_the_settings_of_the_function(stack: Synthesised, name: str) -> None:
    variables = stack.functions()[name]["Environment"]["Variables"]
    settings = FUNCTIONS[name].settings
    given = {
        key.lower(): value if isinstance(value, str) else text(value)
        for key, value in variables.items()
    }
    read = settings.model_validate(given, extra="forbid")
    assert settings.variables() == set(variables)
    assert all(getattr(read, field) for field in given)


def test_choices_of_the_company_reach_the_functions(production: Synthesised) -> None:
    functions = production.functions()
    intake = functions["webhook_intake"]["Environment"]["Variables"]
    classification = functions["ai_classification"]["Environment"]["Variables"]
    assert intake["PUBLIC_URL"] == "https://api.example.com"
    assert classification["BEDROCK_MODEL_ID"] == "eu.amazon.nova-micro-v1:0"


def test_operations_find_their_settings_in_the_outputs(stack: Synthesised) -> None:
    """As `python -m shared.operations` reads them: TouchpointsTable is TOUCHPOINTS_TABLE."""
    outputs = {re.sub(r"(?<!^)(?=[A-Z])", "_", key).upper() for key in stack.template["Outputs"]}
    assert OperationsSettings.variables() <= outputs


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_has_its_own_role_and_log(stack: Synthesised, name: str) -> None:
    function = stack.functions()[name]
    others = [other for key, other in stack.functions().items() if key != name]
    assert function["Role"] not in [other["Role"] for other in others]
    log = stack.template["Resources"][function["LoggingConfig"]["LogGroup"]["Ref"]]
    assert log["Properties"]["RetentionInDays"] == 30
    assert log["Properties"]["LogGroupName"] == f"/aws/lambda/{function['FunctionName']}"
    assert function["LoggingConfig"]["SystemLogLevel"] == "WARN"
    assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])


def test_no_action_is_a_wildcard_and_each_wildcard_resource_is_known(stack: Synthesised) -> None:
    known = {
        "AWS::S3::Bucket objects": r'"/\*"',
        "exports": r'"/exports/\*"',
        "files of messages": r'"/attachments/\*"',
        "files of replies": r'"/attachments/tickets/\*"',
        "files for replies": r'"/uploads/\*"',
        "large touchpoints": r'"/touchpoint/\*"',
        "schedules of our group": r":schedule/passerelle/\*",
        "mail identities": r":identity/\*",
        "rules of subscriptions": r":rule/passerelle/passerelle-webhook-\*",
    }
    for logical_id, policy in stack.resources("AWS::IAM::Policy").items():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            actions = statement["Action"]
            assert "*" not in text(actions), logical_id
            resource = text(statement["Resource"])
            if resource == '"*"':
                # Log delivery, the one thing that has no ARN.
                assert "logs:CreateLogDelivery" in actions, logical_id
            elif "*" in resource:
                assert any(re.search(form, resource) for form in known.values()), resource


def test_devices_are_written_to_only_where_the_company_names_their_application(
    stack: Synthesised, production: Synthesised
) -> None:
    def publishing(one: Synthesised) -> dict[str, list[str]]:
        return {
            name: found
            for name, function in one.functions().items()
            if (
                found := [
                    text(statement["Resource"])
                    for statement in one.statements(function["Role"])
                    if "sns:Publish" in text(statement["Action"])
                ]
            )
        }

    assert publishing(stack) == {}
    found = publishing(production)
    assert set(found) == {"follow_up_delivery"}
    [resource] = found["follow_up_delivery"]
    assert ":endpoint/GCM/Boutique/*" in resource


def test_whoever_reads_a_person_may_look_through_the_records_of_their_profiles() -> None:
    """Which happens only where two of them were told of some: a laptop asks no role."""
    reading = {
        name
        for name in FUNCTIONS
        for path in (ROOT / "functions" / name).rglob("*.py")
        if "logic" in str(path) and "profiles.read" in path.read_text(encoding="utf-8")
    }
    assert {"segment_evaluation", "profile_update"} <= reading
    for name in reading:
        on_profiles = [set(one.actions) for one in FUNCTIONS[name].grants if one.on == "profiles"]
        assert {"dynamodb:Query", "dynamodb:BatchGetItem"} <= set().union(*on_profiles), name


def test_whoever_asks_a_switch_may_read_it_and_only_the_api_turns_it(stack: Synthesised) -> None:
    (table,) = (
        logical_id
        for logical_id, one in stack.resources("AWS::DynamoDB::Table").items()
        if "aiuses" in logical_id.lower().replace("_", "")
    )
    actions: dict[str, set[str]] = {}
    for name, function in stack.functions().items():
        for statement in stack.statements(function["Role"]):
            if table in text(statement["Resource"]):
                found = statement["Action"]
                actions.setdefault(name, set()).update([found] if isinstance(found, str) else found)
    read = {"dynamodb:BatchGetItem"}
    del actions["event_publishing"]  # It reads the table's stream.
    assert actions == {
        "ai_classification": read,
        "duplicate_suggestion": read,
        "follow_up_delivery": read,
        "agent_api": read | {"dynamodb:UpdateItem"},
    }


def test_the_rule_of_a_subscription_leads_to_one_function(stack: Synthesised) -> None:
    (statement,) = (
        one
        for one in stack.statements(stack.functions()["agent_api"]["Role"])
        if one["Action"] == "events:PutTargets"
    )
    assert "passerelle-webhook_delivery" in text(statement["Condition"]["ArnEquals"])


def test_no_role_has_a_managed_policy(stack: Synthesised) -> None:
    for role in stack.resources("AWS::IAM::Role").values():
        assert "ManagedPolicyArns" not in role["Properties"]


def test_few_read_secrets_and_each_only_those_it_needs(stack: Synthesised) -> None:
    readers = {
        name
        for name, function in stack.functions().items()
        if "secretsmanager:" in text(stack.statements(function["Role"]))
    }
    signing = {"follow_up_delivery", "agent_api", "preference_page", "webhook_delivery"}
    assert readers == {"webhook_intake", "media_fetching", "privacy_requests"} | signing
    privacy = text(stack.statements(stack.functions()["privacy_requests"]["Role"]))
    page = text(stack.statements(stack.functions()["preference_page"]["Role"]))
    webhooks = text(stack.statements(stack.functions()["webhook_delivery"]["Role"]))
    for role in (privacy, page, webhooks):
        assert not any(f"secrets{name.replace('_', '')}" in role for name in provider_names())


def test_only_delivery_sends_and_only_classification_asks_a_model(
    stack: Synthesised, production: Synthesised
) -> None:
    def users(of: Synthesised, action: str) -> set[str]:
        return {
            name
            for name, function in of.functions().items()
            if f'"{action}' in text(of.statements(function["Role"]))
        }

    assert users(stack, "ses:") == {"follow_up_delivery"}
    assert users(stack, "bedrock:") == set()
    assert users(production, "bedrock:") == {"ai_classification"}


def test_only_who_may_ask_a_paid_model_counts_what_it_costs(
    stack: Synthesised, production: Synthesised
) -> None:
    def actions(of: Synthesised, name: str) -> set[str]:
        """On the table of the AI uses."""
        found: set[str] = set()
        for one in of.statements(of.functions()[name]["Role"]):
            if "tablesaiuses" in text(one["Resource"]):
                found |= {one["Action"]} if isinstance(one["Action"], str) else set(one["Action"])
        return found

    read, write = "dynamodb:BatchGetItem", "dynamodb:UpdateItem"
    assert actions(stack, "ai_classification") == {read}
    assert actions(production, "ai_classification") == {read, write}
    for of in (stack, production):
        assert actions(of, "duplicate_suggestion") == {read}
        assert actions(of, "agent_api") == {read, write}


def test_a_paid_model_is_given_up_before_the_function_is() -> None:
    paid = read_policies().ai_register[AiUseName.BEDROCK_CLASSIFICATION].paid
    assert paid is not None
    assert (
        paid.timeout_seconds + CONNECT_SECONDS < FUNCTIONS["ai_classification"].timeout_seconds / 2
    )


def test_bedrock_is_allowed_for_one_model_only(production: Synthesised) -> None:
    role = production.functions()["ai_classification"]["Role"]
    (statement,) = (
        one for one in production.statements(role) if one["Action"] == "bedrock:InvokeModel"
    )
    resources = [text(one) for one in statement["Resource"]]
    assert any(":inference-profile/eu.amazon.nova-micro-v1:0" in one for one in resources)
    assert any(":bedrock:*::foundation-model/amazon.nova-micro-v1:0" in one for one in resources)


def test_pass_role_is_for_the_scheduler_role_alone(stack: Synthesised) -> None:
    scheduling = stack.functions()["follow_up_scheduling"]
    role = scheduling["Environment"]["Variables"]["SCHEDULE_ROLE_ARN"]
    passing = [
        (logical_id, statement["Resource"])
        for logical_id, policy in stack.resources("AWS::IAM::Policy").items()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "iam:PassRole" in text(statement["Action"])
    ]
    assert len(passing) == sum(bool(shape.wakes) for shape in FUNCTIONS.values()) == 4
    assert all(resource == role for _, resource in passing)


@pytest.mark.parametrize("name", [name for name, shape in FUNCTIONS.items() if shape.wakes])
def test_a_schedule_wakes_the_function_it_was_made_for(stack: Synthesised, name: str) -> None:
    variables = stack.functions()[name]["Environment"]["Variables"]
    woken = stack.functions()[FUNCTIONS[name].wakes]["FunctionName"]
    assert text(variables["SCHEDULE_TARGET_ARN"]).endswith(f':function:{woken}"]]}}')


def test_scheduler_role_fires_what_is_woken_and_nothing_else(stack: Synthesised) -> None:
    variables = {
        name: stack.functions()[name]["Environment"]["Variables"]
        for name, shape in FUNCTIONS.items()
        if shape.wakes
    }
    one = variables["follow_up_scheduling"]
    statements = stack.statements(one["SCHEDULE_ROLE_ARN"])
    allowed = {statement["Action"]: statement["Resource"] for statement in statements}
    assert set(allowed) == {"lambda:InvokeFunction", "sqs:SendMessage"}
    assert allowed["sqs:SendMessage"] == one["SCHEDULE_DEAD_LETTER_ARN"]
    woken = {text(of["SCHEDULE_TARGET_ARN"]) for of in variables.values()}
    assert {text(arn) for arn in allowed["lambda:InvokeFunction"]} == woken


def test_tables_have_the_keys_and_indexes_that_were_declared(stack: Synthesised) -> None:
    tables = stack.resources("AWS::DynamoDB::Table").values()
    assert len(tables) == len(TABLES)
    for table in tables:
        properties = table["Properties"]
        assert properties["BillingMode"] == "PAY_PER_REQUEST"
        assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        assert properties["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
        for index in properties.get("GlobalSecondaryIndexes", []):
            assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    shapes = sorted(
        [index["IndexName"] for index in table["Properties"].get("GlobalSecondaryIndexes", [])]
        for table in tables
    )
    assert shapes == sorted(list(shape.indexes) for shape in TABLES.values())


def test_production_keeps_what_it_has(stack: Synthesised, production: Synthesised) -> None:
    for kind in ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::Cognito::UserPool"):
        assert {one["DeletionPolicy"] for one in production.resources(kind).values()} == {"Retain"}
        assert {one["DeletionPolicy"] for one in stack.resources(kind).values()} == {"Delete"}
    for table in production.resources("AWS::DynamoDB::Table").values():
        assert table["Properties"]["DeletionProtectionEnabled"] is True


def test_bucket_is_private_and_owned(stack: Synthesised) -> None:
    (bucket,) = stack.resources("AWS::S3::Bucket").values()
    properties = bucket["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert properties["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    (policy,) = stack.resources("AWS::S3::BucketPolicy").values()
    denied = policy["Properties"]["PolicyDocument"]["Statement"]
    assert {one["Effect"] for one in denied} == {"Deny"}
    assert '"aws:SecureTransport": "false"' in text(denied)


def test_what_agents_upload_ends_by_itself_and_may_be_put_from_their_pages(
    stack: Synthesised, production: Synthesised
) -> None:
    (bucket,) = stack.resources("AWS::S3::Bucket").values()
    rules = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    (ends,) = (one for one in rules if one.get("Prefix") == "uploads/")
    assert (ends["Status"], ends["ExpirationInDays"]) == ("Enabled", 2)
    (cors,) = bucket["Properties"]["CorsConfiguration"]["CorsRules"]
    assert (cors["AllowedMethods"], cors["AllowedOrigins"]) == (["POST"], ["*"])
    (bucket,) = production.resources("AWS::S3::Bucket").values()
    (cors,) = bucket["Properties"]["CorsConfiguration"]["CorsRules"]
    assert cors["AllowedOrigins"] == ["https://shop.example.com"]


def test_the_api_puts_only_what_agents_send(stack: Synthesised) -> None:
    """And touchpoints of its own; never where the files of customers lie."""
    statements = stack.statements(stack.functions()["agent_api"]["Role"])
    found = text([one["Resource"] for one in statements if "s3:PutObject" in text(one["Action"])])
    for prefix in ("/uploads/*", "/attachments/tickets/*", "/touchpoint/*"):
        assert prefix in found
    assert "/attachments/*" not in found


def test_each_provider_has_an_empty_secret(stack: Synthesised) -> None:
    secrets = {
        one["Properties"]["Name"]: one["Properties"]["SecretString"]
        for one in stack.resources("AWS::SecretsManager::Secret").values()
        if "SecretString" in one["Properties"]
    }
    assert secrets == {f"passerelle/{provider}": "{}" for provider in provider_names()}


def test_only_providers_that_were_chosen_have_one_and_may_be_read(production: Synthesised) -> None:
    """Each costs 0.40 dollars a month. One that was filled in stays."""
    secrets = {
        logical_id: one
        for logical_id, one in production.resources("AWS::SecretsManager::Secret").items()
        if "SecretString" in one["Properties"]
    }
    names = {one["Properties"]["Name"] for one in secrets.values()}
    assert names == {"passerelle/whatsapp_cloud", "passerelle/twilio"}
    assert {one["DeletionPolicy"] for one in secrets.values()} == {"Retain"}
    for name in ("webhook_intake", "follow_up_delivery", "media_fetching"):
        readable = {
            arn["Ref"]
            for one in production.statements(production.functions()[name]["Role"])
            if "secretsmanager:" in text(one["Action"])
            for arn in (one["Resource"] if isinstance(one["Resource"], list) else [one["Resource"]])
        }
        assert {one for one in readable if "preference" not in one} == set(secrets)


def test_streams_lose_nothing(stack: Synthesised) -> None:
    mappings = stack.resources("AWS::Lambda::EventSourceMapping").values()
    streams = {text(mapping["Properties"]["EventSourceArn"]) for mapping in mappings}
    assert len(streams) == len(TABLES)
    for mapping in mappings:
        properties = mapping["Properties"]
        assert properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert properties["BisectBatchOnFunctionError"] is True
        assert properties["MaximumRetryAttempts"] > 0
        assert properties["MaximumRecordAgeInSeconds"] > 0
        assert "OnFailure" in properties["DestinationConfig"]
        (pattern,) = properties["FilterCriteria"]["Filters"]
        image = json.loads(pattern["Pattern"])["dynamodb"]["NewImage"]
        assert image == {"event": {"M": {"type": {"S": [{"exists": True}]}}}}


def test_no_log_holds_the_state_of_a_journey(stack: Synthesised) -> None:
    """It carries a summary of what was said: errors are logged, never what they happened to."""
    machines = [
        one["Properties"]
        for one in stack.resources("AWS::StepFunctions::StateMachine").values()
        if one["Properties"]["StateMachineType"] == "EXPRESS"
    ]
    assert machines
    for machine in machines:
        logging = machine["LoggingConfiguration"]
        assert (logging["IncludeExecutionData"], logging["Level"]) == (False, "ERROR")


def test_what_starts_a_journey_and_may_end_in_a_queue_are_ids(stack: Synthesised) -> None:
    """A rule's dead letter is the event; of a journey no event says more than these."""
    told = {*TouchpointReceived.model_fields, *TouchpointClassified.model_fields}
    told |= set(StepFailed.model_fields)
    assert not told & {"text", "summary", "evidence", "entities", "classification", "words"}


def test_rules_lose_nothing(stack: Synthesised) -> None:
    rules = stack.resources("AWS::Events::Rule").values()
    assert len(rules) == 19
    for rule in rules:
        assert "EventBusName" in rule["Properties"]
        for target in rule["Properties"]["Targets"]:
            assert "Arn" in target["DeadLetterConfig"]
            assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0


def test_rules_say_what_their_target_expects(stack: Synthesised) -> None:
    """Each by event and narrowing, with the form of its input."""
    said = {}
    media = {"data": {"has_media": [True]}}
    for rule in stack.resources("AWS::Events::Rule").values():
        pattern = rule["Properties"]["EventPattern"]
        assert pattern["source"] == ["passerelle"]
        (target,) = rule["Properties"]["Targets"]
        form = target.get("InputPath") or target["InputTransformer"]["InputTemplate"]
        name = " ".join(pattern["detail-type"])
        # Two listen to it: the journey to each, and who fetches its files.
        name += " with files" if pattern.get("detail") == media else ""
        said[name] = (
            pattern.get("detail"),
            re.sub(r"<[^>]*>", "<>", form),
        )
    assert said == {
        "EndpointSuppressed": ({"data": {"confirm": [True]}}, '{"touchpoint_id":<>}'),
        "EndpointReleased": ({"data": {"confirm": [True]}}, '{"touchpoint_id":<>}'),
        "HelpRequested": (None, '{"touchpoint_id":<>}'),
        "WebhookReplayRequested": (None, '{"subscription":<>,"delivery_id":<>}'),
        "TouchpointReceived": (None, "$.detail.data"),
        "TouchpointsReceived": (None, "$.detail.data"),
        "MediaReceived": (None, '{"touchpoint_id":<>}'),
        "TouchpointReceived with files": (media, '{"touchpoint_id":<>}'),
        "ClassificationOverridden": (None, "$.detail.data"),
        "OverrideReleased": (None, "$.detail.data"),
        "TicketChanged": (
            {
                "data": {
                    "change": ["agent_replied", "customer_wrote"],
                    "status": [
                        "open",
                        "waiting_customer",
                        "waiting_third_party",
                        "resolved",
                        "closed",
                    ],
                }
            },
            '{"ticket_id":<>,"when":<>}',
        ),
        "FollowUpScheduled": (
            {"data": {"immediate": [True]}},
            '{"ticket_id":<>,"follow_up_id":<>}',
        ),
        "DeliveryFailed": (None, '{"ticket_id":<>,"follow_up_id":<>,"failed":<>}'),
        "SendConfirmed": (None, '{"send_key":<>,"message_id":<>}'),
        "ErasureRequested": (None, "$.detail.data"),
        "ExportRequested": (None, "$.detail.data"),
        "ProfileUpdated ProfilesMerged ProfilesSeparated": (None, "$.detail.data"),
        "ProfileUpdated": ({"data": {"has_facts": [True]}}, '{"profile_id":<>}'),
        "TouchpointClassified": ({"data": {"sentiment": ["negative"]}}, "$.detail.data"),
    }


def test_what_is_invoked_without_a_waiting_caller_has_a_queue(stack: Synthesised) -> None:
    configured = {
        text(one["Properties"]["FunctionName"])
        for one in stack.resources("AWS::Lambda::EventInvokeConfig").values()
        if "OnFailure" in one["Properties"]["DestinationConfig"]
    }
    assert len(configured) == sum(shape.asynchronous for shape in FUNCTIONS.values()) == 7


def test_the_intake_may_invoke_itself_and_nobody_else_anything(stack: Synthesised) -> None:
    invoking = {
        name: [
            text(one["Resource"])
            for one in stack.statements(function["Role"])
            if "lambda:" in text(one["Action"])
        ]
        for name, function in stack.functions().items()
    }
    (own,) = invoking.pop("webhook_intake")
    assert own.endswith(':function:passerelle-webhook_intake"]]}')
    variables = stack.functions()["webhook_intake"]["Environment"]["Variables"]
    assert text(variables["INTAKE_FUNCTION_ARN"]) == own
    assert not any(invoking.values())


def test_queues_are_encrypted_and_take_tls_only(stack: Synthesised) -> None:
    queues = stack.resources("AWS::SQS::Queue")
    assert all(one["Properties"]["SqsManagedSseEnabled"] for one in queues.values())
    policies = stack.resources("AWS::SQS::QueuePolicy").values()
    closed = {
        policy["Properties"]["Queues"][0]["Ref"]
        for policy in policies
        if '"aws:SecureTransport": "false"' in text(policy)
    }
    assert closed == set(queues)


def test_agents_api_asks_for_a_token_and_the_webhooks_for_a_signature(stack: Synthesised) -> None:
    routes = {
        one["Properties"]["RouteKey"]: one["Properties"].get("AuthorizationType", "NONE")
        for one in stack.resources("AWS::ApiGatewayV2::Route").values()
    }
    assert routes == {
        "GET /webhooks/{provider}": "NONE",
        "POST /webhooks/{provider}": "NONE",
        "GET /webhooks/{provider}/{path+}": "NONE",
        "POST /webhooks/{provider}/{path+}": "NONE",
        "GET /v1/{path+}": "JWT",
        "POST /v1/{path+}": "JWT",
        "PUT /v1/{path+}": "JWT",
        "PATCH /v1/{path+}": "JWT",
        "DELETE /v1/{path+}": "JWT",
        "GET /preferences/{token}": "NONE",
        "POST /preferences/{token}": "NONE",
        "GET /openapi.json": "NONE",
        "GET /docs": "NONE",
    }


def test_the_door_is_throttled_and_logs_no_person(stack: Synthesised) -> None:
    (stage,) = stack.resources("AWS::ApiGatewayV2::Stage").values()
    properties = stage["Properties"]
    assert properties["StageName"] == "$default"
    assert properties["DefaultRouteSettings"]["ThrottlingRateLimit"] == 500
    logged = set(re.findall(r"\$context\.[\w.]+", properties["AccessLogSettings"]["Format"]))
    assert "$context.routeKey" in logged
    personal = ("identity", "authorizer", "path", "domain", "integrationErrorMessage")
    assert not [one for one in logged if any(word in one for word in personal)]


def test_every_queue_and_function_has_its_alarm(stack: Synthesised) -> None:
    alarms = {
        one["Properties"]["AlarmName"].removeprefix("passerelle-"): one["Properties"]
        for one in stack.resources("AWS::CloudWatch::Alarm").values()
    }
    wanted = {f"{kind}-{name}" for kind in ("errors", "throttles") for name in FUNCTIONS}
    queues = {name for name in alarms if name.startswith("dead-letters-")}
    assert len(queues) == len(stack.resources("AWS::SQS::Queue"))
    assert wanted | queues | {
        "journeys-failed",
        "journeys-timed-out",
        "batches-failed",
        "batches-timed-out",
        "erasure-failed",
        "export-failed",
        "touchpoints-quarantined",
        "publishing-late",
        "api-5xx",
        "intake-slow",
    } == set(alarms)
    for alarm in alarms.values():
        assert alarm["AlarmActions"]
        assert alarm["AlarmDescription"]
        assert alarm["TreatMissingData"] == "notBreaching"


def test_alarms_reach_a_person(stack: Synthesised, production: Synthesised) -> None:
    assert not stack.resources("AWS::SNS::Subscription")
    (subscription,) = production.resources("AWS::SNS::Subscription").values()
    assert subscription["Properties"]["Endpoint"] == "on-call@example.com"


def test_cfn_lint_finds_nothing(stack: Synthesised, production: Synthesised) -> None:
    for one in (stack, production):
        done = subprocess.run(
            [CFN_LINT, str(one.folder / "Passerelle.template.json")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "")


def test_cdk_nag_looked_and_each_finding_that_stays_has_a_reason(stack: Synthesised) -> None:
    report = json.loads((stack.folder / "validation-report.json").read_text(encoding="utf-8"))
    plugins = {one["pluginName"]: one["conclusion"] for one in report["pluginReports"]}
    assert plugins["AwsSolutions"] == "success"
