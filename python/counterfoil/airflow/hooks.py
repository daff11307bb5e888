"""The hook of the connection type `counterfoil`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook

from . import ledger

if TYPE_CHECKING:
    from counterfoil.connected import Connected


class CounterfoilHook(BaseHook):
    """A trail for tasks: of a connection, or without `conn_id` the one that the listener records in.

    A connection names host, port and schema (`https`), as password a writer's token, and as extra `read_token`, `spool`
    and `ca_cert`; what it leaves out is taken from `[counterfoil]` of Airflow's configuration.
    """

    conn_name_attr = "counterfoil_conn_id"
    default_conn_name = "counterfoil_default"
    conn_type = "counterfoil"
    hook_name = "Counterfoil"

    def __init__(self, counterfoil_conn_id: str | None = None) -> None:
        super().__init__()
        self.counterfoil_conn_id = counterfoil_conn_id

    def get_conn(self) -> Connected:
        """The trail; one for each connection in a process."""
        return ledger.trail(self.counterfoil_conn_id)

    def test_connection(self) -> tuple[bool, str]:
        """Whether the ledger can be read, and what it is."""
        try:
            trail = self.get_conn()
            return True, f"{trail.verifier_key().split('+')[0]}: {trail.size()} entries"
        except Exception as error:
            return False, str(error)
