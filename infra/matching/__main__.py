"""`python -m infra.matching`: reviews profiles for duplicates, in a batch, and learns the weights.

--export FILE              profiles as JSON lines (`infra/matching/export.py` says which fields)
--stack NAME               or those of a deployed stack, page by page, with its account's
                           credentials; with --write where the suggestions go
--learn FILE               weights learned from these profiles, for the streaming score
--write                    the suggestions into the review queue of the stack
--evaluate                 precision and recall on invented people whose truth is known
--invent FILE              writes such people as an export
"""

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from infra.matching import deployed, evaluation, learning, review
from infra.matching.export import line_of, profiles_of
from infra.matching.facts_table import facts_table
from infra.matching.population import population
from shared.domain.errors import PasserelleError
from shared.domain.match_facts import MatchFacts, facts_of
from shared.domain.matching import MatchModel
from shared.policies.reader import read_match_model, read_policies


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    try:
        if options.invent:
            people = population(options.people, options.seed)
            lines = [line_of(one.profile, person=one.person, kind=one.kind) for one in people]
            options.invent.write_text("\n".join(lines) + "\n", encoding="utf-8")
            print(f"{len(lines)} profiles of {options.people} people")
        elif options.evaluate:
            policies = read_policies()
            rows = evaluation.evaluate(
                population(options.people, options.seed),
                model=read_match_model(),
                policy=policies.matching,
                identity=policies.identity,
            )
            print(evaluation.table(rows))
        else:
            _review(options)
    except (PasserelleError, OSError, ClientError, BotoCoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _review(options: Namespace) -> None:
    policies, model = read_policies(), read_match_model()
    facts = _facts(options)
    enough = [one for one in facts if one.are_enough]
    print(f"{len(facts)} profiles, {len(enough)} of which state two facts or more", file=sys.stderr)
    most_per_key = policies.matching.most_per_key
    database = facts_table(enough, most_per_key=most_per_key)
    source = options.export.name if options.export else f"the stack {options.stack}"
    learned = learning.learn(
        database,
        model,
        learned_at=datetime.now(UTC),
        description=options.description or f"profiles of {source}",
    )
    database.close()
    if learned is None:
        print(
            f"too little to learn from ({len(enough)} of {learning.FEWEST} profiles, or no two "
            f"that are surely one person): the weights are those shipped, {model.version}",
            file=sys.stderr,
        )
    else:
        model = learned.model
        if learned.kept:
            print(f"kept as they were: {', '.join(learned.kept)}", file=sys.stderr)
    if options.learn:
        _keep(learned.model if learned else None, options.learn)
    suggest_from = options.suggest_from or policies.matching.suggest_from
    found = review.pairs(enough, model, suggest_from=suggest_from, most_per_key=most_per_key)
    for pair in found[: options.most]:
        print(review.waterfall(pair), end="\n\n")
    print(f"{len(found)} pairs from probability {suggest_from} on, weights {model.version}")
    if options.write:
        new = deployed.suggest(options.stack, found, model, datetime.now(UTC))
        print(f"{new} in the review queue; the rest is decided or one person already")


def _facts(options: Namespace) -> list[MatchFacts]:
    identity = read_policies().identity
    if not options.export:
        return [facts_of(one, identity) for one in deployed.profiles(options.stack)]
    with options.export.open(encoding="utf-8") as lines:
        return [facts_of(one, identity) for one in profiles_of(lines)]


def _keep(model: MatchModel | None, file: Path) -> None:
    if model is None:
        print(f"{file} is not written", file=sys.stderr)
        return
    file.write_text(model.model_dump_json(indent=2) + "\n", encoding="utf-8")
    print(f"{file}: {model.version}", file=sys.stderr)


def _options(arguments: Sequence[str]) -> Namespace:
    parser = ArgumentParser(
        prog="python -m infra.matching",
        description=__doc__,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--export", type=Path, metavar="FILE")
    parser.add_argument("--stack", metavar="NAME")
    parser.add_argument("--learn", type=Path, metavar="FILE")
    parser.add_argument("--description", default="", help="what the weights are learned from")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--from", dest="suggest_from", type=_share, help="another threshold")
    parser.add_argument("--most", type=int, default=50, help="waterfalls printed (%(default)s)")
    parser.add_argument("--evaluate", action="store_true")
    parser.add_argument("--invent", type=Path, metavar="FILE")
    parser.add_argument("--people", type=int, default=3000, help="invented (%(default)s)")
    parser.add_argument("--seed", type=int, default=11, help="of the invention (%(default)s)")
    options = parser.parse_args(arguments)
    if not (options.export or options.stack or options.evaluate or options.invent):
        parser.error("say --export, --stack, --evaluate or --invent")
    if options.write and not options.stack:
        parser.error("--write needs --stack")
    return options


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise ValueError("a probability lies between 0 and 1")
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
