"""Secrets from AWS Secrets Manager, kept in memory for some minutes."""

import json
from collections.abc import Callable, Mapping
from math import inf
from time import monotonic
from typing import Any

from botocore.exceptions import ClientError

from shared.adapters.dynamo import error_code
from shared.domain.errors import MissingSecret

_KEPT_SECONDS = 300
"""A rotated secret is known after this at the latest; both are valid meanwhile."""


class SecretsManager:
    """`elapsed` tells seconds; only differences count."""

    def __init__(
        self, client: Any, prefix: str, *, elapsed: Callable[[], float] = monotonic
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._elapsed = elapsed
        self._kept: dict[str, tuple[float, Mapping[str, Any] | None]] = {}

    def read(self, provider: str) -> Mapping[str, Any] | None:
        until, content = self._kept.get(provider, (-inf, None))
        if self._elapsed() >= until:
            content = self._fetch(f"{self._prefix}/{provider}")
            self._kept[provider] = (self._elapsed() + _KEPT_SECONDS, content)
        return content

    def _fetch(self, name: str) -> Mapping[str, Any] | None:
        try:
            text = self._client.get_secret_value(SecretId=name).get("SecretString", "")
        except ClientError as error:
            # The roles may read the secrets that the stack made and no other, so of one that was
            # never made AWS says that it may not be read.
            if error_code(error) in {"ResourceNotFoundException", "AccessDeniedException"}:
                return None
            raise
        try:
            content = json.loads(text)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise MissingSecret(f"the secret {name} is not a JSON object")
        return content
