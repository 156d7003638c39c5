"""What stands behind the '?' of an address, taken apart; hostile ones are told in a sentence and ignored."""

from __future__ import annotations

from urllib.parse import parse_qsl

MAX_QUERY_CHARACTERS = 8000
MAX_QUERY_PARTS = 400


def read_query(query: str, repairs: list[str]) -> list[tuple[str, str]]:
    """Names and values in their order; none, and one more sentence in `repairs`, for an address that is too long."""
    query = query.lstrip("?")
    if len(query) > MAX_QUERY_CHARACTERS:
        repairs.append("The address was too long and has been ignored.")
        return []
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_PARTS, errors="replace")
    except ValueError:
        repairs.append("The address has too many parts and has been ignored.")
        return []
