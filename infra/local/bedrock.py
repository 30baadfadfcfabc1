"""Amazon Bedrock's Converse over real HTTP, with a model that anybody can foresee, and that can be
told to fail.

It chooses the intent whose name and description, as the prompt gives them, share most words with
the message. What comes back is not wise; it is in the closed lists, and the same every time.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

import json
import re
from collections.abc import Callable
from enum import StrEnum
from threading import Condition
from typing import Any
from urllib.parse import unquote

from infra.local.simulators.base import SimulatedRequest, SimulatedResponse

HOST = "bedrock-runtime"
_PATH = re.compile(r"/model/([^/]+)/converse")
_MEANING = re.compile(r"^- (\w+): (.*)$", re.M)
_STEM = 5
"""Letters by which two words are the same."""
_LANGUAGES = {
    "fr": {"je", "vous", "est", "mon", "ma", "pas", "bonjour", "le", "la"},
    "it": {"il", "mio", "non", "che", "ciao", "grazie", "ordine", "è"},
    "es": {"el", "mi", "hola", "pedido", "está", "por", "quiero"},
    "de": {"ich", "ist", "nicht", "mein", "meine", "und", "bestellung"},
}


class Behaviour(StrEnum):
    NORMAL = "normal"
    SLOW = "slow"
    """Answers when it is told to behave otherwise."""
    THROTTLED = "throttled"
    ERROR = "error"
    OUTSIDE = "outside"
    """Names an intent that is in no list."""
    TEXT = "text"
    """Writes to the customer instead of using its tool."""
    BROKEN = "broken"
    """Half of a JSON object."""


class _Invalid(Exception):
    """What Bedrock would not take."""


class FakeBedrock:
    def __init__(self) -> None:
        self._behaviour = Behaviour.NORMAL
        self._changed = Condition()
        self._ended = False
        self.asked = 0

    @property
    def behaviour(self) -> Behaviour:
        return self._behaviour

    def behave(self, behaviour: Behaviour) -> None:
        with self._changed:
            self._behaviour = behaviour
            self._changed.notify_all()

    def end(self) -> None:
        """Keep nobody waiting."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def answer(self, request: SimulatedRequest) -> SimulatedResponse:
        with self._changed:
            self.asked += 1
            behaviour = self._behaviour
            if behaviour is Behaviour.SLOW:
                self._changed.wait_for(lambda: self._ended or self._behaviour is not Behaviour.SLOW)
                behaviour = Behaviour.NORMAL
        try:
            return _ANSWERS[behaviour](_read(request))
        except _Invalid as invalid:
            return _error(400, "ValidationException", str(invalid))


def _read(request: SimulatedRequest) -> dict[str, Any]:
    path = _PATH.fullmatch(request.path)
    if request.method != "POST" or path is None or not unquote(path[1]):
        raise _Invalid("this fake of Bedrock answers Converse only")
    try:
        asked = json.loads(request.body)
        (message,) = asked["messages"]
        (block,) = message["content"]
        (tool,) = asked["toolConfig"]["tools"]
        if message["role"] != "user" or not isinstance(asked["system"][0]["text"], str):
            raise ValueError
        return {
            "text": json.loads(block["text"])["customer_message"],
            "told": asked["system"][0]["text"],
            "tool": tool["toolSpec"]["name"],
            "fields": tool["toolSpec"]["inputSchema"]["json"]["properties"],
            "read": len(request.body) // 4,
        }
    except (ValueError, KeyError, TypeError, IndexError):
        raise _Invalid("the request is not as this house writes it") from None


def _judge(asked: dict[str, Any]) -> dict[str, Any]:
    """The tool's input, out of the lists that its schema holds."""
    fields = asked["fields"]
    words = _stems(asked["text"])
    scores = {
        name: len(words & _stems(f"{name.replace('_', ' ')} {description}"))
        for name, description in _MEANING.findall(asked["told"])
        if name in fields["intent"]["enum"]
    }
    ranked = sorted(fields["intent"]["enum"], key=lambda name: -scores.get(name, 0))
    best = ranked[0] if scores.get(ranked[0]) else fields["intent"]["enum"][-1]
    spoken = {
        language: len(common & set(re.findall(r"\w+", asked["text"].lower())))
        for language, common in _LANGUAGES.items()
    }
    language = max(spoken, key=lambda one: spoken[one])
    return {
        "language": language if spoken[language] else "en",
        "language_confidence": 0.9,
        "intent": best,
        "intent_confidence": 0.8,
        "runner_up": ranked[1],
        "sentiment": "neutral",
        "sentiment_score": 0,
        "sentiment_confidence": 0.5,
        "urgency": "normal",
        "urgency_reasons": [],
        "weak_signals": [],
        "summary": f"About {best.replace('_', ' ')}",
        "entities": [
            {"kind": "order_number", "text": number}
            for number in re.findall(r"\b\d{4,10}\b", asked["text"])[:3]
        ],
        "evidence": {"intent": [], "sentiment": [], "urgency": []},
    }


def _stems(text: str) -> set[str]:
    return {word[:_STEM] for word in re.findall(r"[^\W\d_]{4,}", text.lower())}


def _used(asked: dict[str, Any], answer: dict[str, Any]) -> SimulatedResponse:
    use = {"toolUseId": "tooluse_local", "name": asked["tool"], "input": answer}
    return _said(asked, {"toolUse": use}, "tool_use")


def _said(asked: dict[str, Any], block: dict[str, Any], reason: str) -> SimulatedResponse:
    written = len(json.dumps(block)) // 4
    return _json(
        200,
        {
            "output": {"message": {"role": "assistant", "content": [block]}},
            "stopReason": reason,
            "usage": {
                "inputTokens": asked["read"],
                "outputTokens": written,
                "totalTokens": asked["read"] + written,
            },
            "metrics": {"latencyMs": 1},
        },
    )


_ANSWERS: dict[Behaviour, Callable[[dict[str, Any]], SimulatedResponse]] = {
    Behaviour.NORMAL: lambda asked: _used(asked, _judge(asked)),
    Behaviour.THROTTLED: lambda _: _error(429, "ThrottlingException", "Too many requests"),
    Behaviour.ERROR: lambda _: _error(500, "InternalServerException", "Something broke"),
    Behaviour.OUTSIDE: lambda asked: _used(asked, _judge(asked) | {"intent": "send_money"}),
    Behaviour.TEXT: lambda asked: _said(asked, {"text": "Dear customer, …"}, "end_turn"),
    Behaviour.BROKEN: lambda _: SimulatedResponse(
        status=200, headers={"content-type": "application/json"}, body=b'{"output": {"mess'
    ),
}


def _error(status: int, kind: str, message: str) -> SimulatedResponse:
    """As the protocol REST-JSON tells an error."""
    response = _json(status, {"message": message})
    return SimulatedResponse(
        status=status,
        headers={**response.headers, "x-amzn-errortype": kind},
        body=response.body,
    )


def _json(status: int, content: dict[str, Any]) -> SimulatedResponse:
    return SimulatedResponse(
        status=status,
        headers={"content-type": "application/json"},
        body=json.dumps(content).encode(),
    )
