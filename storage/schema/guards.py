"""The triggers that make the log append-only, for each engine.

Lives here: their text, by name. Must not live here: tables (``tables``), and how a database
gets these (``migrations``). Law: what was logged is refused every change by the database
itself; a test proves that migrations yield exactly this.
"""

TRIGGERS = {
    "events_no_update": """
        CREATE TRIGGER events_no_update BEFORE UPDATE ON events
        BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END""",
    "events_no_delete": """
        CREATE TRIGGER events_no_delete BEFORE DELETE ON events
        WHEN NOT EXISTS (SELECT 1 FROM detached d JOIN events e ON e.seq = d.seq
        WHERE OLD.seq BETWEEN d.first AND d.last AND e.seq > d.last AND e.type = 'SegmentDetached')
        BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END""",
    "events_in_order": """
        CREATE TRIGGER events_in_order BEFORE INSERT ON events
        WHEN NEW.seq <> (SELECT coalesce(max(seq), (SELECT max(last) FROM detached), 0) + 1
        FROM events)
        BEGIN SELECT RAISE(ABORT, 'the log has no gaps and replaces nothing'); END""",
    "head_signatures_no_update": """
        CREATE TRIGGER head_signatures_no_update BEFORE UPDATE ON head_signatures
        BEGIN SELECT RAISE(ABORT, 'signatures of heads are append-only'); END""",
    "head_signatures_no_delete": """
        CREATE TRIGGER head_signatures_no_delete BEFORE DELETE ON head_signatures
        BEGIN SELECT RAISE(ABORT, 'signatures of heads are append-only'); END""",
    "head_signatures_in_order": """
        CREATE TRIGGER head_signatures_in_order BEFORE INSERT ON head_signatures
        WHEN NEW.seq <= (SELECT coalesce(max(seq), 0) FROM head_signatures)
        BEGIN SELECT RAISE(ABORT, 'a signed head follows the one before it'); END""",
    "content_uses_no_update": """
        CREATE TRIGGER content_uses_no_update BEFORE UPDATE ON content_uses
        BEGIN SELECT RAISE(ABORT, 'who named a content stays'); END""",
    "content_uses_no_delete": """
        CREATE TRIGGER content_uses_no_delete BEFORE DELETE ON content_uses
        BEGIN SELECT RAISE(ABORT, 'who named a content stays'); END""",
    "detached_no_update": """
        CREATE TRIGGER detached_no_update BEFORE UPDATE ON detached
        BEGIN SELECT RAISE(ABORT, 'what was detached stays so'); END""",
    "detached_no_delete": """
        CREATE TRIGGER detached_no_delete BEFORE DELETE ON detached
        BEGIN SELECT RAISE(ABORT, 'what was detached stays so'); END""",
    "detached_in_order": """
        CREATE TRIGGER detached_in_order BEFORE INSERT ON detached
        WHEN NEW.last < NEW.first OR NEW.first <> (SELECT coalesce(max(last), 0) + 1 FROM detached)
        BEGIN SELECT RAISE(ABORT, 'segments are detached in order'); END""",
    "detached_leaves_no_update": """
        CREATE TRIGGER detached_leaves_no_update BEFORE UPDATE ON detached_leaves
        BEGIN SELECT RAISE(ABORT, 'what was detached stays so'); END""",
    "detached_leaves_no_delete": """
        CREATE TRIGGER detached_leaves_no_delete BEFORE DELETE ON detached_leaves
        BEGIN SELECT RAISE(ABORT, 'what was detached stays so'); END""",
    "detached_uses_no_update": """
        CREATE TRIGGER detached_uses_no_update BEFORE UPDATE ON detached_uses
        BEGIN SELECT RAISE(ABORT, 'what was detached stays so'); END""",
    "detached_uses_no_delete": """
        CREATE TRIGGER detached_uses_no_delete BEFORE DELETE ON detached_uses
        BEGIN SELECT RAISE(ABORT, 'what was detached stays so'); END""",
}
"""SQLite's triggers by name; the third also stops REPLACE, which deletes without a trigger.

A record is let go only within a range that ``detached`` names, beside the record that says so.
"""

