"""`python -m shared.operations balance|redrive|reerase|overrides|replay|ai_report --stack
Passerelle`, with the credentials of the account.
"""

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from shared.domain.ai_use import AiRegister, AiUseName, AiUseState
from shared.domain.errors import InvalidInput, PasserelleError, PolicyError
from shared.operations.labelled import labelled
from shared.operations.redrive import redrive
from shared.operations.reerase import reerase
from shared.operations.replay import Rules, replay
from shared.operations.replay_report import as_json, as_text
from shared.policies.candidate import candidate
from shared.policies.check import check_policies
from shared.policies.reader import read_policies
from shared.runtime import wiring
from shared.runtime.settings import OperationsSettings, environment


def tell(line: str) -> None:
    """What is not the answer: progress of long work, and what went wrong."""
    print(line, file=sys.stderr, flush=True)


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    run: Callable[[Namespace, OperationsSettings], int] = options.run
    try:
        environment.set(wiring.stack_outputs(options.stack))
        return run(options, OperationsSettings.read())
    except (ClientError, BotoCoreError, InvalidInput, PolicyError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _balance(_: Namespace, settings: OperationsSettings) -> int:
    balance = wiring.ledger(settings).balance()
    for name, number in balance._asdict().items():
        print(f"{name:12} {number}")
    print("received = processed + duplicate + quarantined + in_flight:", balance.holds)
    return 0 if balance.holds else 1


def _redrive(options: Namespace, settings: OperationsSettings) -> int:
    done = redrive(
        ledger=wiring.ledger(settings),
        secrets=wiring.secrets(settings),
        clock=wiring.clock(),
        accounts=read_policies().accounts,
        since=options.since,
        report=print,
    )
    print(f"{done.again} sent again, {done.released} read, {done.unreadable} still unreadable")
    return 0


def _reerase(_: Namespace, settings: OperationsSettings) -> int:
    again = reerase(
        requests=wiring.privacy_requests(settings),
        profiles=wiring.profiles(settings),
        index=wiring.match_index(settings),
        secrets=wiring.secrets(settings),
        clock=wiring.clock(),
        report=print,
    )
    print(f"{again} to be erased again")
    return 0


def _overrides(options: Namespace, settings: OperationsSettings) -> int:
    lines = labelled(ledger=wiring.ledger(settings), masker=wiring.masker(), since=options.since)
    written = 0
    with options.out.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(f"{line}\n")
            written += 1
    print(f"{written} overrides in {options.out.name}")
    return 0


def _replay(options: Namespace, settings: OperationsSettings) -> int:
    policies = candidate(options.policies)
    found = replay(
        Rules(
            current=check_policies(),
            candidate=policies,
            classifier=wiring.free_classifier(policies, options.model),
            without_bedrock=options.without_bedrock,
        ),
        ledger=wiring.ledger(settings),
        masker=wiring.masker(),
        since=options.since,
        until=options.until,
        examples=options.examples,
        cursor=options.cursor,
        report=tell,
    )
    print(as_json(found) if options.json else as_text(found))
    return 0


def _ai_report(options: Namespace, settings: OperationsSettings) -> int:
    # scipy belongs to this report alone, and takes a second to import.
    from shared.operations.ai_report.page import as_html
    from shared.operations.ai_report.period import period
    from shared.operations.ai_report.report import ai_report

    made_at, policies = wiring.clock().now(), check_policies()
    report = ai_report(
        ledger=wiring.ledger(settings),
        policies=policies,
        states=_states(policies.ai_register, settings),
        period=period(options.since, options.until or made_at),
        made_at=made_at,
        report=tell,
    )
    told = report.model_dump_json(indent=2) if options.json else as_html(report)
    if options.out is None:
        print(told)
    else:
        options.out.write_text(told + "\n", encoding="utf-8")
        tell(f"{report.volume.understood} messages in {options.out.name}")
    return 0


def _states(
    register: AiRegister, settings: OperationsSettings
) -> Mapping[AiUseName, AiUseState] | None:
    """What is counted is worth reading without them."""
    try:
        return wiring.ai_uses(settings).states(tuple(register))
    except (ClientError, BotoCoreError, PasserelleError) as error:
        tell(f"how the uses stand now could not be read: {error}")
        return None


def _options(arguments: Sequence[str]) -> Namespace:
    parser = ArgumentParser(prog="python -m shared.operations", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(
        name: str, run: Callable[[Namespace, OperationsSettings], int], help_: str
    ) -> ArgumentParser:
        made = commands.add_parser(name, help=help_, description=help_)
        made.add_argument("--stack", default="Passerelle", help="the stack's name")
        made.set_defaults(run=run)
        return made

    def since(of: ArgumentParser, what: str, *, required: bool = False) -> None:
        default = "" if required else "; everything by default"
        text = f"{what}: a date, or an ISO 8601 moment with its zone{default}"
        of.add_argument("--since", type=_moment, required=required, help=text)

    command("balance", _balance, "whether everything that came in is accounted for")
    since(command("redrive", _redrive, "send round again what failed or got stuck"), "received")
    command("reerase", _reerase, "erase again whom a restored backup brought back")
    overrides = command("overrides", _overrides, "what people corrected, masked, to measure by")
    since(overrides, "overridden")
    overrides.add_argument("--out", type=Path, required=True, help="the file of lines of JSON")
    again = command("replay", _replay, "what other policies would have decided; writes nothing")
    since(again, "received")
    again.add_argument("--until", type=_moment, help="received before this moment")
    again.add_argument(
        "--with",
        dest="policies",
        metavar="PATH",
        type=Path,
        nargs="+",
        default=[],
        help="policy files, or folders of them, instead of the current ones of their names",
    )
    again.add_argument("--model", type=Path, help="another embedded model")
    again.add_argument(
        "--without-bedrock",
        action="store_true",
        help="decide again on what Bedrock decided, by the embedded model",
    )
    again.add_argument("--examples", type=_count, default=3, help="shown of each change")
    again.add_argument("--cursor", help="go on where an earlier replay broke off")
    again.add_argument("--json", action="store_true", help="one object, for machines")
    uses = command("ai_report", _ai_report, "what the AI uses did, how well, and what changed")
    since(uses, "received", required=True)
    uses.add_argument("--until", type=_moment, help="received before this moment; now by default")
    uses.add_argument("--out", type=Path, help="the file to write instead of the output")
    uses.add_argument("--json", action="store_true", help="one object, for machines")
    return parser.parse_args(arguments)


def _moment(text: str) -> datetime:
    """A date begins in UTC."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        return moment
    if len(text) > len("2026-11-01"):
        raise ArgumentTypeError("a moment needs a time zone")
    return moment.replace(tzinfo=UTC)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ArgumentTypeError("a number from 0 on")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
