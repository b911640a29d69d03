-- The swap of a migration: an embedding column and another one of the same inputs change names, in one short transaction
-- that readers either see before or after. What is rolled back is swapped once more.
--
-- Locks are taken in this order: the advisory ones of both queues, so that who drains them has ended; the table, which
-- writers have locked as well before they list a change; the queues.

-- The migration's other column: with the role 'next' what it fills, with 'previous' what it has kept; NULL where there is none.
CREATE FUNCTION embedding_sibling(tbl regclass, target name, role text) RETURNS embedding_columns
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s FROM @extschema@.embedding_columns AS s
    WHERE s.tbl = $1 AND s.of = $2 AND s.role = $3 ORDER BY s.target LIMIT 1
$$;

-- What a column gets for a name when it gives its own away or takes it from nobody: of itself, hashes, fingerprints.
CREATE FUNCTION embedding_names(target name, suffix text) RETURNS name[]
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT ARRAY[n, @extschema@.embedding_name(n, 'hash'), @extschema@.embedding_name(n, 'fingerprint')]
    FROM @extschema@.embedding_name(target, suffix) AS n
$$;

-- An error where names that a migration needs are taken by other columns of the table.
CREATE FUNCTION embedding_check_names(tbl regclass, names name[]) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    taken name := (SELECT a.attname FROM pg_attribute AS a
                   WHERE a.attrelid = tbl AND a.attname = ANY (names) AND NOT a.attisdropped ORDER BY a.attnum LIMIT 1);
BEGIN
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION 'column "%" of table % exists already', taken, tbl USING ERRCODE = 'duplicate_column',
            DETAIL = 'A migration needs the name for a column of its own.',
            HINT = format('ALTER TABLE %s RENAME COLUMN %I TO ...; or drop it.', tbl, taken);
    END IF;
END
$$;

-- How many rows have a vector in `have` that they would lack in `want`: there is none although there is something to embed,
-- it is of another model, or it is of other content and what there is now failed. Rows that just have changed, whose vector is
-- on its way, are none of them. failed: only those that failed in `want`, which takes no look at all others. With the rights
-- of the table's owner, as it may evaluate his expressions.
CREATE FUNCTION embedding_lacking(tbl regclass, have name, want name, failed bool) RETURNS bigint
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    h @extschema@.embedding_columns := @extschema@.embedding_column(tbl, have);
    w @extschema@.embedding_columns := @extschema@.embedding_column(tbl, want);
    differing text := format('SELECT count(*) FROM %s AS t WHERE t.%I IS NOT NULL '
                             'AND (t.%I IS NULL OR t.%I IS DISTINCT FROM $1 OR t.%I IS DISTINCT FROM t.%I)', tbl, h.target,
                             w.target, w.fingerprint_column, w.hash_column, h.hash_column);
    queued text := (SELECT format('EXISTS (SELECT FROM %s AS q WHERE %s AND q.attempts', w.queue,
                                  string_agg(format('q.key_%s %s t.%I', n, e, k), ' AND ' ORDER BY n))
                    FROM ROWS FROM (unnest(w.key_columns), unnest(w.key_equals)) WITH ORDINALITY AS u (k, e, n));
    lacking bigint;
BEGIN
    EXECUTE differing || CASE WHEN failed THEN format(' AND %s > 0)', queued) ELSE
        format(E' AND CASE WHEN %1$s = 0) THEN false WHEN %1$s > 0) THEN true '
               'WHEN t.%2$I IS NULL THEN @extschema@.embedding_hash((%3$s\n)::text, (%4$s\n)::bytea) IS NOT NULL '
               'ELSE t.%5$I IS DISTINCT FROM $1 END', queued, w.target, coalesce(w.input_expression, 'NULL'),
               coalesce(w.image_expression, 'NULL'), w.fingerprint_column) END
        INTO lacking USING @extschema@.model_fingerprint(w.model);
    RETURN lacking;
END
$$;

CREATE FUNCTION embedding_lacking_as_owner(tbl regclass, have name, want name, failed bool) RETURNS bigint
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (r ->> 'lacking')::bigint FROM @extschema@.embedding_as_owner(tbl,
        format('SELECT @extschema@.embedding_lacking(%s, %L, %L, %L) AS lacking', tbl::oid, have, want, failed)) AS r
$$;

