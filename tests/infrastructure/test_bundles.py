"""Each function's bundle runs with nothing but itself and boto3 on the path.

It is built for this machine, as it is built for Lambda, and asked something in a process of its
own. An AWS that knows nothing answers it, so that every client it needs is made and called.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import files
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import pytest

from infra.bundles import HERE, LAMBDA, BundleError, bundle, pinned
from infra.constructs.functions import BASE_PACKAGES, FUNCTIONS
from shared.policies.reader import read_policies

RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3")
"""What Lambda's own runtime brings."""


SITE = Path(boto3.__file__).parents[1]


def webhook(provider: str) -> dict[str, Any]:
    return request("POST", f"/webhooks/{provider}", {"provider": provider})


def request(method: str, path: str, parameters: dict[str, str]) -> dict[str, Any]:
    """An API Gateway event, payload format 2.0."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "api.example.com", "content-type": "application/json"},
        "pathParameters": parameters,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "domainName": "api.example.com",
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.1", "userAgent": ""},
            "requestId": "r1",
            "stage": "$default",
            "timeEpoch": 1_700_000_000_000,
        },
        "body": "{}",
        "isBase64Encoded": False,
    }


TOUCHPOINT = {"touchpoint_id": "t1"}
UNDERSTOOD = {
    **TOUCHPOINT,
    "profile_update": {"profile_id": "p1", "next_step": "ai_classification", "why": "new"},
    "ai_classification": {
        "classification": {
            "intent": "delivery",
            "intent_confidence": 0.9,
            "sentiment": "negative",
            "sentiment_score": -0.8,
            "sentiment_confidence": 0.9,
            "urgency": "high",
            "decided_by": "embedded",
            "version": "embedded-1",
        },
        "next_step": "ticket_creation",
    },
}

ASKED: dict[str, list[tuple[dict[str, Any], str]]] = {
    "webhook_intake": [
        (webhook("unheard_of"), '"statusCode": 404'),
        (webhook("whatsapp_cloud"), '"statusCode": 503'),
    ],
    "event_publishing": [({"Records": []}, '"batchItemFailures": []')],
    "profile_update": [(TOUCHPOINT, "NotFound")],
    "ai_classification": [(TOUCHPOINT, "NotFound")],
    "ticket_creation": [(UNDERSTOOD, "NotFound")],
    "follow_up_scheduling": [({"ticket_id": "t1", "when": "ticket_opened"}, "NotFound")],
    "duplicate_suggestion": [({"profile_id": "p1"}, '"suggested": 0')],
    "follow_up_delivery": [
        ({"ticket_id": "t1", "follow_up_id": "f1"}, "NotFound"),
        (TOUCHPOINT, "NotFound"),
    ],
    "webhook_delivery": [({"subscription": "crm", "delivery_id": "d1"}, '"ended": "not wanted"')],
    "media_fetching": [(TOUCHPOINT, '"media": {}')],
    "segment_evaluation": [({"profile_id": "p1", "touchpoint_id": "t1"}, '"moved": 0')],
    "preference_page": [
        (request("GET", "/preferences/k1.a.b", {"token": "k1.a.b"}), '"statusCode": 503'),
    ],
    "privacy_requests": [
        ({"step": "begin", "run": "r1", "attempt": 1, "export_id": "x1"}, '"next": "ended"'),
        ({"step": "begin_pass", "run": "r1", "attempt": 1, "erasure_id": "e1"}, '"next": "ended"'),
    ],
    "agent_api": [
        (request("GET", "/openapi.json", {}), '"statusCode": 200'),
        (request("GET", "/docs", {}), '"statusCode": 200'),
    ],
}
"""By function: what it is asked, and what its answer or the name of its error holds."""

EVERY_PROVIDER = """
from shared.providers.base import find_provider, provider_names
assert all(find_provider(provider).name == provider for provider in provider_names())
"""

REACHED = {
    "webhook_intake": EVERY_PROVIDER
    + """
from cryptography.x509 import load_pem_x509_certificate
from shared.mail.quoting import newest_of
from shared.mail.text import decoded, from_html
assert decoded("été".encode("utf-16"), None) == "été"
assert from_html("<p>Bonjour</p>") == "Bonjour"
assert newest_of("Bonjour").text == "Bonjour"
from shared.mail.domains import ascii_domain
assert ascii_domain("straße.example") == "xn--strae-oqa.example"
""",
    "follow_up_delivery": EVERY_PROVIDER
    + """
from shared.domain.sending import OutboundMessage
from shared.mail.writing import mime
to = {"channel": "email", "provider": "email_ses", "account": "us@a.io", "address": "l@b.io"}
message = {"send_key": "1", "endpoint": to, "message_class": "service", "text": "Bonjour"}
message["written_by"] = "person"
assert b"Bonjour" in mime(OutboundMessage.model_validate(message), sender_name="Us")
""",
    "webhook_delivery": """
from shared.adapters.webhook_receivers import HttpWebhookReceivers
answer = HttpWebhookReceivers().post("https://127.0.0.1/", "d", b"{}", ["whsec_AAAA"])
assert answer.error == "its address is not public"
""",
    "media_fetching": EVERY_PROVIDER
    + """
from shared.policies.reader import read_policies
from shared.runtime import wiring
from shared.runtime.settings import MediaFetchingSettings
assert wiring.file_type()(b"%PDF-1.7") in read_policies().media.types
assert wiring.provider_media(MediaFetchingSettings.read())
""",
    "duplicate_suggestion": """
from shared.policies.reader import read_match_model
from shared.runtime import wiring
assert wiring.similarity().edits("giulia", "guilia") == 1
assert read_match_model().weight("name", "same") > 0
""",
    "privacy_requests": """
