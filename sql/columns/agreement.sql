-- Whether two columns of vectors of a table mean the same neighbours: an embedding column of one model and of another.

-- The type of a column of vectors, with the schema in which its operators are; an error for any other column.
CREATE FUNCTION embedding_vector_type(tbl regclass, col name, OUT schema name, OUT type name)
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

-- SQL of a row's key as text: a single column's own text, several as a row's, (1,a).
CREATE FUNCTION embedding_key_text(alias text, key_columns name[]) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    RETURN CASE cardinality(key_columns) WHEN 1 THEN format('%s.%I::text', alias, key_columns[1])
        ELSE (SELECT format('ROW(%s)::text', string_agg(format('%s.%I', alias, k), ', ' ORDER BY n))
              FROM unnest(key_columns) WITH ORDINALITY AS u (k, n)) END;

-- The query of a sample's nearest rows by one column, as part of a WITH: place in the sample, row, rank. One pass over
-- the table for all of the sample: the k-th distance among a pool of rows drawn at random is never smaller than that
-- among all, so that only few rows have to be sorted. OFFSET 0 and the function of the type's cast, so that a vector
-- that lies out of line is fetched once, not once for each row of the sample.
CREATE FUNCTION embedding_agreement_part(part text, tbl regclass, col name, usable text, key_columns name[], k int,
                                         sample int) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    schema name;
    type name;
    keys text := (SELECT string_agg(format('t.%I AS key_%s, ', c, n), '' ORDER BY n)
                  FROM unnest(key_columns) WITH ORDINALITY AS u (c, n));
    key_order text := (SELECT string_agg(format('t.key_%s, ', n), '' ORDER BY n)
                       FROM generate_series(1, cardinality(key_columns)) AS n);
BEGIN
    SELECT t.schema, t.type INTO schema, type FROM @extschema@.embedding_vector_type(tbl, col) AS t;
    RETURN format($query$
    pool_%1$s AS MATERIALIZED (
        SELECT d.place, d.tableoid, d.ctid, %2$I.%3$I(t.%4$I, -1, false) AS v
        FROM drawn AS d JOIN %5$s AS t ON t.tableoid = d.tableoid AND t.ctid = d.ctid
    ), sample_%1$s AS MATERIALIZED (
        SELECT s.*, coalesce((SELECT p.v OPERATOR(%2$I.<=>) s.v FROM pool_%1$s AS p WHERE p.place <> s.place
                              ORDER BY 1 OFFSET %6$s - 1 LIMIT 1), 'Infinity') AS bound
        FROM pool_%1$s AS s WHERE s.place <= %10$s
    ), nearest_%1$s AS MATERIALIZED (
        SELECT * FROM (
            SELECT s.place, t.tableoid, t.ctid, row_number() OVER (
                PARTITION BY s.place ORDER BY t.v OPERATOR(%2$I.<=>) s.v, %7$s t.tableoid, t.ctid) AS rank
            FROM (SELECT t.tableoid, t.ctid, %8$s %2$I.%3$I(t.%4$I, -1, false) AS v
                  FROM %5$s AS t WHERE %9$s OFFSET 0) AS t
                JOIN sample_%1$s AS s ON t.v OPERATOR(%2$I.<=>) s.v <= s.bound
                                     AND (t.ctid <> s.ctid OR t.tableoid <> s.tableoid)) AS n
        WHERE rank <= %6$s
    )$query$, part, schema, type, col, tbl, k, key_order, keys, usable, sample);
END
$$;

