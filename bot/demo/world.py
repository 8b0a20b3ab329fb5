"""Everything of the demo, started in order and stopped in reverse.

Lives here: workspace, service, executor, folders and credentials of one demo. Must not live here:
the story or the sample agent. Law: loopback only, secrets made anew for each run, and the product
itself has no branch that knows of the demo.
"""

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bot.api.auth import make_token
from bot.bundles import shipped
from bot.compose.core import Core
from bot.compose.serve import Serving, run_serve
from bot.demo import seed
from bot.emulator.emulator import Emulator
from bot.executor.selftest import Availability, establish
from bot.identity import person_id
from bot.manifest import manifest
from bot.settings import Settings, SlackMode
from governance.principal import Agent, AgentId, Scope, TenantId
from pydantic import SecretStr


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One running demo."""

    emulator: Emulator
    serving: Serving
    settings: Settings
    site: Path
    sandbox: Availability
    tokens: Mapping[str, str] = field(repr=False)
    """By name: ``deploy-bot``, ``notes-bot``, and each approver's Slack id."""

    @property
    def core(self) -> Core:
        """The core behind the service."""
        return self.serving.core
