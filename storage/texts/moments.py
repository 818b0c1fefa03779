"""Reads a time of publication as people write it: ISO 8601, or the form of e-mails and RSS feeds (RFC 2822).

A date such as 03/04/2024 is refused, because nobody can say which number is the month.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from storage.errors import BadInput

_RFC_2822 = re.compile(r"(?:[A-Za-z]{3}, *)?\d{1,2} [A-Za-z]{3} \d{4} ")


def moment(said: str) -> tuple[datetime, bool]:
    """The time with its zone, and whether it named one; a time without a zone is taken as UTC.

    Raises BadInput for anything else.
    """
    said = said.strip()
    try:
        if _RFC_2822.match(said):
            found = parsedate_to_datetime(said)
        else:
            found = datetime.fromisoformat(re.sub(r" ?(UTC|GMT)$", "+00:00", said))
        zoned = found.tzinfo is not None
        found = found if zoned else found.replace(tzinfo=UTC)
        found.astimezone(UTC)  # the first and last day of the calendar may have no such time in UTC
    except (ValueError, OverflowError) as error:
        raise BadInput(f"{said[:40]!r} is no time in ISO 8601, such as 2024-03-31T09:30:00+02:00") from error
    return found, zoned
