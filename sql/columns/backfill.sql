-- Back-fill: what is stale is listed in the column's queue, and batch by batch taken from it, embedded and written.

-- Lists the rows that are stale and not listed yet, and makes what is listed part of the back-fill; where one was left
-- off and goes on (resumed), what has come since is no part of it, so that its share done does not shrink. Gives what
-- is left of the back-fill and the last number in the queue. As the table's owner: it evaluates his expressions, and
-- writes to his queue. Entries that others are working on are left to them: waiting for those who in turn wait for this
-- back-fill's progress would never end.
CREATE FUNCTION embedding_enqueue_rows(tbl regclass, target name,
                                       OUT resumed bool, OUT remaining bigint, OUT last bigint)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c @extschema@.embedding_columns := @extschema@.embedding_column(tbl, target);
    keys text := (SELECT string_agg('key_' || n, ', ' ORDER BY n)
                  FROM generate_series(1, cardinality(c.key_columns)) AS n);
    same text := (SELECT string_agg(format('q.key_%s %s s.key_%s', n, e, n), ' AND ' ORDER BY n)
                  FROM unnest(c.key_equals) WITH ORDINALITY AS u (e, n));
    fingerprint text := @extschema@.model_fingerprint(c.model);
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE origin = ''backfill'' AND attempts = 0)', c.queue)
        INTO resumed;
    resumed := resumed AND EXISTS (SELECT FROM @extschema@.embedding_progress AS p
                                   WHERE p.tbl = c.tbl AND p.target = c.target AND p.finished_at IS NULL);
    EXECUTE format('UPDATE %1$s SET retry_at = ''-infinity'' '
                   'WHERE id IN (SELECT id FROM %1$s WHERE attempts > 0 FOR UPDATE SKIP LOCKED)', c.queue);
    IF NOT resumed THEN
        EXECUTE format('UPDATE %1$s SET origin = ''backfill'' WHERE id IN (SELECT id FROM %1$s '
                       'WHERE origin <> ''backfill'' AND attempts = 0 FOR UPDATE SKIP LOCKED)', c.queue);
    END IF;
    FOR careful IN 0 .. 1 LOOP
        BEGIN
            EXECUTE format('INSERT INTO %1$s (%2$s, origin) SELECT %2$s, $2 FROM (%3$s) AS s '
                           'WHERE s.reason IS NOT NULL AND NOT EXISTS (SELECT FROM %1$s AS q WHERE %4$s)',
                           c.queue, keys, @extschema@.embedding_staleness(c, careful = 1), same)
                USING fingerprint, CASE WHEN resumed THEN 'change' ELSE 'backfill' END;
            EXIT;
        EXCEPTION WHEN OTHERS THEN
            -- Without a function or a right no row is better than another.
            IF careful = 1 OR NOT @extschema@.embedding_is_row_fault(SQLSTATE)
                    OR SQLSTATE ~ '^(42(?!704)|3F)' THEN
                RAISE;
            END IF;
        END;
    END LOOP;
    EXECUTE format('SELECT count(*) FILTER (WHERE origin = ''backfill'' AND attempts = 0), coalesce(max(id), 0) '
                   'FROM %s', c.queue) INTO remaining, last;
END
$$;

-- Begins a back-fill, or goes on with one that was left off: what it had listed still is, and how far it was is known.
-- What triggers had listed when it began and no worker has taken, and what has failed, is in it. Gives the last number in the queue;
-- 0: there is nothing to do.
CREATE FUNCTION embedding_backfill_begin(tbl regclass, target name) RETURNS bigint
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

-- Counts a batch. The rate is that of late: at first of all rows, then of the last five seconds, later of the last
-- quarter of the time that was worked; older batches fade out. The first batch is left out, since it may have loaded
-- the model; one that took far longer than was to be expected, for such a reason, counts as if it had taken twice as
-- long.
CREATE FUNCTION embedding_progress_add(c embedding_columns, began timestamptz, finished int, failing int, recovered int)
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

-- embedding_fill, where a row's own fault is that row's outcome: it is found by halving. Other faults are raised. An
-- engine that died in the call may have died of a row; but it may be another session's, so one alone is tried again.
CREATE FUNCTION embedding_fill_safely(tbl regclass, target name, ids bigint[], again bool DEFAULT true)
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

-- The class of the advisory lock by which itembank_progress sees that a queue is worked on.
CREATE FUNCTION embedding_lock_class() RETURNS int
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT 1769237858 $$;

-- A batch of a column's queue, with the caller's rights: the table's owner's, as embedding_drain sees to. Several may
-- work on a queue at once. Entries that failed stay, and are tried again later and later; those of rows that are locked
-- or kept unwritten, soon, and less often the longer they wait, so that they do not keep others from their turn.
CREATE FUNCTION embedding_drain_batch(tbl regclass, target name, batch int)
    RETURNS TABLE (taken int, embedded int, shared int, unchanged int, failed int, busy int)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c @extschema@.embedding_columns := @extschema@.embedding_column(tbl, target);
    began timestamptz := clock_timestamp();
    claimed record;
    outcomes jsonb;
    done record;
