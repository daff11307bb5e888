-- Counterfoil's audit table for PostgreSQL 15 and later. Running it again changes nothing that is in place; a later
-- version of this file upgrades an earlier one. Read docs/guides/postgres.md first.
--
-- What it makes, all in the schema "counterfoil":
--   audit_log       the table; rows are inserted through audit() and audit_rows() only, and never changed or removed
--   audit(...)      records one act, in the transaction that does it
--   audit_rows(...) a trigger for any business table: records its changes, columns by allow-list
-- Roles, none of which can log in: counterfoil_owner owns all of it; members of counterfoil_writer may call audit();
-- members of counterfoil_reader may read (give it to the role that follows and checks).

BEGIN;
SET LOCAL client_min_messages = warning;
SELECT pg_advisory_xact_lock(hashtext('counterfoil install'));

DO $$
DECLARE wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['counterfoil_owner', 'counterfoil_writer', 'counterfoil_reader'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', wanted);
    END IF;
  END LOOP;
  -- Whoever installs must be able to hand over what it makes. Since version 16 who makes a role may not do that by itself.
  IF NOT pg_has_role(current_user, 'counterfoil_owner',
                     CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END) THEN
    EXECUTE format('GRANT counterfoil_owner TO %I', current_user);
  END IF;
END $$;

CREATE SCHEMA IF NOT EXISTS counterfoil;
COMMENT ON SCHEMA counterfoil IS 'Counterfoil audit table, version 2';
REVOKE ALL ON SCHEMA counterfoil FROM PUBLIC;
GRANT USAGE ON SCHEMA counterfoil TO counterfoil_writer, counterfoil_reader;

CREATE TABLE IF NOT EXISTS counterfoil.audit_log (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "timestamp"   timestamptz NOT NULL,
  event_type    text NOT NULL,
  actor         text NOT NULL,
  actor_type    text,
  on_behalf_of  text,
  entity_id     text NOT NULL,
  entity_type   text,
  old_value     jsonb,
  new_value     jsonb,
  outcome       text,
  reason        text,
  context       jsonb,
  trace_id      text,
  -- The stamp: set by the trigger "stamp" and by nothing else, so it has no defaults.
  recorded_txid xid8 NOT NULL,
  recorded_at   timestamptz NOT NULL,
  recorded_by   text NOT NULL,
  seal          bytea NOT NULL,
  -- What the ledger would refuse is refused here, in the application's own transaction.
  CONSTRAINT instants CHECK ("timestamp" >= '1678-01-01T00:00:00Z' AND "timestamp" < '2262-01-01T00:00:00Z'),
  CONSTRAINT names CHECK (
    octet_length(event_type) BETWEEN 1 AND 128 AND event_type !~ '[[:cntrl:]]' AND event_type !~ '^(ledger|postgres)\.'
    AND octet_length(actor) BETWEEN 1 AND 256 AND actor !~ '[[:cntrl:]]'
    AND octet_length(entity_id) BETWEEN 1 AND 256 AND entity_id !~ '[[:cntrl:]]'
    AND (entity_type IS NULL OR octet_length(entity_type) BETWEEN 1 AND 256 AND entity_type !~ '[[:cntrl:]]')
    AND (on_behalf_of IS NULL OR octet_length(on_behalf_of) BETWEEN 1 AND 256 AND on_behalf_of !~ '[[:cntrl:]]')
    AND (trace_id IS NULL OR octet_length(trace_id) BETWEEN 1 AND 256 AND trace_id !~ '[[:cntrl:]]')),
  CONSTRAINT kinds CHECK (actor_type IN ('user', 'service', 'ai_agent') AND outcome IN ('success', 'failure', 'denied')),
  CONSTRAINT context_object CHECK (jsonb_typeof(context) = 'object' AND NOT context ? 'postgres'),
  CONSTRAINT size_limit CHECK (
    coalesce(octet_length(old_value::text), 0) + coalesce(octet_length(new_value::text), 0)
    + coalesce(octet_length(context::text), 0) + coalesce(octet_length(reason), 0) <= 60000)
);
CREATE INDEX IF NOT EXISTS audit_log_entity ON counterfoil.audit_log (entity_id);
CREATE INDEX IF NOT EXISTS audit_log_order ON counterfoil.audit_log (recorded_txid, id);

-- Stamps every row with the transaction, the moment and the role that really wrote it, and seals the row as it stands: SHA-256
-- over its values, moments in microseconds, joined by U+001F, NULL as U+001E. The seal is no secret: it shows that this
-- trigger ran for this row. The follower compares the stamp with what the write-ahead log says.
CREATE OR REPLACE FUNCTION counterfoil.stamp() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.recorded_txid := pg_current_xact_id();
  NEW.recorded_at := clock_timestamp();
  NEW.recorded_by := session_user;
  NEW."timestamp" := coalesce(NEW."timestamp", NEW.recorded_at);
  NEW.seal := sha256(convert_to(concat_ws(E'\x1f',
    NEW.id, (extract(epoch FROM NEW."timestamp") * 1000000)::bigint, NEW.event_type, NEW.actor,
    coalesce(NEW.actor_type, E'\x1e'), coalesce(NEW.on_behalf_of, E'\x1e'), NEW.entity_id,
    coalesce(NEW.entity_type, E'\x1e'), coalesce(NEW.old_value::text, E'\x1e'), coalesce(NEW.new_value::text, E'\x1e'),
    coalesce(NEW.outcome, E'\x1e'), coalesce(NEW.reason, E'\x1e'), coalesce(NEW.context::text, E'\x1e'),
    coalesce(NEW.trace_id, E'\x1e'), NEW.recorded_txid,
    (extract(epoch FROM NEW.recorded_at) * 1000000)::bigint, NEW.recorded_by), 'UTF8'));
  RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION counterfoil.refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'counterfoil.audit_log is append-only: % is refused', TG_OP
    USING ERRCODE = 'insufficient_privilege', HINT = 'Record a correction as a new row.';
END $$;

-- Taken back below, as all that the owner does not need.
GRANT TRIGGER ON counterfoil.audit_log TO counterfoil_owner;
CREATE OR REPLACE TRIGGER stamp BEFORE INSERT ON counterfoil.audit_log
  FOR EACH ROW EXECUTE FUNCTION counterfoil.stamp();
CREATE OR REPLACE TRIGGER append_only BEFORE DELETE OR UPDATE ON counterfoil.audit_log
  FOR EACH ROW EXECUTE FUNCTION counterfoil.refuse();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON counterfoil.audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION counterfoil.refuse();
-- Also where session_replication_role says "replica".
ALTER TABLE counterfoil.audit_log ENABLE ALWAYS TRIGGER stamp;
ALTER TABLE counterfoil.audit_log ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE counterfoil.audit_log ENABLE ALWAYS TRIGGER no_truncate;

-- Records one act, in the caller's transaction: it commits with the business change, or not at all. Returns the row's id.
-- Without an actor it takes the setting "counterfoil.actor" (SET LOCAL counterfoil.actor = 'maria'), else the role.
CREATE OR REPLACE FUNCTION counterfoil.audit(
  event_type text, entity_id text, actor text DEFAULT NULL, old jsonb DEFAULT NULL, new jsonb DEFAULT NULL,
  context jsonb DEFAULT NULL, actor_type text DEFAULT NULL, on_behalf_of text DEFAULT NULL,
  entity_type text DEFAULT NULL, outcome text DEFAULT NULL, reason text DEFAULT NULL, trace_id text DEFAULT NULL,
  happened timestamptz DEFAULT NULL) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO counterfoil.audit_log ("timestamp", event_type, actor, actor_type, on_behalf_of, entity_id, entity_type,
                                     old_value, new_value, outcome, reason, context, trace_id)
  VALUES (audit.happened, audit.event_type,
          coalesce(audit.actor, nullif(current_setting('counterfoil.actor', true), ''), session_user),
          audit.actor_type, audit.on_behalf_of, audit.entity_id, audit.entity_type, audit.old, audit.new, audit.outcome,
          audit.reason, audit.context, audit.trace_id)
  RETURNING id
$$;

-- Records the changes of a business table, with the columns that it is given and no others:
--   CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON payments
--     FOR EACH ROW EXECUTE FUNCTION counterfoil.audit_rows('amount', 'status');
--   CREATE TRIGGER audited_truncate AFTER TRUNCATE ON payments
--     FOR EACH STATEMENT EXECUTE FUNCTION counterfoil.audit_rows();
-- event_type is the table and what was done (payments_updated), entity_id the primary key. An update that changes none of
-- the columns records nothing.
CREATE OR REPLACE FUNCTION counterfoil.audit_rows() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  before jsonb := CASE WHEN TG_LEVEL = 'ROW' AND TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
  after  jsonb := CASE WHEN TG_LEVEL = 'ROW' AND TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
  key    text;
  wrong  text;
BEGIN
  IF TG_LEVEL = 'STATEMENT' THEN
    PERFORM counterfoil.audit(TG_TABLE_NAME || '_truncated', TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME,
                              entity_type => 'table');
    RETURN NULL;
  END IF;
  SELECT string_agg(coalesce(after, before) ->> a.attname, '/' ORDER BY array_position(i.indkey::int2[], a.attnum))
    INTO key FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    WHERE i.indrelid = TG_RELID AND i.indisprimary;
  IF key IS NULL THEN
    RAISE EXCEPTION 'table %.% needs a primary key to be audited', TG_TABLE_SCHEMA, TG_TABLE_NAME;
  END IF;
  SELECT c INTO wrong FROM unnest(TG_ARGV) c WHERE NOT coalesce(after, before) ? c LIMIT 1;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'audit_rows: table %.% has no column %', TG_TABLE_SCHEMA, TG_TABLE_NAME, wrong;
  END IF;
  before := (SELECT jsonb_object_agg(c, before -> c) FROM unnest(TG_ARGV) c WHERE before IS NOT NULL);
  after := (SELECT jsonb_object_agg(c, after -> c) FROM unnest(TG_ARGV) c WHERE after IS NOT NULL);
  IF TG_OP <> 'UPDATE' OR before IS DISTINCT FROM after THEN
    PERFORM counterfoil.audit(
      TG_TABLE_NAME || CASE TG_OP WHEN 'INSERT' THEN '_inserted' WHEN 'UPDATE' THEN '_updated' ELSE '_deleted' END,
      key, old => before, new => after, entity_type => TG_TABLE_NAME);
  END IF;
  RETURN NULL;
END $$;

ALTER SCHEMA counterfoil OWNER TO counterfoil_owner;
ALTER TABLE counterfoil.audit_log OWNER TO counterfoil_owner;
ALTER FUNCTION counterfoil.stamp() OWNER TO counterfoil_owner;
ALTER FUNCTION counterfoil.refuse() OWNER TO counterfoil_owner;
ALTER FUNCTION counterfoil.audit(text, text, text, jsonb, jsonb, jsonb, text, text, text, text, text, text, timestamptz)
  OWNER TO counterfoil_owner;
ALTER FUNCTION counterfoil.audit_rows() OWNER TO counterfoil_owner;

-- The owner itself may insert and read, no more: also not by mistake.
REVOKE ALL ON counterfoil.audit_log FROM PUBLIC, counterfoil_owner, counterfoil_writer, counterfoil_reader;
GRANT SELECT, INSERT ON counterfoil.audit_log TO counterfoil_owner;
GRANT SELECT ON counterfoil.audit_log TO counterfoil_reader;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA counterfoil FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
  counterfoil.audit(text, text, text, jsonb, jsonb, jsonb, text, text, text, text, text, text, timestamptz)
  TO counterfoil_writer;
-- Whoever owns a business table may put the trigger on it.
GRANT EXECUTE ON FUNCTION counterfoil.audit_rows() TO counterfoil_writer;

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = 'counterfoil') THEN
    CREATE PUBLICATION counterfoil FOR TABLE counterfoil.audit_log
      WITH (publish = 'insert, update, delete, truncate');
  ELSIF NOT EXISTS (SELECT FROM pg_publication_tables WHERE pubname = 'counterfoil'
                    AND schemaname = 'counterfoil' AND tablename = 'audit_log') THEN
    ALTER PUBLICATION counterfoil ADD TABLE counterfoil.audit_log;
  END IF;
END $$;
COMMIT;
