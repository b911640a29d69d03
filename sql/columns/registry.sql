-- Embedding columns: what they are made of, how far their back-fill is, whose they are.

-- A row for each embedding column. Expressions are Postgres' own text of them, for search_path = pg_catalog, pg_temp.
CREATE TABLE embedding_columns (
    tbl                regclass NOT NULL,
    target             name NOT NULL,
    model              text NOT NULL,
    inputs             text,
    image              text,
    input_expression   text,
    image_expression   text,
    input_columns      name[] NOT NULL,
    key_columns        name[] NOT NULL,
    key_equals         text[] NOT NULL,
    dimensions         int,
    mode               text NOT NULL CHECK (mode IN ('statement', 'queue', 'manual')),
    hash_column        name NOT NULL,
    fingerprint_column name NOT NULL,
    queue              regclass NOT NULL,
    role               text NOT NULL DEFAULT 'current' CHECK (role IN ('current', 'next', 'previous')),
    of                 name,
    PRIMARY KEY (tbl, target)
);

-- The last or running back-fill of a column. No foreign key: pg_restore may load the two tables in any order.
CREATE TABLE embedding_progress (
    tbl         regclass NOT NULL,
    target      name NOT NULL,
    total       bigint NOT NULL,
    done        bigint NOT NULL,
    failures    bigint NOT NULL DEFAULT 0,
    started_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    finished_at timestamptz,
    active      interval NOT NULL DEFAULT '0',
    rate        float8,
    PRIMARY KEY (tbl, target)
);

-- What was a temporary table's is nobody's when its session is over, and must not become another table's elsewhere.
-- Nor must a row that embedding_guard would refuse keep all others from being restored: they come in one COPY.
-- Two statements: one alone cannot change the extension's row twice.
SELECT pg_catalog.pg_extension_config_dump('@extschema@.embedding_columns',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS c
                       JOIN pg_catalog.pg_class AS q ON q.relowner OPERATOR(pg_catalog.=) c.relowner
                   WHERE c.oid OPERATOR(pg_catalog.=) tbl AND c.relpersistence OPERATOR(pg_catalog.<>) ''t''
                     AND q.oid OPERATOR(pg_catalog.=) queue AND q.relkind OPERATOR(pg_catalog.=) ''r'')
       AND NOT EXISTS (SELECT FROM pg_catalog.unnest(
                           ARRAY[target, hash_column, fingerprint_column]
                           OPERATOR(pg_catalog.||) key_columns OPERATOR(pg_catalog.||) input_columns) AS u (col)
                       WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
                                         WHERE a.attrelid OPERATOR(pg_catalog.=) tbl
                                           AND a.attname OPERATOR(pg_catalog.=) u.col AND NOT a.attisdropped))');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.embedding_progress',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS c
                   WHERE c.oid OPERATOR(pg_catalog.=) tbl AND c.relpersistence OPERATOR(pg_catalog.<>) ''t'')');

-- Whether the caller has the rights of the relation's owner; NULL where there is no such relation.
CREATE FUNCTION embedding_may(relation regclass) RETURNS bool
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class AS c WHERE c.oid = relation
$$;

-- Whether the relation is there for this session: temporary tables of others are not.
CREATE FUNCTION embedding_is_there(relation regclass) RETURNS bool
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM pg_class AS c
                   WHERE c.oid = relation AND (c.relpersistence <> 't' OR c.relnamespace = pg_my_temp_schema()))
$$;

CREATE FUNCTION embedding_require_owner(tbl regclass) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF @extschema@.embedding_may(tbl) IS NOT TRUE THEN
        RAISE EXCEPTION 'must be owner of table %', tbl USING ERRCODE = 'insufficient_privilege',
            DETAIL = 'What is done to an embedding column is done with the rights of its table''s owner.',
            HINT = format('Ask %s, or to be made a member of that role.', coalesce(
                (SELECT quote_ident(pg_get_userbyid(c.relowner)) FROM pg_class AS c WHERE c.oid = tbl), 'its owner'));
    END IF;