-- For rows drawn by seed: which of the k nearest by one column are so by the other too, of those that have a vector in
-- both. The search is exact. Equally near rows go by the key, in both columns alike, so that twins never differ and
-- the same data gives the same numbers. As the table's owner where the caller has his rights, since the table is his, with what
-- he has put on it; else as the caller.
CREATE FUNCTION embedding_agreement(tbl regclass, column_a name, column_b name, k int DEFAULT 10,
                                    sample int DEFAULT 200, seed bigint DEFAULT 42)
    RETURNS TABLE (overlap float8, sampled int, jaccard float8, same_nearest float8, rows bigint)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    wrong text := CASE
        WHEN tbl IS NULL THEN 'tbl must not be null'
        WHEN column_a IS NULL THEN 'column_a must not be null'
        WHEN column_b IS NULL THEN 'column_b must not be null'
        WHEN k IS NULL OR k NOT BETWEEN 1 AND 1000 THEN 'k must be 1 to 1000'
        WHEN sample IS NULL OR sample < 1 THEN 'sample must be 1 or more'
        WHEN seed IS NULL THEN 'seed must not be null' END;
    keys name[];
    usable text;
    drawn_by text;
    statement text;
BEGIN
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '%', wrong USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'Compared are the k nearest rows to each of a sample of rows, by one column and by the other.',
            HINT = 'For example: embedding_agreement(''items'', ''embedding'', ''embedding_next'', k => 10).';
    END IF;
    -- Those of the primary key, for an order that outlives a rewrite of the table; none where it has none.
    keys := ARRAY(SELECT a.attname FROM pg_index AS i, unnest(i.indkey::int2[]) WITH ORDINALITY AS u (number, place)
                      JOIN pg_attribute AS a ON a.attrelid = tbl AND a.attnum = u.number
                  WHERE i.indrelid = tbl AND i.indisprimary AND u.place <= i.indnkeyatts ORDER BY u.place);
    drawn_by := CASE cardinality(keys) WHEN 0 THEN 't.ctid::text' ELSE @extschema@.embedding_key_text('t', keys) END;
    -- Rows without a distance (NULL; the zero vector's NaN) are nobody's neighbours.
    SELECT string_agg(format('t.%1$I OPERATOR(%2$I.<=>) t.%1$I <> ''NaN''', c.col, v.schema), ' AND ') INTO usable
    FROM unnest(ARRAY[column_a, column_b]) AS c (col), @extschema@.embedding_vector_type(tbl, c.col) AS v;
    statement := format($query$
        WITH drawn AS MATERIALIZED (
            SELECT row_number() OVER (ORDER BY d.draw, d.tableoid, d.ctid) AS place, d.*
            FROM (SELECT t.tableoid, t.ctid, count(*) OVER () AS total,
                         md5(format('%%s %%L', %7$L::bigint, %1$s)) COLLATE "C" AS draw
                  FROM %2$s AS t WHERE %3$s ORDER BY draw, t.tableoid, t.ctid LIMIT greatest(%8$s, 1000, %4$s * 20)) AS d
        ), %5$s, %6$s, compared AS (
            SELECT place, count(*) FILTER (WHERE a.rank > 0 AND b.rank > 0)::float8 AS common,
                   count(a.rank) AS neighbours, count(*) AS either,
                   count(*) FILTER (WHERE a.rank = 1 AND b.rank = 1)::float8 AS first
            FROM nearest_a AS a FULL JOIN nearest_b AS b USING (place, tableoid, ctid) GROUP BY place
        )
        SELECT avg(common / neighbours ORDER BY place) AS overlap, count(*)::int AS sampled,
               avg(common / either ORDER BY place) AS jaccard, avg(first) AS same_nearest,
               coalesce((SELECT total FROM drawn LIMIT 1), 0) AS rows
        FROM compared
    $query$, drawn_by, tbl, usable, k,
        @extschema@.embedding_agreement_part('a', tbl, column_a, usable, keys, k, sample),
        @extschema@.embedding_agreement_part('b', tbl, column_b, usable, keys, k, sample), seed, sample);
    IF @extschema@.embedding_may(tbl) THEN
        RETURN QUERY SELECT r.* FROM @extschema@.embedding_as_owner(tbl, statement) AS j, jsonb_to_record(j)
            AS r (overlap float8, sampled int, jaccard float8, same_nearest float8, rows bigint);
    ELSE
        RETURN QUERY EXECUTE statement;
    END IF;
END
$$;
