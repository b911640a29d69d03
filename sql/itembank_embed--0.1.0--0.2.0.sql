-- From 0.1.0 to 0.2.0: who may use what, comments on everything.
\echo Use "ALTER EXTENSION itembank_embed UPDATE TO '0.2.0'" to load this file. \quit

-- Functions in C -----------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION embedding_is_row_fault(code text) RETURNS bool
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'embedding_is_row_fault_wrapper';
CREATE FUNCTION embedding_record(tbl regclass, what text, given text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'embedding_record_wrapper';

-- Names for arguments that had none.
CREATE OR REPLACE FUNCTION metric_combine(state internal, other internal) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'metric_combine_wrapper';
CREATE OR REPLACE FUNCTION metric_serialize(state internal) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'metric_serialize_wrapper';
CREATE OR REPLACE FUNCTION metric_deserialize(bytes bytea, state internal) RETURNS internal
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'metric_deserialize_wrapper';
CREATE OR REPLACE FUNCTION metric_mean(state internal) RETURNS float8
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'metric_mean_wrapper';
CREATE OR REPLACE FUNCTION observe_recall(state internal, query_id text, rank bigint, relevance int, k int) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_recall_wrapper';
CREATE OR REPLACE FUNCTION observe_precision(state internal, query_id text, rank bigint, relevance int, k int) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_precision_wrapper';
CREATE OR REPLACE FUNCTION observe_hit_rate(state internal, query_id text, rank bigint, relevance int, k int) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_hit_rate_wrapper';
CREATE OR REPLACE FUNCTION observe_judged(state internal, query_id text, rank bigint, relevance int, k int) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_judged_wrapper';
CREATE OR REPLACE FUNCTION observe_ndcg(state internal, query_id text, rank bigint, relevance int, k int) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_ndcg_wrapper';
CREATE OR REPLACE FUNCTION observe_ndcg_gain(state internal, query_id text, rank bigint, relevance int, k int, gain text) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_ndcg_gain_wrapper';
CREATE OR REPLACE FUNCTION observe_reciprocal_rank(state internal, query_id text, rank bigint, relevance int) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_reciprocal_rank_wrapper';
CREATE OR REPLACE FUNCTION observe_reciprocal_rank_at(state internal, query_id text, rank bigint, relevance int, k int) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_reciprocal_rank_at_wrapper';
CREATE OR REPLACE FUNCTION observe_average_precision(state internal, query_id text, rank bigint, relevance int) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_average_precision_wrapper';
CREATE OR REPLACE FUNCTION observe_average_precision_at(state internal, query_id text, rank bigint, relevance int, k int) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_average_precision_at_wrapper';
CREATE OR REPLACE FUNCTION observe_r_precision(state internal, query_id text, rank bigint, relevance int) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_r_precision_wrapper';
CREATE OR REPLACE FUNCTION observe_bpref(state internal, query_id text, rank bigint, relevance int) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_bpref_wrapper';

-- Functions in SQL ---------------------------------------------------------------------------------

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

CREATE FUNCTION embedding_record_keys(tbl regclass, given jsonb) RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE @extschema@.embedding_columns AS c SET key_equals = k.equals
    FROM @extschema@.embedding_columns AS e, @extschema@.embedding_key(e.tbl, e.key_columns) AS k
    WHERE e.tbl = $1 AND e.target = given ->> 'target' AND k.equals IS NOT NULL
      AND c.tbl = e.tbl AND c.target = e.target
$$;

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

CREATE OR REPLACE FUNCTION embedding_add(tbl regclass, target name, model text, inputs text, image text, dimensions int, type text,
                              mode text, index bool, backfill bool, path text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c @extschema@.embedding_columns;
    shape record;
    columns name[];
BEGIN
    PERFORM @extschema@.embedding_check_arguments(tbl, target, model, inputs, image, mode, index);
    PERFORM @extschema@.embedding_check_table(tbl);
    PERFORM @extschema@.embedding_record(tbl, 'removed', '{}');
    PERFORM @extschema@.embedding_require_key(tbl);
    PERFORM @extschema@.model_fingerprint(model);
    SELECT * INTO shape FROM @extschema@.embedding_size(model, dimensions, type, index);
    PERFORM @extschema@.embedding_check_modalities(model, inputs, image);
    -- From here on nothing about the table changes, and no weaker lock has to wait to become this one.
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', tbl);
    SELECT k.columns, k.equals INTO c.key_columns, c.key_equals FROM @extschema@.embedding_require_key(tbl) AS k;
    c.tbl := tbl;
    c.target := target;
    c.model := model;
    c.inputs := inputs;
    c.image := image;
    c.dimensions := dimensions;
    c.mode := mode;
    c.role := 'current';
    c.input_columns := '{}';
    IF inputs IS NOT NULL THEN
        SELECT e.expression, e.columns INTO c.input_expression, c.input_columns
        FROM @extschema@.embedding_expression(tbl, inputs, 'inputs', path) AS e;
    END IF;
    IF image IS NOT NULL THEN
        SELECT e.expression, e.columns INTO c.image_expression, columns
        FROM @extschema@.embedding_expression(tbl, image, 'image', path) AS e;
        c.input_columns := ARRAY(SELECT u FROM unnest(c.input_columns || columns) WITH ORDINALITY AS u (u, n)
                                 GROUP BY u ORDER BY min(n));
    END IF;
    c := @extschema@.embedding_make(c, shape.kind, shape.size);
    IF coalesce(backfill, mode = 'statement') THEN
        PERFORM @extschema@.embedding_backfill_now(tbl, target);
    ELSIF backfill IS NULL AND mode = 'queue' THEN
        PERFORM @extschema@.embedding_backfill_later(tbl, target);
    END IF;
    IF index THEN
        PERFORM @extschema@.embedding_make_index(tbl, target);
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION drop_embedding(tbl regclass, target name, keep_column bool DEFAULT false) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c @extschema@.embedding_columns := @extschema@.embedding_column(tbl, target);
    sibling name := (SELECT s.target FROM @extschema@.embedding_columns AS s WHERE s.tbl = $1 AND s.of = $2 LIMIT 1);
    col name;
BEGIN
    PERFORM @extschema@.embedding_require_owner(tbl);
    IF sibling IS NOT NULL THEN
        RAISE EXCEPTION 'column "%" of table % belongs to "%"', sibling, tbl, target
            USING ERRCODE = 'dependent_objects_still_exist',
            DETAIL = 'It is what a migration to another model is filling, or has kept for a way back.',
            HINT = format('First: SELECT drop_embedding(%L, %L);', tbl::text, sibling);
    END IF;
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', tbl);
    -- The registry first: what it names may not be dropped.
    PERFORM @extschema@.embedding_record(c.tbl, 'removed', json_build_object(
        'targets', ARRAY[c.target], 'reports', NOT keep_column)::text);
    PERFORM @extschema@.embedding_make_triggers(tbl);
    IF EXISTS (SELECT FROM pg_class WHERE oid = c.queue) THEN
        EXECUTE format('DROP TABLE %s', c.queue);
    END IF;
    FOREACH col IN ARRAY ARRAY[c.hash_column, c.fingerprint_column] || CASE WHEN NOT keep_column THEN c.target END LOOP
        IF col IS NOT NULL THEN
            EXECUTE format('ALTER TABLE %s DROP COLUMN IF EXISTS %I', tbl, col);
        END IF;
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION embedding_backfill_begin(tbl regclass, target name) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c @extschema@.embedding_columns := @extschema@.embedding_column(tbl, target);
    began timestamptz := clock_timestamp();
    listed record;
    changes jsonb;
BEGIN
    PERFORM @extschema@.embedding_require_owner(tbl);
    -- Who begins at the same time waits here, and then finds listed what the other has listed.
    INSERT INTO @extschema@.embedding_progress AS e (tbl, target, total, done, started_at, updated_at, finished_at)
    VALUES (c.tbl, c.target, 0, 0, began, began, began) ON CONFLICT DO NOTHING;
    PERFORM @extschema@.embedding_record(tbl, 'progress', json_build_object('target', target)::text);
    SELECT l.* INTO listed
    FROM @extschema@.embedding_as_owner(tbl, format('SELECT * FROM @extschema@.embedding_enqueue_rows(%s, %L)',
                                                    tbl::oid, target)) AS r,
         jsonb_to_record(r) AS l (resumed bool, remaining bigint, last bigint);
    IF listed.resumed THEN
        changes := jsonb_build_object('updated_at', clock_timestamp());
    ELSIF listed.remaining > 0 THEN
        changes := jsonb_build_object('total', listed.remaining, 'done', 0, 'failures', 0, 'started_at', began,
            'updated_at', clock_timestamp(), 'finished_at', NULL, 'active', '0', 'rate', NULL);
    ELSE
        changes := (SELECT jsonb_build_object('finished_at', coalesce(e.finished_at, began))
                    FROM @extschema@.embedding_progress AS e WHERE e.tbl = c.tbl AND e.target = c.target);
    END IF;
    PERFORM @extschema@.embedding_record(tbl, 'progress',
        (changes || jsonb_build_object('target', target))::text);
    RETURN listed.last;
END
$$;

CREATE OR REPLACE FUNCTION embedding_progress_add(c embedding_columns, began timestamptz, finished int, failing int, recovered int)
    RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p @extschema@.embedding_progress;
    ended timestamptz;
    seconds float8;
    counted float8;
    weight float8 := 1;
    unfinished bool := true;
BEGIN
    PERFORM @extschema@.embedding_record(c.tbl, 'progress', json_build_object('target', c.target)::text);
    SELECT * INTO p FROM @extschema@.embedding_progress AS e WHERE e.tbl = c.tbl AND e.target = c.target;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- Time that several worked at once counts once, and pauses don't.
    ended := clock_timestamp();
    seconds := greatest(1e-3, extract(epoch FROM ended - greatest(began, p.updated_at)));
    IF p.rate > 0 THEN
        counted := least(seconds, 0.1 + 2 * finished / p.rate);
        weight := greatest(counted / (p.done / p.rate + counted),
                           1 - exp(-counted / greatest(5, extract(epoch FROM p.active) / 4)));
    END IF;
    p.rate := CASE WHEN p.done > 0 THEN coalesce(p.rate, 0) * (1 - weight)
                                        + finished / coalesce(counted, seconds) * weight END;
    p.done := p.done + finished;
    IF p.done >= p.total THEN
        EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE origin = ''backfill'' AND attempts = 0)', c.queue)
            INTO unfinished;
        p.total := p.done + unfinished::int;
    END IF;
    PERFORM @extschema@.embedding_record(c.tbl, 'progress', json_build_object('target', c.target,
        'done', p.done, 'total', p.total, 'failures', greatest(0, p.failures + failing - recovered),
        'updated_at', ended, 'active', p.active + make_interval(secs => seconds), 'rate', p.rate,
        'finished_at', CASE WHEN NOT unfinished THEN coalesce(p.finished_at, ended) END)::text);
END
$$;

CREATE OR REPLACE FUNCTION embedding_fill_safely(tbl regclass, target name, ids bigint[], again bool DEFAULT true)
    RETURNS TABLE (id bigint, outcome text, code text, error text)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    size int := cardinality(ids);
    filled jsonb;
    state text;
    message text;
BEGIN
    -- Halves are cut by subscripts, which count from 1 in one dimension: a slice of another array is all of it, or nothing.
    ids := ARRAY(SELECT u FROM unnest(ids) AS u);
    BEGIN
        filled := (SELECT jsonb_agg(to_jsonb(f)) FROM @extschema@.embedding_fill(tbl, target, ids) AS f);
        RETURN QUERY SELECT r.id, r.outcome, r.code, r.error
                     FROM jsonb_to_recordset(filled) AS r (id bigint, outcome text, code text, error text);
        RETURN;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
        IF state <> '08006' AND NOT @extschema@.embedding_is_row_fault(state) THEN
            RAISE;
        END IF;
    END;
    IF size > 1 THEN
        RETURN QUERY SELECT * FROM @extschema@.embedding_fill_safely(tbl, target, ids[:size / 2]);
        RETURN QUERY SELECT * FROM @extschema@.embedding_fill_safely(tbl, target, ids[size / 2 + 1:]);
    ELSIF again AND state = '08006' THEN
        RETURN QUERY SELECT * FROM @extschema@.embedding_fill_safely(tbl, target, ids, false);
    ELSE
        RETURN QUERY SELECT ids[1], 'failed', state, message;
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION embedding_backfill_finish(tbl regclass, target name, last bigint, stuck bool) RETURNS bool
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c @extschema@.embedding_columns := @extschema@.embedding_column(tbl, target);
    p @extschema@.embedding_progress;
    unfinished bool;
BEGIN
    SELECT * INTO p FROM @extschema@.embedding_progress AS e WHERE e.tbl = $1 AND e.target = $2;
    IF p.finished_at IS NULL AND p.done < p.total AND NOT stuck THEN
        RETURN false;
    END IF;
    unfinished := (SELECT (r ->> 'unfinished')::bool FROM @extschema@.embedding_as_owner(c.queue, format(
        'SELECT @extschema@.embedding_backfill_left(%s, %s, %L) AS unfinished', c.queue::oid, last, stuck)) AS r);
    IF NOT unfinished AND p.finished_at IS NULL THEN
        PERFORM @extschema@.embedding_record(tbl, 'progress', json_build_object('target', target)::text);
        SELECT * INTO p FROM @extschema@.embedding_progress AS e WHERE e.tbl = $1 AND e.target = $2;
        PERFORM @extschema@.embedding_record(tbl, 'progress', json_build_object(
            'target', target, 'done', p.total, 'finished_at', clock_timestamp())::text);
    END IF;
    RETURN NOT unfinished;
END
$$;

CREATE OR REPLACE FUNCTION embedding_exchange(current_one embedding_columns, coming embedding_columns, role text) RETURNS void
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

-- Swaps when nothing is missing in what comes. What changes meanwhile is embedded before the lock is asked for, so that little
-- is left under it; where there never is so little, somewhat more of it.
CREATE OR REPLACE PROCEDURE embedding_swap(tbl regclass, target name, batch int)
    LANGUAGE plpgsql
AS $$
DECLARE
    current_one @extschema@.embedding_columns := @extschema@.embedding_column(tbl, target);
    coming @extschema@.embedding_columns := @extschema@.embedding_sibling(tbl, target, 'next');
    queued record;
    more bool;
    outcome text := 'busy';
    most int := 4;
    told timestamptz := clock_timestamp();
BEGIN
    IF coming.tbl IS NULL THEN -- another session has ended the migration meanwhile: the try says so
        PERFORM @extschema@.embedding_swap_try(tbl, target, 'next', 'previous', most);
    END IF;
    LOOP
        LOOP
            more := @extschema@.embedding_catch_up(tbl, coming.target, batch);
            CALL @extschema@.embedding_next_transaction();
            SELECT * INTO queued FROM @extschema@.embedding_queued(coming);
            EXIT WHEN NOT more OR queued.waiting <= most OR clock_timestamp() > told + interval '10 s';
        END LOOP;
        IF outcome = 'busy' AND queued.waiting <= most THEN
            PERFORM @extschema@.embedding_require_filled(current_one, coming);
            CALL @extschema@.embedding_wait_for_snapshots();
        END IF;
        IF queued.waiting <= most THEN
            outcome := @extschema@.embedding_swap_try(tbl, target, 'next', 'previous', most);
            IF outcome = 'busy' THEN
                -- What waits for its time and failed under the lock fails now, before the next try, and is seen to have.
                PERFORM @extschema@.embedding_make_due_as_owner(tbl, coming.target);
            END IF;
            CALL @extschema@.embedding_next_transaction();
        END IF;
        EXIT WHEN outcome = 'swapped';
        most := least(@extschema@.embedding_swap_most(), most + 2);
        IF clock_timestamp() > told + interval '10 s' THEN
            told := clock_timestamp();
            RAISE NOTICE 'the swap of "%" waits for a moment when %', target, CASE outcome
                WHEN 'busy' THEN format('fewer rows wait for their vectors than now, %s', queued.waiting)
                ELSE 'no transaction uses table ' || tbl::text END
                USING HINT = 'Nothing is locked in between; cancel it, and call it again later.';
        END IF;
        PERFORM pg_sleep(0.1);
        CALL @extschema@.embedding_next_transaction();
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION embedding_migration_end(tbl regclass, target name) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c @extschema@.embedding_columns := @extschema@.embedding_column(tbl, target);
    previous @extschema@.embedding_columns := @extschema@.embedding_sibling(tbl, target, 'previous');
    bound text[] := @extschema@.embedding_bound(tbl, previous.target);
BEGIN
    PERFORM @extschema@.embedding_record(tbl, 'swapped', json_build_object('target', target, 'swapped', true)::text);
    RAISE NOTICE '"%" has the vectors of model "%" now', target, c.model
        USING DETAIL = format('Those of "%s" are in "%s", and stay fresh.', previous.model, previous.target),
        HINT = format('Back: SELECT rollback_embedding(%1$L, %2$L); '
                      'when they are not needed any more: SELECT drop_embedding(%1$L, %3$L);',
                      tbl::text, target, previous.target);
    IF bound IS NOT NULL THEN
        RAISE NOTICE 'still of the old column, "%" now: %', previous.target, array_to_string(bound, ', ')
            USING DETAIL = 'They were bound to the column itself, not to its name.',
            HINT = 'Create them again for the new vectors; the old column cannot be dropped before.';
    END IF;
END
$$;

-- Back to the vectors before the last migration: they take the name again, those of the newer model go on as `<target>_next`.
CREATE OR REPLACE FUNCTION rollback_embedding(tbl regclass, target name) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c @extschema@.embedding_columns := @extschema@.embedding_column(tbl, target);
    previous @extschema@.embedding_columns := @extschema@.embedding_sibling(tbl, target, 'previous');
    next @extschema@.embedding_columns := @extschema@.embedding_sibling(tbl, target, 'next');
    most int := @extschema@.embedding_swap_most();
    queued record;
    outcome text;
BEGIN
    PERFORM @extschema@.embedding_require_owner(tbl);
    IF previous.tbl IS NULL OR next.tbl IS NOT NULL THEN
        RAISE EXCEPTION 'column "%" of table % cannot go back', target, tbl USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = CASE WHEN previous.tbl IS NULL THEN 'The vectors of an earlier model are not there.'
                          ELSE format('"%s" is in the way, which a migration is filling.', next.target) END,
            HINT = CASE WHEN previous.tbl IS NULL THEN 'CALL migrate_embedding(...) makes them again.'
                        ELSE format('Give that up: SELECT drop_embedding(%L, %L);', tbl::text, next.target) END;
    END IF;
    -- A function cannot commit batch by batch: what is more is for backfill.
    SELECT * INTO queued FROM @extschema@.embedding_queued(previous);
    IF queued.waiting > most THEN
        RAISE EXCEPTION 'column "%" of table % cannot go back yet', target, tbl
            USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = format('%s changed rows wait for their vectors in "%s", more than %s.',
                            queued.waiting, previous.target, most),
            HINT = format('CALL backfill(%L, %L); then repeat it.', tbl::text, previous.target);
    END IF;
    FOR try IN 1 .. 50 LOOP
        IF outcome IS DISTINCT FROM 'locked' THEN
            PERFORM @extschema@.embedding_make_due_as_owner(tbl, previous.target);
            PERFORM @extschema@.embedding_drain(tbl, previous.target, most);
            PERFORM @extschema@.embedding_require_filled(c, previous);
        END IF;
        outcome := @extschema@.embedding_swap_try(tbl, target, 'previous', 'next', most);
        EXIT WHEN outcome = 'swapped';
        PERFORM pg_sleep(least(1, 0.05 * try));
    END LOOP;
    IF outcome <> 'swapped' THEN
        RAISE EXCEPTION 'column "%" of table % cannot go back now', target, tbl USING ERRCODE = 'lock_not_available',
            DETAIL = CASE outcome WHEN 'busy' THEN 'Too many of its rows change.' ELSE 'Other transactions use the table.' END,
            HINT = 'Repeat it when they have ended.';
    END IF;
    PERFORM @extschema@.embedding_record(tbl, 'swapped', json_build_object('target', target, 'swapped', false)::text);
    RAISE NOTICE '"%" has the vectors of model "%" again', target, previous.model
        USING DETAIL = format('Those of "%s" are in "%s", and stay fresh.', c.model, @extschema@.embedding_name(target, 'next')),
        HINT = format('To swap again: CALL migrate_embedding(%1$L, %2$L, %3$L%4$s); '
                      'when they are not needed: SELECT drop_embedding(%1$L, %5$L);',
                      tbl::text, target, c.model, coalesce(', ' || c.dimensions, ''), @extschema@.embedding_name(target, 'next'));
END
$$;

-- Dropped tables leave the registry and take their queues along. What embedding columns of other tables need stays.
CREATE OR REPLACE FUNCTION embedding_dropped() RETURNS event_trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c record;
    lost record;
BEGIN
    IF has_schema_privilege(to_regnamespace('@extschema@'), 'USAGE') IS NOT TRUE THEN
        RETURN;
    ELSIF NOT has_table_privilege('@extschema@.embedding_columns', 'SELECT') THEN
        RETURN;
    ELSIF NOT EXISTS (SELECT FROM @extschema@.embedding_columns) THEN
        RETURN;
    END IF;
    FOR c IN SELECT e.* FROM pg_event_trigger_dropped_objects() AS d
                 JOIN @extschema@.embedding_columns AS e ON e.tbl = d.objid
             WHERE d.classid = 'pg_class'::regclass AND d.objsubid = 0 LOOP
        PERFORM @extschema@.embedding_record(c.tbl, 'removed', json_build_object(
            'targets', ARRAY[c.target], 'reports', true)::text);
        IF EXISTS (SELECT FROM pg_class WHERE oid = c.queue) THEN
            EXECUTE format('DROP TABLE %s', c.queue);
        END IF;
    END LOOP;
    FOR lost IN
        SELECT e AS of, CASE WHEN d.objsubid > 0 THEN format('column "%s"', d.address_names[3])
                             ELSE format('%s %s', d.object_type, d.object_identity) END AS what
        FROM pg_event_trigger_dropped_objects() AS d, @extschema@.embedding_columns AS e
        WHERE d.classid = 'pg_class'::regclass AND @extschema@.embedding_may(e.tbl)
          AND CASE WHEN d.objsubid > 0 AND d.objid = e.tbl THEN d.address_names[3]::name = ANY (
                            e.input_columns || e.key_columns || ARRAY[e.target, e.hash_column, e.fingerprint_column])
                   WHEN d.objsubid > 0 AND d.objid = e.queue THEN
                       NOT @extschema@.embedding_is_queue(e) OR @extschema@.embedding_queue_lacks(e) IS NOT NULL
                   WHEN d.objsubid > 0 THEN false
                   WHEN d.objid = e.queue THEN @extschema@.embedding_has_triggers(e.tbl)
                   WHEN d.object_type = 'index' AND d.schema_name = (
                           SELECT s.nspname FROM pg_class AS t JOIN pg_namespace AS s ON s.oid = t.relnamespace
                           WHERE t.oid = e.tbl) THEN
                       @extschema@.embedding_key_lacks(e) = 'index' AND @extschema@.embedding_has_triggers(e.tbl)
                       AND @extschema@.embedding_is_locked(e.tbl) END
    LOOP
        PERFORM @extschema@.embedding_refuse(lost.of, lost.what);
    END LOOP;
END
$$;

-- The queue of a table that was given away or moved goes along, and its keys get the types that the table's have.
CREATE OR REPLACE FUNCTION embedding_follow(c embedding_columns) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pg_class;
    q pg_class;
BEGIN
    SELECT * INTO t FROM pg_class WHERE oid = c.tbl;
    SELECT * INTO q FROM pg_class WHERE oid = c.queue;
    IF q.oid IS NULL THEN
        RETURN;
    END IF;
    IF q.relowner <> t.relowner THEN
        EXECUTE format('ALTER TABLE %s OWNER TO %I', c.queue, pg_get_userbyid(t.relowner));
    END IF;
    IF q.relnamespace <> t.relnamespace THEN
        EXECUTE format('ALTER TABLE %s SET SCHEMA %s', c.queue, t.relnamespace::regnamespace);
    END IF;
    IF EXISTS (SELECT FROM @extschema@.embedding_other_keys(c)) THEN
        PERFORM @extschema@.embedding_as_owner(c.tbl,
            format('SELECT @extschema@.embedding_follow_keys(%s, %L, %L)', c.tbl::oid, c.target, (
                SELECT jsonb_object_agg(name, current_setting(name)) FROM unnest(ARRAY['TimeZone', 'DateStyle', 'IntervalStyle',
                    'bytea_output', 'extra_float_digits', 'lc_monetary', 'lc_numeric', 'lc_time', 'xmlbinary']) AS name)));
        PERFORM @extschema@.embedding_record(c.tbl, 'keys', json_build_object('target', c.target)::text);
    END IF;
END
$$;

-- After a change among the partitions of root: new ones get the triggers that it has, detached ones lose them.
CREATE OR REPLACE FUNCTION embedding_follow_partitions(root regclass) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    part regclass;
    trigger name;
    filled bool;
BEGIN
    FOR part, trigger IN SELECT t.tgrelid, t.tgname FROM pg_trigger AS t
            WHERE t.tgfoid = '@extschema@.embedding_trigger()'::regprocedure AND NOT t.tgisinternal
              AND NOT EXISTS (SELECT FROM @extschema@.embedding_columns AS c
                              WHERE c.tbl = t.tgrelid OR c.tbl IN (SELECT relid FROM pg_partition_ancestors(t.tgrelid)))
              AND @extschema@.embedding_may(t.tgrelid)
              -- Of this command: others' may be locked by whoever they belong to.
              AND (@extschema@.embedding_is_locked(t.tgrelid) OR EXISTS (
                  SELECT FROM pg_partition_ancestors(t.tgrelid) AS a WHERE @extschema@.embedding_is_locked(a.relid))) LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', trigger, part);
    END LOOP;
    FOR part IN SELECT * FROM @extschema@.embedding_new_partitions(root) LOOP
        IF (SELECT c.relkind = 'f' FROM pg_class AS c WHERE c.oid = part) THEN
            PERFORM @extschema@.embedding_check_table(root);
        END IF;
        PERFORM @extschema@.embedding_make_triggers(root, part);
        filled := @extschema@.embedding_look(part, format('SELECT EXISTS (SELECT FROM %s) AS filled', part)) -> 'filled';
        IF filled THEN
            RAISE NOTICE 'rows of the new partition % are embedded by backfill', part
                USING HINT = format('CALL backfill(%L); leaves alone what is embedded already.', root::text);
        END IF;
    END LOOP;
END
$$;

-- Rows of the registry decide what is done in the name of tables' owners, and which queue goes when a table goes: only
-- who has their rights may write them. What is left of a table that is gone may be removed by anybody.
CREATE OR REPLACE FUNCTION embedding_guard() RETURNS trigger
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

-- The type of a column of vectors, with the schema in which its operators are; an error for any other column.
CREATE OR REPLACE FUNCTION embedding_vector_type(tbl regclass, col name, OUT schema name, OUT type name)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given text;
BEGIN
    SELECT format_type(a.atttypid, a.atttypmod), s.nspname, t.typname INTO given, schema, type
    FROM pg_attribute AS a
        JOIN pg_type AS d ON d.oid = a.atttypid
        JOIN pg_type AS t ON t.oid = CASE d.typtype WHEN 'd' THEN d.typbasetype ELSE d.oid END
        JOIN pg_namespace AS s ON s.oid = t.typnamespace
    WHERE a.attrelid = tbl AND a.attname = col AND a.attnum > 0 AND NOT a.attisdropped;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'column "%" of relation % does not exist', col, tbl USING ERRCODE = 'undefined_column',
            DETAIL = 'Neighbours are those of the vectors in a column.',
            HINT = format('Its columns: %s.', (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
                FROM pg_attribute AS a WHERE a.attrelid = tbl AND a.attnum > 0 AND NOT a.attisdropped));
    -- Others may have given types of theirs these names, and what works on them is their code.
    ELSIF type NOT IN ('vector', 'halfvec', 'sparsevec') OR schema IS DISTINCT FROM @extschema@.embedding_pgvector() THEN
        RAISE EXCEPTION 'column "%" of relation % does not hold vectors', col, tbl USING ERRCODE = 'datatype_mismatch',
            DETAIL = format('It is of type %s.', given),
            HINT = 'Name a column of pgvector''s type vector, halfvec or sparsevec.';
    END IF;
END
$$;

-- Recall and latency of a column's index. What an index on an expression computes is its table's owner's code: with his rights
-- where the caller has them, and no others.
CREATE OR REPLACE FUNCTION index_recall(tbl regclass, col name, k int DEFAULT 10, sample int DEFAULT 100,
                             ef_search int[] DEFAULT '{40,100,200}', seed bigint DEFAULT 42)
    RETURNS TABLE (setting text, value int, recall float8, p50_ms float8, p95_ms float8, exact_p50_ms float8)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wrong text := CASE
        WHEN tbl IS NULL THEN 'tbl must not be null'
        WHEN col IS NULL THEN 'col must not be null'
        WHEN k IS NULL OR k < 1 THEN 'k must be 1 or more'
        WHEN sample IS NULL OR sample < 1 THEN 'sample must be 1 or more'
        WHEN seed IS NULL THEN 'seed must not be null'
        WHEN ef_search IS NULL OR cardinality(ef_search) = 0 OR (1 <= ALL (ef_search)) IS NOT TRUE THEN
            'ef_search must be one or more numbers of 1 or more' END;
    measured text;
BEGIN
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '%', wrong USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'Sampled rows search for their k nearest rows, once for each value of ef_search (or of probes).',
            HINT = 'For example: index_recall(''items'', ''embedding'', k => 10, ef_search => ''{40,100}'').';
    END IF;
    measured := format('SELECT * FROM @extschema@.index_recall_measured(%s, %L, %s, %s, %L, %s)',
                       tbl::oid, col, k, sample, ef_search, seed);
    IF @extschema@.embedding_may(tbl) THEN
        RETURN QUERY SELECT r.* FROM @extschema@.embedding_as_owner(tbl, measured) AS j, jsonb_to_record(j)
            AS r (setting text, value int, recall float8, p50_ms float8, p95_ms float8, exact_p50_ms float8);
    ELSE
        RETURN QUERY EXECUTE measured;
    END IF;
END
$$;

-- What index_recall finds, with the caller's rights. Queries are the vectors of sampled rows, which find themselves. STABLE, so
-- that exact and approximate search see the same rows. A hit is what is not farther than the k-th exact distance, but for
-- rounding: which of several equally near rows is found does not matter. Times include planning, as a client's do.
CREATE FUNCTION index_recall_measured(tbl regclass, col name, k int, sample int, ef_search int[], seed bigint)
    RETURNS TABLE (setting text, value int, recall float8, p50_ms float8, p95_ms float8, exact_p50_ms float8)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp SET enable_seqscan = on SET enable_sort = on SET enable_indexscan = on
    SET hnsw.ef_search = 1000 SET ivfflat.probes = 32768
AS $$
DECLARE
    passes int[] := ARRAY(SELECT unnest(ef_search));
    chosen record;
    tables oid[];
    rows tid[];
    distances float8[];
    bounds float8[];
    counts int[];
    hits float8[];
    times float8[];
    began timestamptz;
BEGIN
    SELECT * INTO chosen FROM @extschema@.index_recall_candidates(tbl, col, k) AS c
    WHERE (SELECT bool_and(@extschema@.index_recall_uses(c.index, c.nearest, c.setting, p)) FROM unnest(passes) AS p)
    LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the planner takes no approximate index for column "%" of relation %', col, tbl
            USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = 'There is one, but EXPLAIN shows another way to order by its distance.',
            HINT = 'See what EXPLAIN says with enable_seqscan off. Of two indexes, drop the one in the way.';
    END IF;
    setting := chosen.setting;
    EXECUTE chosen.sample INTO tables, rows USING seed, sample;
    PERFORM set_config('enable_indexscan', 'off', true);
    -- Pass -1 is the exact search. Pass 0, the first value's, is not counted: it reads the index into memory.
    FOR pass IN -1 .. cardinality(passes) LOOP
        value := passes[greatest(pass, 1)];
        PERFORM set_config(setting, value::text, true);
        FOR i IN 1 .. coalesce(cardinality(rows), 0) LOOP
            began := clock_timestamp();
            EXECUTE chosen.nearest INTO distances USING tables[i], rows[i];
            times[i] := extract(epoch FROM clock_timestamp() - began) * 1000;
            IF pass < 0 THEN
                counts[i] := cardinality(distances);
                bounds[i] := (SELECT max(d) + 1e-6 * CASE chosen.distance WHEN '<=>' THEN 1 ELSE abs(max(d)) END
                              FROM unnest(distances) AS d);
            END IF;
            hits[i] := (SELECT count(*) FROM unnest(distances) AS d WHERE d <= bounds[i]);
        END LOOP;
        recall := (SELECT avg(h / c) FROM unnest(hits, counts) AS u (h, c));
        SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t), percentile_cont(0.95) WITHIN GROUP (ORDER BY t)
        INTO p50_ms, p95_ms FROM unnest(times) AS t;
        IF pass < 0 THEN
            exact_p50_ms := p50_ms;
            PERFORM set_config('enable_indexscan', 'on', true), set_config('enable_seqscan', 'off', true),
                    set_config('enable_sort', 'off', true);
        ELSIF pass > 0 THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;