-- Entries of a column's queue that wait, and those that failed. As the table's owner, like all that reads or writes a queue:
-- it is his, with what he has put on it.
CREATE FUNCTION embedding_queued(listed embedding_columns, OUT waiting bigint, OUT failed bigint)
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (r ->> 'waiting')::bigint, (r ->> 'failed')::bigint FROM @extschema@.embedding_as_owner((listed).tbl,
        format('SELECT count(*) FILTER (WHERE attempts = 0) AS waiting, count(*) FILTER (WHERE attempts > 0) AS failed '
               'FROM %s', (listed).queue)) AS r
$$;

-- Makes what waits in a column's queue due, whatever it waits for. Gives how much that is.
CREATE FUNCTION embedding_make_due(tbl regclass, target name) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    due bigint;
BEGIN
    EXECUTE format('UPDATE %s SET retry_at = ''-infinity'' WHERE attempts = 0',
                   (@extschema@.embedding_column(tbl, target)).queue);
    GET DIAGNOSTICS due = ROW_COUNT;
    RETURN due;
END
$$;

CREATE FUNCTION embedding_make_due_as_owner(tbl regclass, target name) RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT FROM @extschema@.embedding_as_owner(tbl,
        format('SELECT @extschema@.embedding_make_due(%s, %L)', tbl::oid, target)) AS r
$$;

-- So many changed rows are embedded under the swap's lock at most: readers wait for them.
CREATE FUNCTION embedding_swap_most() RETURNS int
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    RETURN 16;

-- An error where rows would lose a vector by the swap, with what the model says of them.
CREATE FUNCTION embedding_require_filled(have embedding_columns, want embedding_columns) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lacking bigint := @extschema@.embedding_lacking_as_owner(have.tbl, have.target, want.target, false);
    reasons text;
BEGIN
    IF lacking = 0 THEN
        RETURN;
    END IF;
    reasons := (SELECT string_agg(format('%s: %s', r ->> 'n', rtrim(r ->> 'error', '.')), '; ' ORDER BY (r ->> 'n')::bigint DESC, r ->> 'error')
                FROM @extschema@.embedding_as_owner(have.tbl,
                    format('SELECT count(*) AS n, error FROM %s WHERE attempts > 0 '
                           'GROUP BY error ORDER BY 1 DESC, 2 LIMIT 3', want.queue)) AS r);
    RAISE EXCEPTION '%', format('%s of table %s would lose %s: "%s" lacks what "%s" has',
            CASE lacking WHEN 1 THEN 'a row' ELSE lacking || ' rows' END, have.tbl,
            CASE lacking WHEN 1 THEN 'its vector' ELSE 'their vectors' END, want.target, have.target)
        USING ERRCODE = 'object_not_in_prerequisite_state',
        DETAIL = 'Nothing was swapped.' || coalesce(' Failures: ' || reasons || '.', ''),
        HINT = format('Which rows, and why: SELECT * FROM %s WHERE error IS NOT NULL. Change them, or set "%s" to NULL '
                      'where it is not needed; CALL backfill(%L, %L) tries again.',
                      want.queue, have.target, have.tbl::text, want.target);
END
$$;

-- The index of hashes that an embedding column has.
CREATE FUNCTION embedding_hash_index(tbl regclass, hash_column name) RETURNS regclass
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT i.indexrelid::regclass FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = tbl AND a.attname = hash_column
    WHERE i.indrelid = tbl AND i.indkey::text = a.attnum::text ORDER BY i.indexrelid LIMIT 1
$$;

CREATE FUNCTION embedding_key_index(queue regclass) RETURNS regclass
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT i.indexrelid::regclass FROM pg_index AS i WHERE i.indrelid = queue AND i.indisprimary
$$;

