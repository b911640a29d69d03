-- Recall and latency of an approximate index (HNSW, IVFFlat) against exact search.

-- Indexes that serve the column, plain ones and HNSW first; for each the setting that its recall depends on, a query
-- for a sample of rows (seed, size) and one for the k nearest distances to a row (table, ctid). Compared is what the
-- index holds: the column or an expression over it, of all rows or of those of its condition, by its own distance.
CREATE FUNCTION index_recall_candidates(tbl regclass, col name, k int)
    RETURNS TABLE (index regclass, setting text, distance text, sample text, nearest text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    attribute int2 := (SELECT a.attnum FROM pg_attribute AS a
                       WHERE a.attrelid = tbl AND a.attname = col AND NOT a.attisdropped);
BEGIN
    IF attribute IS NULL THEN
        RAISE EXCEPTION 'column "%" of relation % does not exist', col, tbl USING ERRCODE = 'undefined_column',
            DETAIL = 'Recall is that of the approximate index on a column of vectors.',
            HINT = format('Its columns: %s.', (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
                FROM pg_attribute AS a WHERE a.attrelid = tbl AND a.attnum > 0 AND NOT a.attisdropped));
    END IF;
    -- Rows without a distance (NULL; by cosine the zero vector's NaN) are in no index.
    RETURN QUERY
    SELECT i.indexrelid::regclass, CASE am.amname WHEN 'hnsw' THEN 'hnsw.ef_search' ELSE 'ivfflat.probes' END,
           o.oprname::text,
           format('SELECT array_agg(s.tableoid), array_agg(s.ctid)
                   FROM (SELECT t.tableoid, t.ctid
                         FROM (SELECT tableoid, ctid, %1$s %2$s %1$s AS self FROM %3$s WHERE %4$s) AS t
                         WHERE t.self <> ''NaN''
                         ORDER BY hashtidextended(t.ctid, $1), t.tableoid LIMIT $2) AS s', VARIADIC part),
           format('SELECT array_agg(n.distance)
                   FROM (SELECT %1$s %2$s (SELECT %1$s FROM %3$s WHERE tableoid = $1 AND ctid = $2) AS distance
                         FROM %3$s WHERE %4$s ORDER BY distance LIMIT %5$s) AS n
                   WHERE n.distance <> ''NaN''', VARIADIC part)
    FROM pg_index AS i
        JOIN pg_class AS c ON c.oid = i.indexrelid
        JOIN pg_am AS am ON am.oid = c.relam AND am.amname IN ('hnsw', 'ivfflat')
        JOIN pg_opclass AS class ON class.oid = i.indclass[0]
        JOIN pg_amop AS member ON member.amopfamily = class.opcfamily AND member.amoplefttype = class.opcintype
                              AND member.amoppurpose = 'o'
        JOIN pg_operator AS o ON o.oid = member.amopopr
        JOIN pg_namespace AS s ON s.oid = o.oprnamespace,
        LATERAL (SELECT ARRAY[pg_get_indexdef(i.indexrelid, 1, false), format('OPERATOR(%I.%s)', s.nspname, o.oprname),
                              tbl::text, coalesce(pg_get_expr(i.indpred, i.indrelid), 'true'), k::text]) AS parts (part)
    WHERE i.indrelid = tbl AND i.indisvalid
      AND (i.indkey[0] = attribute
           OR i.indkey[0] = 0 AND i.indexprs::text ~ format(':varattno %s ', attribute)) -- a column in an expression
    ORDER BY i.indkey[0] = 0, i.indpred IS NOT NULL, am.amname, i.indexrelid;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'column "%" of relation % has no approximate index', col, tbl
            USING ERRCODE = 'undefined_object',
            DETAIL = 'Recall is that of a valid index of the access method hnsw or ivfflat.',
            HINT = format('Make one: CREATE INDEX ON %s USING hnsw (%I vector_cosine_ops).', tbl, col);
    END IF;
END
$$;

-- Whether the planner takes the index, or a partition's part of it, with such a setting. Indexes of the other kind
-- are at their dearest. VOLATILE, since EXPLAIN may not run otherwise.
CREATE FUNCTION index_recall_uses(index regclass, nearest text, setting text, value int) RETURNS bool
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_sort = off SET enable_indexscan = on
    SET hnsw.ef_search = 1000 SET ivfflat.probes = 32768
AS $$
DECLARE
    plan jsonb;
BEGIN
    PERFORM pg_index_has_property(index, 'index_scan'); -- loads pgvector, which then guards its settings
    PERFORM set_config(setting, value::text, true);
    EXECUTE 'EXPLAIN (FORMAT json) ' || nearest INTO plan USING index::oid, '(0,1)'::tid;
    RETURN EXISTS (SELECT FROM jsonb_path_query(plan, '$.**."Index Name"') AS taken, pg_class AS c
                   WHERE c.relname = taken #>> '{}'
                     AND (c.oid = index OR c.oid IN (SELECT t.relid FROM pg_partition_tree(index) AS t)));
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

-- Recall and latency of a column's index. What an index on an expression computes is its table's owner's code: with his rights
-- where the caller has them, and no others.
CREATE FUNCTION index_recall(tbl regclass, col name, k int DEFAULT 10, sample int DEFAULT 100,
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
