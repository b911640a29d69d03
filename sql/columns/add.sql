-- add_embedding and drop_embedding: an embedding column with all that belongs to it, made and removed at once.

-- What an embedding column can be of: a table whose rows stay where they are found, of the caller's.
CREATE FUNCTION embedding_check_table(tbl regclass) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c pg_class;
    schema regnamespace;
    wrong text;
    remedy text := 'Name a table of your own.';
BEGIN
    SELECT * INTO c FROM pg_class WHERE oid = tbl;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no relation with the number %', tbl USING ERRCODE = 'undefined_table',
            DETAIL = 'A table is given by its name.', HINT = remedy;
    ELSIF c.relnamespace::regnamespace::text IN ('pg_catalog', 'pg_toast', 'information_schema') THEN
        wrong := 'a system catalog';
    ELSIF c.relkind NOT IN ('r', 'p') THEN
        wrong := CASE c.relkind WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view'
                                WHEN 'f' THEN 'a foreign table' ELSE 'no table' END;
        remedy := 'Embed the columns of the table that it is about.';
    ELSIF c.relispartition THEN
        wrong := 'a partition';
        remedy := format('Give its root, %s. All partitions get the column.', pg_partition_root(tbl));
    ELSIF EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhparent = tbl AND c.relkind = 'r' OR i.inhrelid = tbl) THEN
        wrong := 'part of an inheritance tree';
        remedy := 'Inheritance without partitions has no key over all of its tables. Use partitioning.';
    ELSIF EXISTS (SELECT FROM pg_partition_tree(tbl) AS t JOIN pg_class AS p ON p.oid = t.relid
                  WHERE p.relkind = 'f') THEN
        wrong := 'partitioned, with a foreign table among its partitions';
        remedy := 'Detach the foreign partition.';
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'relation % is %', tbl, wrong USING ERRCODE = 'wrong_object_type',
            DETAIL = 'Embedding columns are kept in ordinary and partitioned tables.', HINT = remedy;
    END IF;
    PERFORM @extschema@.embedding_require_owner(tbl);
    schema := c.relnamespace::regnamespace;
    IF NOT has_schema_privilege(schema, 'CREATE') OR NOT has_schema_privilege(c.relowner, schema, 'CREATE')
            AND NOT (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = current_user) THEN
        RAISE EXCEPTION 'permission denied for schema %', schema USING ERRCODE = 'insufficient_privilege',
            DETAIL = 'The list of what is to be embedded is a table beside the table, of the same owner.',
            HINT = format('GRANT CREATE ON SCHEMA %s TO %I;', schema, pg_get_userbyid(c.relowner));
    END IF;
END
$$;

-- What tells a table's rows apart: the columns of its primary key, or of another unique index that leaves no row out,
-- and the operators by which that index takes two keys for equal. NULL where there is none. wanted: just these columns.
CREATE FUNCTION embedding_key(tbl regclass, wanted name[] DEFAULT NULL, OUT columns name[], OUT equals text[])
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT k.columns, k.equals
    FROM pg_index AS i,
        LATERAL (SELECT array_agg(a.attname ORDER BY p.place), bool_and(a.attnotnull),
                        array_agg(format('OPERATOR(%I.%s)', n.nspname, o.oprname) ORDER BY p.place)
                 FROM generate_series(1, i.indnkeyatts) AS p (place)
                     JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[p.place - 1]
                     JOIN pg_opclass AS c ON c.oid = i.indclass[p.place - 1]
                     JOIN pg_amop AS m ON m.amopfamily = c.opcfamily AND m.amopstrategy = 3
                                      AND m.amoplefttype = c.opcintype AND m.amoprighttype = c.opcintype
                     JOIN pg_operator AS o ON o.oid = m.amopopr
                     JOIN pg_namespace AS n ON n.oid = o.oprnamespace) AS k (columns, filled, equals)
    WHERE i.indrelid = tbl AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL
      AND k.filled AND cardinality(k.columns) = i.indnkeyatts AND (wanted IS NULL OR k.columns = wanted)
    ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1