-- Pairs worth a look. Equal urgency is drawn by seed, the same on every server. It has no search_path of its own,
-- since the SELECTs mean what they mean to the caller.
--   unjudged      hits in the top k without a judgement, best ranks first
--   missed        relevant, but not in the top k, best grades first
--   disagreement  ranks that differ most between run and other_run; beyond the top k all count as k + 1
--   sheet         40 % relevant in the top k, 30 % in the top k with a grade of 0 or less or none, 30 % relevant
--                 and not in the top k, of the queries that have judgements; 20, 15 and 15 of 50
CREATE OR REPLACE FUNCTION label_sample(run text, judgements text DEFAULT NULL, n int DEFAULT 50, strategy text DEFAULT 'sheet',
                             other_run text DEFAULT NULL, k int DEFAULT 10, seed bigint DEFAULT 42)
    RETURNS TABLE (query_id text, item_id text, rank bigint, score float8, relevance int, reason text)
    LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    beyond bigint := k::bigint + 1;
    positives int := pg_catalog.round(0.4 OPERATOR(pg_catalog.*) n);
    shares int[] := ARRAY[positives, (n - positives + 1) / 2, (n - positives) / 2, n];
    wrong text := CASE
        WHEN run IS NULL THEN 'run must not be null'
        WHEN strategy IS NULL THEN 'strategy must not be null'
        WHEN strategy NOT IN ('unjudged', 'missed', 'disagreement', 'sheet') THEN
            pg_catalog.format('unrecognized strategy "%s"', strategy)
        WHEN strategy = 'disagreement' AND other_run IS NULL THEN 'other_run must not be null'
        WHEN n IS NULL OR n < 1 THEN 'n must be 1 or more'
        WHEN k IS NULL OR k < 1 THEN 'k must be 1 or more'
        WHEN seed IS NULL THEN 'seed must not be null' END;
