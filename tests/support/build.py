"""Sample values for tests: asks, rulings, votes and every event, with plain defaults.

Each builder takes keyword overrides; ids are plain words so that a failure reads well.
"""

# overrides are any field of the value that is built

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from governance import control as ctl
from governance import delegation as dg
from governance import retention_events as rt
from governance import segments as sg
from governance.action import ActionKind, ActionRequest, Dispatch, parse_content
from governance.audit import Event
from governance.control import PublicKey
from governance.digests import action_digest, content_digest, request_digest
from governance.errors import Code
from governance.execution import Finding, OutputState, RunReport, RunStatus, SandboxTier
from governance.policy.decision import (
    Constraints,
    Effect,
    Requirement,
    RoleRequirement,
    TraceLine,
    Warned,
)
from governance.policy.facts import Considered, Counted
from governance.principal import Agent, AgentId, Credential, PersonId, Scope, TenantId
from governance.tickets import events as ev
from governance.tickets import nudge_events as nudge_ev
from governance.tickets import run_events as run_ev
from governance.tickets.binding import binding_of
from governance.tickets.ticket import (
    Ask,
    Basis,
    Choice,
    Claims,
    Ruling,
    Run,
    Ticket,
    TicketId,
    TicketState,
    Vote,
)

T0 = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
TENANT = TenantId("acme")
AGENT = AgentId("deployer")
ANNA = PersonId("slack:T1/UANNA")
BEN = PersonId("slack:T1/UBEN")
OWNER = PersonId("slack:T1/UOWNER")


class FixedClock:
    """A clock that stands still until it is set."""

    def __init__(self, at: datetime = T0) -> None:
        self.at = at

    def now(self) -> datetime:
        """This instant."""
        return self.at

    def pass_(self, seconds: float) -> None:
        """Let time go by (or back)."""
        self.at += timedelta(seconds=seconds)


def requirement(**changes: Any) -> Requirement:
    """One operator and one security admin, threshold 4."""
    base = Requirement(
        tier="high",
        roles=(
            RoleRequirement(role="operator", weight=1, min_required=1),
            RoleRequirement(role="security-admin", weight=3, min_required=1),
        ),
        threshold=4,
        ttl_s=3600,
        respond_within_s=900,
    )
    return replace(base, **changes)


def ask(**changes: Any) -> Ask:
    """A deployment that the agent asks for."""
    base = Ask(
        tenant=TENANT,
        agent=AGENT,
        on_behalf_of=None,
        owners=(OWNER,),
        topic="job.deploy",
        tool="deploy.service",
        action=ActionKind.EXECUTE,
        environment="prod",
        target="web-1",
        risk_tags=("prod",),
        labels=(("team", "core"),),
        dispatch=Dispatch.EXECUTE,
        trace_id="a" * 32,
        idempotency_key="key-1",
        request_digest="1" * 64,
        content_digest="2" * 64,
        action_digest="3" * 64,
        claims=Claims(
            environment="prod",
            risk_tags=("Prod",),
            requires=("change-window",),
            data_classes=("internal",),
            ttl_s=600,
            agent_roles=("engineer",),
            agent_environments=("prod",),
        ),
    )
    return replace(base, **changes)


def known_by(asked: Ask, content: bytes) -> Ask:
    """The same with the digests that governance makes of it and of ``content``."""
    words, claims = parse_content(content), asked.claims or Claims()
    request = ActionRequest(
        tenant=asked.tenant,
        agent=asked.agent,
        on_behalf_of=asked.on_behalf_of,
        topic=asked.topic,
        tool=asked.tool,
        action=asked.action,
        environment=claims.environment,
        capability=asked.capability,
        risk_tags=claims.risk_tags,
        requires=claims.requires,
        labels=dict(asked.labels),
        data_classes=claims.data_classes,
        target=asked.target,
        content=words,
        dispatch=asked.dispatch,
        trace_id=asked.trace_id,
        idempotency_key=asked.idempotency_key,
        ttl_s=claims.ttl_s,
    )
    return replace(
        asked,
        content_digest=content_digest(content),
        request_digest=request_digest(request),
        action_digest=action_digest(replace(request, environment=asked.environment)),
    )


