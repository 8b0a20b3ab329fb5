"""What the verifier may find: a stable code for each kind, and what it means.

Lives here: the codes, for ``--json``, for the documentation and for whoever acts on them. Must not
live here: finding. Law: a code never changes its meaning and is never used again for another.
"""

from collections.abc import Mapping

FINDINGS: Mapping[str, str] = {
    "sequence": "records do not number from 1 without a gap",
    "hash": "a record's bytes do not have the hash that stands beside them",
    "form": "bytes are no record: not canonical, a field too many or too few, or malformed",
    "link": "a record does not name the hash of the one before it",
    "time": "a record's time is not in the one form, or earlier than the one before it",
    "column": "a column beside a record is not what its bytes say",
    "header": "a record's ticket, revision or binding is not that of its event",
    "type": "an event that is none of ours, or not of a ticket",
    "transition": "an event that its ticket's state does not allow",
    "revision": "a revision that does not follow the one before it",
    "binding": "a binding is not the digest of what its revision covers, or the digest of an "
    "action or a request not that of what was asked and of its content",
    "vote": "a vote that cannot count: role, weight, own request, a voice that was heard already "
    "or that nobody lent, or taken back twice",
    "signature": "the signature of a vote does not hold",
    "key": "a key that is unknown, ended, for something else, or not the one that was given",
    "decision": "a start or a grant without an earlier decision of its digest, or an approval "
    "that its votes do not carry",
    "expiry": "something counted after its time, expired before it, or lives longer than it may",
    "clearance": "a start or a grant whose voters were not confirmed in the minute before",
    "frozen": "something went on while its agent was frozen, or one person lifted a freeze",
    "policy": "a start or a grant that the bundle active then had not judged",
    "view": "an approval of what its voter was not shown in full",
    "run": "an outcome of a run that was never started",
    "idempotency": "an idempotency key has two tickets, or its row is not what the log says",
    "delegation": "a voice was lent to its own person, twice or for no time, or ended by another",
    "credential": "a credential was revoked that was never issued",
    "checkpoint": "a checkpoint cannot be read, was signed by nobody known, or saw another log",
    "head signature": "a signed head is of another log, of no record, or by no key that may",
    "head": "the head row is not where the log ends",
    "projection": "a ticket's row is not what the log says",
    "votes": "a row of a vote is not what the log says",
    "buckets": "the level of a rate bucket is not what the log says",
    "deeds": "a row of what agents did is not what the log says",
    "credentials": "a credential's row is not what the log says",
    "control": "the governing state is not what the log says",
    "contents": "a content is not the digest of its bytes, or is gone and was not erased",
    "content_uses": "a row that says which record named a content is not what the log says",
    "retention": "a content was erased under a legal hold, before its time or twice, or a hold "
    "that never was is lifted",
    "tiles": "a tile of the tree is not what the records say",
    "published": "a row of a checkpoint is not one that the log records",
    "cosignature": "a cosignature is malformed, does not hold or stands under no checkpoint",
    "trigger": "a trigger does not guard the log, or is none of ours",
    "row security": "the server hides rows of a table other than the log from some who read it",
    "unique": "a table may hold twice what may be there once: a key or unique index is gone",
    "schema": "the database holds a view that is none of ours",
    "declaration": "a table on a server is declared otherwise than it was made: its kind, columns, "
    "constraints, or that it outlives a crash",
    "shadow": "on a server somebody may find another table or function in place of the one meant",
    "rights": "a role on a server may do more than it should, or nothing holds executors to runs",
    "damage": "a page of the file is damaged, or an index does not hold what its table holds or "
    "cannot be asked",
    "seal": "a sealed segment is not what was sealed: records, files, state, order or signature",
    "detached": "records left the log that nobody signed for, too early or under a hold, some of "
    "them are still there, or a file that stands for them is missing or another one",
    "segment": "a file of an export does not continue the one before it, or holds something else "
    "than its last line says",
    "cut": "a file of an export has no last line",
    "empty": "there is no record at all",
    "database": "the database cannot be read to its end",
}
"""Code -> what it means."""
