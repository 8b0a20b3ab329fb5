"""A process that asks for things on a ledger shared with others: ``url name count``.

It says when it is ready and begins at the first line that it is sent.
"""

import asyncio
import sys
from dataclasses import replace

from governance.action import ActionKind, Dispatch
from governance.policy.bundle import load
from governance.principal import AgentId
from governance.service import Service
from governance.tickets.ticket import TicketId
from storage.ledger import SqlLedger
from tests.support.build import TENANT, FixedClock
from tests.support.core import CountingIds, FakeDirectory, FakeSigner, agent, request

CAPACITY, LIMIT = 90, 75
"""What all processes together may take from the bucket, and ask for as one agent."""

BUNDLE = replace(
    load(
        {
            "version": "v1",
            "rules": [
                {"id": "work", "match": {"topics": ["*"]}, "decision": "allow"},
                {
                    "id": "bucket",
                    "match": {"topics": ["job.bucket"]},
                    "decision": "throttle",
                    "rate": {"per": "label:team", "count": CAPACITY, "window_s": 86_400},
                },
                {
                    "id": "window",
                    "match": {
                        "topics": ["job.window"],
                        "velocity": {"per": "agent", "more_than": LIMIT, "within": "1h"},
                    },
                    "decision": "deny",
                },
            ],
        }
    ),
    snapshot="",
)


async def main(url: str, name: str, count: int) -> None:
    async with SqlLedger(
        url, FixedClock(), busy_timeout_s=60, trusts_database_time=False
    ) as ledger:
        service = Service(
            ledger=ledger,
            reader=ledger,
            clock=FixedClock(),
            signer=FakeSigner(),
            directory=FakeDirectory(),
            ids=Named(name),
            bundle=BUNDLE,
            tenant=TENANT,
        )
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        # The bucket is shared by label, across agents; the window belongs to one agent.
        asked = [("job.bucket", AgentId(name)) for _ in range(count)]
        asked += [("job.window", AgentId("busy")) for _ in range(count)]
        for start in range(0, len(asked), 5):
            await asyncio.gather(
                *(
                    service.submit(
                        request(
                            tool="",
                            topic=topic,
                            agent=who,
                            action=ActionKind.READ,
                            dispatch=Dispatch.RELEASE,
                            idempotency_key=f"{name}-{start}-{number}",
                        ),
                        agent(id=who),
                    )
                    for number, (topic, who) in enumerate(asked[start : start + 5])
                )
            )


class Named(CountingIds):
    """Ids that no other process makes."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def ticket(self) -> TicketId:
        return TicketId(f"{self._name}-{super().ticket()}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