def ruling(effect: Effect = Effect.REQUIRE_APPROVAL, **changes: Any) -> Ruling:
    """What policy said; a requirement comes with REQUIRE_APPROVAL."""
    base = Ruling(
        effect=effect,
        reason="writes to prod",
        snapshot="5" * 64,
        rule_ids=("prod-writes",),
        constraints=Constraints(max_runtime_s=60),
        warnings=(Warned(constraint_id="late", description="outside office hours"),),
        risk_tier="high",
        requirement=requirement() if effect is Effect.REQUIRE_APPROVAL else None,
        plan_digest="6" * 64,
    )
    return replace(base, **changes)


def bind(ticket_id: str, revision: int, asked: Ask, ruled: Ruling, expires_at: datetime) -> str:
    """The binding that such a revision has."""
    return binding_of(
        ticket_id=ticket_id,
        revision=revision,
        action_digest=asked.action_digest,
        constraints=ruled.constraints,
        snapshot=ruled.snapshot,
        requirement=ruled.requirement,
        constraint_id=ruled.constraint_id,
        plan_digest=ruled.plan_digest,
        expires_at=expires_at,
    )


def opened(ticket_id: str = "t-1", **changes: Any) -> ev.TicketOpened:
    """A ticket's birth, its binding right; ``ask``, ``ruling``, ``state`` and so on override."""
    asked: Ask = changes.pop("ask", None) or ask(idempotency_key=f"key-{ticket_id}")
    ruled: Ruling = changes.pop("ruling", None) or ruling()
    expires_at: datetime = changes.pop("expires_at", T0 + timedelta(hours=1))
    born = {
        Effect.REQUIRE_APPROVAL: (TicketState.PENDING, None),
        Effect.DENY: (TicketState.DENIED, None),
    }.get(ruled.effect, (TicketState.APPROVED, Basis.POLICY))
    base = ev.TicketOpened(
        ticket_id=TicketId(ticket_id),
        state=born[0],
        basis=born[1],
        ask=asked,
        ruling=ruled,
        binding=bind(ticket_id, 1, asked, ruled, expires_at),
        expires_at=expires_at,
    )
    return replace(base, **changes)


def allowed(ticket_id: str = "t-1", **changes: Any) -> ev.TicketOpened:
    """A ticket that policy alone approved."""
    return opened(ticket_id, ruling=ruling(Effect.ALLOW), **changes)


def vote(person: str = ANNA, role: str = "operator", weight: int = 1, **changes: Any) -> Vote:
    """An approving vote; its signature is no signature."""
    base = Vote(
        person=PersonId(person),
        role=role,
        weight=weight,
        choice=Choice.APPROVE,
        at=T0,
        nonce="7" * 32,
        key_id=f"key:{role}",
        signature="c2ln",
    )
    return replace(base, **changes)


def cast(ticket_id: str = "t-1", revision: int = 1, **changes: Any) -> ev.VoteCast:
    """A vote that counts."""
    return ev.VoteCast(ticket_id=TicketId(ticket_id), revision=revision, vote=vote(**changes))


def on(ticket_id: str, kind: type[Any], revision: int = 1, **fields: Any) -> Any:
    """Any ticket event by its class, for those that need little beside id and revision."""
    return kind(ticket_id=TicketId(ticket_id), revision=revision, **fields)


def run(run_id: str = "run-1", **changes: Any) -> Run:
    """One attempt with a lease of a minute."""
    base = Run(id=run_id, executor="exec-1", started_at=T0, lease_until=T0 + timedelta(minutes=1))
    return replace(base, **changes)


