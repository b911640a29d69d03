-- What happens to tables with embedding columns by other commands: the registry follows, or the command is refused.
-- Both functions run for every command of their kind in the database, and are done at once where it is none of theirs:
-- other people's commands neither read nor lock nor analyse what they have nothing to do with.
-- Who may not see the registry cannot have embedding columns, and his commands must not fail by it: before that is
-- known, nothing may name what is in the extension's schema, not even as a variable's type.

-- An error for what would break an embedding column.
CREATE FUNCTION embedding_refuse(c embedding_columns, what text) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION '% is needed by embedding column "%" of table %', what, c.target, c.tbl
        USING ERRCODE = 'dependent_objects_still_exist',
        DETAIL = 'It is kept as it was when add_embedding was called.',
        HINT = format('First: SELECT drop_embedding(%L, %L, keep_column => true); it keeps the vectors. '
                      'Then add_embedding again.', c.tbl::text, c.target);
END
$$;

-- Whether the table has the triggers that keep embedding columns. A table without them is not kept, or is on its way in
-- or out, as in a restore: what it needs may be missing.
CREATE FUNCTION embedding_has_triggers(tbl regclass) RETURNS bool
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM pg_trigger AS t
                   WHERE t.tgrelid = tbl AND t.tgname IN ('itembank_embed_insert', 'itembank_embed_update')
                     AND NOT t.tgisinternal)
$$;

-- What the column's key lacks: NULL, 'index' (a unique one on just these columns) or 'not null'.
CREATE FUNCTION embedding_key_lacks(c embedding_columns) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN bool_or(k.filled) THEN NULL WHEN bool_or(NOT k.filled) THEN 'not null' ELSE 'index' END
    FROM pg_index AS i,
        LATERAL (SELECT array_agg(a.attname ORDER BY a.attname), bool_and(a.attnotnull)
                 FROM generate_series(0, i.indnkeyatts - 1) AS place
                     JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[place]
                ) AS k (columns, filled)
    WHERE i.indrelid = c.tbl AND i.indisunique AND i.indimmediate AND i.indisvalid
      AND i.indpred IS NULL AND i.indexprs IS NULL
      AND k.columns = ARRAY(SELECT u FROM unnest(c.key_columns) AS u ORDER BY u)
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

-- Dropped tables leave the registry and take their queues along. What embedding columns of other tables need stays.
CREATE FUNCTION embedding_dropped() RETURNS event_trigger
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

-- Whether the column's queue has all the columns that a queue has, of types that are Postgres' own.
CREATE FUNCTION embedding_is_queue(c embedding_columns) RETURNS bool
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT bool_and(@extschema@.embedding_type_of(c.queue, w.col) IS NOT DISTINCT FROM w.type)
    FROM (VALUES ('id', 'bigint'), ('origin', 'text'), ('queued_at', 'timestamp with time zone'),
                 ('attempts', 'integer'), ('retry_at', 'timestamp with time zone'), ('code', 'text'), ('error', 'text')
         ) AS w (col, type)
$$;

-- The key columns that the column's queue should have and has not.
CREATE FUNCTION embedding_queue_lacks(c embedding_columns) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT string_agg('key_' || n, ', ' ORDER BY n) FROM generate_series(1, cardinality(c.key_columns)) AS n
    WHERE @extschema@.embedding_type_of(c.queue, 'key_' || n) IS NULL
$$;

-- What is wrong with an expression that is to be of a type; NULL: nothing. No row is read, but Postgres runs parts of
-- an expression as soon as it reads or plans it (input functions, the checks of domains, calls with constants): these are
-- the code of the table's owner, so it is done with his rights and no others.
CREATE FUNCTION embedding_analysis_error(tbl regclass, expression text, type text) RETURNS text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF expression IS NOT NULL THEN
        PERFORM @extschema@.embedding_as_owner(tbl, format(
            E'SELECT NULL::%s IS NOT DISTINCT FROM (%s\n) AS same FROM %s WHERE false', type, expression, tbl));
    END IF;
    RETURN NULL;
EXCEPTION
    -- An owner who may not see it now cannot tell.
    WHEN insufficient_privilege THEN
        RETURN NULL;
    WHEN syntax_error_or_access_rule_violation OR invalid_schema_name OR feature_not_supported OR data_exception THEN
        RETURN format('%s%s: %s', upper(left(SQLERRM, 1)), substr(SQLERRM, 2), btrim(expression, E'\n'));
    WHEN OTHERS THEN
        -- Functions of the owner that fail have a meaning all the same.
        IF @extschema@.embedding_is_row_fault(SQLSTATE) THEN
            RETURN NULL;
        END IF;
        RAISE;
END
$$;

-- After a change of the table itself: whether the column's expressions still have a meaning. A table that was given to
-- a role whose rights the caller does not have is left to that role.
CREATE FUNCTION embedding_check_analysis(c embedding_columns) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    fault text;
BEGIN
    IF @extschema@.embedding_may(c.tbl) THEN
        fault := coalesce(@extschema@.embedding_analysis_error(c.tbl, c.input_expression, 'text'),
                          @extschema@.embedding_analysis_error(c.tbl, c.image_expression, 'bytea'));
    END IF;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'the inputs of embedding column "%" of table % have no meaning any more', c.target, c.tbl
            USING ERRCODE = 'dependent_objects_still_exist', DETAIL = fault,
            HINT = format('First: SELECT drop_embedding(%L, %L, keep_column => true); it keeps the vectors. '
                          'Then add_embedding again.', c.tbl::text, c.target);
    END IF;
END
$$;

