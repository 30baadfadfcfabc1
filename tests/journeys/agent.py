"""Somebody who answers customers, through the agents' API."""

import json
from typing import Any
from urllib.parse import quote

from infra.local.cloud import LocalCloud

PHONE = "+33612345678"


class Agent:
    """Signed in."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        token = json.loads(cloud.get("/_local/token").body)["token"]
        self.headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}

    def get(self, path: str) -> dict[str, Any]:
        answer = self.cloud.get(path, self.headers)
        assert answer.status == 200, answer.body
        found: dict[str, Any] = json.loads(answer.body)
        return found

    def send(self, method: str, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        answer = self.cloud.post(path, json.dumps(body), self.headers, method=method)
        return answer.status, json.loads(answer.body)

    def profile(self, phone: str = PHONE) -> dict[str, Any]:
        (found,) = self.get(f"/v1/profiles?identifier={quote(f'phone:{phone}')}")["items"]
        assert isinstance(found, dict)
        return found

    def timeline(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.get(
            f"/v1/profiles/{self.profile()['profile_id']}/timeline"
        )["items"]
        return items

    def tickets(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.get(
            f"/v1/tickets?profile={self.profile()['profile_id']}"
        )["items"]
        return items


def outbox(cloud: LocalCloud, provider: str) -> list[dict[str, Any]]:
    sent = json.loads(cloud.get("/_local/outbox").body)
    return [one for one in sent if one["provider"] == provider]