def started(ticket_id: str = "t-1", **changes: Any) -> run_ev.ExecutionStarted:
    """The start of exactly the approved action."""
    base = run_ev.ExecutionStarted(
        ticket_id=TicketId(ticket_id),
        revision=1,
        run=run(),
        action_digest="3" * 64,
        plan_digest="6" * 64,
        sandbox=SandboxTier.A,
    )
    return replace(base, **changes)


def report(status: RunStatus = RunStatus.SUCCEEDED, **changes: Any) -> RunReport:
    """What a run yielded."""
    base = RunReport(
        status=status,
        exit_code=0,
        duration_ms=12,
        sandbox="A",
        output_state=OutputState.REDACTED,
        output_digest="8" * 64,
        shown_digest="9" * 64,
        findings=(Finding(scanner="secrets", rule="aws-key", place="3-23"),),
    )
    return replace(base, **changes)


def considered(**changes: Any) -> Considered:
    """What of the past a decision looked at."""
    base = Considered(
        agent_s=3600,
        trace_s=0,
        deeds=2,
        digest="d" * 64,
        counts=(Counted(per="label:team", value="core", within_s=60, most=5, found=None),),
    )
    return replace(base, **changes)


def evaluated(**changes: Any) -> ev.DecisionEvaluated:
    """The simplest event: a decision without a job."""
    return ev.DecisionEvaluated(ask=ask(**changes), ruling=ruling(Effect.ALLOW))


def credential(credential_id: str = "cred-1", **changes: Any) -> Credential:
    """An agent's credential."""
    base = Credential(
        id=credential_id,
        tenant=TENANT,
        secret_digest="4" * 64,
        scopes=frozenset({Scope.SUBMIT, Scope.READ}),
        agent=Agent(id=AGENT, tenant=TENANT, owners=(OWNER,)),
        person=None,
        issued_at=T0,
    )
    return replace(base, **changes)


def samples() -> dict[str, tuple[Event, Ticket | None]]:
    """One of every event type, each with its ticket as it stands afterwards."""
    ticket = sample_ticket()
    events: list[Event] = [*_ticket_events(), *_other_events()]
    return {
        type(event).__name__: (event, ticket if isinstance(event, ev.TicketEvent) else None)
        for event in events
    }


def sample_ticket(**changes: Any) -> Ticket:
    """A ticket with something in every part."""
    birth = opened()
    base = Ticket(
        id=birth.ticket_id,
        revision=1,
        state=TicketState.PENDING,
        ask=birth.ask,
        ruling=birth.ruling,
        binding=birth.binding,
        created_at=T0,
        updated_at=T0,
        expires_at=birth.expires_at,
        votes=(vote(),),
        run=run(),
        report=report(),
        refusals=((BEN, "wrong_role"),),
    )
    return replace(base, **changes)


