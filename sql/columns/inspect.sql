-- What embedding columns there are, which of their vectors are stale, and whether the others are what the model makes.

-- The caller sees every column, and the counts of those tables whose owner's rights he has.
CREATE FUNCTION embeddings()
    RETURNS TABLE (tbl regclass, target name, role text, model text, mode text, type text, dimensions int,
                   inputs text, image text, rows bigint, embedded bigint, pending bigint, failed bigint,
                   coverage float8, index regclass)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c @extschema@.embedding_columns;
    counts jsonb;
BEGIN
    FOR c IN SELECT e.* FROM @extschema@.embedding_columns AS e WHERE @extschema@.embedding_is_there(e.tbl)
             ORDER BY e.tbl::text COLLATE "C", e.of IS NOT NULL, e.target LOOP
        tbl := c.tbl;
        target := c.target;
        role := c.role;
        model := c.model;
        mode := c.mode;
        inputs := c.inputs;
        image := c.image;
        SELECT t.typname, a.atttypmod INTO type, dimensions
        FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
        WHERE a.attrelid = c.tbl AND a.attname = c.target AND NOT a.attisdropped;
        counts := @extschema@.embedding_look(c.tbl, format('SELECT count(*) AS rows, count(%I) AS embedded FROM %s',
                                                           c.target, c.tbl));
        rows := counts ->> 'rows';
        embedded := counts ->> 'embedded';
        SELECT q.pending, q.failed INTO pending, failed FROM @extschema@.embedding_queue_counts(c.queue) AS q;
        coverage := CASE WHEN rows > 0 THEN embedded::float8 / rows WHEN rows = 0 THEN 1 END;
        index := @extschema@.embedding_index(c.tbl, c.target);
        RETURN NEXT;
    END LOOP;
END
$$;

-- A column's stale rows, with the caller's rights: it evaluates the owner's expressions.
CREATE FUNCTION embedding_stale_rows(tbl regclass, target name) RETURNS TABLE (key text, reason text)
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
CREATE FUNCTION stale_embeddings(tbl regclass DEFAULT NULL)
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

-- Cosines of a sample of a column's fresh vectors with those that the model makes now; NULL where it makes none.
CREATE FUNCTION embedding_sample_cosines(tbl regclass, target name, sample int) RETURNS SETOF float8
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c @extschema@.embedding_columns := @extschema@.embedding_column(tbl, target);
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH sampled AS MATERIALIZED (SELECT tableoid AS relation, ctid AS place FROM %1$s '
                                      'WHERE %2$I IS NOT NULL AND %3$I = $1 ORDER BY random() LIMIT $2), '
             'fresh AS MATERIALIZED (SELECT t.vector, t.input, t.image, row_number() OVER () AS n FROM (%4$s) AS t '
                                    'WHERE (t.relation, t.place) IN (SELECT s.relation, s.place FROM sampled AS s) '
                                      'AND t.content = t.hash), '
             'again AS MATERIALIZED (SELECT @extschema@.embed($3, array_agg(f.input ORDER BY f.n), %5$s, '
                                                             'dimensions => $4) AS vectors FROM fresh AS f) '
        'SELECT (1 - (f.vector::%6$I.vector OPERATOR(%6$I.<=>) a.vectors[f.n]))::float8 FROM fresh AS f, again AS a',
        c.tbl, c.target, c.fingerprint_column, @extschema@.embedding_source(c),
        CASE WHEN c.image_expression IS NULL THEN 'NULL::bytea[]' ELSE 'array_agg(f.image ORDER BY f.n)' END,
        @extschema@.embedding_pgvector())
        USING @extschema@.model_fingerprint(c.model), sample, c.model, c.dimensions;
END
$$;

-- Embeds a random sample of each column's fresh rows again. differing counts vectors that are not what the model makes.
CREATE FUNCTION verify_embeddings(tbl regclass, sample int DEFAULT 100, target name DEFAULT NULL)
    RETURNS TABLE (col name, sampled bigint, min_cosine float8, mean_cosine float8, differing bigint)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    c @extschema@.embedding_columns;
BEGIN
    IF tbl IS NULL OR sample IS NULL OR sample < 1 THEN
        RAISE EXCEPTION '%', CASE WHEN tbl IS NULL THEN 'tbl must not be null' ELSE 'sample must be 1 or more' END
            USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'That many rows of the table are embedded again and compared.',
            HINT = 'For example: verify_embeddings(''items'', 100).';
    END IF;
    PERFORM @extschema@.embedding_require_owner(tbl);
    IF $3 IS NOT NULL THEN
        PERFORM @extschema@.embedding_column(tbl, $3);
    END IF;
    FOR c IN SELECT e.* FROM @extschema@.embedding_columns AS e
             WHERE e.tbl = $1 AND ($3 IS NULL OR e.target = $3) ORDER BY e.target LOOP
        RETURN QUERY SELECT c.target, count(*), min(v.cosine), avg(v.cosine),
                            count(*) FILTER (WHERE v.cosine >= 0.999 IS NOT TRUE)
            FROM (SELECT (r ->> 'cosine')::float8 AS cosine FROM @extschema@.embedding_as_owner(c.tbl, format(
                'SELECT * FROM @extschema@.embedding_sample_cosines(%s, %L, %s) AS s (cosine)',
                c.tbl::oid, c.target, sample)) AS r) AS v;
    END LOOP;
END
$$;