END
$$;

-- Rows of the registry decide what is done in the name of tables' owners, and which queue goes when a table goes: only
-- who has their rights may write them. What is left of a table that is gone may be removed by anybody.
CREATE FUNCTION embedding_guard() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing name;
BEGIN
    IF TG_OP <> 'INSERT' AND @extschema@.embedding_may(OLD.tbl) IS NOT NULL THEN
        PERFORM @extschema@.embedding_require_owner(OLD.tbl);
        IF TG_RELID = '@extschema@.embedding_columns'::regclass THEN
            PERFORM @extschema@.embedding_announce(OLD.tbl);
        END IF;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    PERFORM @extschema@.embedding_require_owner(NEW.tbl);
    IF TG_RELID = '@extschema@.embedding_columns'::regclass THEN
        PERFORM @extschema@.embedding_require_owner(NEW.queue);
        IF (SELECT c.relkind NOT IN ('r', 'p') FROM pg_class AS c WHERE c.oid = NEW.tbl)
                OR (SELECT c.relkind <> 'r' FROM pg_class AS c WHERE c.oid = NEW.queue) THEN
            RAISE EXCEPTION '% and % cannot be an embedding column''s table and queue', NEW.tbl, NEW.queue
                USING ERRCODE = 'wrong_object_type',
                DETAIL = 'Both are tables. Only the first may be partitioned.',
                HINT = 'add_embedding makes queue and row.';
        END IF;
        IF (SELECT t.relowner <> q.relowner FROM pg_class AS t, pg_class AS q WHERE t.oid = NEW.tbl AND q.oid = NEW.queue) THEN
            RAISE EXCEPTION '% and % are not the same owner''s', NEW.tbl, NEW.queue
                USING ERRCODE = 'insufficient_privilege',
                DETAIL = 'An embedding column''s queue belongs to its table, and goes with it.',
                HINT = 'add_embedding makes queue and row.';
        END IF;
        missing := (SELECT u FROM unnest(ARRAY[NEW.target, NEW.hash_column, NEW.fingerprint_column]
                                         || NEW.key_columns || NEW.input_columns) AS u
                    WHERE @extschema@.embedding_type_of(NEW.tbl, u) IS NULL LIMIT 1);
        IF missing IS NOT NULL THEN
            RAISE EXCEPTION 'column "%" of relation % does not exist', missing, NEW.tbl
                USING ERRCODE = 'undefined_column',
                DETAIL = 'An embedding column is registered with columns that are there.',
                HINT = 'add_embedding makes columns and row.';
        END IF;
        -- They become parts of statements.
        PERFORM @extschema@.embedding_check_expression(NEW.input_expression, 'input_expression'),
                @extschema@.embedding_check_expression(NEW.image_expression, 'image_expression'),
                @extschema@.embedding_announce(NEW.tbl);
        -- In a restore as well: what was listed in the dump waits for a worker.
        IF NEW.mode = 'queue' THEN
            PERFORM @extschema@.embedding_wake();
        END IF;
    END IF;
    RETURN NEW;
END
$$;

