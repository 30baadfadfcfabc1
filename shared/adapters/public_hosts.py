"""Connections to hosts of the public internet, whoever chose the name.

Every address behind a name must be public, and the connection goes to the very one that was looked
at: asked again, a name may have another. The certificate is still the name's.
"""

import socket
from collections.abc import Callable, Collection
from ipaddress import ip_address

import urllib3

Resolve = Callable[[str], Collection[str]]
"""A host's addresses. Raises OSError where there are none."""


class NotPublic(Exception):
    """It leads into a network that only this function could reach."""


def resolve(host: str) -> Collection[str]:
    """Of version 4: a function outside of a private network has no other. A host that is an address
    is its own.
    """
    try:
        return [str(ip_address(host))]
    except ValueError:
        found = socket.getaddrinfo(host, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def is_public(address: str) -> bool:
    """Also what an address of version 6 holds of version 4 must be."""
    ip = ip_address(address.partition("%")[0])
    within = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    return ip.is_global and not ip.is_multicast and (within is None or within.is_global)


def public_address(addresses: Collection[str], is_public: Callable[[str], bool] = is_public) -> str:
    """The one to connect to. Raises NotPublic."""
    if not addresses or not all(map(is_public, addresses)):
        raise NotPublic
    return next(iter(addresses))


def connections(
    host: str, address: str, *, port: int, timeout: urllib3.Timeout, trusted: str | None = None
) -> urllib3.HTTPSConnectionPool:
    """To that address, for that name; `trusted` is a file of certificates instead of the usual."""
    return urllib3.HTTPSConnectionPool(
        address,
        port,
        server_hostname=host,
        assert_hostname=host,
        ca_certs=trusted,
        retries=False,
        timeout=timeout,
    )
