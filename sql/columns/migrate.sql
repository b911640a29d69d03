-- Another model for an embedding column, while it is read and written: a second column is filled beside it, compared with
-- it, and takes its name.

-- What is wrong about migrating the column, if anything. Gives the column that an earlier call has begun to fill, if any.
CREATE FUNCTION embedding_migration_check(tbl regclass, target name, new_model text, dimensions int) RETURNS embedding_columns
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

-- Who may read or write the column itself may do so under its new owner of the name.
CREATE FUNCTION embedding_copy_grants(tbl regclass, from_column name, to_column name) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    command text;
BEGIN
    FOR command IN
        SELECT format('GRANT %s (%I) ON %s TO %s%s', g.privilege_type, to_column, tbl,
                      CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END,
                      CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' END)
        FROM pg_attribute AS a, aclexplode(a.attacl) AS g
        WHERE a.attrelid = tbl AND a.attname = from_column
          AND g.grantee <> (SELECT c.relowner FROM pg_class AS c WHERE c.oid = tbl)
    LOOP
        EXECUTE command;
    END LOOP;
END
$$;

-- Makes the second column, as add_embedding would: empty, with its index, so that neither has to be built beside writers.
-- NULL where the table cannot be locked just now.
CREATE FUNCTION embedding_migration_begin(tbl regclass, target name, new_model text, new_dimensions int) RETURNS embedding_columns
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms'
AS $$
DECLARE
    c @extschema@.embedding_columns;
    n @extschema@.embedding_columns;
    index regclass;
    chosen text;
    shape record;
BEGIN
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', tbl);
    n := @extschema@.embedding_migration_check(tbl, target, new_model, new_dimensions); -- as it is under the lock
    IF n.tbl IS NOT NULL THEN
        RETURN n;
    END IF;
    c := @extschema@.embedding_column(tbl, target);
    PERFORM @extschema@.embedding_check_names(tbl, @extschema@.embedding_names(target, 'next')
                                                   || @extschema@.embedding_names(target, 'previous'));
    index := @extschema@.embedding_index(tbl, target);
    -- The type goes by the dimensions, but for one that was chosen otherwise.
    chosen := (SELECT nullif(y.typname, CASE WHEN a.atttypmod > 2000 THEN 'halfvec' ELSE 'vector' END)
               FROM pg_attribute AS a JOIN pg_type AS y ON y.oid = a.atttypid
               WHERE a.attrelid = tbl AND a.attname = target AND y.typname IN ('vector', 'halfvec'));
    SELECT * INTO shape FROM @extschema@.embedding_size(new_model, new_dimensions, chosen, index IS NOT NULL);
    n := c;
    n.target := @extschema@.embedding_name(target, 'next');
    n.model := new_model;
    n.dimensions := new_dimensions;
    n.hash_column := NULL;
    n.fingerprint_column := NULL;
    n.queue := NULL;
    n.role := 'next';
    n.of := target;
    n := @extschema@.embedding_make(n, shape.kind, shape.size);
    IF index IS NOT NULL THEN
        PERFORM @extschema@.embedding_make_index(tbl, n.target);
    END IF;
    PERFORM @extschema@.embedding_copy_grants(tbl, target, n.target);
    RETURN n;
EXCEPTION WHEN lock_not_available THEN
    RETURN NULL;
END
$$;

CREATE FUNCTION embedding_migration_arguments(swap bool, min_overlap float8, sample int, batch int) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wrong text := CASE
        WHEN swap IS NULL THEN 'swap must not be null'
        WHEN min_overlap NOT BETWEEN 0 AND 1 THEN 'min_overlap must be 0 to 1'
        WHEN sample IS NULL OR sample < 1 THEN 'sample must be 1 or more'
        WHEN batch < 1 THEN 'batch must be 1 or more' END;
BEGIN
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '%', wrong USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'Of a sample of rows, the ten nearest rows by either model are compared; below min_overlap nothing is swapped.',
            HINT = 'For example: CALL migrate_embedding(''items'', ''embedding'', ''KURE-v1'', min_overlap => 0.3);';
    END IF;
END
$$;

-- Sessions of this database with a snapshot as old as the transaction `fill` or older, and how old it is. Those of no user,
-- such as autovacuum's, read no tables.
CREATE FUNCTION embedding_snapshots(fill xid8) RETURNS TABLE (pid int, oldest xid)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.pid, a.backend_xmin FROM pg_stat_activity AS a
    WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.usesysid IS NOT NULL
      AND age(a.backend_xmin) >= age(fill::xid)
$$;

-- Ends the transaction and begins another one that reads what is committed, whatever the session's default; and with names
-- that nobody else has put in the way. A procedure that commits can have no settings of its own.
CREATE PROCEDURE embedding_next_transaction()
    LANGUAGE plpgsql
AS $$
BEGIN
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
END
$$;

-- Waits until nobody has a snapshot any more that was taken before now, as CREATE INDEX CONCURRENTLY does: in one, rows that
-- were filled since are still empty. Who takes a new snapshot, or gives his back, is done.
CREATE PROCEDURE embedding_wait_for_snapshots()
    LANGUAGE plpgsql
AS $$
DECLARE
    fill xid8;
    pids int[];
    ages text[];
    began timestamptz;
    told bool := false;
BEGIN
    CALL @extschema@.embedding_next_transaction();
    fill := pg_current_xact_id(); -- so that later snapshots are known by their age
    CALL @extschema@.embedding_next_transaction();
    SELECT array_agg(s.pid), array_agg(s.oldest::text) INTO pids, ages FROM @extschema@.embedding_snapshots(fill) AS s;
    began := clock_timestamp();
    LOOP
        SELECT array_agg(s.pid), array_agg(s.oldest::text) INTO pids, ages
        FROM @extschema@.embedding_snapshots(fill) AS s
            JOIN unnest(pids, ages) AS u (pid, oldest) ON u.pid = s.pid AND u.oldest = s.oldest::text;
        EXIT WHEN pids IS NULL;
        IF NOT told AND clock_timestamp() > began + interval '3 s' THEN
            told := true;
            RAISE NOTICE 'waiting for transactions that may not see all of the new vectors'
                USING DETAIL = format('They are of process %s.', array_to_string(pids, ', ')),
                HINT = 'Nothing is locked meanwhile; cancel it, and call it again later.';
        END IF;
        CALL @extschema@.embedding_next_transaction();
        PERFORM pg_sleep(0.05);
        CALL @extschema@.embedding_next_transaction(); -- not to be waited for by another migration
    END LOOP;
END
$$;

-- One batch of the column's queue; false where nothing was left to take. What others come in the way of is tried again.
CREATE FUNCTION embedding_catch_up(tbl regclass, target name, batch int) RETURNS bool
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT d.taken > d.busy FROM @extschema@.embedding_drain(tbl, target, coalesce(batch, 32)) AS d);
EXCEPTION WHEN transaction_rollback THEN
    RETURN true;