from datetime import datetime, UTC
from functions.privacy_requests.logic.document import as_html
from shared.domain.privacy import Export
now = datetime.now(UTC)
export = Export(export_id="x1", profile_ids=("p1",), by="a1", language="it", requested_at=now,
    expires_at=now)
page = b"".join(as_html(export, [{"person": [{"name": "<b>"}]}])).decode()
assert "&lt;b&gt;" in page and "Il Suo profilo" in page
""",
    "profile_update": """
from shared.runtime import wiring
assert wiring.phone_numbers().e164("06 12 34 56 78", "FR") == "+33612345678"
assert wiring.phone_numbers().time_zone("+33612345678") == "Europe/Paris"
assert wiring.mail_addresses().normal("A@STRAßE.example") == "a@xn--strae-oqa.example"
""",
    "ai_classification": """
from shared.runtime import wiring
from shared.runtime.settings import AiClassificationSettings
classifier = wiring.classifier(AiClassificationSettings.read())
assert classifier.classify("Bonjour, où est ma commande ?").language == "fr"
found = classifier.classify(
    "Appelez le 06 12 34 56 78, carte 4111 1111 1111 1111, IBAN FR14 2004 1010 0505 0001 3M02 606, "
    "sécu 2 95 10 99 126 111 93"
)
assert set(found.personal_data) == {"phone", "payment_card", "bank_account", "national_id"}
""",
}
"""What a first event without any data behind it does not reach: it must work there too."""

ASK = """
import json, sys
bundle, runtime, name, events, reached = sys.argv[1:]
sys.path[:0] = [bundle, runtime]
from importlib import import_module
handler = import_module(f"functions.{name}.handler").handler
said = []
for event in json.loads(events):
    try:
        said.append(json.dumps(handler(event, None)))
    except Exception as error:
        if type(error).__module__ != "shared.domain.errors":
            raise
        said.append(type(error).__name__)
exec(reached)
foreign = [
    module.__file__
    for module in list(sys.modules.values())
    if "-packages" in (getattr(module, "__file__", None) or "")
]
assert not foreign, foreign
sys.stderr.flush()
print("\\n" + json.dumps(said))
"""


class KnowsNothing(BaseHTTPRequestHandler):
    """An AWS where nothing is: every item is absent."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = b'{"SecretString": "{}", "Items": [], "Responses": {}}'
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """An empty bucket."""
        body = b"<ListBucketResult></ListBucketResult>"
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), KnowsNothing)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of boto3 and what it needs, and nothing else."""
    folder = tmp_path_factory.mktemp("runtime")
    for distribution in RUNTIME:
        for file in files(distribution) or ():
            top = file.parts[0]
            if top not in {"..", "__pycache__"} and not (folder / top).exists():
                (folder / top).symlink_to(SITE / top)
    return folder


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_bundle_answers_by_itself(name: str, aws: str, runtime: Path) -> None:
    folder = bundle(name, (*BASE_PACKAGES, *FUNCTIONS[name].packages), target=HERE)
    variables = dict.fromkeys(FUNCTIONS[name].settings.variables(), "test")
    if "RETENTION" in variables:
        variables["RETENTION"] = read_policies().retention.model_dump_json()
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            ASK,
            str(folder),
            str(runtime),
            name,
            json.dumps([event for event, _ in ASKED[name]]),
            REACHED.get(name, ""),
        ],
        env={
            **variables,
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": aws,
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_EC2_METADATA_DISABLED": "true",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    for answer, (_, wanted) in zip(said, ASKED[name], strict=True):
        assert wanted in answer


def test_what_is_deployed_is_for_lambda_and_not_for_this_machine() -> None:
    folder = bundle("profile_update", BASE_PACKAGES)
    compiled = [file.name for file in folder.rglob("*.so")]
    assert compiled
    assert all("cpython-313-aarch64-linux-gnu" in name for name in compiled)
    assert (folder / "functions" / "profile_update" / "handler.py").exists()
    assert not (folder / "functions" / "webhook_intake").exists()
    assert not (folder / "boto3").exists()
    assert not (folder / "shared" / "adapters" / "models").exists()


def test_a_bundle_is_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = bundle("profile_update", BASE_PACKAGES)
    # With no installer at hand the second one can only be the first.
    monkeypatch.setattr(subprocess, "run", _no_installer)
    assert bundle("profile_update", BASE_PACKAGES) == first


def _no_installer(*arguments: object, **options: object) -> None:
    raise AssertionError("something was started")


def test_pins_bring_what_they_need_and_their_hashes() -> None:
    entries = pinned(["pydantic"], LAMBDA)
    names = [entry.split("==")[0] for entry in entries]
    assert "pydantic-core" in names
    assert "boto3" not in names
    assert all("--hash=sha256:" in entry for entry in entries)


def test_only_what_is_pinned_is_uploaded() -> None:
    with pytest.raises(BundleError, match=r"left-pad is not pinned in requirements\.txt"):
        pinned(["left-pad"], LAMBDA)


def test_a_function_without_handler_is_no_function() -> None:
    with pytest.raises(BundleError, match=r"functions/nobody/handler\.py is not there"):
        bundle("nobody", BASE_PACKAGES)


def test_compiled_code_is_never_stale() -> None:
    """Lambda's upload sets new times; a hash that is not checked does not care."""
    folder = bundle("profile_update", BASE_PACKAGES, target=HERE)
    (file,) = folder.glob("functions/profile_update/__pycache__/handler.*.pyc")
    flags = int.from_bytes(file.read_bytes()[4:8], "little")
    assert flags == 0b01, "hash-based, unchecked (PEP 552)"
