"""The Lambda handler itself, wired to nothing: what needs no store answers all the same."""

import json

from functions.agent_api.handler import handler


def test_it_answers_an_event_of_the_gateway() -> None:
    event = {
        "version": "2.0",
        "rawPath": "/openapi.json",
        "rawQueryString": "",
        "headers": {},
        "requestContext": {"http": {"method": "GET", "path": "/openapi.json"}, "stage": "$default"},
        "isBase64Encoded": False,
    }
    answer = handler(event, None)
    assert json.loads(answer["body"])["info"]["title"] == "Passerelle: the API of the agents"
    refused = handler(event | {"rawPath": "/v1/tickets"}, None)
    assert refused["statusCode"] == 401
