"""Addresses of servers without their secrets: an address may hold a password, and messages end up in logs."""

from urllib.parse import urlsplit


def public_address(url: str) -> str:
    """The address without its user and password, fit for messages. Raises ValueError where `url` is not an address."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
