"""A second verifier of Counterfoil's ledgers, proofs and bundles, in Python, made from the pages in docs/formats.

It shares nothing with the first one: the folder works alone, wherever it is copied. Needs `cryptography`, and `pyarrow`
for ledgers with segments.
"""

from .bundle import verify_bundle
from .findings import Finding, Malformed, Report
from .folder import verify_ledger
from .note import VerifierKey
from .proof import check_checkpoint, check_consistency, check_proof

__all__ = [
    "Finding",
    "Malformed",
    "Report",
    "VerifierKey",
    "check_checkpoint",
    "check_consistency",
    "check_proof",
    "verify_bundle",
    "verify_ledger",
]
