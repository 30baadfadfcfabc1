"""The code of a function as CloudFormation's asset."""

from aws_cdk import AssetHashType, IgnoreMode
from aws_cdk import aws_lambda as lambda_

from infra.bundles import ROOT, bundle
from infra.constructs.functions import BASE_PACKAGES, FunctionShape


def complete(name: str, shape: FunctionShape) -> lambda_.Code:
    """With its packages: what is deployed."""
    folder = bundle(name, (*BASE_PACKAGES, *shape.packages))
    return lambda_.Code.from_asset(
        str(folder), asset_hash=folder.name, asset_hash_type=AssetHashType.CUSTOM
    )


def source_only(name: str) -> lambda_.Code:
    """Without packages: enough for the local cloud and the tests, which run from the source."""
    return lambda_.Code.from_asset(
        str(ROOT),
        exclude=["*", f"!functions/{name}", "!shared", "**/__pycache__"],
        ignore_mode=IgnoreMode.DOCKER,
    )
