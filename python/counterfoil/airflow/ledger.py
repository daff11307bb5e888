"""The trails of this process: that of `[counterfoil]` in Airflow's configuration, and those of connections."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk.configuration import conf

import counterfoil
from counterfoil.errors import Conflict, Denied, Invalid, Unavailable

if TYPE_CHECKING:
    from counterfoil.connected import Connected

_log = logging.getLogger("counterfoil")
_SECTION = "counterfoil"
_trails: dict[str | None, Connected] = {}


def is_configured() -> bool:
    """Whether `[counterfoil] url` is set."""
    return bool(_setting("url"))


def trail(conn_id: str | None = None) -> Connected:
    """The trail of a connection, or of the configuration; the same for the whole process.

    What a connection leaves out is taken from the configuration. `Invalid` where no ledger is named.
    """
    opened = _trails.get(conn_id)
    if opened is None:
        opened = _trails[conn_id] = counterfoil.connect(**_options(conn_id))
    return opened


def flush() -> None:
    """Ships what this process recorded, within `[counterfoil] exit_timeout` seconds; the rest is left to others."""
    for opened in _trails.values():
        try:
            opened.flush(float(_setting("exit_timeout") or 2))
        except Unavailable as error:
            _log.info("counterfoil: left to the next process that ships: %s", error.message)
        except (Invalid, Conflict, Denied) as error:
            _log.info("counterfoil: not recorded, as said above: %s", error.message)


def _options(conn_id: str | None) -> dict[str, Any]:
    options = {name: _setting(name) for name in ("url", "token", "read_token", "spool", "ca_cert")}
    if conn_id is not None:
        options.update({name: value for name, value in _of_connection(conn_id).items() if value})
    if not options["url"]:
        raise Invalid("no ledger: set [counterfoil] url in Airflow's configuration, or name a connection")
    return options


def _of_connection(conn_id: str) -> dict[str, Any]:
    from airflow.sdk import BaseHook

    found = BaseHook.get_connection(conn_id)
    port = f":{found.port}" if found.port else ""
    more = {name: found.extra_dejson.get(name) for name in ("read_token", "spool", "ca_cert")}
    return {"url": f"{found.schema or 'https'}://{found.host}{port}", "token": found.password, **more}


def _setting(name: str) -> str | None:
    value: str | None = conf.get(_SECTION, name, fallback=None)
    return value.strip() or None if value else None
