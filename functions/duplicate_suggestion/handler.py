"""Lambda: a profile was created, or learned an identifier or a trait."""

from typing import Any

from functions.duplicate_suggestion.logic import DuplicateRequest, Ports, suggest_duplicates
from shared.policies.reader import read_match_model, read_policies
from shared.runtime import wiring
from shared.runtime.observability import observed
from shared.runtime.settings import DuplicateSuggestionSettings


@observed
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    settings = DuplicateSuggestionSettings.read()
    policies = read_policies()
    ports = Ports(
        profiles=wiring.profiles(settings),
        match_index=wiring.match_index(settings),
        similarity=wiring.similarity(),
        model=read_match_model(),
        policy=policies.matching,
        identity=policies.identity,
        ai_uses=wiring.ai_uses(settings),
        clock=wiring.clock(),
    )
    return {"suggested": suggest_duplicates(DuplicateRequest.model_validate(event), ports)}
