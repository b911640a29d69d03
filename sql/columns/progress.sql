-- How far back-fills are: lines with a bar for NOTICE, a view for \watch. And the back-fill as a whole, which says so.

-- Seconds as a person says them: 45 s, 2 min 3 s, 1 h 5 min, 3 d 2 h.
CREATE FUNCTION embedding_duration(seconds float8) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN s < 60 THEN format('%s s', s)
                WHEN s < 3600 THEN format('%s min %s s', s / 60, s % 60)
                WHEN s < 86400 THEN format('%s h %s min', s / 3600, s % 3600 / 60)
                ELSE format('%s d %s h', s / 86400, s % 86400 / 3600) END
    FROM (SELECT ceil(least(seconds, 1e15))::bigint AS s) AS whole
$$;

-- A share from 0 to 1 as a bar of this width, what is not done yet included.
CREATE FUNCTION embedding_bar(share float8, width int) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT rpad(@extschema@.text_bar(share, width), width,
                CASE WHEN getdatabaseencoding() = 'UTF8' THEN chr(9617) ELSE '.' END)
$$;

-- A rate or a number with commas.
CREATE FUNCTION embedding_number(number float8) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT ltrim(to_char(number, CASE WHEN number < 10 AND number <> floor(number) THEN '0.0'
                                      ELSE '999,999,999,999,990' END))
$$;

-- A back-fill in one line, such as: items.embedding  (a bar)  41 %  4,500 of 10,952  52 rows/s  ETA 2 min 3 s
CREATE FUNCTION embedding_progress_line(tbl regclass, target name) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT concat_ws('  ', format('%s.%I', p.tbl, p.target),
                     @extschema@.embedding_bar(s.share, 16), floor(s.share * 100) || ' %',
                     @extschema@.embedding_number(p.done) || ' of ' || @extschema@.embedding_number(p.total),
                     @extschema@.embedding_number(s.rate) || ' rows/s',
                     CASE WHEN p.finished_at IS NULL
                          THEN 'ETA ' || @extschema@.embedding_duration((p.total - p.done) / s.rate)
                          WHEN p.total > 0 THEN @extschema@.embedding_duration(extract(epoch FROM p.active)) END,
                     CASE WHEN p.failures > 0 THEN @extschema@.embedding_number(p.failures) || ' failed' END)
    FROM @extschema@.embedding_progress AS p,
        LATERAL (SELECT CASE WHEN p.total > 0 THEN p.done::float8 / p.total ELSE 1 END,
                        nullif(coalesce(CASE WHEN p.finished_at IS NULL THEN p.rate END,
                                        p.done / nullif(extract(epoch FROM p.active)::float8, 0)), 0)
                ) AS s (share, rate)
    WHERE p.tbl = $1 AND p.target = $2
$$;

-- The number of rows of the next batch, so that it takes a second or two.
CREATE FUNCTION embedding_next_batch(batch int, taken int, seconds float8) RETURNS int
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN taken = 0 THEN batch
                ELSE greatest(8, least(512, batch * 2, taken * 1.5 / greatest(seconds, 1e-3)))::int END
$$;

-- An error if batch is no number of rows.
CREATE FUNCTION embedding_check_batch(batch int) RETURNS void
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF batch NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION 'batch must be between 1 and 10000' USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'It is the number of rows that are embedded and committed together.',
            HINT = 'Leave it out: batches then take a second or two.';
    END IF;
END
$$;

-- What is left to say when a back-fill is done: which rows failed, and where it says why.
CREATE FUNCTION embedding_report_failures(tbl regclass, target name) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c @extschema@.embedding_columns := @extschema@.embedding_column(tbl, target);
    q record;
