"""A task that waits for an entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.sdk.exceptions import AirflowFailException

from counterfoil.entry import Entry
from counterfoil.errors import NotFound, Unavailable

from .hooks import CounterfoilHook


class LedgerSensor(BaseSensorOperator):
    """Waits until the ledger holds an entry of an entity that matches, as an approval by a person.

    - `match`: members that the entry must have, `{"event_type": "invoice_approved", "actor_type": "user"}`; those of
      `context` as `context.NAME`.
    - `reject`: the same, for an entry that says no: the task then fails for good.
    - The result (XCom) is the first entry that matches, with its `index`.

    While the service cannot be reached the sensor goes on waiting. Other options are those of Airflow's sensors:
    `mode="reschedule"` gives up the worker between two looks.
    """

    template_fields: Sequence[str] = ("entity_id", "match", "reject")

    def __init__(
        self,
        *,
        entity_id: str,
        match: Mapping[str, Any],
        reject: Mapping[str, Any] | None = None,
        counterfoil_conn_id: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.entity_id, self.match, self.reject = entity_id, match, reject
        self.counterfoil_conn_id = counterfoil_conn_id

    def poke(self, context: Any) -> PokeReturnValue:
        """Looks once."""
        try:
            entries = CounterfoilHook(self.counterfoil_conn_id).get_conn().history(self.entity_id)
        except NotFound:
            return PokeReturnValue(is_done=False)
        except Unavailable as error:
            self.log.warning("the ledger cannot be read now: %s", error.message)
            return PokeReturnValue(is_done=False)
        for entry in entries:
            if self.reject and _matches(entry, self.reject):
                raise AirflowFailException(
                    f"{self.entity_id}: {entry['event_type']} by {entry['actor']} (entry {entry.index})"
                )
            if _matches(entry, self.match):
                return PokeReturnValue(is_done=True, xcom_value={**entry, "index": entry.index})
        return PokeReturnValue(is_done=False)


def _matches(entry: Entry, wanted: Mapping[str, Any]) -> bool:
    return all(_at(entry, name) == value for name, value in wanted.items())


def _at(entry: Entry, name: str) -> Any:
    if name.startswith("context."):
        return entry.get("context", {}).get(name.removeprefix("context."))
    return entry.get(name)
