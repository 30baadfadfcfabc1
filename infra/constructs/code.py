"""What is uploaded for a function: its own folder and `shared`, with the packages it imports."""

from pathlib import Path

from aws_cdk import IgnoreMode
from aws_cdk import aws_lambda as lambda_

ROOT = Path(__file__).parents[2]


def source_only(name: str) -> lambda_.Code:
    """Without packages: enough for the local cloud and the tests, which run from the source."""
    return lambda_.Code.from_asset(
        str(ROOT),
        exclude=["*", f"!functions/{name}", "!shared", "**/__pycache__"],
        ignore_mode=IgnoreMode.DOCKER,
    )
