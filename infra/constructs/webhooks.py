"""What lets the rules of subscriptions reach their function. The API makes the rules themselves."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct


class WebhookRules(Construct):
    """One permission for all of them: a rule that was not made by the API has another name."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        rule_arns: str,
        webhook_delivery: lambda_.IFunction,
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        events = iam.ServicePrincipal("events.amazonaws.com")
        webhook_delivery.add_permission("rules", principal=events, source_arn=rule_arns)
        dead_letters.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sqs:SendMessage"],
                resources=[dead_letters.queue_arn],
                principals=[events],
                conditions={"ArnLike": {"aws:SourceArn": rule_arns}},
            )
        )