POSTGRES_TRIGGERS = {
    "events_kept": """
        CREATE FUNCTION events_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'the log is append-only' USING ERRCODE = 'integrity_constraint_violation';
        END $$""",
    "events_next": """
        CREATE FUNCTION events_next() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.seq IS DISTINCT FROM
        (SELECT coalesce(max(seq), (SELECT max(last) FROM detached), 0) + 1 FROM events) THEN
        RAISE EXCEPTION 'the log has no gaps and replaces nothing'
        USING ERRCODE = 'integrity_constraint_violation'; END IF;
        RETURN NEW; END $$""",
    "events_detached": """
        CREATE FUNCTION events_detached() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NOT EXISTS (SELECT 1 FROM detached d JOIN events e ON e.seq = d.seq
        WHERE OLD.seq BETWEEN d.first AND d.last AND e.seq > d.last
        AND e.type = 'SegmentDetached') THEN
        RAISE EXCEPTION 'the log is append-only' USING ERRCODE = 'integrity_constraint_violation';
        END IF; RETURN OLD; END $$""",
    "events_no_change": """
        CREATE TRIGGER events_no_change BEFORE UPDATE OR TRUNCATE ON events
        FOR EACH STATEMENT EXECUTE FUNCTION events_kept()""",
    "events_no_delete": """
        CREATE TRIGGER events_no_delete BEFORE DELETE ON events
        FOR EACH ROW EXECUTE FUNCTION events_detached()""",
    "events_in_order": """
        CREATE TRIGGER events_in_order BEFORE INSERT ON events
        FOR EACH ROW EXECUTE FUNCTION events_next()""",
    "events_no_change_always": "ALTER TABLE events ENABLE ALWAYS TRIGGER events_no_change",
    "events_no_delete_always": "ALTER TABLE events ENABLE ALWAYS TRIGGER events_no_delete",
    "events_in_order_always": "ALTER TABLE events ENABLE ALWAYS TRIGGER events_in_order",
    "head_signatures_kept": """
        CREATE FUNCTION head_signatures_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'signatures of heads are append-only'
        USING ERRCODE = 'integrity_constraint_violation';
        END $$""",
    "head_signatures_next": """
        CREATE FUNCTION head_signatures_next() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.seq <= (SELECT coalesce(max(seq), 0) FROM head_signatures) THEN
        RAISE EXCEPTION 'a signed head follows the one before it'
        USING ERRCODE = 'integrity_constraint_violation'; END IF;
        RETURN NEW; END $$""",
    "head_signatures_no_change": """
        CREATE TRIGGER head_signatures_no_change
        BEFORE UPDATE OR DELETE OR TRUNCATE ON head_signatures
        FOR EACH STATEMENT EXECUTE FUNCTION head_signatures_kept()""",
    "head_signatures_in_order": """
        CREATE TRIGGER head_signatures_in_order BEFORE INSERT ON head_signatures
        FOR EACH ROW EXECUTE FUNCTION head_signatures_next()""",
    "head_signatures_no_change_always": (
        "ALTER TABLE head_signatures ENABLE ALWAYS TRIGGER head_signatures_no_change"
    ),
    "head_signatures_in_order_always": (
        "ALTER TABLE head_signatures ENABLE ALWAYS TRIGGER head_signatures_in_order"
    ),
    "content_uses_kept": """
        CREATE FUNCTION content_uses_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'who named a content stays'
        USING ERRCODE = 'integrity_constraint_violation';
        END $$""",
    "content_uses_no_change": """
        CREATE TRIGGER content_uses_no_change
        BEFORE UPDATE OR DELETE OR TRUNCATE ON content_uses
        FOR EACH STATEMENT EXECUTE FUNCTION content_uses_kept()""",
    "content_uses_no_change_always": (
        "ALTER TABLE content_uses ENABLE ALWAYS TRIGGER content_uses_no_change"
    ),
    "detached_kept": """
        CREATE FUNCTION detached_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'what was detached stays so'
        USING ERRCODE = 'integrity_constraint_violation';
        END $$""",
    "detached_next": """
        CREATE FUNCTION detached_next() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.last < NEW.first
        OR NEW.first <> (SELECT coalesce(max(last), 0) + 1 FROM detached) THEN
        RAISE EXCEPTION 'segments are detached in order'
        USING ERRCODE = 'integrity_constraint_violation'; END IF;
        RETURN NEW; END $$""",
    "detached_in_order": """
        CREATE TRIGGER detached_in_order BEFORE INSERT ON detached
        FOR EACH ROW EXECUTE FUNCTION detached_next()""",
    "detached_in_order_always": "ALTER TABLE detached ENABLE ALWAYS TRIGGER detached_in_order",
    "detached_no_change": """
        CREATE TRIGGER detached_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON detached
        FOR EACH STATEMENT EXECUTE FUNCTION detached_kept()""",
    "detached_no_change_always": ("ALTER TABLE detached ENABLE ALWAYS TRIGGER detached_no_change"),
    "detached_leaves_no_change": """
        CREATE TRIGGER detached_leaves_no_change
        BEFORE UPDATE OR DELETE OR TRUNCATE ON detached_leaves
        FOR EACH STATEMENT EXECUTE FUNCTION detached_kept()""",
    "detached_leaves_no_change_always": (
        "ALTER TABLE detached_leaves ENABLE ALWAYS TRIGGER detached_leaves_no_change"
    ),
    "detached_uses_no_change": """
        CREATE TRIGGER detached_uses_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON detached_uses
        FOR EACH STATEMENT EXECUTE FUNCTION detached_kept()""",
    "detached_uses_no_change_always": (
        "ALTER TABLE detached_uses ENABLE ALWAYS TRIGGER detached_uses_no_change"
    ),
}
"""PostgreSQL's; ALWAYS: also where a session calls itself a replica."""
