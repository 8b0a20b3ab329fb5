"""The routes by which the log shows itself.

Lives here: checkpoints, proofs, keys, receipts and cosignatures with what they need and answer.
Must not live here: handlers, and the other routes. Law: as ``routes``, which mounts these too.
"""

from bot.api import audit_answers as audits
from bot.api import receipts, schemas, transparency
from bot.api.described import BASE, Route
from governance.principal import Scope

_READS = frozenset({Scope.READ, Scope.APPROVE})

AUDIT = (
    Route(
        method="GET",
        path=f"{BASE}/audit/checkpoint",
        handler=transparency.get_checkpoint,
        scopes=_READS,
        answer=audits.CheckpointAnswer,
        query=("size",),
    ),
    Route(
        method="GET",
        path=f"{BASE}/audit/proof/inclusion",
        handler=transparency.get_inclusion,
        scopes=_READS,
        answer=audits.InclusionAnswer,
        query=("seq", "size"),
    ),
    Route(
        method="GET",
        path=f"{BASE}/audit/proof/consistency",
        handler=transparency.get_consistency,
        scopes=_READS,
        answer=audits.ConsistencyAnswer,
        query=("from", "to"),
    ),
    Route(
        method="GET",
        path=f"{BASE}/audit/keys",
        handler=transparency.get_keys,
        scopes=_READS,
        answer=audits.KeysAnswer,
    ),
    Route(
        method="GET",
        path=f"{BASE}/audit/receipts/{{id}}",
        handler=receipts.get_receipt,
        scopes=_READS,
        answer=audits.ReceiptAnswer,
    ),
    Route(
        method="GET",
        path=f"{BASE}/jobs/{{id}}/receipt",
        handler=receipts.get_job_receipt,
        scopes=_READS,
        answer=audits.ReceiptAnswer,
    ),
    Route(
        method="POST",
        path=f"{BASE}/audit/cosignatures",
        handler=transparency.post_cosignature,
        scopes=_READS,
        body=schemas.CosignatureForm,
        answer=audits.CosignedAnswer,
    ),
)
"""What the log shows of itself, for auditors and witnesses."""
