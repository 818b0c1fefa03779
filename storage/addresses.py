"""Addresses of servers as people may see them."""

from urllib.parse import urlsplit


def public_address(url: str) -> str:
    """The address as messages may show it: without user and password. Raises ValueError for what is no address."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