-- Two relations of a pair: the first gets a name made of base and suffix, the second the first one's. Either may be NULL.
CREATE FUNCTION embedding_rename_pair(kind text, leaving regclass, coming regclass, base text, suffix text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    former pg_class;
BEGIN
    SELECT * INTO former FROM pg_class WHERE oid = leaving;
    IF leaving IS NOT NULL THEN
        EXECUTE format('ALTER %s %s RENAME TO %I', kind, leaving,
                       @extschema@.embedding_free_name(former.relnamespace, base, suffix));
        IF coming IS NOT NULL THEN
            EXECUTE format('ALTER %s %s RENAME TO %I', kind, coming, former.relname);
        END IF;
    END IF;
END
$$;

-- The catalog's part of the swap: `leaving` gets names of its target and the suffix, `coming` those that it had.
CREATE FUNCTION embedding_rename(leaving embedding_columns, coming embedding_columns, names name[]) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    base text := (SELECT c.relname FROM pg_class AS c WHERE c.oid = leaving.tbl) || '_' || names[1];
    before name[] := ARRAY[leaving.target, leaving.hash_column, leaving.fingerprint_column];
    other name[] := ARRAY[coming.target, coming.hash_column, coming.fingerprint_column];
BEGIN
    -- By column, before these have other names.
    PERFORM @extschema@.embedding_rename_pair('INDEX', @extschema@.embedding_index(leaving.tbl, leaving.target),
                                              @extschema@.embedding_index(leaving.tbl, coming.target), base, 'hnsw'),
            @extschema@.embedding_rename_pair('INDEX', @extschema@.embedding_hash_index(leaving.tbl, leaving.hash_column),
                                              @extschema@.embedding_hash_index(leaving.tbl, coming.hash_column), base, 'hash_idx'),
            @extschema@.embedding_rename_pair('INDEX', @extschema@.embedding_key_index(leaving.queue),
                                              @extschema@.embedding_key_index(coming.queue), base, 'queue_pkey'),
            @extschema@.embedding_rename_pair('SEQUENCE', pg_get_serial_sequence(leaving.queue::text, 'id')::regclass,
                                              pg_get_serial_sequence(coming.queue::text, 'id')::regclass, base, 'queue_id_seq'),
            @extschema@.embedding_rename_pair('TABLE', leaving.queue, coming.queue, base, 'queue');
    FOR i IN 1 .. 3 LOOP
        EXECUTE format('ALTER TABLE %s RENAME COLUMN %I TO %I', leaving.tbl, before[i], names[i]);
        EXECUTE format('ALTER TABLE %s RENAME COLUMN %I TO %I', leaving.tbl, other[i], before[i]);
    END LOOP;
    EXECUTE format('COMMENT ON TABLE %s IS %L', leaving.queue,
                   format('what is to be embedded into %I of %s, and what failed and why', names[1], leaving.tbl));
    EXECUTE format('COMMENT ON TABLE %s IS %L', coming.queue,
                   format('what is to be embedded into %I of %s, and what failed and why', before[1], leaving.tbl));
END
$$;

-- Swaps an embedding column with its sibling, which is locked together with it: `role` is what the former becomes.
-- The registry first: what it names may not be renamed.
CREATE FUNCTION embedding_exchange(current_one embedding_columns, coming embedding_columns, role text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    names name[] := @extschema@.embedding_names(current_one.target, role);
    leaving @extschema@.embedding_columns := current_one;
    arriving @extschema@.embedding_columns := coming;
    progress jsonb;
BEGIN
    PERFORM @extschema@.embedding_check_names(current_one.tbl, names);
    progress := (SELECT jsonb_agg(to_jsonb(p)) FROM @extschema@.embedding_progress AS p
                 WHERE p.tbl = current_one.tbl AND p.target IN (current_one.target, coming.target));
    PERFORM @extschema@.embedding_record(current_one.tbl, 'removed', json_build_object(
        'targets', ARRAY[current_one.target, coming.target])::text);
    PERFORM @extschema@.embedding_rename(current_one, coming, names);
    leaving.target := names[1];
    leaving.hash_column := names[2];
    leaving.fingerprint_column := names[3];
    leaving.role := role;
    leaving.of := current_one.target;
    arriving.target := current_one.target;
    arriving.hash_column := current_one.hash_column;
    arriving.fingerprint_column := current_one.fingerprint_column;
    arriving.role := 'current';
    arriving.of := NULL;
    INSERT INTO @extschema@.embedding_columns SELECT (leaving).*;
    INSERT INTO @extschema@.embedding_columns SELECT (arriving).*;
    INSERT INTO @extschema@.embedding_progress
    SELECT (jsonb_populate_record(NULL::@extschema@.embedding_progress, p || jsonb_build_object('target',
                CASE p ->> 'target' WHEN current_one.target THEN leaving.target ELSE arriving.target END))).*
    FROM jsonb_array_elements(progress) AS p;
END
$$;

-- What goes on with the old column after the swap, because Postgres binds it to the column and not to its name.
CREATE FUNCTION embedding_bound(tbl regclass, col name) RETURNS text[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array_agg(DISTINCT described ORDER BY described)
    FROM pg_attribute AS a
        JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
        LEFT JOIN pg_rewrite AS w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
        CROSS JOIN LATERAL (SELECT CASE WHEN w.ev_class IS NULL THEN pg_describe_object(d.classid, d.objid, d.objsubid)
                                   ELSE pg_describe_object('pg_class'::regclass, w.ev_class, 0) END) AS s (described)
    WHERE a.attrelid = tbl AND a.attname = col AND NOT a.attisdropped
      AND NOT (d.classid = 'pg_class'::regclass
               AND (d.objid = @extschema@.embedding_index(tbl, col)::oid OR d.objid = tbl::oid AND d.objsubid = 0))
$$;

-- The locks of the swap, or lock_not_available. Whoever waits for the table keeps all others from it: hence the short time.
CREATE FUNCTION embedding_swap_locks(current_one embedding_columns, coming embedding_columns) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    queue oid;
BEGIN
    PERFORM set_config('lock_timeout', '5s', true); -- these keep nobody else waiting but those who drain
    FOREACH queue IN ARRAY ARRAY[current_one.queue, coming.queue]::oid[] LOOP
        BEGIN
            PERFORM pg_advisory_xact_lock(@extschema@.embedding_lock_class(), (queue::bigint - 2147483648)::int);
        EXCEPTION
            -- Anybody may hold these, who drains or not. The locks of the tables decide.
            WHEN lock_not_available OR deadlock_detected THEN NULL;
        END;
    END LOOP;
    PERFORM set_config('lock_timeout', '200ms', true);
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', current_one.tbl);
    EXECUTE format('LOCK TABLE %s, %s IN ACCESS EXCLUSIVE MODE', current_one.queue, coming.queue);
END
$$;

-- One try to swap `target` with its sibling of a role; the former gets the role `becomes`. Gives 'swapped'; 'locked' where
-- somebody works with the table; 'busy' where more than `most` changed rows, 16 at most, are waiting for their vector in what
-- comes, which are embedded under the lock, or where one that failed would lose a vector that it has got by now. Locks that
-- were taken are let go with the block.
CREATE FUNCTION embedding_swap_try(tbl regclass, target name, role text, becomes text, most int) RETURNS text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms'
AS $$
DECLARE
    c @extschema@.embedding_columns := @extschema@.embedding_column(tbl, target);
    s @extschema@.embedding_columns := @extschema@.embedding_sibling(tbl, target, role);
    limited int := least(most, @extschema@.embedding_swap_most());
    queued record;
BEGIN
    IF s.tbl IS NULL THEN
        RAISE EXCEPTION 'column "%" of table % is in no migration', target, tbl
            USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = 'Another session has ended it.', HINT = 'embeddings() shows what there is.';
    END IF;
    PERFORM @extschema@.embedding_swap_locks(c, s);
    -- Whoever swapped, or dropped one of them, while this one waited.
    IF (c, s) IS DISTINCT FROM (@extschema@.embedding_column(tbl, target), @extschema@.embedding_sibling(tbl, target, role)) THEN
        RAISE lock_not_available;
    END IF;
    SELECT * INTO queued FROM @extschema@.embedding_queued(s);
    IF queued.waiting > limited THEN
        RAISE SQLSTATE 'IE000';
    ELSIF queued.waiting > 0 THEN
        PERFORM @extschema@.embedding_make_due_as_owner(tbl, s.target);
        PERFORM @extschema@.embedding_drain(tbl, s.target, limited);
        SELECT * INTO queued FROM @extschema@.embedding_queued(s);
    END IF;
    IF queued.waiting > 0
            OR queued.failed > 0 AND @extschema@.embedding_lacking_as_owner(tbl, target, s.target, true) > 0 THEN
        RAISE SQLSTATE 'IE000';
    END IF;
    PERFORM @extschema@.embedding_exchange(c, s, becomes);
    RETURN 'swapped';
EXCEPTION
    WHEN lock_not_available OR deadlock_detected THEN RETURN 'locked';
    WHEN SQLSTATE 'IE000' THEN RETURN 'busy';
END
$$;
