"""The send gate: seven questions in order, and one before them about what a machine wrote.

The first refusal stops; each answer is kept with its reason.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from shared.domain.ai_use import AiUseName
from shared.domain.reply_window import ReplyWindow, WindowKind, open_window, windows_of
from shared.domain.sending import (
    GateResult,
    GateStep,
    QuietHours,
    SendContext,
    SendingPolicy,
    Verdict,
)


def pass_gate(context: SendContext, policy: SendingPolicy) -> GateResult:
    """Decide whether one message may leave now, and in which form."""
    steps: list[GateStep] = []

    def answer(name: str, passed: bool, reason: str) -> bool:
        steps.append(GateStep.model_validate({"name": name, "passed": passed, "reason": reason}))
        return passed

    def end(verdict: Verdict, until: datetime | None = None) -> GateResult:
        return GateResult(verdict=verdict, steps=tuple(steps), until=until)

    if context.machine_may_write is not None and not answer("ai_use", *_switched_on(context)):
        return end(Verdict.REFUSE)
    if not answer("suppression", *_not_suppressed(context)):
        return end(Verdict.REFUSE)
    if not answer("consent", *_consented(context, policy)):
        return end(Verdict.REFUSE)
    if not answer("message_class", *_may_come_this_way(context, policy)):
        return end(Verdict.REFUSE)
    quiet_until = _quiet_until(context, policy)
    if not answer("quiet_hours", quiet_until is None, _quiet_reason(context, policy, quiet_until)):
        return end(Verdict.DEFER, quiet_until)
    if not answer("frequency_cap", *_under_cap(context, policy)):
        return end(Verdict.REFUSE)
    window, reason = _window(context, policy)
    if not answer("reply_window", window is not None or context.template_ready, reason):
        return end(Verdict.REFUSE)
    budget = policy.monthly_budget.get(context.endpoint.channel)
    answer(
        "budget",
        True,
        f"no spend is recorded yet against {budget}" if budget else "no budget is set",
    )
    if window is None:
        return end(Verdict.SEND_TEMPLATE)
    is_longer = window.kind is WindowKind.HUMAN_AGENT
    return end(Verdict.SEND_AS_HUMAN_AGENT if is_longer else Verdict.SEND_TEXT)


def _switched_on(context: SendContext) -> tuple[bool, str]:
    """The kill switch of the AI register."""
    stands = "on" if context.machine_may_write else "off"
    return stands == "on", f"{AiUseName.MACHINE_WRITTEN_MESSAGES} is switched {stands}"


def _not_suppressed(context: SendContext) -> tuple[bool, str]:
    if context.suppressed_because is not None:
        return False, context.suppressed_because
    return True, "no suppression is recorded for this endpoint, address or person"


def _consented(context: SendContext, policy: SendingPolicy) -> tuple[bool, str]:
    """Silence is no consent where one is required; a withdrawn one stops any class."""
    of = f" to {context.purpose}" if context.purpose else ""
    if context.consented is False:
        return False, f"consent{of} was withdrawn"
    if context.message_class not in policy.consent_required:
        return True, f"a {context.message_class.value} message needs no consent"
    if context.consented is None:
        return False, f"no consent{of} is recorded"
    return True, f"consent{of} is recorded"


def _may_come_this_way(context: SendContext, policy: SendingPolicy) -> tuple[bool, str]:
    """Nobody is rung up for what a rule has to say."""
    channel = context.endpoint.channel
    if channel in policy.only_answers and not context.is_answer:
        return False, f"over {channel.value} only an answer leaves"
    return True, f"it is a {context.message_class.value} message"


def _local_now(context: SendContext, policy: SendingPolicy) -> datetime:
    try:
        zone = ZoneInfo(context.time_zone or policy.default_time_zone)
    except (KeyError, ValueError, OSError):
        zone = ZoneInfo(policy.default_time_zone)
    return context.now.astimezone(zone)


def _quiet_until(context: SendContext, policy: SendingPolicy) -> datetime | None:
    """The end of the quiet hours that hold this message back, or None."""
    if context.message_class not in policy.disturbs:
        return None
    quiet = policy.quiet_hours
    local = _local_now(context, policy)
    if not _is_quiet(local, quiet):
        return None
    end = datetime.combine(local.date(), quiet.until, local.tzinfo)
    return (
        end
        if end > local
        else datetime.combine(local.date() + timedelta(days=1), quiet.until, local.tzinfo)
    )


def _is_quiet(local: datetime, quiet: QuietHours) -> bool:
    at = local.time()
    if quiet.begins <= quiet.until:
        return quiet.begins <= at < quiet.until
    return at >= quiet.begins or at < quiet.until


def _quiet_reason(context: SendContext, policy: SendingPolicy, until: datetime | None) -> str:
    if until is not None:
        return f"quiet until {until.isoformat()}"
    if context.message_class not in policy.disturbs:
        return f"a {context.message_class.value} message may come at any hour"
    zone = (
        "their time zone"
        if context.time_zone
        else f"no time zone is recorded, so {policy.default_time_zone}"
    )
    return f"outside quiet hours ({zone})"


def _under_cap(context: SendContext, policy: SendingPolicy) -> tuple[bool, str]:
    cap = policy.frequency_caps.get(context.message_class)
    if cap is None:
        return True, f"no cap on {context.message_class.value} messages"
    recent = sum(1 for at in context.sent_at if at > context.now - cap.per)
    return recent < cap.most, f"{recent} of at most {cap.most} sent in the last {cap.per}"


def _window(context: SendContext, policy: SendingPolicy) -> tuple[ReplyWindow | None, str]:
    """The window it leaves by, if one is open to it."""
    channel = context.endpoint.channel
    windows = windows_of(
        context.endpoint, context.last_inbound_at, policy.reply_windows.get(channel)
    )
    window = open_window(windows, context.now, by_person=context.by_person)
    if window is None:
        closed = "never opened" if context.last_inbound_at is None else "closed"
        if open_window(windows, context.now, by_person=True) is not None:
            closed = "open to a person's own answer alone"
        ready = context.template_ready
        instead = "an approved template is sent" if ready else "no approved template"
        return None, f"{closed}; {instead}"
    if window.open_until is None:
        return window, f"{channel.value} has no reply window"
    people = " for people" if window.kind is WindowKind.HUMAN_AGENT else ""
    return window, f"open{people} until {window.open_until.isoformat()}"
