"""What Airflow asks a provider for: its connection type, notifier and settings."""

from __future__ import annotations

from typing import Any


def provider_info() -> dict[str, Any]:
    """The provider's metadata, after Airflow's `provider_info.schema.json`."""
    return {
        "package-name": "counterfoil",
        "name": "Counterfoil",
        "description": "State changes of runs and tasks in an audit ledger, and tasks that verify it.",
        "connection-types": [
            {
                "connection-type": "counterfoil",
                "hook-class-name": "counterfoil.airflow.hooks.CounterfoilHook",
                "hook-name": "Counterfoil",
                "ui-field-behaviour": {
                    "hidden-fields": ["login", "extra"],
                    "relabeling": {"schema": "http or https", "password": "Token of a writer"},
                    "placeholders": {"host": "audit.example", "schema": "https"},
                },
                "conn-fields": {
                    "read_token": {
                        "label": "Token of a reader",
                        "schema": {"type": ["string", "null"], "format": "password"},
                    },
                    "spool": {"label": "Folder of the spool", "schema": {"type": ["string", "null"]}},
                    "ca_cert": {"label": "PEM file of authorities", "schema": {"type": ["string", "null"]}},
                },
            }
        ],
        "notifications": ["counterfoil.airflow.notifiers.CounterfoilNotifier"],
        "config": {
            "counterfoil": {
                "description": "The ledger that the listener records in.",
                "options": {
                    "url": _option("The service's address. Without it nothing is recorded.", "https://audit.example"),
                    "token": _option("A writer's token; else COUNTERFOIL_TOKEN.", sensitive=True),
                    "read_token": _option("A reader's token, for sensors and verification.", sensitive=True),
                    "spool": _option(
                        "A folder on a local disk, one for all processes of a machine.",
                        "/var/spool/counterfoil",
                    ),
                    "ca_cert": _option("A PEM file of authorities; else COUNTERFOIL_CA_CERT."),
                    "exit_timeout": _option(
                        "Seconds that a task which ended waits for its entries to be shipped.", default="2"
                    ),
                },
            }
        },
    }


def _option(
    description: str, example: str | None = None, *, default: str | None = None, sensitive: bool = False
) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": None,
        "type": "string",
        "example": example,
        "default": default,
        "sensitive": sensitive,
    }
