"""Public documents of the web, for a proof that needs one: a signing certificate.

Whoever asks has checked the host; this sees to it that only a small document of that host comes.
"""

from functools import lru_cache
from urllib.parse import urlsplit

import urllib3

from shared.domain.errors import NotFound

LARGEST_DOCUMENT = 64 * 1024
_TIMEOUT = urllib3.Timeout(connect=2, read=3)
_RETRIES = urllib3.Retry(total=1, redirect=0, status=0, raise_on_redirect=False)


@lru_cache(maxsize=64)
def fetch(url: str) -> bytes:
    """`get` over one pool; what was fetched once is remembered, a failure is not."""
    return get(_pool(), url)


def get(pool: urllib3.PoolManager, url: str) -> bytes:
    """GET `url`, which must be https; a redirect is not followed.

    Raises NotFound where the host has no such document, and ConnectionError where it cannot be
    reached: then the provider is to send its request again.
    """
    if urlsplit(url).scheme != "https":
        raise NotFound("only https is fetched")
    try:
        answer = pool.request("GET", url, preload_content=False, redirect=False)
        body = answer.read(LARGEST_DOCUMENT + 1)
        answer.close()
    except urllib3.exceptions.HTTPError:
        # Without its cause: the message of a foreign error quotes the URL, which may hold a token.
        raise ConnectionError("the document cannot be fetched") from None
    if answer.status >= 500 or answer.status == 429:
        raise ConnectionError(f"the document cannot be fetched: {answer.status}")
    if answer.status != 200 or len(body) > LARGEST_DOCUMENT:
        raise NotFound("there is no such document")
    return body


@lru_cache(maxsize=1)
def _pool() -> urllib3.PoolManager:
    return urllib3.PoolManager(retries=_RETRIES, timeout=_TIMEOUT)
