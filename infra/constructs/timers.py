"""EventBridge Scheduler: the group of one-time schedules, and the one role that fires them."""

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct


class Timers(Construct):
    """The targets are given as ARNs: they set schedules themselves; a function would close a
    circle.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        group_name: str,
        target_arns: Sequence[str],
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        scheduler.CfnScheduleGroup(self, "group", name=group_name)
        group_arn = stack.format_arn(
            service="scheduler", resource="schedule-group", resource_name=group_name
        )
        self.group_name = group_name
        self.dead_letters = dead_letters
        self.schedule_arns = stack.format_arn(
            service="scheduler", resource="schedule", resource_name=f"{group_name}/*"
        )
        self.role = iam.Role(
            self,
            "role",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                # Nobody else's schedule may borrow this role.
                conditions={
                    "StringEquals": {
                        "aws:SourceAccount": stack.account,
                        "aws:SourceArn": group_arn,
                    }
                },
            ),
        )
        self.role.add_to_policy(
            iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=list(target_arns))
        )
        self.role.add_to_policy(
            iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[dead_letters.queue_arn])
        )
