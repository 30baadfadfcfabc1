"""The page at /_local/chat: a shop in five languages with the chat in it, as on a company's site.

Its server side is here too: it vouches for the customer who is signed in.
"""

from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from infra.local.clients.web_chat import user_hash
from infra.local.gateway import Request, Response
from infra.local.page import FILES, SECURITY

if TYPE_CHECKING:
    from infra.local.cloud import LocalCloud

EXAMPLE = "C-4711"


class Shop:
    def __init__(self, cloud: "LocalCloud") -> None:
        self._cloud = cloud

    def show(self, request: Request) -> Response:
        """`language` and `customer` are said in the query; an unknown language is English."""
        asked = dict(parse_qsl(request.query))
        words, customer = _words(), asked.get("customer", "")[:200]
        language = asked.get("language", "en")
        language = language if language in words else "en"
        html = _template().render(
            language=language,
            languages=words,
            words=words[language],
            customer=customer,
            example=EXAMPLE,
            user_hash=user_hash(customer, self._cloud.secrets["web_chat"]) if customer else "",
        )
        headers = {"content-type": "text/html; charset=utf-8", **SECURITY}
        return Response(200, headers, html.encode())


@cache
def _words() -> dict[str, dict[str, Any]]:
    words: dict[str, dict[str, Any]] = yaml.safe_load((FILES / "shop.yaml").read_text("utf-8"))
    return words


@cache
def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(FILES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("shop.html")
