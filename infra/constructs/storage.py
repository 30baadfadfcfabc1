"""The tables, one per aggregate, and the bucket.

Every index names its reader, since it doubles the table's writes.
"""

from collections.abc import Sequence
from typing import NamedTuple

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.acknowledgements import acknowledge
from shared.domain.retention import CLASS_OF_KIND, RetentionPolicy


class Key(NamedTuple):
    partition: str
    sort: str | None = None


class Index(NamedTuple):
    key: Key
    reader: str


class TableShape(NamedTuple):
    key: Key
    indexes: dict[str, Index]


TABLES = {
    "touchpoints": TableShape(
        Key("touchpoint_id"),
        {
            "by_profile": Index(Key("profile_id", "timeline"), "a profile's timeline"),
            "by_trouble": Index(Key("trouble", "received_at"), "redrive; the API's state filter"),
            "by_mailbox": Index(Key("mailbox", "timeline"), "a web chat page fetching its answers"),
        },
    ),
    "profiles": TableShape(
        Key("pk", "sk"),
        {
            "by_review": Index(Key("review", "ranked"), "merge suggestions nobody decided on yet"),
            "by_segment": Index(Key("segment", "pk"), "the members of a segment, and their export"),
        },
    ),
    "tickets": TableShape(
        Key("pk", "sk"),
        {
            "by_worklist": Index(
                Key("worklist", "due"), "tickets of a queue, follow-ups of a state, by due time"
            ),
            "by_profile": Index(Key("profile_id", "made"), "tickets and follow-ups of a profile"),
            "by_assignee": Index(Key("assignee", "due"), "an agent's own list"),
        },
    ),
    "ai_uses": TableShape(Key("ai_use"), {}),
    "webhooks": TableShape(Key("pk", "sk"), {}),
}
"""Every key is a string. The indexes hold keys only; what they find is read from the table."""


EXPIRES_AT = "expires_at"
"""Epoch seconds, after which a table deletes an item by itself (shared/policies/retention.yaml)."""


class Tables(Construct):
    """Encrypted with the key AWS owns, which costs nothing and no call."""

    def __init__(self, scope: Construct, construct_id: str, *, production: bool) -> None:
        super().__init__(scope, construct_id)
        self.by_name = {
            name: self._table(name, shape, production=production) for name, shape in TABLES.items()
        }

    def index_arns(self) -> dict[str, str]:
        """By `table/index/name`."""
        return {
            f"{name}/index/{index}": f"{self.by_name[name].table_arn}/index/{index}"
            for name, shape in TABLES.items()
            for index in shape.indexes
        }

    def _table(self, name: str, shape: TableShape, *, production: bool) -> dynamodb.Table:
        table = dynamodb.Table(
            self,
            name,
            partition_key=_attribute(shape.key.partition),
            sort_key=_attribute(shape.key.sort) if shape.key.sort else None,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute=EXPIRES_AT,
            deletion_protection=production,
            removal_policy=RemovalPolicy.RETAIN if production else RemovalPolicy.DESTROY,
        )
        for index_name, index in shape.indexes.items():
            table.add_global_secondary_index(
                index_name=index_name,
                partition_key=_attribute(index.key.partition),
                sort_key=_attribute(index.key.sort) if index.key.sort else None,
                projection_type=dynamodb.ProjectionType.KEYS_ONLY,
            )
        return table


def _attribute(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)


class RawBucket(Construct):
    """Requests above 200 KB and attachments. Not versioned: what is erased must be gone."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        production: bool,
        retention: RetentionPolicy,
        origins: Sequence[str],
    ) -> None:
        """`origins`: the sites whose pages may put what agents send along."""
        super().__init__(scope, construct_id)
        classes = sorted(set(CLASS_OF_KIND.values()))
        ends = {
            **{f"touchpoint/{name}": getattr(retention, name) for name in classes},
            **{f"raw/{name}": getattr(retention, name) for name in classes},
            # Only messages have files.
            "attachments": retention.message,
            "uploads": retention.upload,
            "request": retention.quarantined,
            "exports": retention.export,
            "proofs": retention.proof,
        }
        self.bucket = s3.Bucket(
            self,
            "bucket",
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            removal_policy=RemovalPolicy.RETAIN if production else RemovalPolicy.DESTROY,
            cors=[
                s3.CorsRule(
                    allowed_methods=[s3.HttpMethods.POST],
                    allowed_origins=list(origins),
                    max_age=3600,
                )
            ],
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="cool-down",
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                    transitions=[
                        s3.Transition(
                            storage_class=s3.StorageClass.INFREQUENT_ACCESS,
                            transition_after=Duration.days(90),
                        )
                    ],
                ),
                # A day later than the item that leads to it.
                *(
                    s3.LifecycleRule(
                        id=f"end-of-{prefix.replace('/', '-')}",
                        prefix=f"{prefix}/",
                        expiration=Duration.days(span.days + 1),
                    )
                    for prefix, span in ends.items()
                ),
            ],
        )
        acknowledge(
            self.bucket,
            {"S1": "Only our own roles reach it; CloudTrail's data events tell who read what."},
        )