BEGIN
    SELECT * INTO q FROM @extschema@.embedding_queue_counts(c.queue);
    IF q.failed > 0 THEN
        RAISE NOTICE '% of table % could not be embedded into "%"',
            CASE q.failed WHEN 1 THEN '1 row' ELSE @extschema@.embedding_number(q.failed) || ' rows' END, tbl, target
            USING DETAIL = format('Most often: %s', q.usual),
                  HINT = format('SELECT * FROM %s WHERE attempts > 0; shows which and why. %s.', c.queue,
                                CASE c.mode WHEN 'queue' THEN 'Worker and back-fill try them again'
                                ELSE 'The next back-fill tries them again' END);
    END IF;
END
$$;

-- The whole back-fill in the caller's transaction, as add_embedding does it, whose lock keeps others from the table.
CREATE FUNCTION embedding_backfill_now(tbl regclass, target name) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    batch int := 16;
    began timestamptz;
    shown timestamptz := clock_timestamp();
    taken int;
BEGIN
    IF @extschema@.embedding_backfill_begin(tbl, target) = 0 THEN
        RETURN;
    END IF;
    LOOP
        began := clock_timestamp();
        SELECT d.taken INTO taken FROM @extschema@.embedding_drain(tbl, target, batch) AS d;
        EXIT WHEN taken = 0;
        batch := @extschema@.embedding_next_batch(batch, taken, extract(epoch FROM clock_timestamp() - began));
        IF clock_timestamp() > shown + interval '2 s' AND EXISTS (
                SELECT FROM @extschema@.embedding_progress AS p
                WHERE p.tbl = $1 AND p.target = $2 AND p.finished_at IS NULL) THEN
            shown := clock_timestamp();
            RAISE NOTICE '%', @extschema@.embedding_progress_line(tbl, target);
        END IF;
    END LOOP;
    RAISE NOTICE '%', @extschema@.embedding_progress_line(tbl, target);
    PERFORM @extschema@.embedding_report_failures(tbl, target);
END
$$;

-- A back-fill that is left to the background worker.
CREATE FUNCTION embedding_backfill_later(tbl regclass, target name) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM @extschema@.embedding_backfill_begin(tbl, target);
    IF @extschema@.embedding_worker_available() THEN
        PERFORM @extschema@.embedding_wake();
    ELSE
        RAISE NOTICE 'no background worker fills column "%" of table %', target, tbl
            USING DETAIL = 'Workers need itembank_embed in shared_preload_libraries, and itembank_embed.workers.',
                  HINT = format('CALL backfill(%L, %L); does the same, whenever it is called.', tbl::text, target);
    END IF;
END
$$;

-- The columns that backfill fills, checked.
CREATE FUNCTION embedding_backfill_targets(tbl regclass, target name, batch int) RETURNS name[]
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    targets name[];
BEGIN
    -- COMMIT would say "invalid transaction termination", and only then.
    IF @extschema@.embedding_in_transaction_block() THEN
        RAISE EXCEPTION 'backfill cannot run inside a transaction block' USING ERRCODE = 'active_sql_transaction',
            DETAIL = 'It commits each batch.', HINT = 'Call it by itself, without BEGIN.';
    END IF;
    PERFORM @extschema@.embedding_check_batch(batch);
    IF tbl IS NOT NULL AND target IS NULL THEN
        targets := ARRAY(SELECT c.target FROM @extschema@.embedding_columns AS c
                         WHERE c.tbl = $1 ORDER BY c.role <> 'current', c.target);
        IF targets = '{}' THEN
            RAISE EXCEPTION 'table % has no embedding column', tbl USING ERRCODE = 'undefined_object',
                DETAIL = 'A back-fill embeds what an embedding column of the table lacks.',
                HINT = 'Make one with add_embedding. embeddings() lists all.';
        END IF;
    ELSE
        targets := ARRAY[(@extschema@.embedding_column(tbl, target)).target];
    END IF;
    PERFORM @extschema@.embedding_require_owner(tbl);
    RETURN targets;
END
$$;