BEGIN
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '%', wrong USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'A strategy picks n pairs of query and item by what stands in the top k of the run.',
            HINT = 'Use ''sheet'', ''unjudged'' or ''missed''; or ''disagreement'', which compares run with other_run.';
    END IF;
    RETURN QUERY
    WITH hits AS MATERIALIZED (
        SELECT * FROM @extschema@.evaluation_run(run)
    ), others AS MATERIALIZED (
        SELECT * FROM @extschema@.evaluation_run(CASE strategy WHEN 'disagreement' THEN other_run
                                                 ELSE 'SELECT NULL, NULL, NULL WHERE false' END, 'other_run')
    ), judged AS MATERIALIZED (
        SELECT * FROM @extschema@.evaluation_judged(coalesce(judgements,
            'SELECT query_id, item_id, relevance FROM @extschema@.pooled_judgements()'))
    ), pairs AS (
        SELECT query_id, item_id, h.rank, h.score, j.relevance, o.rank AS other_rank,
               least(h.rank, beyond) AS place, least(o.rank, beyond) AS other_place,
               pg_catalog.count(j.relevance) OVER (PARTITION BY query_id) > 0 AS of_a_judged_query
        FROM hits AS h FULL JOIN others AS o USING (query_id, item_id) FULL JOIN judged AS j USING (query_id, item_id)
    ), strata AS (
        SELECT *, CASE
            WHEN strategy = 'unjudged' AND place < beyond AND relevance IS NULL
              OR strategy = 'missed' AND place = beyond AND relevance >= 1
              OR strategy = 'disagreement' AND place <> other_place THEN 4
            WHEN strategy <> 'sheet' THEN NULL
            WHEN place < beyond AND relevance >= 1 THEN 1
            WHEN place < beyond AND of_a_judged_query THEN 2
            WHEN relevance >= 1 THEN 3 END AS stratum
        FROM pairs
    ), drawn AS (
        SELECT *, pg_catalog.row_number() OVER (
            PARTITION BY stratum
            ORDER BY CASE strategy WHEN 'unjudged' THEN place WHEN 'missed' THEN -relevance
                                   WHEN 'disagreement' THEN -pg_catalog.abs(place - other_place) END,
                     pg_catalog.md5(pg_catalog.format('%s %L %L', seed, query_id, item_id)) COLLATE "C") AS turn
        FROM strata WHERE stratum IS NOT NULL
    )
    SELECT query_id, item_id, rank, score, relevance,
           CASE WHEN stratum < 4 THEN (ARRAY['true positive', 'suspected false positive', 'false negative'])[stratum]
                WHEN strategy <> 'disagreement' THEN strategy
                WHEN other_place = beyond THEN 'only in run'
                WHEN place = beyond THEN 'only in other_run'
                ELSE pg_catalog.format('rank %s in other_run', other_rank) END
    FROM drawn WHERE turn <= shares[stratum] ORDER BY stratum, turn;