-- What embedding_record does about a table once it knows that the caller has its owner's rights. With those of the
-- extension's owner, hence for nobody else to call, and with nothing in it that somebody else has written.
-- Columns that are no embedding columns any more: {"targets": [...]}, with the reports of their migrations where these are
-- of no use any more: {"targets": [...], "reports": true}. What is left of tables that are gone: {}.
CREATE FUNCTION embedding_record_removed(tbl regclass, given jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF given ? 'targets' THEN
        DELETE FROM @extschema@.embedding_columns AS c WHERE c.tbl = $1 AND given -> 'targets' ? c.target::text;
        IF (given ->> 'reports')::bool THEN
            DELETE FROM @extschema@.embedding_migrations AS m WHERE m.tbl = $1 AND given -> 'targets' ? m.target::text;
        END IF;
        RETURN;
    END IF;
    -- Anybody may hold what is nobody's any more, and must not keep those waiting who have nothing to do with it. A column
    -- takes its progress along, so that has to be gone first.
    DELETE FROM @extschema@.embedding_progress AS p WHERE p.ctid = ANY (ARRAY(
        SELECT g.ctid FROM @extschema@.embedding_progress AS g
        WHERE NOT EXISTS (SELECT FROM pg_class AS t WHERE t.oid = g.tbl) FOR UPDATE OF g SKIP LOCKED));
    DELETE FROM @extschema@.embedding_columns AS c WHERE c.ctid = ANY (ARRAY(
        SELECT g.ctid FROM @extschema@.embedding_columns AS g
        WHERE NOT EXISTS (SELECT FROM pg_class AS t WHERE t.oid = g.tbl)
          AND NOT EXISTS (SELECT FROM @extschema@.embedding_progress AS p WHERE p.tbl = g.tbl AND p.target = g.target)
        FOR UPDATE OF g SKIP LOCKED));
    DELETE FROM @extschema@.embedding_migrations AS m WHERE m.ctid = ANY (ARRAY(
        SELECT g.ctid FROM @extschema@.embedding_migrations AS g
        WHERE NOT EXISTS (SELECT FROM pg_class AS t WHERE t.oid = g.tbl) FOR UPDATE OF g SKIP LOCKED));
END
$$;

-- The key of a column of the table has operators of other types: {"target": ...}.
CREATE FUNCTION embedding_record_keys(tbl regclass, given jsonb) RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE @extschema@.embedding_columns AS c SET key_equals = k.equals
    FROM @extschema@.embedding_columns AS e, @extschema@.embedding_key(e.tbl, e.key_columns) AS k
    WHERE e.tbl = $1 AND e.target = given ->> 'target' AND k.equals IS NOT NULL
      AND c.tbl = e.tbl AND c.target = e.target
$$;

-- How far a back-fill is: {"target": ...} and what is another value now; the row is locked in any case.
CREATE FUNCTION embedding_record_progress(tbl regclass, given jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p @extschema@.embedding_progress;
BEGIN
    SELECT * INTO p FROM @extschema@.embedding_progress AS e
    WHERE e.tbl = $1 AND e.target = given ->> 'target' FOR UPDATE;
    IF FOUND AND given - 'target' <> '{}' THEN
        p := jsonb_populate_record(p, given - 'tbl' - 'target');
        UPDATE @extschema@.embedding_progress AS e
        SET (total, done, failures, started_at, updated_at, finished_at, active, rate) = (
            p.total, p.done, p.failures, p.started_at, p.updated_at, p.finished_at, p.active, p.rate)
        WHERE e.tbl = p.tbl AND e.target = p.target;
    END IF;
END
$$;

-- That the last migration of a column has swapped, or was undone: {"target": ..., "swapped": true or false}.
CREATE FUNCTION embedding_record_swapped(tbl regclass, given jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE @extschema@.embedding_migrations AS m
    SET swapped_at = CASE WHEN (given ->> 'swapped')::bool THEN coalesce(m.swapped_at, clock_timestamp()) END
    WHERE m.tbl = $1 AND m.target = given ->> 'target'
      AND m.at = (SELECT max(l.at) FROM @extschema@.embedding_migrations AS l
                  WHERE l.tbl = m.tbl AND l.target = m.target);
END
$$;

-- How far its back-fill is goes with a column.
CREATE FUNCTION embedding_forget() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM @extschema@.embedding_progress AS p WHERE p.tbl = OLD.tbl AND p.target = OLD.target;
    ELSIF (NEW.tbl, NEW.target) <> (OLD.tbl, OLD.target) THEN
        UPDATE @extschema@.embedding_progress AS p SET tbl = NEW.tbl, target = NEW.target
        WHERE p.tbl = OLD.tbl AND p.target = OLD.target;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER embedding_forget AFTER UPDATE OR DELETE ON embedding_columns
    FOR EACH ROW EXECUTE FUNCTION embedding_forget();
CREATE TRIGGER embedding_guard BEFORE INSERT OR UPDATE OR DELETE ON embedding_columns
    FOR EACH ROW EXECUTE FUNCTION embedding_guard();
CREATE TRIGGER embedding_guard BEFORE INSERT OR UPDATE OR DELETE ON embedding_progress
    FOR EACH ROW EXECUTE FUNCTION embedding_guard();

-- base_suffix. A base too long for a name is cut at a character, and six digits of its hash keep it apart from others.
CREATE FUNCTION embedding_name(base text, suffix text) RETURNS name
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    room int := 62 - octet_length(suffix);
    kept text := base;
BEGIN
    IF octet_length(base) > room THEN
        room := greatest(0, room - 7);
        kept := left(base, room);
        WHILE octet_length(kept) > room LOOP
            kept := left(kept, -1);
        END LOOP;
        kept := kept || '_' || left(md5(base), 6);
    END IF;
    RETURN kept || '_' || suffix;
END
$$;

-- The same, for a relation of the schema: a number is added where the name is taken, as Postgres does for its own.
CREATE FUNCTION embedding_free_name(schema oid, base text, suffix text) RETURNS name
    LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    free name := @extschema@.embedding_name(base, suffix);
    number int := 1;
BEGIN
    WHILE EXISTS (SELECT FROM pg_class AS c WHERE c.relname = free AND c.relnamespace = schema)
          OR EXISTS (SELECT FROM pg_type AS t WHERE t.typname = free AND t.typnamespace = schema) LOOP
        number := number + 1;
        free := @extschema@.embedding_name(base, suffix || '_' || number);
    END LOOP;
    RETURN free;
END
$$;

-- The registry's row of an embedding column, or an error that names those that there are.
CREATE FUNCTION embedding_column(tbl regclass, target name) RETURNS embedding_columns
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    found_one @extschema@.embedding_columns;
BEGIN
    IF tbl IS NULL OR target IS NULL THEN
        RAISE EXCEPTION '% must not be null', CASE WHEN tbl IS NULL THEN 'tbl' ELSE 'target' END
            USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'An embedding column is named by its table and by the column that holds the vectors.',
            HINT = 'embeddings() lists them.';
    END IF;
    SELECT * INTO found_one FROM @extschema@.embedding_columns AS c WHERE c.tbl = tbl AND c.target = target;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'column "%" of table % is no embedding column', target, tbl USING ERRCODE = 'undefined_object',
            DETAIL = coalesce('Those of this table: ' || (
                SELECT string_agg(quote_ident(c.target), ', ' ORDER BY c.target)
                FROM @extschema@.embedding_columns AS c WHERE c.tbl = tbl) || '.', 'This table has none.'),
            HINT = 'embeddings() lists them all; add_embedding makes one.';
    END IF;
    RETURN found_one;
END
$$;

-- The schema that pgvector is in.
CREATE FUNCTION embedding_pgvector() RETURNS name
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT n.nspname FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector'
$$;

-- The rows of an embedding column's table as a SELECT: where they are, their key, what is stored, what they hold, its
-- hash. For EXECUTE with the owner's rights, a search_path of pg_catalog, pg_temp: it evaluates his expressions.
CREATE FUNCTION embedding_source(c embedding_columns) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('SELECT tableoid AS relation, ctid AS place, %s, %I AS vector, %I AS hash, %I AS fingerprint, '
                  '%s AS input, %s AS image, @extschema@.embedding_hash(%s, %s) AS content FROM %s',
                  k.keys, c.target, c.hash_column, c.fingerprint_column, e.input, e.image, e.input, e.image, c.tbl)
    FROM (SELECT string_agg(format('%I AS key_%s', k, n), ', ' ORDER BY n)
          FROM unnest(c.key_columns) WITH ORDINALITY AS u (k, n)) AS k (keys),
         (SELECT format(E'(%s\n)::text', coalesce(c.input_expression, 'NULL')),
                 format(E'(%s\n)::bytea', coalesce(c.image_expression, 'NULL'))) AS e (input, image)
$$;

-- The keys of a column's rows, and why they are stale (NULL: fresh) by the fingerprint that the model has now, $1, as a
-- SELECT for EXECUTE like embedding_source. careful: a row that its owner's expressions fail for is one that is stale,
-- too, instead of an error of all; that takes its time.
CREATE FUNCTION embedding_staleness(c embedding_columns, careful bool) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN careful
                THEN format('SELECT %s, @extschema@.embedding_judge(%L, $1, tableoid, ctid) AS reason FROM %s',
                            keys.read, format('SELECT %s FROM (%s WHERE tableoid = $2 AND ctid = $3) AS t',
                                              reason, source), c.tbl)
                ELSE format('SELECT %s, %s AS reason FROM (%s) AS t', keys.named, reason, source) END
    FROM (VALUES ('CASE WHEN t.vector IS NULL AND t.content IS NULL AND t.hash IS NULL THEN NULL
                        WHEN t.vector IS NULL AND t.content IS NOT NULL THEN ''no vector''
                        WHEN t.hash IS NULL THEN ''no hash''
                        WHEN t.content IS DISTINCT FROM t.hash THEN ''other content''
                        WHEN t.fingerprint IS DISTINCT FROM $1 THEN ''other model'' END')) AS r (reason),
         (SELECT @extschema@.embedding_source(c)) AS s (source),
         (SELECT string_agg('key_' || n, ', ' ORDER BY n), string_agg(format('%I AS key_%s', k, n), ', ' ORDER BY n)
          FROM unnest(c.key_columns) WITH ORDINALITY AS u (k, n)) AS keys (named, read)
$$;

-- Why one row is stale, by such a statement; that it fails is a reason, too.
CREATE FUNCTION embedding_judge(statement text, fingerprint text, relation oid, place tid) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reason text;
BEGIN
    EXECUTE statement INTO reason USING fingerprint, relation, place;
    RETURN reason;
EXCEPTION WHEN OTHERS THEN
    IF @extschema@.embedding_is_row_fault(SQLSTATE) THEN
        RETURN 'inputs fail';
    END IF;
    RAISE;
END
$$;

-- The only row of a statement that reads a relation, by its owner's rights: views, policies and functions of his must
-- gain none of who looks. NULL where the caller has not the owner's rights, where it fails, or where somebody has locked it
-- for longer than a second: one relation that is not what it should be must not keep others from being looked at.
CREATE FUNCTION embedding_look(relation regclass, statement text) RETURNS jsonb
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
BEGIN
    IF @extschema@.embedding_may(relation) THEN
        RETURN (SELECT r FROM @extschema@.embedding_as_owner(relation, statement) AS r LIMIT 1);
    END IF;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$$;

-- How many entries of a column's queue wait, how many have failed, and by which error most of them; NULL where the
-- caller has not its owner's rights.
CREATE FUNCTION embedding_queue_counts(queue regclass, OUT pending bigint, OUT failed bigint, OUT usual text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (q.counts ->> 'pending')::bigint, (q.counts ->> 'failed')::bigint, q.counts ->> 'usual'
    FROM (SELECT @extschema@.embedding_look(queue, format(
        'SELECT count(*) FILTER (WHERE attempts = 0) AS pending, count(*) FILTER (WHERE attempts > 0) AS failed, '
        'mode() WITHIN GROUP (ORDER BY error) FILTER (WHERE attempts > 0) AS usual FROM %s', queue))
        OFFSET 0) AS q (counts)
$$;

-- The columns of a table, for hints.
CREATE FUNCTION embedding_table_columns(tbl regclass) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'Columns: ' || string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) || '.'
    FROM pg_attribute AS a WHERE a.attrelid = tbl AND a.attnum > 0 AND NOT a.attisdropped
$$;

-- The type of a column as Postgres writes it; NULL where there is no such column.
CREATE FUNCTION embedding_type_of(tbl regclass, col name) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a
    WHERE a.attrelid = tbl AND a.attname = col AND NOT a.attisdropped
$$;
