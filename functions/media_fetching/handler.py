"""Lambda: a touchpoint came with files."""

from typing import Any

from functions.media_fetching.logic import Ports, fetch_media
from shared.domain.journey import MediaRequest
from shared.policies.reader import read_policies
from shared.runtime import wiring
from shared.runtime.observability import observed
from shared.runtime.settings import MediaFetchingSettings


@observed
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    settings = MediaFetchingSettings.read()
    ports = Ports(
        ledger=wiring.ledger(settings),
        media_files=wiring.media_files(settings),
        secrets=wiring.secrets(settings),
        provider_media=wiring.provider_media(settings),
        file_type=wiring.file_type(),
        policies=read_policies(),
    )
    media = fetch_media(MediaRequest.model_validate(event), ports)
    return {"media": {name: one.state for name, one in media.items()}}