def _ticket_events() -> list[Event]:
    birth = opened(
        counters=(("agent:deployer", 4_000, T0),),
        trace=(TraceLine(source="rule", id="prod-writes", verdict="REQUIRE_APPROVAL"),),
        action="execute",
        data_classes=("internal", "pii"),
        considered=considered(),
    )
    return [
        birth,
        cast(),
        on("t-1", ev.VoteWithdrawn, person=ANNA),
        on("t-1", ev.VoteRefused, person=BEN, choice=Choice.APPROVE, code=Code.WRONG_ROLE),
        on("t-1", ev.FullViewOpened, person=ANNA),
        on("t-1", ev.TicketApproved, weight=4, threshold=4),
        on("t-1", ev.TicketRejected, person=BEN, cause="veto"),
        on("t-1", ev.TicketExpired),
        on("t-1", ev.TicketCancelled, actor="agent:deployer", reason="no longer needed"),
        on("t-1", ev.TicketDenied, ruling=ruling(Effect.DENY)),
        revised(),
        on("t-1", ev.QuorumLost, dropped=(ANNA,)),
        on("t-1", ev.ResponseOverdue),
        on("t-1", run_ev.ExecutionCleared, people=(ANNA, BEN)),
        on("t-1", run_ev.ExecutionDeferred, code=Code.NO_SANDBOX, reason="no sandbox of tier A"),
        started(),
        on("t-1", run_ev.ExecutionSucceeded, run_id="run-1", report=report()),
        on("t-1", run_ev.ExecutionFailed, run_id="run-1", report=report(RunStatus.FAILED)),
        on("t-1", run_ev.ExecutionLost, run_id="run-1"),
        on("t-1", run_ev.UnknownResolved, person=ANNA, took_effect=True, people=(BEN, ANNA)),
        on("t-1", run_ev.GrantRedeemed, agent=AGENT, grant_id="g-1", action_digest="3" * 64),
        on("t-1", run_ev.OutcomeReported, report=report()),
        on("t-1", ev.TicketUpheld, snapshot="5" * 64),
        on("t-1", nudge_ev.VotersReminded, number=1, people=(ANNA, BEN)),
        on("t-1", nudge_ev.ResolversReminded, number=1, people=(ANNA, BEN)),
        on(
            "t-1",
            nudge_ev.TicketEscalated,
            step=1,
            channel="C0MANAGERS",
            roles=("manager",),
            people=(BEN,),
        ),
        on(
            "t-1",
            run_ev.OutcomeAttested,
            person=ANNA,
            took_effect=True,
            comment_digest="8" * 64,
        ),
        on(
            "t-1",
            run_ev.OutputReleased,
            person=ANNA,
            shown_digest="9" * 64,
            comment_digest="8" * 64,
        ),
        on("t-1", run_ev.OutputDiscarded, person=ANNA, comment_digest="8" * 64),
    ]


def attested(
    ticket_id: str, who: PersonId, *, took_effect: bool, comment_digest: str = ""
) -> run_ev.OutcomeAttested:
    """What ``who`` found out about an interrupted run."""
    return run_ev.OutcomeAttested(
        ticket_id=TicketId(ticket_id),
        revision=1,
        person=who,
        took_effect=took_effect,
        comment_digest=comment_digest,
    )


def resolved(ticket_id: str, *people: PersonId, took_effect: bool) -> run_ev.UnknownResolved:
    """What all of ``people`` found, the last of them just now."""
    return run_ev.UnknownResolved(
        ticket_id=TicketId(ticket_id),
        revision=1,
        person=people[-1],
        took_effect=took_effect,
        people=people,
    )


def revised(ticket_id: str = "t-1", revision: int = 2, **changes: Any) -> ev.TicketRevised:
    """Pending again, with a binding of its own."""
    birth = opened(ticket_id)
    asked: Ask = changes.pop("ask", birth.ask)
    base = ev.TicketRevised(
        ticket_id=TicketId(ticket_id),
        revision=revision,
        cause="execution_failed",
        ruling=birth.ruling,
        binding=bind(ticket_id, revision, asked, birth.ruling, birth.expires_at),
        expires_at=birth.expires_at,
        note="the run failed; its votes are void",
    )
    return replace(base, **changes)


def public_key(key_id: str = "key:operator", pem: str = "PEM", **changes: Any) -> PublicKey:
    """A key as the log knows it."""
    return replace(PublicKey(id=key_id, purpose="vote:operator", pem=pem, valid_from=T0), **changes)


def sealed(**changes: Any) -> sg.SegmentSealed:
    """A segment of three records, sealed."""
    base = sg.SegmentSealed(
        tenant=TENANT,
        actor="operator:root",
        origin="placet.local/log",
        first=1,
        last=3,
        previous="0" * 64,
        head="c" * 64,
        root="d" * 64,
        events=3,
        file_digest="e" * 64,
        state_digest="f" * 64,
        keep_until=T0 + timedelta(days=365),
        key_id="key:checkpoint",
        signature="c2ln",
    )
    return replace(base, **changes)


