"""Facts of profiles as a DuckDB table, which Splink compares."""

from collections import Counter
from collections.abc import Sequence

import duckdb

from shared.domain.match_facts import MatchFacts, blocking_keys

TABLE = "facts"
COLUMNS = {
    "unique_id": "VARCHAR",
    "given_name": "VARCHAR",
    "given_stem": "VARCHAR",
    "given_form": "VARCHAR",
    "family_name": "VARCHAR",
    "words": "VARCHAR[]",
    "birth_date": "VARCHAR",
    "phones": "VARCHAR[]",
    "emails": "VARCHAR[]",
    "mailboxes": "VARCHAR[]",
    "postcode": "VARCHAR",
    "first_phone": "VARCHAR",
    "first_email": "VARCHAR",
    "blocks": "VARCHAR[]",
}
"""Facts of `MatchFacts` by their names, and what is only there to find pairs by."""


def facts_table(facts: Sequence[MatchFacts], *, most_per_key: int) -> duckdb.DuckDBPyConnection:
    """A database in memory with the table `facts`; what is unknown is NULL, an empty list too.

    `blocks` are the blocking keys without those that more than `most_per_key` profiles share, which
    the streaming score does not look up either.
    """
    keys = {one.profile_id: blocking_keys(one) for one in facts}
    sharing = Counter(key for own in keys.values() for key in own)
    rows = [
        [
            one.profile_id,
            *(getattr(one, name) or None for name in list(COLUMNS)[1:-3]),
            next(iter(one.phones), None),
            next(iter(one.emails), None),
            [key for key in sorted(keys[one.profile_id]) if 1 < sharing[key] <= most_per_key],
        ]
        for one in facts
    ]
    connection = duckdb.connect()
    columns = ", ".join(f"{name} {type_}" for name, type_ in COLUMNS.items())
    connection.execute(f"CREATE TABLE {TABLE} ({columns})")
    if rows:
        places = ", ".join("?" for _ in COLUMNS)
        connection.executemany(f"INSERT INTO {TABLE} VALUES ({places})", rows)
    return connection
