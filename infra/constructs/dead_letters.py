"""Where an event goes that could not be delivered. One queue for each way to die."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.constructs.acknowledgements import acknowledge

QUEUES = {
    "unpublished": "changes of a table that event_publishing could not put on the bus",
    "unrouted": "events of the bus that a rule's target did not take",
    "unscheduled": "follow-ups and segments' timers that the scheduler could not hand over",
    "unfinished": "events that a function took and could not finish",
}


class DeadLetters(Construct):
    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.by_name = {
            name: sqs.Queue(
                self,
                name,
                encryption=sqs.QueueEncryption.SQS_MANAGED,
                enforce_ssl=True,
                retention_period=Duration.days(14),
                removal_policy=RemovalPolicy.DESTROY,
            )
            for name in QUEUES
        }
        for queue in self.by_name.values():
            acknowledge(queue, {"SQS3": "It is a dead-letter queue, of services other than SQS."})
