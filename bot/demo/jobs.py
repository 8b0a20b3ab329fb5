"""The jobs that the demo's agents ask for.

Lives here: request bodies, each with what it shows. Must not live here: how they are sent.
Law: together they meet each of the five answers, one executed action, one release, one long
payload, one excepted constraint and one restricted read.
"""

from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One thing an agent asks, in words and as the body of ``POST /api/v1/jobs``."""

    name: str
    shows: str
    body: Body = field(repr=False)


ALLOWED = Job(
    name="read the runbook",
    shows="ALLOW: reading a public page needs nobody",
    body={
        "topic": "job.docs.read",
        "tool": "docs.read",
        "action": "read",
        "environment": "prod",
        "target": "runbook",
        "arguments": {"page": "runbook"},
        "justification": "I look up how connections are limited.",
    },
)
DENIED = Job(
    name="drop the orders database",
    shows="DENY: the registry marks it destructive, whatever the agent calls it",
    body={
        "topic": "job.database.drop",
        "tool": "database.drop",
        "action": "execute",
        "environment": "prod",
        "target": "orders",
        "dispatch": "release",
        "arguments": {"name": "orders"},
        "justification": "It looks unused.",
    },
)
EXECUTED = Job(
    name="raise max_connections",
    shows="REQUIRE_APPROVAL: an operator and two reviewers, then one run in the sandbox",
    body={
        "topic": "job.settings.set",
        "tool": "settings.set",
        "action": "write",
        "environment": "prod",
        "target": "app/settings.ini",
        "dispatch": "execute",
        "arguments": {
            "path": "app/settings.ini",
            "section": "limits",
            "key": "max_connections",
            "value": "250",
        },
        "justification": "Checkout times out at peak: 100 connections are too few.",
    },
)
CONSTRAINED = Job(
    name="summarise yesterday's incidents",
    shows="ALLOW_WITH_CONSTRAINTS: 45 seconds, one retry, no network",
    body={
        "topic": "job.agent.exec.summary",
        "prompt": "Summarise yesterday's incidents in five lines",
        "environment": "dev",
        "target": "incident notes",
        "risk_tags": ["medium"],
    },
)
NOTIFY = Job(
    name="tell the team",
    shows="THROTTLE: three notifications a minute, the fourth waits",
    body={
        "topic": "job.notify.team",
        "prompt": "Deploy of checkout 4.2 is done",
        "environment": "dev",
        "target": "#team-checkout",
    },
)
RELEASED = Job(
    name="publish a release note",
    shows="release: one operator approves, the agent redeems the approval once and acts itself",
    body={
        "topic": "job.notes.publish",
        "tool": "notes.publish",
        "action": "write",
        "environment": "prod",
        "target": "release note 4.2",
        "dispatch": "release",
        "arguments": {"title": "Checkout 4.2", "body": "Faster at peak; no visible change."},
        "justification": "The release went out this morning.",
    },
)
EDITED = Job(
    name="correct the runbook",
    shows="a change: what goes and what comes, line by line",
    body={
        "topic": "job.pages.edit",
        "tool": "pages.edit",
        "action": "write",
        "environment": "prod",
        "target": "runbook/checkout",
        "dispatch": "release",
        "arguments": {
            "page": "runbook/checkout",
            "old": "Checkout is slow\n1. Look at the pool\n2. Restart the pods\n3. Tell the team\n",
            "new": "Checkout is slow\n1. Look at the pool\n2. Raise max_connections, at most 250\n"
            "3. Tell the team\n4. Open an incident\n",
        },
        "justification": "Restarting did not help yesterday; raising the limit did.",
    },
)
HUGE = Job(
    name="publish the raw log",
    shows="a whole of more than twenty pages: it is read as a file",
    body={
        "topic": "job.notes.publish",
        "tool": "notes.publish",
        "action": "write",
        "environment": "prod",
        "target": "raw log of incident 118",
        "dispatch": "release",
        "arguments": {
            "title": "Raw log of incident 118",
            "body": "\n".join(
                f"2026-03-01 {n // 60:02}:{n % 60:02} checkout pool {n % 97} of 100"
                for n in range(2_000)
            ),
        },
        "justification": "For the review.",
    },
)
LONG = Job(
    name="publish the incident report",
    shows="a payload too long for a card: Approve works only after the whole of it was opened",
    body={
        "topic": "job.notes.publish",
        "tool": "notes.publish",
        "action": "write",
        "environment": "prod",
        "target": "incident report 118",
        "dispatch": "release",
        "arguments": {
            "title": "Incident 118",
            "body": "\n".join(
                f"{minute // 60 + 9:02}:{minute % 60:02} errors {minute % 17} %"
                for minute in range(600)
            ),
        },
        "justification": "Everybody asked what happened.",
    },
)
EXCEPTED = Job(
    name="lift the pause flag",
    shows="a blocked constraint with an exception: a ticket that names what it would break",
    body={
        "topic": "job.pause.lift",
        "tool": "pause.lift",
        "action": "write",
        "environment": "prod",
        "target": "checkout",
        "dispatch": "release",
        "arguments": {"service": "checkout"},
        "justification": "The fix is deployed and verified on two hosts.",
    },
)
RESTRICTED = Job(
    name="count customers by plan",
    shows="a restricted read: one reviewer looks at what for, then it runs read-only",
    body={
        "topic": "job.records.report",
        "tool": "records.report",
        "action": "read",
        "environment": "prod",
        "target": "records/customers.csv",
        "dispatch": "execute",
        "data_classes": ["restricted"],
        "arguments": {"path": "records/customers.csv"},
        "justification": "The weekly capacity plan needs a count.",
    },
)
URGENT = Job(
    name="rotate the leaked key",
    shows="a five-minute ticket: decided soon or gone",
    body={
        "topic": "job.urgent.rotate_key",
        "prompt": "Rotate the API key that was posted in #general",
        "environment": "prod",
        "target": "payments API key",
        "risk_tags": ["prod"],
        "justification": "The key is public since 09:12.",
    },
)

ROUND = (EXECUTED, RELEASED, ALLOWED, RESTRICTED, DENIED, EXCEPTED, CONSTRAINED, LONG, NOTIFY)
"""What the sample agent keeps asking for, in this order."""
