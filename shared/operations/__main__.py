"""`python -m shared.operations balance|redrive|reerase --stack Passerelle`, with the credentials of
the account.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError

from shared.operations.redrive import redrive
from shared.operations.reerase import reerase
from shared.runtime import wiring
from shared.runtime.settings import OperationsSettings, environment


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    try:
        environment.set(wiring.stack_outputs(options.stack))
        settings = OperationsSettings.read()
        ledger = wiring.ledger(settings)
        if options.command == "balance":
            balance = ledger.balance()
            for name, number in balance._asdict().items():
                print(f"{name:12} {number}")
            print("received = processed + duplicate + quarantined + in_flight:", balance.holds)
            return 0 if balance.holds else 1
        if options.command == "reerase":
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
        done = redrive(
            ledger=ledger,
            secrets=wiring.secrets(settings),
            clock=wiring.clock(),
            since=options.since,
            report=print,
        )
    except (ClientError, BotoCoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{done.again} sent again, {done.released} read, {done.unreadable} still unreadable")
    return 0


def _options(arguments: Sequence[str]) -> Namespace:
    parser = ArgumentParser(prog="python -m shared.operations", description=__doc__)
    parser.add_argument("command", choices=["balance", "redrive", "reerase"])
    parser.add_argument("--stack", default="Passerelle", help="the stack's name")
    parser.add_argument(
        "--since", type=_moment, help="an ISO 8601 moment with its zone; everything by default"
    )
    return parser.parse_args(arguments)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return moment


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