-- After a change of the table or of the queue of an embedding column: whether all is there that it needs.
CREATE FUNCTION embedding_check_column(c embedding_columns) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing text := (
        SELECT u
        FROM unnest(ARRAY[c.target, c.hash_column, c.fingerprint_column] || c.key_columns || c.input_columns) AS u
        WHERE @extschema@.embedding_type_of(c.tbl, u) IS NULL LIMIT 1);
    types text := format('(vector|halfvec)\(%s\)$', coalesce(c.dimensions::text, '\d+'));
BEGIN
    IF missing IS NOT NULL THEN
        PERFORM @extschema@.embedding_refuse(c, format('column "%s"', missing));
    ELSIF @extschema@.embedding_type_of(c.tbl, c.target) !~ types THEN
        PERFORM @extschema@.embedding_refuse(c, format('the type of column "%s"', c.target));
    ELSIF @extschema@.embedding_type_of(c.tbl, c.hash_column) <> 'bytea' THEN
        PERFORM @extschema@.embedding_refuse(c, format('the type of column "%s"', c.hash_column));
    ELSIF @extschema@.embedding_type_of(c.tbl, c.fingerprint_column) <> 'text' THEN
        PERFORM @extschema@.embedding_refuse(c, format('the type of column "%s"', c.fingerprint_column));
    ELSIF @extschema@.embedding_key_lacks(c) = 'not null' AND @extschema@.embedding_has_triggers(c.tbl) THEN
        PERFORM @extschema@.embedding_refuse(c, format('NOT NULL of %s', array_to_string(c.key_columns, ', ')));
    ELSIF EXISTS (SELECT FROM pg_class WHERE oid = c.queue)
            AND (NOT @extschema@.embedding_is_queue(c) OR @extschema@.embedding_queue_lacks(c) IS NOT NULL) THEN
        PERFORM @extschema@.embedding_refuse(c, format('each column of %s', c.queue));
    END IF;
END
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

-- The queue of a table that was given away or moved goes along, and its keys get the types that the table's have.
CREATE FUNCTION embedding_follow(c embedding_columns) RETURNS void
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

-- What has just been attached below root, which is kept by triggers: by this transaction, and after the triggers were
-- made. In a restore partitions come first and triggers later, one by one: triggers that were made here would be in the
-- way of those to come. Only the catalog is read, as pg_partition_tree would lock all partitions, and two jobs of a
-- restore would lock each other out.
CREATE FUNCTION embedding_new_partitions(root regclass) RETURNS SETOF regclass
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE made AS (
        SELECT max(CASE WHEN age(t.xmin) <= 0 THEN t.cmin::text::bigint ELSE -1 END) AS at FROM pg_trigger AS t
        WHERE t.tgrelid = root AND t.tgname LIKE 'itembank\_embed\_%' AND NOT t.tgisinternal
    ), below AS (
        SELECT i.inhrelid, age(i.xmin) <= 0 AND i.cmin::text::bigint > made.at AS new
        FROM made, pg_inherits AS i WHERE i.inhparent = root AND made.at IS NOT NULL
        UNION ALL
        SELECT i.inhrelid, b.new OR age(i.xmin) <= 0 AND i.cmin::text::bigint > made.at
        FROM made, below AS b JOIN pg_inherits AS i ON i.inhparent = b.inhrelid
    )
    SELECT b.inhrelid FROM below AS b WHERE b.new
$$;

-- After a change among the partitions of root: new ones get the triggers that it has, detached ones lose them.
CREATE FUNCTION embedding_follow_partitions(root regclass) RETURNS void
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

-- Tables with embedding columns, their queues and their partitions after commands on them.
CREATE FUNCTION embedding_changed() RETURNS event_trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    changed record;
    root regclass;
BEGIN
    IF has_schema_privilege(to_regnamespace('@extschema@'), 'USAGE') IS NOT TRUE THEN
        RETURN;
    ELSIF NOT has_table_privilege('@extschema@.embedding_columns', 'SELECT') THEN
        RETURN;
    ELSIF NOT EXISTS (SELECT FROM @extschema@.embedding_columns) THEN
        RETURN;
    END IF;
    FOR changed IN
        SELECT e AS of, bool_or(d.objid = e.tbl) AS itself
        FROM @extschema@.embedding_columns AS e
            JOIN pg_event_trigger_ddl_commands() AS d
                ON d.classid = 'pg_class'::regclass AND d.objid IN (e.tbl, e.queue)
        WHERE @extschema@.embedding_may(e.tbl) IS NOT NULL
        GROUP BY e.tbl, e.target
    LOOP
        PERFORM @extschema@.embedding_check_column(changed.of);
        IF changed.itself THEN
            PERFORM @extschema@.embedding_check_analysis(changed.of);
        END IF;
        PERFORM @extschema@.embedding_follow(changed.of);
    END LOOP;
    FOR root IN SELECT DISTINCT pg_partition_root(d.objid) FROM pg_event_trigger_ddl_commands() AS d
                WHERE d.classid = 'pg_class'::regclass
                  AND pg_partition_root(d.objid) IN (SELECT e.tbl FROM @extschema@.embedding_columns AS e) LOOP
        PERFORM @extschema@.embedding_follow_partitions(root);
    END LOOP;
END
$$;

-- Of the commands for views and foreign tables, RENAME COLUMN works on tables as well.
CREATE EVENT TRIGGER itembank_embed_drop ON sql_drop EXECUTE FUNCTION embedding_dropped();
CREATE EVENT TRIGGER itembank_embed_change ON ddl_command_end
    WHEN TAG IN ('ALTER TABLE', 'ALTER FOREIGN TABLE', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW',
                 'CREATE TABLE', 'CREATE FOREIGN TABLE')
    EXECUTE FUNCTION embedding_changed();
