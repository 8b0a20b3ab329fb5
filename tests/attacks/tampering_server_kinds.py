"""Kinds of tampering that only a PostgreSQL server knows, for ``docs/security.md``.

Lives here: what its owner, or who has got the owner's rights, can do by SQL. Must not live here:
what is done to rows on either engine (``tampering_kinds``).
"""

from dataclasses import dataclass, field

PREFIX = "tampered"
"""What the roles of a ledger that is tampered with are called after."""
EXECUTOR, SERVE, READER, HAND = (
    f"{PREFIX}_{name}" for name in ("executor", "serve", "reader", "hand")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAttack:
    """SQL of the owner, and exactly what is found; ``after`` undoes what the whole server sees."""

    surface: str
    name: str
    finds: frozenset[str]
    statements: tuple[str, ...]
    after: tuple[str, ...] = field(default=())


def _a(
    surface: str, name: str, finds: str, *statements: str, after: tuple[str, ...] = ()
) -> ServerAttack:
    return ServerAttack(
        surface=surface,
        name=name,
        finds=frozenset(finds.split(", ")),
        statements=statements,
        after=after,
    )


def _body(function: str, body: str) -> str:
    return f"""CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN {body}; END $$"""


def _flag(index: str, flag: str, to: str) -> str:
    return f"UPDATE pg_index SET {flag} = {to} WHERE indexrelid = '{index}'::regclass"


def _less_a_row(index: str, table: str, row: str) -> tuple[str, ...]:
    return (
        f"CREATE TABLE kept AS SELECT * FROM {table} WHERE {row}",
        f"DELETE FROM {table} WHERE {row}",
        _flag(index, "indisready", "false"),
        f"INSERT INTO {table} SELECT * FROM kept",
        "DROP TABLE kept",
        _flag(index, "indisready", "true"),
    )


def _doubled(table: str, key: str, *first: str) -> tuple[str, ...]:
    return (
        *first,
        f"ALTER TABLE {table} DROP CONSTRAINT {key}",
        f"INSERT INTO {table} SELECT * FROM {table} LIMIT 1",
    )


SERVER_ATTACKS: tuple[ServerAttack, ...] = (
    _a("guards", "a guard removed", "trigger", "DROP TRIGGER events_no_change ON events"),
    _a(
        "guards",
        "a guard of deletions removed",
        "trigger",
        "DROP TRIGGER events_no_delete ON events",
    ),
    _a(
        "guards",
        "a guard switched off",
        "trigger",
        "ALTER TABLE events DISABLE TRIGGER events_in_order",
    ),
    _a("guards", "every trigger switched off", "trigger", "ALTER TABLE events DISABLE TRIGGER ALL"),
    _a(
        "guards",
        "a guard of what was detached switched off",
        "trigger",
        "ALTER TABLE detached DISABLE TRIGGER detached_in_order",
    ),
    _a(
        "guards",
        "a guard of what was detached removed",
        "trigger",
        "DROP TRIGGER detached_uses_no_change ON detached_uses",
    ),
    _a(
        "guards",
        "a guard that a replica goes around",
        "trigger",
        "ALTER TABLE events ENABLE TRIGGER events_no_change",
    ),
    _a(
        "guards",
        "a guard that guards nothing",
        "trigger",
        _body("events_kept", "RETURN NULL"),
    ),
    _a(
        "guards",
        "a guard that lets every record go",
        "trigger",
        _body("events_detached", "RETURN OLD"),
    ),
    _a(
        "guards",
        "a guard that looks elsewhere: a path of its own",
        "trigger",
        "ALTER FUNCTION events_next() SET search_path = more, public",
    ),
    _a(
        "guards",
        "a guard that acts as its owner",
        "trigger",
        "ALTER FUNCTION events_next() SECURITY DEFINER",
    ),
    _a(
        "guards",
        "a guard that guards less",
        "trigger",
        """DROP TRIGGER events_no_change ON events;
           CREATE TRIGGER events_no_change BEFORE UPDATE ON events
           FOR EACH STATEMENT EXECUTE FUNCTION events_kept();
           ALTER TABLE events ENABLE ALWAYS TRIGGER events_no_change""",
    ),
    _a(
        "guards",
        "a guard under a condition",
        "trigger",
        """DROP TRIGGER events_in_order ON events;
           CREATE TRIGGER events_in_order BEFORE INSERT ON events
           FOR EACH ROW WHEN (NEW.seq < 0) EXECUTE FUNCTION events_next();
           ALTER TABLE events ENABLE ALWAYS TRIGGER events_in_order""",
    ),
    _a(
        "guards",
        "a trigger that does something else",
        "trigger",
        """CREATE TRIGGER more BEFORE INSERT ON tickets
           FOR EACH ROW EXECUTE FUNCTION events_kept()""",
    ),
    _a(
        "guards",
        "a trigger of our name on another table",
        "trigger",
        """CREATE TRIGGER tickets_by_executor BEFORE INSERT ON events
           FOR EACH ROW EXECUTE FUNCTION events_kept()""",
    ),
    _a(
        "guards",
        "two triggers of one name",
        "trigger",
        """CREATE TRIGGER events_in_order BEFORE INSERT ON tickets
           FOR EACH ROW EXECUTE FUNCTION events_kept();
           DROP TRIGGER events_in_order ON events;
           CREATE TRIGGER events_in_order BEFORE INSERT ON events
           FOR EACH ROW EXECUTE FUNCTION events_next();
           ALTER TABLE events ENABLE ALWAYS TRIGGER events_in_order""",
    ),
    _a(
        "guards",
        "a trigger at every login",
        "trigger",
        """CREATE FUNCTION more() RETURNS event_trigger LANGUAGE plpgsql
           AS $$ BEGIN NULL; END $$""",
        "CREATE EVENT TRIGGER more ON login EXECUTE FUNCTION more()",
    ),
    _a("guards", "a view", "schema", "CREATE VIEW more AS SELECT 1"),
    _a(
        "guards",
        "a rule in place of an insert",
        "schema",
        "CREATE RULE more AS ON INSERT TO votes DO INSTEAD NOTHING",
    ),
    _a(
        "guards",
        "a rule that also deletes",
        "schema",
        "CREATE RULE more AS ON INSERT TO votes DO ALSO DELETE FROM outbox",
    ),
    _a("keys of tables", "a unique index removed", "unique", "DROP INDEX ix_votes_voice"),
    _a(
        "keys of tables",
        "a primary key removed",
        "unique",
        "ALTER TABLE votes DROP CONSTRAINT pk_votes",
    ),
    _a(
        "keys of tables",
        "a key that is looked at too late",
        "unique",
        """ALTER TABLE tickets DROP CONSTRAINT uq_tickets_opened_seq;
           ALTER TABLE tickets ADD CONSTRAINT uq_tickets_opened_seq UNIQUE (opened_seq)
           DEFERRABLE INITIALLY DEFERRED""",
    ),
    _a(
        "keys of tables",
        "a unique index that covers less than it should",
        "unique",
        "DROP INDEX ix_votes_voice",
        """CREATE UNIQUE INDEX ix_votes_voice ON votes (ticket_id, revision, voice)
           WHERE withdrawn = 0 AND weight > 9""",
    ),
    _a(
        "keys of tables",
        "a key of what may be nothing",
        "unique",
        "ALTER TABLE votes ALTER COLUMN voice DROP NOT NULL",
    ),
    _a(
        "keys of tables",
        "rows of an heir, without its keys",
        "unique",
        "CREATE TABLE more () INHERITS (votes); INSERT INTO more SELECT * FROM votes",
    ),
    _a(
        "keys of tables",
        "a table made anew without its keys",
        "unique",
        "CREATE TABLE more AS TABLE buckets",
        "DROP TABLE buckets",
        "ALTER TABLE more RENAME TO buckets",
    ),
    _a(
        "indexes",
        "an index without a row: the key of a request is not found",
        "damage",
        *_less_a_row("pk_idempotency", "idempotency", "ticket_id = 't-run'"),
    ),
    _a(
        "indexes",
        "an index without a row: what an agent did is not found",
        "damage",
        *_less_a_row("ix_deeds_trace", "deeds", "seq = (SELECT min(seq) FROM deeds)"),
    ),
    _a(
        "indexes",
        "an index without a row: a vote is not found",
        "damage",
        *_less_a_row("pk_votes", "votes", "person = (SELECT min(person) FROM votes)"),
    ),
    _a(
        "indexes",
        "a vote twice, past its key",
        "damage",
        "CREATE TABLE kept AS SELECT * FROM votes LIMIT 1",
        _flag("pk_votes", "indisready", "false"),
        _flag("ix_votes_voice", "indisready", "false"),
        "INSERT INTO votes SELECT * FROM kept",
        "DROP TABLE kept",
        _flag("pk_votes", "indisready", "true"),
        _flag("ix_votes_voice", "indisready", "true"),
    ),
    _a(
        "indexes",
        "an index with the keys of before",
        "damage",
        "UPDATE deeds SET trace_id = 'x' || trace_id",
        _flag("ix_deeds_trace", "indislive", "false"),
        "UPDATE deeds SET trace_id = substr(trace_id, 2)",
        _flag("ix_deeds_trace", "indislive", "true"),
    ),
    _a(
        "indexes",
        "an index that is read and not written",
        "damage",
        _flag("ix_deeds_trace", "indisready", "false"),
    ),
    _a(
        "indexes",
        "an index of another kind",
        "damage",
        "CREATE INDEX more ON deeds USING hash (trace_id)",
    ),
    _a(
        "declarations",
        "a view in place of a table",
        "schema, declaration, unique, database",
        "ALTER TABLE votes RENAME TO more",
        "CREATE VIEW votes AS SELECT * FROM more",
    ),
    _a(
        "declarations",
        "a view in place of the log",
        "database",
        "ALTER TABLE events RENAME TO more",
        "CREATE VIEW events AS SELECT * FROM more",
    ),
    _a(
        "declarations",
        "a stored copy in place of a table",
        "declaration, database",
        "ALTER TABLE deeds RENAME TO more",
        "CREATE MATERIALIZED VIEW deeds AS SELECT * FROM more",
    ),
    _a(
        "declarations",
        "a table that a crash empties",
        "declaration",
        "ALTER TABLE head_signatures SET UNLOGGED",
    ),
    _a(
        "declarations",
        "a default of another value",
        "declaration",
        "ALTER TABLE votes ALTER COLUMN voice SET DEFAULT 'eve'",
    ),
    _a(
        "declarations",
        "a column filled by itself",
        "declaration",
        'ALTER TABLE buckets ADD COLUMN more text COLLATE "C" GENERATED ALWAYS AS (key) STORED',
    ),
    _a(
        "declarations",
        "a number that counts by itself",
        "declaration",
        "ALTER TABLE cursors ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY",
    ),
    _a(
        "declarations",
        "a key compared by another order",
        "declaration",
        'ALTER TABLE buckets ALTER COLUMN key TYPE text COLLATE "default"',
    ),
    _a(
        "declarations",
        "the one row no longer the only one",
        "declaration",
        "ALTER TABLE control DROP CONSTRAINT ck_control_one_row",
    ),
    _a(
        "declarations",
        "a constraint that refuses a rejection",
        "declaration",
        "ALTER TABLE votes ADD CONSTRAINT more CHECK (choice <> 'reject') NOT VALID",
    ),
    _a(
        "declarations",
        "a key to another table, which deletes with it",
        "declaration",
        """ALTER TABLE places ADD CONSTRAINT more FOREIGN KEY (ticket_id) REFERENCES tickets (id)
           ON DELETE CASCADE NOT VALID""",
    ),
    _a(
        "shadows",
        "a table in a schema of the service's name",
        "shadow",
        f"CREATE SCHEMA {SERVE}",
        f"CREATE TABLE {SERVE}.tickets (LIKE public.tickets INCLUDING ALL)",
    ),
    _a(
        "shadows",
        "a table in a schema that a role looks into first",
        "shadow",
        "CREATE SCHEMA more",
        "CREATE TABLE more.votes (LIKE public.votes INCLUDING ALL)",
        f"ALTER ROLE {EXECUTOR} SET search_path = more, public",
        after=(f"ALTER ROLE {EXECUTOR} RESET search_path",),
    ),
    _a(
        "shadows",
        "a function of the server's name",
        "shadow",
        """CREATE FUNCTION convert_from(bytea, text) RETURNS text LANGUAGE sql
           AS 'SELECT ''{}''::text'""",
    ),
    _a(
        "shadows",
        "an operator of somebody's own",
        "shadow",
        "CREATE FUNCTION more(text, bytea) RETURNS bool LANGUAGE sql AS 'SELECT true'",
        "CREATE OPERATOR = (LEFTARG = text, RIGHTARG = bytea, FUNCTION = more)",
    ),
    _a(
        "shadows",
        "a path on which the server's own names come last",
        "shadow",
        f"ALTER ROLE {SERVE} SET search_path = public, pg_catalog",
        after=(f"ALTER ROLE {SERVE} RESET search_path",),
    ),
    _a(
        "roles",
        "rows of a table hidden from the service",
        "row security",
        """ALTER TABLE control ENABLE ROW LEVEL SECURITY;
           CREATE POLICY more ON control FOR SELECT USING (current_user <> 'reader')""",
    ),
    _a(
        "roles",
        "records hidden from the service",
        "rights",
        f"CREATE POLICY more ON events AS RESTRICTIVE FOR SELECT TO {SERVE} USING (seq < 9)",
    ),
    _a(
        "roles",
        "the log's row security switched off",
        "rights",
        "ALTER TABLE events DISABLE ROW LEVEL SECURITY",
    ),
    _a(
        "roles",
        "a policy more: executors tell anything",
        "rights",
        f"CREATE POLICY more ON events FOR INSERT TO {EXECUTOR} WITH CHECK (true)",
    ),
    _a(
        "roles",
        "a policy widened",
        "rights",
        "ALTER POLICY events_of_executor ON events WITH CHECK (type = type)",
    ),
    _a(
        "roles",
        "a policy of the service for executors as well",
        "rights",
        f"ALTER POLICY events_of_serve ON events TO {SERVE}, {EXECUTOR}",
    ),
    _a(
        "roles",
        "the executors' guard removed",
        "rights",
        "DROP TRIGGER tickets_by_executor ON tickets",
    ),
    _a(
        "roles",
        "the executors' guard switched off",
        "rights",
        "ALTER TABLE tickets DISABLE TRIGGER tickets_by_executor",
    ),
    _a(
        "roles",
        "the executors' guard guards nothing",
        "rights",
        _body("tickets_by_executor", "RETURN NEW"),
    ),
    _a(
        "roles",
        "the executors' guard of nobody",
        "rights",
        "DROP TRIGGER tickets_by_executor ON tickets",
        """CREATE TRIGGER tickets_by_executor BEFORE UPDATE ON tickets FOR EACH ROW
           WHEN (false) EXECUTE FUNCTION tickets_by_executor()""",
    ),
    _a("roles", "a right for executors", "rights", f"GRANT INSERT ON votes TO {EXECUTOR}"),
    _a(
        "roles",
        "a right for executors, on one column",
        "rights",
        f"GRANT UPDATE (weight) ON votes TO {EXECUTOR}",
    ),
    _a("roles", "a right for everybody", "rights", "GRANT DELETE ON tickets TO PUBLIC"),
    _a("roles", "a right for readers", "rights", f"GRANT UPDATE ON head TO {READER}"),
    _a("roles", "a right for the service", "rights", f"GRANT TRUNCATE ON places TO {SERVE}"),
    _a(
        "roles",
        "executors may make functions and tables",
        "rights",
        f"GRANT CREATE ON SCHEMA public TO {EXECUTOR}",
    ),
    _a(
        "roles",
        "the executors' guard looks elsewhere: a path of its own",
        "rights",
        "ALTER FUNCTION tickets_by_executor() SET search_path = more",
    ),
    _a(
        "roles",
        "a policy for more than it was made for",
        "rights",
        "DROP POLICY events_of_serve ON events",
        f"CREATE POLICY events_of_serve ON events TO {SERVE} WITH CHECK (true)",
    ),
    _a(
        "roles",
        "a table of the executors', who took its rights from themselves",
        "rights",
        f"ALTER TABLE votes OWNER TO {EXECUTOR}",
        f"REVOKE ALL ON votes FROM {EXECUTOR}",
    ),
    _a("roles", "a table of the executors'", "rights", f"ALTER TABLE votes OWNER TO {EXECUTOR}"),
    _a(
        "roles",
        "a new member of the executors, with a right of its own",
        "rights",
        f"CREATE ROLE {HAND} IN ROLE {EXECUTOR}",
        f"GRANT INSERT ON votes TO {HAND}",
        after=(f"DROP OWNED BY {HAND}", f"DROP ROLE {HAND}"),
    ),
    _a(
        "roles",
        "executors may become the service",
        "rights",
        f"GRANT {SERVE} TO {EXECUTOR}",
        after=(f"REVOKE {SERVE} FROM {EXECUTOR}",),
    ),
    _a(
        "roles",
        "executors see and write past every policy",
        "rights",
        f"ALTER ROLE {EXECUTOR} BYPASSRLS",
        after=(f"ALTER ROLE {EXECUTOR} NOBYPASSRLS",),
    ),
    _a(
        "projection",
        "every vote of a ticket removed",
        "votes",
        "DELETE FROM votes WHERE ticket_id = 't-wait'",
    ),
    _a("projection", "every vote heavier", "votes", "UPDATE votes SET weight = 9"),
    _a(
        "projection",
        "a key of a request changed",
        "idempotency",
        "UPDATE idempotency SET key = 'other' WHERE ticket_id = 't-wait'",
    ),
    _a("projection", "what is still to be done", "head", "UPDATE head SET pending = pending + 1"),
    _a("projection", "a content removed", "contents", "DELETE FROM contents"),
    _a(
        "projection",
        "a deed invented",
        "deeds",
        """INSERT INTO deeds SELECT 9999, at, tenant, agent, trace_id, ticket_id, topic, tool,
          action, target, data_classes, risk_tags, labels, stands FROM deeds LIMIT 1""",
    ),
    _a(
        "projection",
        "a ticket of the future",
        "projection",
        """INSERT INTO tickets SELECT 't-new', 9999, tenant, state, revision, agent, topic, tool,
          trace_id, needed_people, created_at, expires_at, null, null, null, null, body
          FROM tickets WHERE id = 't-wait'""",
    ),
    _a(
        "projection",
        "a credential invented",
        "credentials",
        "INSERT INTO credentials SELECT 'more', issued_at, null, body FROM credentials LIMIT 1",
    ),
    _a("projection", "a rate bucket forgotten", "buckets", "DELETE FROM buckets"),
    _a(
        "projection",
        "a tile of the tree invented",
        "tiles",
        "INSERT INTO tiles VALUES (0, 0, 'more')",
    ),
    _a(
        "projection",
        "a name of a cosignature",
        "cosignature",
        "UPDATE cosignatures SET name = 'else.example'",
    ),
    _a(
        "projection",
        "who named a content",
        "content_uses",
        "ALTER TABLE content_uses DISABLE TRIGGER ALL",
        "DELETE FROM content_uses WHERE seq = (SELECT max(seq) FROM content_uses)",
        "ALTER TABLE content_uses ENABLE ALWAYS TRIGGER content_uses_no_change",
    ),
    _a(
        "projection",
        "two tickets' bodies swapped",
        "projection",
        """UPDATE tickets t SET body = (SELECT o.body FROM tickets o
          WHERE o.id = CASE t.id WHEN 't-wait' THEN 't-seen' ELSE 't-wait' END)
          WHERE id IN ('t-wait', 't-seen')""",
    ),
    _a(
        "projection",
        "a vote twice, its key removed",
        "unique",
        *_doubled("votes", "pk_votes", "DROP INDEX ix_votes_voice"),
    ),
    _a(
        "projection",
        "a ticket twice, its key removed",
        "unique",
        *_doubled(
            "tickets", "pk_tickets", "ALTER TABLE tickets DROP CONSTRAINT uq_tickets_opened_seq"
        ),
    ),
    _a("projection", "a deed twice, its key removed", "unique", *_doubled("deeds", "pk_deeds")),
    _a(
        "projection",
        "a rate bucket twice, its key removed",
        "unique",
        *_doubled("buckets", "pk_buckets"),
    ),
    _a(
        "projection",
        "a content twice, its key removed",
        "unique",
        *_doubled("contents", "pk_contents"),
    ),
)