-- One batch for backfill. over: nothing is left up to the queue's number last, not even with others. Otherwise it may
-- be better to wait so many seconds: for rows and entries that others hold, or for an engine that comes back. since is
-- when that began; troubles that pass within a minute are not raised.
CREATE FUNCTION embedding_backfill_step(tbl regclass, target name, batch int, last bigint, INOUT since timestamptz,
                                        OUT taken int, OUT wait float8, OUT over bool)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    state text;
    stuck bool;
    updated timestamptz;
BEGIN
    SELECT d.taken, d.taken = d.busy INTO taken, stuck FROM @extschema@.embedding_drain(tbl, target, batch) AS d;
    over := @extschema@.embedding_backfill_finish(tbl, target, last, stuck);
    IF stuck AND NOT over THEN
        SELECT p.updated_at INTO updated FROM @extschema@.embedding_progress AS p WHERE p.tbl = $1 AND p.target = $2;
        since := greatest(since, updated);
        over := clock_timestamp() > since + interval '1 min';
        wait := 0.2;
        IF over THEN
            RAISE WARNING 'the back-fill of %.% is left unfinished', tbl, quote_ident(target)
                USING DETAIL = 'For a minute others have held what is left, or triggers have kept it unwritten.',
                      HINT = 'Call backfill again when they are free.';
        END IF;
    ELSE
        since := NULL;
    END IF;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE;
    IF state <> '08006' AND left(state, 2) NOT IN ('53', '40') OR clock_timestamp() > since + interval '1 min' THEN
        RAISE;
    END IF;
    RAISE NOTICE 'the back-fill of %.% waits and tries again: %', tbl, quote_ident(target), SQLERRM;
    wait := least(10, greatest(0.5, coalesce(extract(epoch FROM clock_timestamp() - since), 0)));
    since := coalesce(since, clock_timestamp());
    taken := 0;
    over := false;
END
$$;

-- Whether anything up to its number last is left in a queue, but for what has failed and is not due. stuck: as nothing
-- else is to be done, what stepped aside for others is tried again within a second. As the queue's owner.
CREATE FUNCTION embedding_backfill_left(queue regclass, last bigint, stuck bool) RETURNS bool
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unfinished bool;
BEGIN
    IF stuck THEN
        EXECUTE format('UPDATE %1$s SET retry_at = clock_timestamp() + interval ''1 s'' '
                       'WHERE id IN (SELECT id FROM %1$s WHERE id <= $1 AND attempts = 0 '
                                    'AND retry_at > clock_timestamp() + interval ''1 s'' FOR UPDATE SKIP LOCKED)', queue)
            USING last;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE id <= $1 AND (attempts = 0 OR retry_at <= clock_timestamp()))',
                   queue) INTO unfinished USING last;
    RETURN unfinished;
END
$$;

-- Whether nothing of a back-fill is left in the queue, and nothing due up to its number last that had failed; then it
-- is marked as finished. As long as entries are found, counting is enough.
CREATE FUNCTION embedding_backfill_finish(tbl regclass, target name, last bigint, stuck bool) RETURNS bool
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

-- It commits, so it can have no search_path of its own; but each transaction begins with one.
CREATE PROCEDURE backfill(tbl regclass, target name DEFAULT NULL, batch int DEFAULT NULL)
    LANGUAGE plpgsql
