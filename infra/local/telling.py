"""What the local run prints: each webhook as it goes, and what became of it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TextIO

from infra.local.sample_day import SHOP_TIME, Sample
from infra.local.stories import Story

INDENT = " " * 39


class Teller:
    """Lines for people, on one stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def say(self, text: str = "") -> None:
        print(text, file=self._stream, flush=True)

    def played(self, sample: Sample, moment: datetime, status: int) -> None:
        here = moment.astimezone(SHOP_TIME)
        self.say(
            f"  {here:%a %H:%M}  {sample.provider:<17} {sample.person:<7} {status}  {sample.about}"
        )

    def became(self, rows: Sequence[tuple[Sample, list[Story], str]]) -> None:
        """`rows`: each sample, its touchpoints, and a word where it has none."""
        for sample, stories, otherwise in rows:
            if not stories:
                self.say(f"  {sample.person:<7} {sample.provider:<17} {otherwise}")
            for story in stories:
                for line in _lines(sample, story):
                    self.say(line)

    def balance(self, balance: dict[str, int]) -> None:
        counts = "  ".join(f"{name} {value}" for name, value in balance.items() if name != "holds")
        verdict = "it holds" if balance["holds"] else "IT DOES NOT HOLD"
        self.say(f"  {counts}: {verdict}")


def _lines(sample: Sample, story: Story) -> Iterable[str]:
    head = f"  {sample.person:<7} {sample.provider:<17} {story.state:<10}"
    profile = f"profile {story.profile.profile_id[:8]}" if story.profile else "nobody's profile"
    step = story.journey.ai_classification if story.journey else None
    if step is None:
        yield f"{head} {profile}, {story.touchpoint.content.kind.replace('_', ' ')}"
        yield from _suggestions(story)
        return
    found = step.classification
    yield (
        f"{head} {profile}: {found.language}, {found.intent}, {found.sentiment}, "
        f"{found.urgency} urgency"
    )
    yield from _suggestions(story)
    if (ticket := story.ticket) is not None and story.journey is not None:
        outcome = story.journey.ticket_creation.outcome if story.journey.ticket_creation else ""
        due = ticket.due_at.astimezone(SHOP_TIME)
        yield (
            f"{INDENT}ticket {ticket.number} {outcome}, queue {ticket.queue}, {ticket.priority}, "
            f"{ticket.status}, due {due:%a %d %b %H:%M}"
        )
    for follow_up in story.follow_ups:
        due = follow_up.due_at.astimezone(SHOP_TIME)
        result = f": {follow_up.result}" if follow_up.result else ""
        yield f"{INDENT}follow-up {follow_up.name} {follow_up.state}, {due:%a %d %b %H:%M}{result}"


def _suggestions(story: Story) -> Iterable[str]:
    mine = story.profile.profile_ids if story.profile else ()
    for one in story.suggestions:
        other = next((each for each in one.profile_ids if each not in mine), one.profile_ids[0])
        yield f"{INDENT}perhaps profile {other[:8]} too: {one.reason}"