def detached(**changes: Any) -> sg.SegmentDetached:
    """The segment of ``sealed``, detached."""
    base = sg.SegmentDetached(
        tenant=TENANT,
        actor="operator:root",
        origin="placet.local/log",
        seal=5,
        first=1,
        last=3,
        head="c" * 64,
        events=3,
        file="log-000000000001-000000000003.jsonl",
        file_digest="e" * 64,
        state_digest="f" * 64,
        key_id="key:checkpoint",
        signature="c2ln",
    )
    return replace(base, **changes)


def granted(**changes: Any) -> dg.DelegationGranted:
    """ANNA lends BEN her voice as operator for a day."""
    base = dg.DelegationGranted(
        tenant=TENANT,
        delegation_id="d-1",
        delegator=ANNA,
        delegate=BEN,
        roles=("operator",),
        ends_at=T0 + timedelta(days=1),
        reason="on leave",
    )
    return replace(base, **changes)


def delegations() -> list[Event]:
    """A voice is lent, and taken back."""
    return [granted(), dg.DelegationRevoked(tenant=TENANT, delegation_id="d-1", person=ANNA)]


def _other_events() -> list[Event]:
    throttled = ruling(Effect.THROTTLE, requirement=None)
    return [
        ev.SubmissionThrottled(
            ask=ask(), ruling=throttled, retry_after_s=3, considered=considered()
        ),
        replace(
            evaluated(), action="execute", data_classes=("internal", "pii"), considered=considered()
        ),
        ev.RefusalsCoalesced(
            tenant=TENANT,
            agent=AGENT,
            effect=Effect.DENY,
            rule_id="never",
            count=995,
            first_at=T0,
            last_at=T0 + timedelta(seconds=59),
        ),
        ctl.BundleActivated(
            tenant=TENANT,
            actor="system:placet",
            snapshot="5" * 64,
            content_digest="a" * 64,
            registry_digest="b" * 64,
        ),
        ctl.AgentFrozen(tenant=TENANT, target=AGENT, person=ANNA, reason="odd requests"),
        ctl.UnfreezeAsked(tenant=TENANT, target=AGENT, person=ANNA),
        ctl.AgentUnfrozen(tenant=TENANT, target=AGENT, person=BEN, asked_by=ANNA),
        ctl.CredentialIssued(tenant=TENANT, actor="system:placet", credential=credential()),
        ctl.CredentialRevoked(tenant=TENANT, actor="system:placet", credential_id="cred-1"),
        ctl.KeyRegistered(tenant=TENANT, key=public_key()),
        ctl.KeyRotated(
            tenant=TENANT,
            actor="operator:root",
            old_key_id="key:operator",
            key=public_key("key:operator-2", pem="PEM 2"),
            signed_by_old="b2xk",
            signed_by_new="bmV3",
        ),
        ctl.KeyRevoked(
            tenant=TENANT,
            actor="operator:root",
            key_id="key:operator",
            reason="its disk was stolen",
        ),
        ctl.CheckpointSigned(
            tenant=TENANT, size=3, head="c" * 64, note="note\n", key_id="key:checkpoint"
        ),
        rt.HoldPlaced(
            tenant=TENANT,
            actor="operator:root",
            hold_id="hold-1",
            scope=rt.HoldScope.AGENT,
            target=AGENT,
            reason="case 4711",
        ),
        rt.HoldLifted(
            tenant=TENANT, actor="operator:root", hold_id="hold-1", reason="case 4711 is closed"
        ),
        rt.ContentErased(
            tenant=TENANT, actor="operator:root", digest="d" * 64, reason="asked by its subject"
        ),
        rt.RollbackAccepted(
            tenant=TENANT,
            actor="operator:root",
            size=3,
            head="c" * 64,
            published_size=5,
            published_head="e" * 64,
        ),
        sealed(),
        detached(),
        *delegations(),
    ]