END
$$;

-- The locks of the swap, or lock_not_available. Whoever waits for the table keeps all others from it: hence the short time.
CREATE OR REPLACE FUNCTION embedding_swap_locks(current_one embedding_columns, coming embedding_columns) RETURNS void
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

-- The registry's row of an embedding column, or an error that names those that there are.
CREATE OR REPLACE FUNCTION embedding_column(tbl regclass, target name) RETURNS embedding_columns
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

-- What is wrong about migrating the column, if anything. Gives the column that an earlier call has begun to fill, if any.
CREATE OR REPLACE FUNCTION embedding_migration_check(tbl regclass, target name, new_model text, dimensions int) RETURNS embedding_columns
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c @extschema@.embedding_columns := @extschema@.embedding_column(tbl, target);
    previous @extschema@.embedding_columns := @extschema@.embedding_sibling(tbl, target, 'previous');
    begun @extschema@.embedding_columns := @extschema@.embedding_sibling(tbl, target, 'next');
    size int;
BEGIN
    PERFORM @extschema@.embedding_check_table(tbl);
    IF new_model IS NULL THEN
        RAISE EXCEPTION 'new_model must not be null' USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'It is the model that makes the column''s vectors from then on.', HINT = 'models() lists those installed.';
    ELSIF c.role <> 'current' THEN
        RAISE EXCEPTION 'column "%" of table % belongs to "%"', target, tbl, c.of
            USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = 'It is what a migration is filling, or has kept for a way back.',
            HINT = format('Migrate the column itself: CALL migrate_embedding(%L, %L, %L);', tbl::text, c.of, new_model);
    ELSIF previous.tbl IS NOT NULL THEN
        RAISE EXCEPTION 'column "%" of table % still has the vectors of an earlier migration', target, tbl
            USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = format('Those of model "%s" are in "%s".', previous.model, previous.target),
            HINT = format('Let them go: SELECT drop_embedding(%1$L, %2$L); '
                          'or go back to them: SELECT rollback_embedding(%1$L, %3$L);',
                          tbl::text, previous.target, target);
    ELSIF (begun.model, begun.dimensions) IS DISTINCT FROM (new_model, dimensions) AND begun.tbl IS NOT NULL THEN
        RAISE EXCEPTION 'column "%" of table % is in another migration', target, tbl
            USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = format('"%s" is being filled by model "%s"%s.', begun.target, begun.model,
                            coalesce(' with dimensions => ' || begun.dimensions, '')),
            HINT = format('Go on with it: CALL migrate_embedding(%1$L, %2$L, %3$L%4$s); '
                          'or give it up: SELECT drop_embedding(%1$L, %5$L);',
                          tbl::text, target, begun.model, coalesce(', ' || begun.dimensions, ''), begun.target);
    END IF;
    size := (SELECT s.size FROM @extschema@.embedding_size(new_model, dimensions, NULL, false) AS s);
    IF (new_model = c.model OR @extschema@.model_fingerprint(new_model)
                               = (SELECT m.fingerprint FROM @extschema@.models() AS m WHERE m.name = c.model))
       AND size = (SELECT a.atttypmod FROM pg_attribute AS a WHERE a.attrelid = tbl AND a.attname = c.target) THEN
        RAISE EXCEPTION 'column "%" of table % has this model already', target, tbl USING ERRCODE = 'invalid_parameter_value',
            DETAIL = format('Its vectors are of model "%s", of %s dimensions.', c.model, size),
            HINT = 'Name another model, or other dimensions. CALL backfill(...) brings what is stale up to date.';
    END IF;
    RETURN begun;
END
$$;

-- The arguments that can be wrong by themselves.
CREATE OR REPLACE FUNCTION embedding_check_arguments(tbl regclass, target name, model text, inputs text, image text, mode text,
                                          index bool) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing text := CASE WHEN tbl IS NULL THEN 'tbl' WHEN target IS NULL THEN 'target' WHEN model IS NULL THEN 'model'
                         WHEN mode IS NULL THEN 'mode' WHEN index IS NULL THEN 'index' END;
BEGIN
    IF missing IS NOT NULL OR inputs IS NULL AND image IS NULL THEN
        RAISE EXCEPTION '% must not be null', coalesce(missing, 'one of inputs and image')
            USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'A model fills the column target of the table with embeddings of what inputs and image give.',
            HINT = 'For example: add_embedding(''items'', ''embedding'', ''multilingual-e5-small'', ''question'').';
    ELSIF mode NOT IN ('statement', 'queue', 'manual') THEN
        RAISE EXCEPTION 'unrecognized mode "%"', mode USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'It says when changed rows are embedded: in the statement, soon by a worker, or only by backfill.',
            HINT = 'Use ''statement'', ''queue'' or ''manual''.';
    ELSIF target = '' THEN
        RAISE EXCEPTION 'target must not be empty' USING ERRCODE = 'invalid_name',
            DETAIL = 'It is the name of a column.', HINT = 'For example: ''embedding''.';
    ELSIF mode = 'queue' AND EXISTS (SELECT FROM pg_class AS c WHERE c.oid = tbl AND c.relpersistence = 't') THEN
        RAISE EXCEPTION 'temporary table % cannot be kept by a background worker', tbl
            USING ERRCODE = 'feature_not_supported', DETAIL = 'Only its own session sees a temporary table.',
            HINT = 'Use mode => ''statement'' or mode => ''manual''.';
    ELSIF EXISTS (SELECT FROM @extschema@.embedding_columns AS c WHERE c.tbl = $1 AND c.target = $2) THEN
        PERFORM @extschema@.embedding_check_table(tbl);
        RAISE EXCEPTION 'column "%" of table % is an embedding column already', target, tbl
            USING ERRCODE = 'duplicate_object', DETAIL = 'Its model, inputs and mode are in embeddings().',
            HINT = format('To make it anew, first: SELECT drop_embedding(%L, %L); migrate_embedding changes its model.',
                          tbl::text, target);
    END IF;
END
$$;

-- Whether this session has the table locked as who drops an index of it has. Which table an index was of nobody can tell any
-- more, and a column that lacks its index must not be in the way of those who drop others.
CREATE FUNCTION embedding_is_locked(tbl regclass) RETURNS bool
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM pg_locks AS l
                   WHERE l.locktype = 'relation' AND l.relation = tbl AND l.pid = pg_backend_pid() AND l.granted
                     AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                     AND l.mode IN ('AccessExclusiveLock', 'ShareUpdateExclusiveLock'))
$$;

-- The keys of the column's queue whose types are not those of the table's key, and these.
CREATE FUNCTION embedding_other_keys(c embedding_columns) RETURNS TABLE (key name, type text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT b.attname, format_type(a.atttypid, a.atttypmod)
    FROM unnest(c.key_columns) WITH ORDINALITY AS u (col, place)
        JOIN pg_attribute AS a ON a.attrelid = c.tbl AND a.attname = u.col
        JOIN pg_attribute AS b ON b.attrelid = c.queue AND b.attname = 'key_' || u.place
    WHERE (a.atttypid, a.atttypmod) IS DISTINCT FROM (b.atttypid, b.atttypmod)
$$;

-- The keys of the column's queue get the types that the table's have. Types, their casts and the checks of domains are code of
-- the table's owner: called with his rights and no others.
-- settings are those by which the caller has just converted the table's: a time zone, say.
CREATE FUNCTION embedding_follow_keys(tbl regclass, target name, settings jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c @extschema@.embedding_columns := @extschema@.embedding_column(tbl, target);
    k record;
BEGIN
    PERFORM set_config(s.key, s.value, true) FROM jsonb_each_text(settings) AS s;
    FOR k IN SELECT * FROM @extschema@.embedding_other_keys(c) LOOP
        EXECUTE format('ALTER TABLE %1$s ALTER COLUMN %2$I TYPE %3$s USING %2$I::%3$s', c.queue, k.key, k.type);
    END LOOP;
END
$$;

-- The same as the table's owner, by names of the caller's path. Who reads an expression runs the input functions of its
-- literals, and who plans a query what is constant in the conditions of indexes: code of the owner.
CREATE OR REPLACE FUNCTION embedding_analyse(tbl regclass, expression text, path text,
                                  OUT analysed text, OUT columns int2[], OUT type regtype)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    schemas text;
BEGIN
    -- What "$user" is differs from one to the other.
    PERFORM set_config('search_path', path, true);
    schemas := (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(s), ', ')
                FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) AS s);
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    SELECT r.analysed, r.columns, r.type::oid INTO analysed, columns, type
    FROM @extschema@.embedding_as_owner(tbl, format(
             'SELECT analysed, columns, type::oid AS type FROM @extschema@.embedding_read(%s, %L, %L)',
             tbl::oid, expression, coalesce(schemas, ''))) AS j,
         jsonb_to_record(j) AS r (analysed text, columns int2[], type text);