$$;

-- The table's key, or an error.
CREATE FUNCTION embedding_require_key(tbl regclass, OUT columns name[], OUT equals text[])
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT k.columns, k.equals INTO columns, equals FROM @extschema@.embedding_key(tbl) AS k;
    IF columns IS NULL THEN
        RAISE EXCEPTION 'table % has no key', tbl USING ERRCODE = 'invalid_table_definition',
            DETAIL = 'Rows are told apart by a primary key, or by a unique index on columns that are NOT NULL, '
                     'neither partial, nor deferrable, nor on expressions.',
            HINT = format('For example: ALTER TABLE %s ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;',
                          tbl);
    END IF;
END
$$;

-- Sees to it that a column of the table is there with this type, which is Postgres' text of it.
CREATE FUNCTION embedding_make_column(tbl regclass, col name, type text, meaning text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a pg_attribute;
    is_type text;
BEGIN
    SELECT * INTO a FROM pg_attribute WHERE attrelid = tbl AND attname = col AND NOT attisdropped;
    is_type := format_type(a.atttypid, a.atttypmod);
    IF a.attnum IS NULL THEN
        EXECUTE format('ALTER TABLE %s ADD COLUMN %I %s', tbl, col, type);
    ELSIF a.attnum < 0 THEN
        RAISE EXCEPTION '"%" is the name of a system column', col USING ERRCODE = 'duplicate_column',
            DETAIL = format('The column is to hold the %s.', meaning), HINT = 'Give another name for target.';
    ELSIF is_type <> type THEN
        RAISE EXCEPTION 'column "%" of table % is of type %, not %', col, tbl, is_type, type
            USING ERRCODE = 'datatype_mismatch', DETAIL = format('It is to hold the %s.', meaning),
            HINT = CASE WHEN is_type ~ '\m(vector|halfvec)(\(\d+\))?$' AND type ~ '\)$'
                        THEN format('For example: ALTER TABLE %s ALTER COLUMN %I TYPE %s;', tbl, col, type)
                        ELSE 'Give another name for target, or rename this one.' END;
    ELSIF a.attgenerated <> '' THEN
        RAISE EXCEPTION 'column "%" of table % is a generated column', col, tbl
            USING ERRCODE = 'invalid_table_definition',
            DETAIL = format('The %s are written into it.', meaning),
            HINT = format('To keep its values: ALTER TABLE %s ALTER COLUMN %I DROP EXPRESSION;', tbl, col);
    END IF;
END
$$;

-- The table that lists what is to be embedded in a column, beside its table and with the same owner.
CREATE FUNCTION embedding_make_queue(c embedding_columns) RETURNS regclass
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pg_class;
    queue text;
    keys text;
BEGIN
    SELECT * INTO t FROM pg_class WHERE oid = c.tbl;
    queue := format('%s.%I', t.relnamespace::regnamespace,
                    @extschema@.embedding_free_name(t.relnamespace, t.relname || '_' || c.target, 'queue'));
    SELECT string_agg(format('key_%s %s%s NOT NULL, ', k.place, format_type(a.atttypid, a.atttypmod),
                             CASE WHEN a.attcollation <> 0 THEN ' COLLATE ' || a.attcollation::regcollation END),
                      '' ORDER BY k.place)
    INTO keys FROM unnest(c.key_columns) WITH ORDINALITY AS k (col, place)
        JOIN pg_attribute AS a ON a.attrelid = c.tbl AND a.attname = k.col;
    EXECUTE format('CREATE %s TABLE %s (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, %s'
                   'origin text NOT NULL DEFAULT ''change'', queued_at timestamptz NOT NULL DEFAULT now(), '
                   'attempts int NOT NULL DEFAULT 0, retry_at timestamptz NOT NULL DEFAULT ''-infinity'', '
                   'code text, error text) '
                   'WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)',
                   CASE t.relpersistence WHEN 'u' THEN 'UNLOGGED' ELSE '' END, queue, keys);
    EXECUTE format('COMMENT ON TABLE %s IS %L', queue,
                   format('what is to be embedded into %I of %s, and what failed and why', c.target, c.tbl));
    IF t.relowner <> current_user::regrole THEN
        EXECUTE format('ALTER TABLE %s OWNER TO %I', queue, pg_get_userbyid(t.relowner));
    END IF;
    RETURN queue::regclass;
END
$$;

-- An HNSW index for the cosine distance on a column of vectors; NULL where an approximate index is there already.
CREATE FUNCTION embedding_make_index(tbl regclass, col name) RETURNS regclass
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pg_class;
    type name;
    index name;
BEGIN
    IF @extschema@.embedding_index(tbl, col) IS NOT NULL THEN
        RETURN NULL;
    END IF;
    SELECT * INTO t FROM pg_class WHERE oid = tbl;
    SELECT y.typname INTO type FROM pg_attribute AS a JOIN pg_type AS y ON y.oid = a.atttypid
    WHERE a.attrelid = tbl AND a.attname = col;
    index := @extschema@.embedding_free_name(t.relnamespace, t.relname || '_' || col, 'hnsw');
    EXECUTE format('CREATE INDEX %I ON %s USING hnsw (%I %I.%I)', index, tbl, col,
                   @extschema@.embedding_pgvector(), type || '_cosine_ops');
    RETURN format('%s.%I', t.relnamespace::regnamespace, index)::regclass;
END
$$;

-- The approximate index on a column of vectors, by cosine distance; NULL where there is none.
CREATE FUNCTION embedding_index(tbl regclass, col name) RETURNS regclass
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT i.indexrelid::regclass
    FROM pg_attribute AS a
        JOIN pg_index AS i ON i.indrelid = a.attrelid AND i.indkey[0] = a.attnum AND i.indpred IS NULL AND i.indisvalid
        JOIN pg_class AS c ON c.oid = i.indexrelid
        JOIN pg_am AS m ON m.oid = c.relam AND m.amname IN ('hnsw', 'ivfflat')
        JOIN pg_opclass AS o ON o.oid = i.indclass[0] AND o.opcname IN ('vector_cosine_ops', 'halfvec_cosine_ops')
    WHERE a.attrelid = tbl AND a.attname = col AND NOT a.attisdropped
    ORDER BY m.amname, i.indexrelid LIMIT 1
$$;

-- The triggers of a table's embedding columns: on it and on its partitions, since writing to a partition fires none of
-- its root. Makes what is missing where a column is kept by triggers, and removes them where none is.
CREATE FUNCTION embedding_make_triggers(tbl regclass, only_on regclass DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted bool := EXISTS (SELECT FROM @extschema@.embedding_columns AS c WHERE c.tbl = $1 AND c.mode <> 'manual');
    part regclass;
    event text;
    present regproc;
BEGIN
    FOR part, event IN SELECT r.relid, e.event
            FROM (SELECT t.relid FROM pg_partition_tree(tbl) AS t UNION SELECT tbl) AS r,
                 (VALUES ('insert'), ('update')) AS e (event)
            WHERE only_on IS NULL OR r.relid = only_on ORDER BY r.relid, e.event LOOP
        SELECT t.tgfoid INTO present FROM pg_trigger AS t
        WHERE t.tgrelid = part AND t.tgname = 'itembank_embed_' || event AND NOT t.tgisinternal;
        IF present IS NOT NULL AND present <> '@extschema@.embedding_trigger()'::regprocedure THEN
            RAISE EXCEPTION 'table % has another trigger with the name itembank_embed_%', part, event
                USING ERRCODE = 'duplicate_object',
                DETAIL = 'The triggers that keep embedding columns fresh have that name.',
                HINT = format('ALTER TRIGGER itembank_embed_%s ON %s RENAME TO other_name;', event, part);
        ELSIF present IS NULL AND wanted THEN
            EXECUTE format('CREATE TRIGGER itembank_embed_%s AFTER %s ON %s REFERENCING NEW TABLE AS embedding_new '
                           'FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.embedding_trigger()',
                           event, upper(event), part);
        ELSIF present IS NOT NULL AND NOT wanted THEN
            EXECUTE format('DROP TRIGGER itembank_embed_%s ON %s', event, part);
        END IF;
    END LOOP;
END
$$;

-- What an embedding column writes may neither be read by itself nor belong to another one, nor may it read what those
-- write: a vector that is written is no change to embed again.
CREATE FUNCTION embedding_check_roles(c embedding_columns) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    written name[] := ARRAY[c.target, c.hash_column, c.fingerprint_column];
    others name[] := ARRAY(SELECT unnest(ARRAY[e.target, e.hash_column, e.fingerprint_column])
                           FROM @extschema@.embedding_columns AS e WHERE e.tbl = c.tbl);
    read name[] := ARRAY(SELECT unnest(e.input_columns || e.key_columns)
                         FROM @extschema@.embedding_columns AS e WHERE e.tbl = c.tbl);
    twice name := (SELECT u FROM unnest(written) AS u WHERE u = ANY (c.input_columns || c.key_columns || read || others)
                   UNION ALL SELECT u FROM unnest(c.input_columns) AS u WHERE u = ANY (others) LIMIT 1);
BEGIN
    IF twice IS NOT NULL THEN
        RAISE EXCEPTION 'column "%" of table % cannot be both written and read', twice, c.tbl
            USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'What an embedding column writes is its own: vectors, hashes, fingerprints.',
            HINT = 'Give another name for target, or other inputs.';
    END IF;
END
$$;

-- Makes all that belongs to the column c but its index, and registers it: columns, queue, index of hashes, triggers.
-- Names that are NULL become the usual ones. type is 'vector' or 'halfvec'.
CREATE FUNCTION embedding_make(c embedding_columns, type text, size int) RETURNS embedding_columns
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t pg_class;
BEGIN
    SELECT * INTO t FROM pg_class WHERE oid = c.tbl;
    c.hash_column := coalesce(c.hash_column, @extschema@.embedding_name(c.target, 'hash'));
    c.fingerprint_column := coalesce(c.fingerprint_column, @extschema@.embedding_name(c.target, 'fingerprint'));
    PERFORM @extschema@.embedding_check_roles(c);
    PERFORM @extschema@.embedding_make_column(
                c.tbl, c.target, format('%I.%I(%s)', @extschema@.embedding_pgvector(), type, size), 'vectors'),
            @extschema@.embedding_make_column(
                c.tbl, c.hash_column, 'bytea', 'hashes of what the vectors were made of'),
            @extschema@.embedding_make_column(
                c.tbl, c.fingerprint_column, 'text', 'fingerprints of the models that made the vectors');
    c.queue := @extschema@.embedding_make_queue(c);
    IF @extschema@.embedding_hash_index(c.tbl, c.hash_column) IS NULL THEN
        EXECUTE format('CREATE INDEX %I ON %s USING btree (%I)',
                       @extschema@.embedding_free_name(t.relnamespace, t.relname || '_' || c.target, 'hash_idx'),
                       c.tbl, c.hash_column);
    END IF;
    INSERT INTO @extschema@.embedding_columns SELECT (c).*;
    PERFORM @extschema@.embedding_make_triggers(c.tbl);
    RETURN c;
END
$$;

CREATE FUNCTION embedding_add(tbl regclass, target name, model text, inputs text, image text, dimensions int, type text,
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

-- It has no search_path of its own, since inputs and image mean what they mean to the caller.
CREATE FUNCTION add_embedding(tbl regclass, target name, model text, inputs text DEFAULT NULL, image text DEFAULT NULL,
                              dimensions int DEFAULT NULL, type text DEFAULT NULL, mode text DEFAULT 'statement',
                              index bool DEFAULT true, backfill bool DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM @extschema@.embedding_add(tbl, target, model, inputs, image, dimensions, type, mode, index, backfill,
                                      pg_catalog.current_setting('search_path'));
END
$$;

CREATE FUNCTION drop_embedding(tbl regclass, target name, keep_column bool DEFAULT false) RETURNS void
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
