from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.runtime import wiring


@pytest.fixture(autouse=True)
def _own_clients() -> Iterator[None]:
    wiring.client.cache_clear()
    yield
    wiring.client.cache_clear()


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "eu-south-2"])
def test_a_link_to_a_file_is_signed_for_the_region_of_its_bucket(
    region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    place = {"Bucket": "raws", "Key": "exports/1/export.zip"}
    url = urlsplit(wiring.client("s3").generate_presigned_url("get_object", Params=place))
    query = parse_qs(url.query)
    assert (url.hostname, url.path) == (f"raws.s3.{region}.amazonaws.com", "/exports/1/export.zip")
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert f"/{region}/s3/" in query["X-Amz-Credential"][0]
    assert "X-Amz-Signature" in query


def test_what_leaves_the_account_names_nobody() -> None:
    assert wiring.masker()("Call 06 12 34 56 78, a@b.io") == "Call [phone], [email]"
    assert wiring.masker()("Awa Diop here", ("Awa Diop",)) == "[name] here"


def test_of_a_long_text_no_more_is_masked_than_is_read() -> None:
    assert len(wiring.masker()("06 12 34 56 78 " * 10_000)) < 6_000