END
$$;

-- Swaps when nothing is missing in what comes. What changes meanwhile is embedded before the lock is asked for, so that little
-- is left under it; where there never is so little, somewhat more of it.
CREATE PROCEDURE embedding_swap(tbl regclass, target name, batch int)
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

-- Each step commits; called again it goes on where it was, after a cancel, a crash or a restart too.
CREATE PROCEDURE migrate_embedding(tbl regclass, target name, new_model text, dimensions int DEFAULT NULL,
                                   queries text DEFAULT NULL, swap bool DEFAULT true, min_overlap float8 DEFAULT NULL,
                                   sample int DEFAULT 200, batch int DEFAULT NULL)
    LANGUAGE plpgsql
AS $$
DECLARE
    path text := pg_catalog.current_setting('search_path');
    next @extschema@.embedding_columns;
    judged bigint;
    overlap float8;
    waits int := 0;
BEGIN
    IF @extschema@.embedding_in_transaction_block() THEN
        RAISE EXCEPTION 'migrate_embedding cannot run inside a transaction block' USING ERRCODE = 'active_sql_transaction',
            DETAIL = 'It commits step by step.', HINT = 'Call it by itself, without BEGIN.';
    END IF;
    CALL @extschema@.embedding_next_transaction();
    PERFORM @extschema@.embedding_migration_arguments(swap, min_overlap, sample, batch);
    next := @extschema@.embedding_migration_check(tbl, target, new_model, dimensions);
    IF queries IS NOT NULL THEN
        PERFORM @extschema@.model_fingerprint((@extschema@.embedding_column(tbl, target)).model); -- embeds them too
        judged := @extschema@.embedding_migration_judged(queries, path);
    END IF;
    WHILE next.tbl IS NULL LOOP
        next := @extschema@.embedding_migration_begin(tbl, target, new_model, dimensions);
        CALL @extschema@.embedding_next_transaction();
        IF next.tbl IS NULL THEN
            waits := waits + 1;
            IF waits % 20 = 1 THEN
                RAISE NOTICE 'waiting for a moment when no transaction uses table %', tbl
                    USING HINT = 'Nothing is locked in between; cancel it, and call it again later.';
            END IF;
            PERFORM pg_sleep(0.5);
            CALL @extschema@.embedding_next_transaction();
        END IF;
    END LOOP;
    CALL @extschema@.backfill(tbl, next.target, batch);
    CALL @extschema@.embedding_next_transaction();
    overlap := @extschema@.embedding_migration_report(tbl, target, queries, judged, sample, path);
    CALL @extschema@.embedding_next_transaction();
    IF overlap < min_overlap THEN
        RAISE EXCEPTION 'overlap@10 of % is below min_overlap', round(overlap::numeric, 4)
            USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = format('Nothing was swapped. "%s" has the vectors of model "%s", and stays fresh.', next.target, new_model),
            HINT = format('To swap all the same: CALL migrate_embedding(%1$L, %2$L, %3$L%4$s); '
                          'to give it up: SELECT drop_embedding(%1$L, %5$L);',
                          tbl::text, target, new_model, coalesce(', ' || dimensions, ''), next.target);
    ELSIF NOT swap THEN
        RAISE NOTICE 'not swapped: "%" has the vectors of model "%", and stays fresh', next.target, new_model
            USING HINT = format('To swap: CALL migrate_embedding(%1$L, %2$L, %3$L%4$s); '
                                'to give it up: SELECT drop_embedding(%1$L, %5$L);',
                                tbl::text, target, new_model, coalesce(', ' || dimensions, ''), next.target);
        RETURN;
    END IF;
    CALL @extschema@.embedding_swap(tbl, target, batch);
    PERFORM @extschema@.embedding_migration_end(tbl, target);
END
$$;

-- Keeps that it was swapped, and tells what is with the old column.
CREATE FUNCTION embedding_migration_end(tbl regclass, target name) RETURNS void
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
CREATE FUNCTION rollback_embedding(tbl regclass, target name) RETURNS void
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
