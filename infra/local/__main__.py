"""`python -m infra.local`: the whole house on this machine, with a sample day in it."""

import sys
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Mapping
from threading import Event

import urllib3

from infra.local.cloud import LocalCloud
from infra.local.dynamodb_local import StoreMissing
from infra.local.outbox import last_sent
from infra.local.sample_day import SHOP_TIME, Player, first_day, samples
from infra.local.server import PortTaken
from infra.local.synthesis import ROOT, SynthesisFailed, synthesised_template
from infra.local.telling import Teller
from infra.local.template import TemplateError
from shared.domain.errors import PolicyError
from shared.policies.check import check_policies

LOGS = ROOT / ".build" / "functions.log"


def main(arguments: list[str]) -> int:
    parser = ArgumentParser(prog="python -m infra.local", description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--empty", action="store_true", help="no sample day")
    parser.add_argument("--once", action="store_true", help="end after the sample day")
    parser.add_argument("--store", choices=["moto", "dynamodb-local"], default="moto")
    parser.add_argument("--bedrock", action="store_true", help="with a fake of Bedrock to ask")
    parser.add_argument(
        "--statuses", action="store_true", help="providers tell what became of what was sent"
    )
    options = parser.parse_args(arguments)
    teller = Teller(sys.stdout)
    try:
        check_policies()
        template = synthesised_template(teller.say)
        teller.say("giving the template life: tables, bus, journeys, timers, gateway")
        with LocalCloud(
            template,
            port=options.port,
            log_file=LOGS,
            store=options.store,
            bedrock=options.bedrock,
            statuses=options.statuses,
        ) as cloud:
            if not options.empty:
                play(cloud, teller)
            _tell_addresses(cloud, teller)
            if not options.once:
                _stay_up()
    except (PolicyError, SynthesisFailed, TemplateError, PortTaken, StoreMissing) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        teller.say("\nended")
    return 0


def play(cloud: LocalCloud, teller: Teller) -> None:
    """The sample day over HTTP, the clock moved from one webhook to the next."""
    first = first_day(cloud.clock.now())
    day = samples()
    teller.say(f"\nA sample day: {len(day)} webhooks, signed as their providers sign\n")
    player = Player(cloud.url, cloud.secrets)
    touchpoints: dict[str, list[str]] = defaultdict(list)
    answers: dict[str, str] = {}
    known = 0
    with urllib3.PoolManager() as pool:
        for sample in day:
            moment = sample.moment(first)
            cloud.advance_to(moment)
            call = player.call(sample, moment, last_sent(cloud.outbox.all()))
            before = cloud.stories.balance()
            answer = pool.request(call.method, call.url, body=call.body, headers=call.headers)
            teller.played(sample, moment, answer.status)
            cloud.settle()
            received = cloud.stories.received()
            touchpoints[sample.id] = received[known:]
            known = len(received)
            answers[sample.id] = _without_touchpoint(before, cloud.stories.balance())
    teller.say("\nWhat became of each\n")
    teller.became(
        [(sample, cloud.stories.read(touchpoints[sample.id]), answers[sample.id]) for sample in day]
    )
    teller.say(f"\nThe balance, at {cloud.clock.now().astimezone(SHOP_TIME):%a %d %b %H:%M}\n")
    teller.balance(cloud.stories.balance())


def _without_touchpoint(before: Mapping[str, int], after: Mapping[str, int]) -> str:
    """Why a webhook left no new touchpoint."""
    for name, word in (("duplicate", "a duplicate, counted"), ("quarantined", "in quarantine")):
        if after[name] > before[name]:
            return word
    return "refused, nothing changed"


def _tell_addresses(cloud: LocalCloud, teller: Teller) -> None:
    bedrock = f"""
  {cloud.url}/_local/bedrock   how the fake of Bedrock behaves; POST {{"behaviour": …}}"""
    teller.say(f"""
  {cloud.url}/_local           the page: what came in, what it became, what was sent; the clock
  {cloud.url}/docs             the agents' API
  {cloud.url}/_local/token     a token for it
  {cloud.url}/_local/outbox    what the providers would have received
  {cloud.url}/_local/providers how they behave; docs/local-providers.md
  {cloud.url}/webhooks/…       for your own webhooks; secrets are in infra/local/secrets.json
  what the functions log is in {LOGS.relative_to(ROOT)}{bedrock * cloud.bedrock_enabled}""")


def _stay_up() -> None:
    print("\nCtrl-C ends it", flush=True)
    Event().wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
