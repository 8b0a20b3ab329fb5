"""A world for the inbox: delegation is allowed, there is an emergency, and a second channel."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from bot.compose.emergencies import Emergencies
from bot.delivery import Delivery
from bot.emulator.values import ChannelSeed
from bot.emulator.view_desk import View
from governance.outbox import OwedKind
from governance.principal import PersonId
from tests.integration.slack.world import (
    BUNDLE,
    PEOPLE,
    SEED,
    TEAM,
    RealClock,
    World,
    open_world,
)

SECOND = ChannelSeed(
    id="C0SECOND", name="incidents", members=(*(user.id for user in PEOPLE), "U0EMUBOT")
)
INBOX_SEED = replace(SEED, channels=(*SEED.channels, SECOND))
INBOX_BUNDLE: dict[str, Any] = BUNDLE | {
    "delegation": {"max_days": 7},
    "constraints": [
        {
            "id": "no-failover",
            "description": "nobody fails over by hand",
            "violationAction": "BLOCK",
            "match": {"topics": ["job.failover"]},
        }
    ],
    "emergency": {
        "failover": {
            "constraints": ["no-failover"],
            "match": {"topics": ["job.failover"]},
            "tier": "high",
            "ttl": "30m",
            "channel": "C0SECOND",
        }
    },
}


def account(user: str) -> PersonId:
    """The person behind an account of the emulated workspace."""
    return PersonId(f"slack:{TEAM}/{user}")


@contextlib.asynccontextmanager
async def open_inbox_world(
    *, socket_mode: bool = False, bundle: dict[str, Any] | None = None
) -> AsyncIterator[World]:
    """A world over one of the two transports."""
    async with open_world(
        socket_mode=socket_mode, seed=INBOX_SEED, bundle=bundle or INBOX_BUNDLE
    ) as world:
        yield world


def modal(world: World, user: str) -> View:
    """The modal that a person sees."""
    found = world.emu.modal(user)
    assert found is not None
    return found


def home(world: World, user: str) -> View:
    """The home tab that a person sees."""
    found = world.emu.home(user)
    assert found is not None
    return found


async def announce(world: World) -> None:
    """Tell the second channel whatever it is owed."""
    emergencies = Emergencies(
        service=world.service,
        reader=world.ledger,
        publisher=world.app.publisher,
        channels=world.app.channels,
    )
    workers = {OwedKind.EMERGENCY: emergencies.announce}
    delivery = Delivery(
        outbox=world.ledger, reader=world.ledger, clock=RealClock(), workers=workers
    )
    while await delivery.drain():
        pass