AS $$
DECLARE
    targets name[];
    size int;
    last bigint;
    began timestamptz;
    shown timestamptz;
    since timestamptz;
    taken int;
    wait float8;
    over bool;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    targets := @extschema@.embedding_backfill_targets(tbl, target, batch);
    FOREACH target IN ARRAY targets LOOP
        CALL @extschema@.embedding_next_transaction();
        last := @extschema@.embedding_backfill_begin(tbl, target);
        IF last = 0 THEN
            RAISE NOTICE '%.%  nothing to do', tbl, quote_ident(target);
            CONTINUE;
        END IF;
        size := coalesce(batch, 16);
        shown := clock_timestamp();
        since := NULL;
        LOOP
            CALL @extschema@.embedding_next_transaction();
            began := clock_timestamp();
            SELECT * INTO since, taken, wait, over
            FROM @extschema@.embedding_backfill_step(tbl, target, size, last, since);
            CALL @extschema@.embedding_next_transaction();
            EXIT WHEN over;
            IF batch IS NULL THEN
                size := @extschema@.embedding_next_batch(size, taken, extract(epoch FROM clock_timestamp() - began));
            END IF;
            IF clock_timestamp() > shown + interval '2 s' THEN
                shown := clock_timestamp();
                RAISE NOTICE '%', @extschema@.embedding_progress_line(tbl, target);
            END IF;
            IF wait IS NOT NULL THEN
                CALL @extschema@.embedding_next_transaction();
                PERFORM pg_sleep(wait);
            END IF;
        END LOOP;
        RAISE NOTICE '%', @extschema@.embedding_progress_line(tbl, target);
        PERFORM @extschema@.embedding_report_failures(tbl, target);
    END LOOP;
    COMMIT;
END
$$;

-- Whether somebody is draining this queue right now.
CREATE FUNCTION embedding_is_drained(queue regclass) RETURNS bool
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM pg_locks AS l
                   WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted
                     AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                     AND l.classid = @extschema@.embedding_lock_class()::oid
                     AND l.objid::bigint = (queue::oid::bigint + 2147483648) % 4294967296)
$$;

-- The rows of itembank_progress. What the caller may not read is NULL.
CREATE FUNCTION embedding_progress_rows()
    RETURNS TABLE (tbl regclass, target name, state text, done bigint, total bigint, percent numeric, bar text,
                   rows_per_second float8, eta interval, failures bigint, pending bigint)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c record;
    drained bool;
    since float8;
    share float8;
    seconds float8;
BEGIN
    FOR c IN SELECT e.tbl, e.target, e.queue, p.done, p.total, coalesce(q.failed, p.failures) AS failures, p.rate,
                    p.finished_at, p.updated_at, extract(epoch FROM p.active)::float8 AS active, q.pending
             FROM @extschema@.embedding_columns AS e
                 LEFT JOIN @extschema@.embedding_progress AS p ON p.tbl = e.tbl AND p.target = e.target
                 CROSS JOIN LATERAL @extschema@.embedding_queue_counts(e.queue) AS q
             WHERE @extschema@.embedding_is_there(e.tbl)
             ORDER BY e.tbl::text COLLATE "C", e.target LOOP
        tbl := c.tbl;
        target := c.target;
        done := c.done;
        total := c.total;
        failures := c.failures;
        pending := c.pending;
        drained := @extschema@.embedding_is_drained(c.queue);
        since := extract(epoch FROM clock_timestamp() - c.updated_at);
        state := CASE WHEN drained OR c.finished_at IS NULL AND since < 1 THEN 'running'
                      WHEN c.total IS NOT NULL AND c.finished_at IS NULL THEN 'interrupted'
                      WHEN pending > 0 THEN 'waiting'
                      WHEN c.total IS NOT NULL THEN 'finished' ELSE 'idle' END;
        share := CASE WHEN c.total > 0 THEN c.done::float8 / c.total WHEN c.total = 0 THEN 1 END;
        percent := trunc((share * 100)::numeric, 1);
        bar := @extschema@.embedding_bar(share, 16);
        rows_per_second := round(coalesce(CASE WHEN c.finished_at IS NULL THEN c.rate END,
                                          c.done / nullif(c.active, 0))::numeric, 1);
        seconds := CASE WHEN c.finished_at IS NULL THEN (c.total - c.done) / nullif(rows_per_second, 0) END
                   - CASE WHEN drained THEN since ELSE 0 END;
        eta := make_interval(secs => CASE WHEN seconds < 0 THEN 0 WHEN seconds < 10 THEN round(seconds::numeric, 1)
                                          ELSE round(seconds) END);
        RETURN NEXT;
    END LOOP;
END
$$;

CREATE VIEW itembank_progress AS SELECT * FROM @extschema@.embedding_progress_rows();