BEGIN
    -- Only shown: whoever holds it alone, as anybody may, must not keep this waiting.
    PERFORM pg_try_advisory_xact_lock_shared(@extschema@.embedding_lock_class(),
                                             (c.queue::oid::bigint - 2147483648)::int);
    -- Waits for a migration that is swapping this column for another one: by then the name may be that one's.
    -- What is written later is locked now, as a lesser lock first could wait for who waits for that: REINDEX does.
    EXECUTE format('LOCK TABLE %s IN ROW EXCLUSIVE MODE', tbl);
    c := @extschema@.embedding_column(tbl, target);
    EXECUTE format('LOCK TABLE %s IN ROW EXCLUSIVE MODE', c.queue);
    EXECUTE format('SELECT array_agg(q.id) AS ids, array_agg(q.id) FILTER (WHERE q.origin = ''backfill'') AS listed, '
                   'array_agg(q.id) FILTER (WHERE q.attempts > 0) AS failing '
                   'FROM (SELECT id, origin, attempts FROM %s WHERE retry_at <= $1 '
                         'ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED) AS q', c.queue)
        INTO claimed USING began, batch;
    IF claimed.ids IS NULL THEN
        RETURN QUERY SELECT 0, 0, 0, 0, 0, 0;
        RETURN;
    END IF;
    -- A model that is not there is no row's fault.
    PERFORM @extschema@.model_fingerprint(c.model);
    outcomes := (SELECT jsonb_agg(to_jsonb(f)) FROM @extschema@.embedding_fill_safely(tbl, target, claimed.ids) AS f);
    PERFORM @extschema@.embedding_check_outcomes(c, outcomes);
    EXECUTE format('DELETE FROM %s WHERE id IN (SELECT r.id FROM jsonb_to_recordset($1) AS r (id bigint, outcome text) '
                   'WHERE r.outcome NOT IN (''busy'', ''failed''))', c.queue) USING outcomes;
    EXECUTE format('UPDATE %s AS q SET attempts = q.attempts + (r.outcome = ''failed'')::int, '
                   'code = coalesce(r.code, q.code), error = coalesce(r.error, q.error), '
                   'retry_at = clock_timestamp() + CASE r.outcome WHEN ''busy'' THEN greatest(interval ''100 ms'', '
                   'least(interval ''1 min'', (clock_timestamp() - q.queued_at) / 10)) '
                   'ELSE least(interval ''1 hour'', interval ''10 s'' * 2 ^ least(q.attempts, 20)) END '
                   'FROM jsonb_to_recordset($1) AS r (id bigint, outcome text, code text, error text) '
                   'WHERE q.id = r.id AND r.outcome IN (''busy'', ''failed'')', c.queue) USING outcomes;
    SELECT count(*)::int AS taken,
           (count(*) FILTER (WHERE r.outcome = 'embedded'))::int AS embedded,
           (count(*) FILTER (WHERE r.outcome = 'shared'))::int AS shared,
           (count(*) FILTER (WHERE r.outcome IN ('unchanged', 'gone')))::int AS unchanged,
           (count(*) FILTER (WHERE r.outcome = 'failed'))::int AS failed,
           (count(*) FILTER (WHERE r.outcome = 'busy'))::int AS busy,
           (count(*) FILTER (WHERE r.listed AND NOT r.failing AND r.outcome <> 'busy'))::int AS finished,
           (count(*) FILTER (WHERE r.listed AND NOT r.failing AND r.outcome = 'failed'))::int AS new_failures,
           (count(*) FILTER (WHERE r.listed AND r.failing AND r.outcome NOT IN ('busy', 'failed')))::int AS recovered
    INTO done
    FROM (SELECT f.outcome, f.id = ANY (claimed.listed) IS TRUE AS listed,
                 f.id = ANY (claimed.failing) IS TRUE AS failing
          FROM jsonb_to_recordset(outcomes) AS f (id bigint, outcome text)) AS r;
    IF claimed.listed IS NOT NULL THEN
        PERFORM @extschema@.embedding_progress_add(c, began, done.finished, done.new_failures, done.recovered);
    END IF;
    RETURN QUERY SELECT done.taken, done.embedded, done.shared, done.unchanged, done.failed, done.busy;
END
$$;

-- What fails each row of a batch for want of a function or a right is no row's fault: it is raised, and the rows wait.
CREATE FUNCTION embedding_check_outcomes(c embedding_columns, outcomes jsonb) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    fault record;
BEGIN
    SELECT min(r.code) AS code, min(r.error) AS error INTO fault
    FROM jsonb_to_recordset(outcomes) AS r (outcome text, code text, error text)
    HAVING count(*) >= 4 AND bool_and(r.outcome = 'failed' AND r.code ~ '^(42(?!704)|3F)') AND count(DISTINCT r.code) = 1;
    IF FOUND THEN
        RAISE EXCEPTION '%', fault.error USING ERRCODE = fault.code,
            DETAIL = format('All rows of a batch for embedding column "%s" of table %s failed with it.',
                            c.target, c.tbl),
            HINT = format('Its inputs are evaluated as %s, with search_path = pg_catalog, pg_temp.',
                (SELECT quote_ident(pg_get_userbyid(t.relowner)) FROM pg_class AS t WHERE t.oid = c.tbl));
    END IF;
END
$$;
