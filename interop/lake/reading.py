"""The table as DuckDB and PyIceberg read it, in rows that can be compared."""
from datetime import datetime, timezone

import duckdb
from duckdb_extensions import import_extension
from pyiceberg.table import StaticTable


def plain(value):
    """A cell as all can give it: an instant as text, to the microsecond."""
    if isinstance(value, str) and value.endswith("Z"):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat(timespec="microseconds")
    return value


def rows(dicts):
    return [{name: plain(value) for name, value in row.items()} for row in dicts]


def duck(address):
    """A connection that may read the store at an address."""
    connection = duckdb.connect()
    for extension in ("avro", "httpfs", "iceberg"):
        import_extension(extension, con=connection)
        connection.load_extension(extension)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID 'test', SECRET 'test-secret', REGION 'us-east-1', ENDPOINT '{address}', URL_STYLE 'path', USE_SSL false)"
    )
    return connection


def by_duckdb(address, query):
    answer = duck(address).execute(query)
    names = [column[0] for column in answer.description]
    return rows(dict(zip(names, row)) for row in answer.fetchall())


def iceberg(address, table):
    """The table as PyIceberg finds it now."""
    return StaticTable.from_metadata(table, {"s3.endpoint": f"http://{address}", "s3.region": "us-east-1"})
