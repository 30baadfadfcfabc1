"""/openapi.json and /docs, both open to everybody: they say what there is, not what is in it."""

import json
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import APIGatewayHttpResolver, Router

from functions.agent_api.openapi import describe

router = Router()

START = """
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Passerelle: the API of the agents</title>
<style>{style}</style>
</head>
<body>
<div id="swagger-ui"></div>
<script>{library}</script>
<script>{start}</script>
</body>
</html>
"""
DAY = "public, max-age=86400"


@router.get("/openapi.json", include_in_schema=False, compress=True)
def openapi() -> Response[str]:
    app = router.api_resolver
    assert isinstance(app, APIGatewayHttpResolver)
    return Response(
        status_code=200, content_type="application/json", body=json.dumps(describe(app))
    )


@router.get("/docs", include_in_schema=False, compress=True)
def docs() -> Response[str]:
    """One page with all it needs inside: it works offline, and under a policy that lets only
    these very scripts and styles run.
    """
    assets = files("aws_lambda_powertools.event_handler.openapi.swagger_ui")
    library = (assets / "swagger-ui-bundle.min.js").read_text(encoding="utf-8")
    style = (assets / "swagger-ui.min.css").read_text(encoding="utf-8")
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(library)} {_hash(START)}",
            f"style-src {_hash(style)}",
            "img-src data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
    return Response(
        status_code=200,
        content_type="text/html; charset=utf-8",
        body=PAGE.format(style=style, library=library, start=START),
        headers={
            "content-security-policy": policy,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cache-control": DAY,
        },
    )


def _hash(inline: str) -> str:
    return f"'sha256-{b64encode(sha256(inline.encode()).digest()).decode()}'"