END
$$;

-- A row that embedding_guard would refuse keeps no other from being restored.
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

-- Postgres' own reading of an expression, as for a CHECK constraint: no subqueries, aggregates, sets. Names are looked
-- up on the path, the text is for pg_catalog, pg_temp. The constraint is gone before it checks a row.
CREATE FUNCTION embedding_read(tbl regclass, expression text, path text,
                               OUT analysed text, OUT columns int2[], OUT type regtype)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    trial text := format(E'ALTER TABLE %s ADD CONSTRAINT itembank_embed_trial CHECK ((%s\n) IS NULL) NOT VALID',
                         tbl, expression);
BEGIN
    PERFORM set_config('search_path', path, true);
    EXECUTE trial;
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    SELECT c.conkey,
           substring(pg_get_expr(c.conbin, c.conrelid) FROM '^\((.*) IS (?:NULL|NOT DISTINCT FROM NULL)\)$')
    INTO columns, analysed FROM pg_constraint AS c WHERE c.conrelid = tbl AND c.conname = 'itembank_embed_trial';
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT itembank_embed_trial', tbl);
    -- Not evaluated: a CASE knows its type without that.
    EXECUTE format(E'SELECT pg_typeof(CASE WHEN false THEN (%s\n) END) '
                   'FROM (VALUES (0)) AS itembank_embed_one (itembank_embed_one) LEFT JOIN %s ON false', analysed, tbl)
        INTO type;
END
$$;

-- How many rows have a vector in `have` that they would lack in `want`: there is none although there is something to embed,
-- it is of another model, or it is of other content and what there is now failed. Rows that just have changed, whose vector is
-- on its way, are none of them. failed: only those that failed in `want`, which takes no look at all others. With the rights
-- of the table's owner, as it may evaluate his expressions.
DROP FUNCTION embedding_lacking(regclass, name, name);
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

DROP FUNCTION embedding_lacking_as_owner(regclass, name, name);
CREATE FUNCTION embedding_lacking_as_owner(tbl regclass, have name, want name, failed bool) RETURNS bigint
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (r ->> 'lacking')::bigint FROM @extschema@.embedding_as_owner(tbl,
        format('SELECT @extschema@.embedding_lacking(%s, %L, %L, %L) AS lacking', tbl::oid, have, want, failed)) AS r
$$;

CREATE FUNCTION embedding_make_due_as_owner(tbl regclass, target name) RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT FROM @extschema@.embedding_as_owner(tbl,
        format('SELECT @extschema@.embedding_make_due(%s, %L)', tbl::oid, target)) AS r
$$;

-- An error where rows would lose a vector by the swap, with what the model says of them.
CREATE OR REPLACE FUNCTION embedding_require_filled(have embedding_columns, want embedding_columns) RETURNS void
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

-- One try to swap `target` with its sibling of a role; the former gets the role `becomes`. Gives 'swapped'; 'locked' where
-- somebody works with the table; 'busy' where more than `most` changed rows, 16 at most, are waiting for their vector in what
-- comes, which are embedded under the lock, or where one that failed would lose a vector that it has got by now. Locks that
-- were taken are let go with the block.
DROP FUNCTION embedding_swap_try(regclass, name, text, text, int, bigint);
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

-- The only row of a statement that reads a relation, by its owner's rights: views, policies and functions of his must
-- gain none of who looks. NULL where the caller has not the owner's rights, where it fails, or where somebody has locked it
-- for longer than a second: one relation that is not what it should be must not keep others from being looked at.
CREATE OR REPLACE FUNCTION embedding_look(relation regclass, statement text) RETURNS jsonb
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

