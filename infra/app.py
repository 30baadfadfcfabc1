"""`python -m infra.app` synthesises the stack into cdk.out.

The CDK command line does the same and deploys it.
"""

import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.npm import node

# CDK runs on Node, and starts it when it is imported.
os.environ.setdefault("JSII_NODE", str(node()))

from aws_cdk import App, Environment, Validations
from cdk_nag import AwsSolutionsChecks

from infra.bundles import BundleError
from infra.constructs.options import Options, read_options
from infra.stack import PasserelleStack
from shared.domain.errors import PolicyError
from shared.policies.check import check_policies

ROOT = Path(__file__).parents[1]
STACK_NAME = "Passerelle"


def build(context: Mapping[str, Any], outdir: Path | None = None) -> App:
    """The app, ready to be synthesised.

    Raises PolicyError or ValueError for what the company wrote wrongly.
    """
    check_policies()
    app = App(context=dict(context), outdir=str(outdir) if outdir else None)
    names = (*Options.model_fields, "stack_name")
    given = {name: app.node.try_get_context(name) for name in names}
    options = read_options({name: value for name, value in given.items() if value is not None})
    PasserelleStack(
        app,
        given["stack_name"] or STACK_NAME,
        options=options,
        description="A serverless backbone for omnichannel customer experience",
        env=_environment(),
        termination_protection=options.production,
    )
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


def _environment() -> Environment | None:
    """The account and region that are deployed to; none for a template that fits every one."""
    account, region = os.environ.get("CDK_DEFAULT_ACCOUNT"), os.environ.get("CDK_DEFAULT_REGION")
    return Environment(account=account, region=region) if account and region else None


def _context(arguments: Sequence[str]) -> tuple[dict[str, Any], Path | None]:
    parser = ArgumentParser(prog="python -m infra.app", description=__doc__)
    parser.add_argument("-c", "--context", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("-o", "--output", type=Path, default=None)
    parsed = parser.parse_args(arguments)
    content = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))
    given = dict(part.partition("=")[::2] for part in parsed.context)
    # The CDK command line says where it wants the template.
    called_by_cdk = "CDK_OUTDIR" in os.environ
    return {**content["context"], **given}, parsed.output or (
        None if called_by_cdk else ROOT / content["output"]
    )


def main(arguments: Sequence[str]) -> int:
    context, outdir = _context(arguments)
    try:
        app = build(context, outdir)
    except (PolicyError, BundleError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