-- A column's stale rows, with the caller's rights: it evaluates the owner's expressions.
CREATE OR REPLACE FUNCTION embedding_stale_rows(tbl regclass, target name) RETURNS TABLE (key text, reason text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c @extschema@.embedding_columns := @extschema@.embedding_column(tbl, target);
    keys text := (SELECT CASE count(*) WHEN 1 THEN 's.key_1::text'
                         ELSE format('ARRAY[%s]::text', string_agg(format('s.key_%s::text', n), ', ' ORDER BY n)) END
                  FROM generate_series(1, cardinality(c.key_columns)) AS n);
    fingerprint text;
    otherwise text := 'other model';
    found text[];
    reasons text[];
    size int := (SELECT a.atttypmod FROM pg_attribute AS a
                 WHERE a.attrelid = c.tbl AND a.attname = c.target AND NOT a.attisdropped);
BEGIN
    BEGIN
        fingerprint := @extschema@.model_fingerprint(c.model);
        IF size <> coalesce(c.dimensions, @extschema@.model_dimensions(c.model)) THEN
            otherwise := 'other dimension';
        END IF;
    EXCEPTION WHEN undefined_object THEN
        RAISE WARNING 'model "%" of embedding column "%" of table % is not installed', c.model, c.target, c.tbl
            USING DETAIL = 'Whether vectors are of another model cannot be told.',
                  HINT = 'models() lists what is installed.';
        otherwise := NULL;
    END;
    FOR careful IN 0 .. 1 LOOP
        BEGIN
            -- What RETURN QUERY has given stays given after an error.
            EXECUTE format('SELECT array_agg(f.key), array_agg(f.reason) FROM (SELECT %s, r.reason FROM (%s) AS s, '
                'LATERAL (SELECT CASE s.reason WHEN ''other model'' THEN $2 ELSE s.reason END) AS r (reason) '
                'WHERE r.reason IS NOT NULL) AS f (key, reason)',
                keys, @extschema@.embedding_staleness(c, careful = 1)) INTO found, reasons USING fingerprint, otherwise;
            EXIT;
        EXCEPTION WHEN OTHERS THEN
            IF careful = 1 OR NOT @extschema@.embedding_is_row_fault(SQLSTATE) THEN
                RAISE;
            END IF;
        END;
    END LOOP;
    RETURN QUERY SELECT * FROM unnest(found, reasons);
END
$$;

CREATE FUNCTION embedding_stale_as_owner(tbl regclass, target name) RETURNS TABLE (key text, reason text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r ->> 'key', r ->> 'reason' FROM @extschema@.embedding_as_owner(tbl,
        format('SELECT * FROM @extschema@.embedding_stale_rows(%s, %L)', tbl::oid, target)) AS r
$$;

-- Where the caller asks for all tables: a warning and one row without a key instead of what fails or is locked. One table
-- must not keep the others from being looked at, nor pass for fresh.
CREATE FUNCTION embedding_stale_or_unknown(tbl regclass, target name) RETURNS TABLE (key text, reason text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
DECLARE
    message text;
    code text;
BEGIN
    RETURN QUERY SELECT s.* FROM @extschema@.embedding_stale_as_owner(tbl, target) AS s;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, code = RETURNED_SQLSTATE;
    RAISE WARNING 'embedding column "%" of table % cannot be looked at', target, tbl
        USING DETAIL = format('%s: %s', code, message),
              HINT = format('SELECT * FROM stale_embeddings(%L) raises it.', tbl::text);
    RETURN QUERY SELECT NULL, 'cannot be told';
END
$$;

-- Without a table: of all tables of the caller's. Done as their owners, whose expressions it evaluates.
CREATE OR REPLACE FUNCTION stale_embeddings(tbl regclass DEFAULT NULL)
    RETURNS TABLE (relation regclass, target name, key text, reason text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c @extschema@.embedding_columns;
    known bool := false;
BEGIN
    IF $1 IS NOT NULL THEN
        PERFORM @extschema@.embedding_require_owner($1);
    END IF;
    FOR c IN SELECT e.* FROM @extschema@.embedding_columns AS e
             WHERE CASE WHEN $1 IS NULL THEN @extschema@.embedding_is_there(e.tbl) AND @extschema@.embedding_may(e.tbl)
                        ELSE e.tbl = $1 END
             ORDER BY e.tbl::text COLLATE "C", e.target LOOP
        known := true;
        IF $1 IS NULL THEN
            RETURN QUERY SELECT c.tbl, c.target, s.* FROM @extschema@.embedding_stale_or_unknown(c.tbl, c.target) AS s;
        ELSE
            RETURN QUERY SELECT c.tbl, c.target, s.* FROM @extschema@.embedding_stale_as_owner(c.tbl, c.target) AS s;
        END IF;
    END LOOP;
    IF NOT known AND $1 IS NOT NULL THEN
        RAISE EXCEPTION 'table % has no embedding column', $1 USING ERRCODE = 'undefined_object',
            DETAIL = 'Stale are vectors of other content, another model or other dimensions than their column''s.',
            HINT = 'embeddings() lists the embedding columns.';
    END IF;
END
$$;

-- Who may use what: sql/privileges.sql says why ----------------------------------------------------
-- With a search path of its own: in that of a script anybody who may make operators in the extension's schema has his called.

DO $upgrade$
DECLARE
    path CONSTANT text := pg_catalog.current_setting('search_path');
    this oid;
    watching record;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    this := (SELECT e.oid FROM pg_extension AS e WHERE e.extname = 'itembank_embed');
    -- Who was let look at the view by name keeps what it calls; in dumps, too.
    FOR watching IN
        SELECT r.rolname, bool_or(a.is_grantable) AS is_grantable
        FROM (SELECT c.relacl FROM pg_class AS c WHERE c.oid = '@extschema@.itembank_engine'::regclass
              UNION ALL
              SELECT t.attacl FROM pg_attribute AS t WHERE t.attrelid = '@extschema@.itembank_engine'::regclass) AS g (acl)
            CROSS JOIN LATERAL aclexplode(g.acl) AS a
            JOIN pg_roles AS r ON r.oid = a.grantee
            JOIN pg_class AS v ON v.oid = '@extschema@.itembank_engine'::regclass AND v.relowner <> r.oid
        WHERE a.privilege_type = 'SELECT' AND has_function_privilege(r.oid, '@extschema@.engine_models()', 'EXECUTE')
        GROUP BY r.rolname
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I%s', '@extschema@.engine_models()'::regprocedure, watching.rolname,
                       CASE WHEN watching.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
    END LOOP;

    REVOKE UPDATE, DELETE ON @extschema@.embedding_columns, @extschema@.embedding_progress, @extschema@.embedding_migrations FROM PUBLIC;
    REVOKE SELECT ON @extschema@.itembank_engine FROM PUBLIC;
    REVOKE EXECUTE ON FUNCTION @extschema@.engine_status(), @extschema@.engine_models(), @extschema@.engine_summary() FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION @extschema@.engine_status(), @extschema@.engine_models(), @extschema@.engine_summary() TO pg_monitor;
    GRANT SELECT ON @extschema@.itembank_engine TO pg_monitor;
    GRANT SELECT, INSERT, UPDATE, DELETE ON @extschema@.evaluation_judgements TO pg_database_owner;
    REVOKE EXECUTE ON FUNCTION
        @extschema@.embedding_guard(), @extschema@.embedding_forget(), @extschema@.embedding_dropped(),
        @extschema@.embedding_changed(),
        @extschema@.embedding_record_removed(regclass, jsonb), @extschema@.embedding_record_keys(regclass, jsonb),
        @extschema@.embedding_record_progress(regclass, jsonb), @extschema@.embedding_record_swapped(regclass, jsonb),
        @extschema@.metric_combine(internal, internal), @extschema@.metric_serialize(internal),
        @extschema@.metric_deserialize(bytea, internal), @extschema@.metric_mean(internal),
        @extschema@.observe_recall(internal, text, bigint, int, int), @extschema@.observe_precision(internal, text, bigint, int, int),
        @extschema@.observe_hit_rate(internal, text, bigint, int, int), @extschema@.observe_judged(internal, text, bigint, int, int),
        @extschema@.observe_ndcg(internal, text, bigint, int, int),
        @extschema@.observe_ndcg_gain(internal, text, bigint, int, int, text),
        @extschema@.observe_reciprocal_rank(internal, text, bigint, int),
        @extschema@.observe_reciprocal_rank_at(internal, text, bigint, int, int),
        @extschema@.observe_average_precision(internal, text, bigint, int),
        @extschema@.observe_average_precision_at(internal, text, bigint, int, int),
        @extschema@.observe_r_precision(internal, text, bigint, int), @extschema@.observe_bpref(internal, text, bigint, int)
        FROM PUBLIC;

    -- In a script these statements have noted all that an object grants now as what it was made with, what administrators
    -- have granted and revoked since included; dumps would leave that out. What CREATE EXTENSION makes is noted instead.
    UPDATE pg_init_privs AS i
    SET initprivs = acldefault('r', c.relowner) || format('%s=%s/%s', m.grantee, m.rights, c.relowner::regrole)::aclitem
    FROM (VALUES ('@extschema@.embedding_columns'::regclass, '', 'ar'),
                 ('@extschema@.embedding_progress', '', 'ar'),
                 ('@extschema@.embedding_migrations', '', 'ar'),
                 ('@extschema@.evaluation_judgements', 'pg_database_owner', 'arwd'),
                 ('@extschema@.itembank_engine', 'pg_monitor', 'r')) AS m (relation, grantee, rights)
        JOIN pg_class AS c ON c.oid = m.relation
    WHERE i.classoid = 'pg_class'::regclass AND i.objoid = c.oid AND i.objsubid = 0;
    -- Of functions those have an entry whose rights a release has changed: PUBLIC has none of these.
    UPDATE pg_init_privs AS i
    SET initprivs = ARRAY[makeaclitem(p.proowner, p.proowner, 'EXECUTE', false)]
                    || CASE WHEN p.proname IN ('engine_status', 'engine_models', 'engine_summary')
                            THEN ARRAY[makeaclitem('pg_monitor'::regrole, p.proowner, 'EXECUTE', false)] END
    FROM pg_depend AS d JOIN pg_proc AS p ON p.oid = d.objid
    WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = this AND d.deptype = 'e'
      AND i.classoid = d.classid AND i.objoid = d.objid AND i.objsubid = 0;
    DELETE FROM pg_init_privs AS i USING pg_depend AS d -- of columns
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = this AND d.deptype = 'e'
      AND i.classoid = d.classid AND i.objoid = d.objid AND i.objsubid <> 0;
    -- PostgreSQL 17 and later note the roles besides.
    DELETE FROM pg_shdepend AS s USING pg_depend AS d
    WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = this AND d.deptype = 'e'
      AND s.dbid = (SELECT b.oid FROM pg_database AS b WHERE b.datname = current_database())
      AND s.classid = d.classid AND s.objid = d.objid AND s.deptype = 'i'
      AND NOT EXISTS (SELECT FROM pg_init_privs AS i, aclexplode(i.initprivs) AS a
                      WHERE i.classoid = s.classid AND i.objoid = s.objid AND i.objsubid = s.objsubid
                        AND (a.grantee = s.refobjid OR a.grantor = s.refobjid));
    PERFORM set_config('search_path', path, true);
END
$upgrade$;

-- What each object is ------------------------------------------------------------------------------

COMMENT ON FUNCTION embedding_name(text, text) IS
    'internal: base_suffix as a name, cut and hashed where it is too long';
COMMENT ON FUNCTION embedding_free_name(oid, text, text) IS
    'internal: embedding_name for a relation: with a number where it is taken';
COMMENT ON FUNCTION embedding_may(regclass) IS
    'internal: whether the caller has the rights of a relation''s owner; NULL where there is none';
COMMENT ON FUNCTION embedding_require_owner(regclass) IS
    'internal: an error for who has not the rights of a table''s owner';
COMMENT ON FUNCTION embedding_guard() IS
    'internal: lets rows of embedding_columns, embedding_progress and embedding_migrations be written with the rights of '
    'their table''s owner only';
COMMENT ON FUNCTION embedding_column(regclass, name) IS
    'internal: an embedding column as it is registered, or an error';
COMMENT ON FUNCTION embedding_pgvector() IS
    'internal: the schema of pgvector';
COMMENT ON FUNCTION embedding_source(embedding_columns) IS
    'internal: a column''s rows as a SELECT: place, key, vector, hash, fingerprint, inputs, hash of the inputs';
COMMENT ON FUNCTION embedding_staleness(embedding_columns, boolean) IS
    'internal: a column''s keys as a SELECT, with the reason why each is stale';
COMMENT ON FUNCTION embedding_judge(text, text, oid, tid) IS
    'internal: why one row is stale; that its inputs fail is a reason, too';
COMMENT ON FUNCTION embedding_is_row_fault(text) IS
    'internal: whether an error may be of one row, by its SQLSTATE';
COMMENT ON FUNCTION embedding_template_value(regclass, text) IS
    'internal: what a column contributes to a template, and when, as expressions';
COMMENT ON FUNCTION embedding_template_lines(regclass, text) IS
    'internal: lines of a template, and when they have something, as expressions';
COMMENT ON FUNCTION embedding_template(regclass, text) IS
    'internal: a template as an expression';
COMMENT ON FUNCTION embedding_is_template(regclass, text) IS
    'internal: whether inputs is a template: it names a column of the table in braces';
COMMENT ON FUNCTION embedding_read(regclass, text, text) IS
    'internal: an SQL expression as Postgres reads it, its columns, its type';
COMMENT ON FUNCTION embedding_analyse(regclass, text, text) IS
    'internal: an expression over a table as Postgres reads it, its columns and its type';
COMMENT ON FUNCTION embedding_expression(regclass, text, text, text) IS
    'internal: inputs or image of add_embedding as an expression, and its columns';
COMMENT ON FUNCTION embedding_expression_columns(regclass, smallint[], text) IS
    'internal: the columns of an expression by name, checked';
COMMENT ON FUNCTION embedding_expression_type(regtype, regtype, text) IS
    'internal: an error for an expression that is no text, or no image';
COMMENT ON FUNCTION embedding_check_table(regclass) IS
    'internal: an error for what can have no embedding column';
COMMENT ON FUNCTION embedding_key(regclass, name[]) IS
    'internal: the key of a table, and the operators of its index; NULL where there is none';
COMMENT ON FUNCTION embedding_require_key(regclass) IS
    'internal: embedding_key, or an error';
COMMENT ON FUNCTION embedding_size(text, integer, text, boolean) IS
    'internal: number of dimensions and type for an embedding column, checked';
COMMENT ON FUNCTION embedding_make_column(regclass, name, text, text) IS
    'internal: adds a column, or checks the one that is there';
COMMENT ON FUNCTION embedding_make_queue(embedding_columns) IS
    'internal: makes the work list of an embedding column';
COMMENT ON FUNCTION embedding_make_index(regclass, name) IS
    'internal: makes the HNSW index of an embedding column, unless there is one';
COMMENT ON FUNCTION embedding_index(regclass, name) IS
    'internal: the approximate index of an embedding column by cosine distance';
COMMENT ON FUNCTION embedding_make_triggers(regclass, regclass) IS
    'internal: makes or removes the triggers of a table and its partitions, as its embedding columns need them';
COMMENT ON FUNCTION embedding_make(embedding_columns, text, integer) IS
    'internal: makes all that belongs to an embedding column but its index, and registers it';
COMMENT ON FUNCTION embedding_check_arguments(regclass, name, text, text, text, text, boolean) IS
    'internal: an error for arguments of add_embedding that are wrong by themselves';
COMMENT ON FUNCTION embedding_add(regclass, name, text, text, text, integer, text, text, boolean, boolean, text) IS
    'internal: what add_embedding does; path is the caller''s search_path';
COMMENT ON FUNCTION embedding_refuse(embedding_columns, text) IS
    'internal: an error for a command that would break an embedding column';
COMMENT ON FUNCTION embedding_has_triggers(regclass) IS
    'internal: whether a table has triggers that keep embedding columns';
COMMENT ON FUNCTION embedding_key_lacks(embedding_columns) IS
    'internal: what is missing for an embedding column''s key to be one: not null, or an index';
COMMENT ON FUNCTION embedding_is_queue(embedding_columns) IS
    'internal: whether the work list of an embedding column has its columns, with their types';
COMMENT ON FUNCTION embedding_analysis_error(regclass, text, text) IS
    'internal: what is wrong with an expression over a table; it is not evaluated';
COMMENT ON FUNCTION embedding_check_analysis(embedding_columns) IS
    'internal: an error where the inputs of an embedding column have lost their meaning';
COMMENT ON FUNCTION embedding_check_column(embedding_columns) IS
    'internal: an error where an embedding column lacks what it needs';
COMMENT ON FUNCTION embedding_other_keys(embedding_columns) IS
    'internal: the keys of a queue whose types are not those of its table''s key';
COMMENT ON FUNCTION embedding_follow_keys(regclass, name, jsonb) IS
    'internal: gives the keys of an embedding column''s queue the types that its table''s have';
COMMENT ON FUNCTION embedding_is_locked(regclass) IS
    'internal: whether this session has locked a table as who drops an index of it';
COMMENT ON FUNCTION embedding_follow(embedding_columns) IS
    'internal: gives a work list the owner, schema and key types of its table';
COMMENT ON FUNCTION embedding_new_partitions(regclass) IS
    'internal: partitions that this transaction has attached';
COMMENT ON FUNCTION embedding_follow_partitions(regclass) IS
    'internal: gives triggers to new partitions, and takes them from detached ones';
COMMENT ON FUNCTION embedding_dropped() IS
    'internal: dropped tables leave embedding_columns; what embedding columns need stays';
COMMENT ON FUNCTION embedding_changed() IS
    'internal: what changes tables with embedding columns is followed, or refused';
COMMENT ON FUNCTION embedding_enqueue_rows(regclass, name) IS
    'internal: puts stale rows on the work list of an embedding column, and all of it into a back-fill';
COMMENT ON FUNCTION embedding_backfill_begin(regclass, name) IS
    'internal: begins a back-fill or goes on with one';
COMMENT ON FUNCTION embedding_progress_add(embedding_columns, timestamp with time zone, integer, integer, integer) IS
    'internal: counts a batch of a back-fill';
COMMENT ON FUNCTION embedding_fill_safely(regclass, name, bigint[], boolean) IS
    'internal: embedding_fill, where an error of one row is that row''s outcome';
COMMENT ON FUNCTION embedding_lock_class() IS
    'internal: class of the advisory locks of who drains a work list';
COMMENT ON FUNCTION embedding_drain_batch(regclass, name, integer) IS
    'internal: embeds a batch of a work list, with the rights of the caller';
COMMENT ON FUNCTION embedding_check_outcomes(embedding_columns, jsonb) IS
    'internal: an error where all rows of a batch fail for want of a function or a right';
COMMENT ON FUNCTION embedding_duration(double precision) IS
    'internal: seconds in words';
COMMENT ON FUNCTION embedding_bar(double precision, integer) IS
    'internal: a share from 0 to 1 as a bar of this width';
COMMENT ON FUNCTION embedding_number(double precision) IS
    'internal: a number with commas';
COMMENT ON FUNCTION embedding_progress_line(regclass, name) IS
    'internal: a back-fill in one line, with a bar';
COMMENT ON FUNCTION embedding_next_batch(integer, integer, double precision) IS
    'internal: how many rows the next batch should have';
COMMENT ON FUNCTION embedding_check_batch(integer) IS
    'internal: an error if batch is no number of rows';
COMMENT ON FUNCTION embedding_report_failures(regclass, name) IS
    'internal: says how many rows of an embedding column have failed';
COMMENT ON FUNCTION embedding_backfill_now(regclass, name) IS
    'internal: a back-fill within the caller''s transaction';
COMMENT ON FUNCTION embedding_backfill_later(regclass, name) IS
    'internal: a back-fill for the background worker';
COMMENT ON FUNCTION embedding_backfill_targets(regclass, name, integer) IS
    'internal: the columns that backfill fills, checked';
COMMENT ON FUNCTION embedding_backfill_step(regclass, name, integer, bigint, timestamp with time zone) IS
    'internal: a batch for backfill; passing troubles are waited for';
COMMENT ON FUNCTION embedding_backfill_finish(regclass, name, bigint, boolean) IS
    'internal: whether a back-fill is done; marks it so';
COMMENT ON FUNCTION embedding_progress_rows() IS
    'internal: the rows of itembank_progress';
COMMENT ON FUNCTION embedding_stale_rows(regclass, name) IS
    'internal: stale rows of one column, with the rights of the caller';
COMMENT ON FUNCTION embedding_stale_as_owner(regclass, name) IS
    'internal: embedding_stale_rows, as the table''s owner';
COMMENT ON FUNCTION embedding_stale_or_unknown(regclass, name) IS
    'internal: embedding_stale_as_owner, or a warning and one row without a key';
COMMENT ON FUNCTION embedding_sample_cosines(regclass, name, integer) IS
    'internal: cosines of stored vectors with those that the model makes now';
COMMENT ON FUNCTION embedding_forget() IS
    'internal: how far its back-fill is goes with an embedding column';
COMMENT ON FUNCTION embedding_queue_counts(regclass) IS
    'internal: entries of a work list that wait, that have failed, and their most frequent error';
COMMENT ON FUNCTION embedding_table_columns(regclass) IS
    'internal: the columns of a table, for hints';
COMMENT ON FUNCTION embedding_type_of(regclass, name) IS
    'internal: the type of a column; NULL where there is none';
COMMENT ON FUNCTION embedding_is_drained(regclass) IS
    'internal: whether somebody is working on a work list';
COMMENT ON FUNCTION embedding_is_there(regclass) IS
    'internal: whether a relation is there for this session: temporary ones of others are not';
COMMENT ON FUNCTION embedding_queue_lacks(embedding_columns) IS
    'internal: key columns that a work list should have and has not';
COMMENT ON FUNCTION embedding_check_modalities(text, text, text) IS
    'internal: an error where a model does not take text or images';
COMMENT ON FUNCTION embedding_check_roles(embedding_columns) IS
    'internal: an error where a column would be both written by an embedding column and read by one';
COMMENT ON FUNCTION embedding_agreement_part(text, regclass, name, text, name[], integer, integer) IS
    'internal: the query of one column''s nearest rows, for embedding_agreement';
COMMENT ON FUNCTION embedding_vector_type(regclass, name) IS
    'internal: the type of a column of vectors and its schema, or an error';
COMMENT ON FUNCTION embedding_key_text(text, name[]) IS
    'internal: SQL of a row''s key as text, for embedding_agreement, near_duplicates and judged items';
COMMENT ON FUNCTION embedding_near_pairs(embedding_columns, integer, double precision) IS
    'internal: the query of near_duplicates';
COMMENT ON FUNCTION embedding_column_meant(regclass, name) IS
    'internal: the embedding column of that name, or the only current one of the table';
COMMENT ON FUNCTION embedding_text_forms(text) IS
    'internal: what near_duplicates compares texts by: plain, with # for numbers, with lines and choices in order, and both';
COMMENT ON FUNCTION embedding_text_spaces(text) IS
    'internal: a text without spaces that say nothing, for near_duplicates';
COMMENT ON FUNCTION embedding_text_numbers(text) IS
    'internal: a text with # for each number, for near_duplicates';
COMMENT ON FUNCTION embedding_text_sorted(text) IS
    'internal: a text''s lines in order, for near_duplicates';
COMMENT ON FUNCTION embedding_migration_run(embedding_columns, text, text) IS
    'internal: the run of an embedding column for given queries as a SELECT, for migrate_embedding';
COMMENT ON FUNCTION embedding_migration_judgements(text) IS
    'internal: the pooled judgements of given queries as a SELECT, for migrate_embedding';
COMMENT ON FUNCTION embedding_migration_judged(text, text) IS
    'internal: checks the queries that migrate_embedding was given; how many have judgements';
COMMENT ON FUNCTION embedding_migration_metrics(embedding_columns, embedding_columns, text, text) IS
    'internal: old against new model by judgements, for migrate_embedding';
COMMENT ON FUNCTION embedding_migration_report(regclass, name, text, bigint, integer, text) IS
    'internal: makes, tells and keeps the report of a migration';
COMMENT ON FUNCTION embedding_sibling(regclass, name, text) IS
    'internal: the column that a migration fills for an embedding column (next), or has kept of it (previous)';
COMMENT ON FUNCTION embedding_names(name, text) IS
    'internal: names of an embedding column and of its two companions with a suffix';
COMMENT ON FUNCTION embedding_check_names(regclass, name[]) IS
    'internal: an error where a name that a migration needs is taken';
COMMENT ON FUNCTION embedding_lacking(regclass, name, name, boolean) IS
    'internal: how many rows have a vector in one embedding column and would lack it in another';
COMMENT ON FUNCTION embedding_lacking_as_owner(regclass, name, name, boolean) IS
    'internal: embedding_lacking with the rights of the table''s owner';
COMMENT ON FUNCTION embedding_queued(embedding_columns) IS
    'internal: entries of an embedding column''s queue that wait, and those that failed';
COMMENT ON FUNCTION embedding_require_filled(embedding_columns, embedding_columns) IS
    'internal: an error where rows would lose a vector by a swap';
COMMENT ON FUNCTION embedding_hash_index(regclass, name) IS
    'internal: the index on a column of content hashes';
COMMENT ON FUNCTION embedding_key_index(regclass) IS
    'internal: the primary key of an embedding column''s queue';
COMMENT ON FUNCTION embedding_rename_pair(text, regclass, regclass, text, text) IS
    'internal: passes a relation''s name on to another one, for the swap of a migration';
COMMENT ON FUNCTION embedding_rename(embedding_columns, embedding_columns, name[]) IS
    'internal: renames what belongs to two embedding columns, for the swap of a migration';
COMMENT ON FUNCTION embedding_exchange(embedding_columns, embedding_columns, text) IS
    'internal: the swap of a migration, once everything is locked';
COMMENT ON FUNCTION embedding_bound(regclass, name) IS
    'internal: what depends on a column itself and not on its name: views, functions, policies, other indexes';
COMMENT ON FUNCTION embedding_swap_locks(embedding_columns, embedding_columns) IS
    'internal: takes the locks of a migration''s swap, or fails soon';
COMMENT ON FUNCTION embedding_swap_try(regclass, name, text, text, integer) IS
    'internal: one try of a migration''s swap: swapped, locked or busy';
COMMENT ON FUNCTION embedding_migration_check(regclass, name, text, integer) IS
    'internal: what keeps an embedding column from a migration; the column that one under way fills';
COMMENT ON FUNCTION embedding_copy_grants(regclass, name, name) IS
    'internal: gives another column the rights that were granted on one';
COMMENT ON FUNCTION embedding_migration_begin(regclass, name, text, integer) IS
    'internal: makes the column that a migration fills; NULL where the table is in use';
COMMENT ON FUNCTION embedding_migration_arguments(boolean, double precision, integer, integer) IS
    'internal: checks arguments of migrate_embedding';
COMMENT ON FUNCTION embedding_snapshots(xid8) IS
    'internal: sessions of this database that may not see what a transaction did';
COMMENT ON PROCEDURE embedding_next_transaction() IS
    'internal: commits; the next transaction reads committed rows and has a safe search_path';
COMMENT ON PROCEDURE embedding_wait_for_snapshots() IS
    'internal: waits until every session sees what was committed before';
COMMENT ON FUNCTION embedding_catch_up(regclass, name, integer) IS
    'internal: embeds a batch of what changed during a migration';
COMMENT ON PROCEDURE embedding_swap(regclass, name, integer) IS
    'internal: swaps an embedding column with the one that a migration has filled';
COMMENT ON FUNCTION embedding_migration_end(regclass, name) IS
    'internal: keeps and tells that a migration has swapped';
COMMENT ON FUNCTION embedding_wake() IS
    'internal: once this transaction has committed, has the background worker of this database look for work, or has one started';
COMMENT ON FUNCTION embedding_worker_available() IS
    'internal: whether this server has background workers for embedding columns of mode queue';
COMMENT ON FUNCTION embedding_check_expression(text, text) IS
    'internal: an error for what is not one SQL expression';
COMMENT ON FUNCTION embedding_trigger() IS
    'internal: embeds what a statement has changed, or puts it on the work list';
COMMENT ON FUNCTION embedding_fill(regclass, name, bigint[]) IS
    'internal: embeds the rows that entries of a work list name, and says what came of each';
COMMENT ON FUNCTION embedding_drain(regclass, name, integer) IS
    'internal: takes a batch out of a work list, as the table''s owner';
COMMENT ON FUNCTION embedding_as_owner(regclass, text) IS
    'internal: rows of a query that is run as the table''s owner, for who has his rights';
COMMENT ON FUNCTION embedding_text_as_owner(regclass, text) IS
    'internal: embedding_as_owner, each row as the text of its JSON';
COMMENT ON FUNCTION embedding_announce(oid) IS
    'internal: has all sessions look again at a table''s embedding columns';
COMMENT ON FUNCTION embedding_in_transaction_block() IS
    'internal: whether a procedure could not commit here';
COMMENT ON FUNCTION embedding_make_due(regclass, name) IS
    'internal: makes what waits in a column''s queue due, whatever it waits for';
COMMENT ON FUNCTION embedding_make_due_as_owner(regclass, name) IS
    'internal: embedding_make_due, as the table''s owner';
COMMENT ON FUNCTION embedding_swap_most() IS
    'internal: how many changed rows are embedded under the lock of a swap at most';
COMMENT ON FUNCTION embedding_look(regclass, text) IS
    'internal: the row of a statement that reads a relation, by its owner''s rights';
COMMENT ON FUNCTION embedding_backfill_left(regclass, bigint, boolean) IS
    'internal: whether anything of a back-fill is left in a work list';
COMMENT ON FUNCTION embedding_record(regclass, text, text) IS
    'internal: changes what is registered about a table, for who has its owner''s rights';
COMMENT ON FUNCTION embedding_record_removed(regclass, jsonb) IS
    'internal: embedding_record where columns are no embedding columns any more';
COMMENT ON FUNCTION embedding_record_keys(regclass, jsonb) IS
    'internal: embedding_record where the key of a table has other types';
COMMENT ON FUNCTION embedding_record_progress(regclass, jsonb) IS
    'internal: embedding_record of how far a back-fill is';
COMMENT ON FUNCTION embedding_record_swapped(regclass, jsonb) IS
    'internal: embedding_record where a migration has swapped, or was undone';
COMMENT ON COLUMN embedding_columns.tbl IS
    'table of the column';
COMMENT ON COLUMN embedding_columns.target IS
    'column that holds the vectors';
COMMENT ON COLUMN embedding_columns.model IS
    'model that makes them';
COMMENT ON COLUMN embedding_columns.inputs IS
    'text as it was given: an expression or a template';
COMMENT ON COLUMN embedding_columns.image IS
    'image as it was given: an expression';
COMMENT ON COLUMN embedding_columns.input_expression IS
    'text as an expression, as PostgreSQL writes it';
COMMENT ON COLUMN embedding_columns.image_expression IS
    'image as an expression, as PostgreSQL writes it';
COMMENT ON COLUMN embedding_columns.input_columns IS
    'columns of the table that the expressions read';
COMMENT ON COLUMN embedding_columns.key_columns IS
    'columns by which rows are told apart';
COMMENT ON COLUMN embedding_columns.key_equals IS
    'operators by which two of their values are equal';
COMMENT ON COLUMN embedding_columns.dimensions IS
    'number of dimensions that was asked for; NULL: all of the model';
COMMENT ON COLUMN embedding_columns.mode IS
    'when changed rows are embedded: statement, queue or manual';
COMMENT ON COLUMN embedding_columns.hash_column IS
    'column with the hash of what each vector was made of';
COMMENT ON COLUMN embedding_columns.fingerprint_column IS
    'column with the fingerprint of the model that made it';
COMMENT ON COLUMN embedding_columns.queue IS
    'table that lists what is to be embedded';
COMMENT ON COLUMN embedding_columns.role IS
    'current, or of a migration: next or previous';
COMMENT ON COLUMN embedding_columns.of IS
    'column whose migration it belongs to';
COMMENT ON COLUMN embedding_progress.tbl IS
    'table of the embedding column';
COMMENT ON COLUMN embedding_progress.target IS
    'column that holds the vectors';
COMMENT ON COLUMN embedding_progress.total IS
    'rows of the back-fill';
COMMENT ON COLUMN embedding_progress.done IS
    'rows of it that are done';
COMMENT ON COLUMN embedding_progress.failures IS
    'rows of it that failed';
COMMENT ON COLUMN embedding_progress.started_at IS
    'when it began';
COMMENT ON COLUMN embedding_progress.updated_at IS
    'when a batch last ended';
COMMENT ON COLUMN embedding_progress.finished_at IS
    'when it ended; NULL: it has not';
COMMENT ON COLUMN embedding_progress.active IS
    'time that was worked';
COMMENT ON COLUMN embedding_progress.rate IS
    'rows a second of late';
COMMENT ON COLUMN embedding_migrations.tbl IS
    'table of the embedding column';
COMMENT ON COLUMN embedding_migrations.target IS
    'column that holds the vectors';
COMMENT ON COLUMN embedding_migrations.old_model IS
    'model before';
COMMENT ON COLUMN embedding_migrations.new_model IS
    'model after';
COMMENT ON COLUMN embedding_migrations.at IS
    'when the report was made';
COMMENT ON COLUMN embedding_migrations.overlap_at_10 IS
    'share of the ten nearest rows that both models have in common';
COMMENT ON COLUMN embedding_migrations.sampled IS
    'rows that were compared';
COMMENT ON COLUMN embedding_migrations.metrics IS
    'agreement of neighbours, and metrics on judgements';
COMMENT ON COLUMN embedding_migrations.swapped_at IS
    'when the new vectors took the name; NULL: they have not, or were rolled back';
COMMENT ON COLUMN itembank_progress.tbl IS
    'table of the embedding column';
COMMENT ON COLUMN itembank_progress.target IS
    'column that holds the vectors';
COMMENT ON COLUMN itembank_progress.state IS
    'running, interrupted, waiting, finished or idle';
COMMENT ON COLUMN itembank_progress.done IS
    'rows of the last back-fill that are done';
COMMENT ON COLUMN itembank_progress.total IS
    'rows of it';
COMMENT ON COLUMN itembank_progress.percent IS
    'share of it that is done, in percent';
COMMENT ON COLUMN itembank_progress.bar IS
    'the same as a bar';
COMMENT ON COLUMN itembank_progress.rows_per_second IS
    'its speed';
COMMENT ON COLUMN itembank_progress.eta IS
    'time left';
COMMENT ON COLUMN itembank_progress.failures IS
    'rows that failed';
COMMENT ON COLUMN itembank_progress.pending IS
    'rows that wait; NULL for who has not the rights of the table''s owner';
COMMENT ON FUNCTION evaluation_interval(float8[], integer, bigint) IS
    'internal: bootstrap interval of a mean, 95 %';
COMMENT ON FUNCTION evaluation_rows(text, text) IS
    'internal: rows of a SELECT given as text, read-only';
COMMENT ON FUNCTION evaluation_run(text, text, text) IS
    'internal: rows of a run given as text, with their ranks, read-only';
COMMENT ON FUNCTION evaluation_judged(text, text) IS
    'internal: judgements given as text, checked, read-only';
COMMENT ON FUNCTION fleiss_kappa_of(integer[], integer) IS
    'internal: fleiss_kappa of subjects one behind the other';
COMMENT ON FUNCTION recall_curve_svg(text[], integer[], float8[], float8[], float8[], text) IS
    'internal: what evaluation_svg draws';
COMMENT ON FUNCTION index_recall_measured(regclass, name, integer, integer, integer[], bigint) IS
    'internal: index_recall with the caller''s rights';
COMMENT ON FUNCTION index_recall_candidates(regclass, name, integer) IS
    'internal: approximate indexes on a column, for index_recall';
COMMENT ON FUNCTION index_recall_uses(regclass, text, text, integer) IS
    'internal: whether the planner takes an index, for index_recall';
COMMENT ON FUNCTION text_bar(double precision, integer) IS
    'internal: a value from 0 to 1 as a bar of block characters';
COMMENT ON FUNCTION evaluation_runs(json) IS
    'internal: the runs of a JSON object of models and queries, checked, in its order';
COMMENT ON FUNCTION evaluation_categories(text) IS
    'internal: the categories of queries as a SELECT gives them, read-only';
COMMENT ON COLUMN evaluation_judgements.query_id IS
    'query';
COMMENT ON COLUMN evaluation_judgements.item_id IS
    'item';
COMMENT ON COLUMN evaluation_judgements.assessor IS
    'who judged';
COMMENT ON COLUMN evaluation_judgements.grade IS
    'relevance: 0 or less for none, 1 and more for how much';
COMMENT ON COLUMN evaluation_judgements.judged_at IS
    'when the grade was given';
COMMENT ON COLUMN evaluation_judgements.note IS
    'what the assessor says about it';
COMMENT ON COLUMN itembank_engine.name IS
    'model';
COMMENT ON COLUMN itembank_engine.loaded IS
    'whether it is in memory';
COMMENT ON COLUMN itembank_engine.device IS
    'where it runs';
COMMENT ON COLUMN itembank_engine.bytes IS
    'size of its files';
COMMENT ON COLUMN itembank_engine.load_seconds IS
    'time that loading took';
COMMENT ON COLUMN itembank_engine.idle_seconds IS
    'time since its last call';
COMMENT ON COLUMN itembank_engine.queued IS
    'calls that wait';
COMMENT ON COLUMN itembank_engine.requests IS
    'calls';
COMMENT ON COLUMN itembank_engine.items IS
    'texts and images';
COMMENT ON COLUMN itembank_engine.batches IS
    'runs';
COMMENT ON COLUMN itembank_engine.mean_batch IS
    'items a run';
COMMENT ON COLUMN itembank_engine.largest_batch IS
    'items of the largest run';
COMMENT ON COLUMN itembank_engine.tokens IS
    'tokens without padding';
COMMENT ON COLUMN itembank_engine.padding_share IS
    'share of padding in what was run';
COMMENT ON COLUMN itembank_engine.queue_p50_ms IS
    'time that calls waited, median';
COMMENT ON COLUMN itembank_engine.queue_p95_ms IS
    'time that calls waited, 95th percentile';
COMMENT ON COLUMN itembank_engine.queue_p99_ms IS
    'time that calls waited, 99th percentile';
COMMENT ON COLUMN itembank_engine.run_p50_ms IS
    'time of a run, median';
COMMENT ON COLUMN itembank_engine.run_p95_ms IS
    'time of a run, 95th percentile';
COMMENT ON COLUMN itembank_engine.run_p99_ms IS
    'time of a run, 99th percentile';
COMMENT ON COLUMN itembank_engine.failures IS
    'calls that failed';
COMMENT ON COLUMN itembank_engine.failures_by_code IS
    'the same by kind of error';
COMMENT ON COLUMN itembank_engine.canceled IS
    'calls whose session had gone';
COMMENT ON COLUMN itembank_engine.bisected IS
    'runs that failed as a whole and were halved';
COMMENT ON COLUMN itembank_engine.fixed_cost_ms IS
    'measured cost of a run besides its tokens';
COMMENT ON COLUMN itembank_engine.token_cost_ms IS
    'measured cost of a token';
COMMENT ON FUNCTION observe_recall(internal, text, bigint, integer, integer) IS
    'internal: a row for recall_at_k';
COMMENT ON FUNCTION observe_precision(internal, text, bigint, integer, integer) IS
    'internal: a row for precision_at_k';
COMMENT ON FUNCTION observe_hit_rate(internal, text, bigint, integer, integer) IS
    'internal: a row for hit_rate_at_k';
COMMENT ON FUNCTION observe_judged(internal, text, bigint, integer, integer) IS
    'internal: a row for judged_at_k';
COMMENT ON FUNCTION observe_ndcg(internal, text, bigint, integer, integer) IS
    'internal: a row for ndcg_at_k';
COMMENT ON FUNCTION observe_ndcg_gain(internal, text, bigint, integer, integer, text) IS
    'internal: a row for ndcg_at_k with a gain';
COMMENT ON FUNCTION observe_reciprocal_rank(internal, text, bigint, integer) IS
    'internal: a row for mean_reciprocal_rank';
COMMENT ON FUNCTION observe_reciprocal_rank_at(internal, text, bigint, integer, integer) IS
    'internal: a row for mean_reciprocal_rank with a k';
COMMENT ON FUNCTION observe_average_precision(internal, text, bigint, integer) IS
    'internal: a row for average_precision';
COMMENT ON FUNCTION observe_average_precision_at(internal, text, bigint, integer, integer) IS
    'internal: a row for average_precision with a k';
COMMENT ON FUNCTION observe_r_precision(internal, text, bigint, integer) IS
    'internal: a row for r_precision';
COMMENT ON FUNCTION observe_bpref(internal, text, bigint, integer) IS
    'internal: a row for bpref';
COMMENT ON FUNCTION metric_combine(internal, internal) IS
    'internal: two partial states of a metric as one';
COMMENT ON FUNCTION metric_serialize(internal) IS
    'internal: a partial state of a metric as bytes, for parallel plans';
COMMENT ON FUNCTION metric_deserialize(bytea, internal) IS
    'internal: a partial state of a metric from its bytes';
COMMENT ON FUNCTION metric_mean(internal) IS
    'internal: the mean of a metric over the queries, from its state';
COMMENT ON FUNCTION judge(text, text, integer, text, text) IS
    'records an assessor''s grade for a pair of query and item; gives the former one';
