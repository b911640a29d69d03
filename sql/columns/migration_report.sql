-- What a migration found: how far two models agree on a table's rows, and which of them ranks what was judged better.

-- A row for each report. It goes with the column that it is about, and stays with one that is kept without being one of
-- embeddings; what is left of tables that are gone goes with the next add_embedding: their numbers are used again.
CREATE TABLE embedding_migrations (
    tbl           regclass NOT NULL,
    target        name NOT NULL,
    old_model     text NOT NULL,
    new_model     text NOT NULL,
    at            timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    overlap_at_10 float8,
    sampled       int NOT NULL,
    metrics       jsonb NOT NULL,
    swapped_at    timestamptz
);
SELECT pg_catalog.pg_extension_config_dump('@extschema@.embedding_migrations',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) tbl '
    'AND c.relpersistence OPERATOR(pg_catalog.<>) ''t'')');
CREATE TRIGGER embedding_guard BEFORE INSERT OR UPDATE OR DELETE ON embedding_migrations
    FOR EACH ROW EXECUTE FUNCTION embedding_guard();

-- The run of a column as a SELECT for compare_runs: for each query of `queries` the 100 nearest rows, by exact search, which
-- the addition sees to: no index is ordered by it. The queries are read as the caller, by his search path; the table as its
-- owner, since it is his, with what he has put on it.
CREATE FUNCTION embedding_migration_run(c embedding_columns, queries text, path text) RETURNS text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v record;
    vectors jsonb;
    found_rows jsonb;
    embedding text;
    nearest text;
BEGIN
    SELECT * INTO v FROM @extschema@.embedding_vector_type(c.tbl, c.target);
    embedding := format($query$
        SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(g.query_id::pg_catalog.text,
            @extschema@.embed_query(%1$s::pg_catalog.oid::pg_catalog.regclass, %2$L, g.query_text)::%3$I.%4$I::pg_catalog.text))
        FROM (
%5$s
        ) AS g (query_id, query_text)
        $query$, c.tbl::oid, c.target, v.schema, v.type, regexp_replace(queries, '[;[:space:]]+$', ''));
    PERFORM set_config('search_path', path, true);
    EXECUTE embedding INTO vectors;
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    nearest := format($query$
        SELECT q.query_id, n.item_id, - n.distance AS score
        FROM (SELECT u.q ->> 0 AS query_id, (u.q ->> 1)::%3$I.%4$I AS v FROM jsonb_array_elements(%5$L) AS u (q) OFFSET 0) AS q
            CROSS JOIN LATERAL (SELECT %6$s AS item_id, t.%2$I OPERATOR(%3$I.<=>) q.v AS distance
                                FROM %1$s AS t WHERE t.%2$I IS NOT NULL
                                ORDER BY (t.%2$I OPERATOR(%3$I.<=>) q.v) + 0, 1 LIMIT 100) AS n
        $query$, c.tbl, c.target, v.schema, v.type, coalesce(vectors, '[]'), @extschema@.embedding_key_text('t', c.key_columns));
    found_rows := (SELECT jsonb_agg(r) FROM @extschema@.embedding_as_owner(c.tbl, nearest) AS r);
    RETURN format('SELECT r.query_id, r.item_id, r.score FROM pg_catalog.jsonb_to_recordset(%L) '
                  'AS r (query_id pg_catalog.text, item_id pg_catalog.text, score pg_catalog.float8)', coalesce(found_rows, '[]'));
END
$$;

-- The judgements of the queries, as a SELECT; of all assessors.
CREATE FUNCTION embedding_migration_judgements(queries text) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format($query$
        SELECT j.query_id, j.item_id, j.relevance FROM @extschema@.pooled_judgements() AS j
        WHERE EXISTS (SELECT FROM (
%s
        ) AS g (query_id, query_text) WHERE g.query_id::pg_catalog.text OPERATOR(pg_catalog.=) j.query_id)
        $query$, regexp_replace(queries, '[;[:space:]]+$', ''))
$$;

-- Reads the queries once, so that what is wrong with them is said at the beginning. Gives how many have judgements.
CREATE FUNCTION embedding_migration_judged(queries text, path text) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_queries bigint;
    judged bigint;
BEGIN
    PERFORM set_config('search_path', path, true);
    SELECT pg_catalog.count(*), pg_catalog.count(DISTINCT r.a) INTO found_queries, judged
    FROM @extschema@.evaluation_rows(pg_catalog.format(E'SELECT c.*, 0 FROM (\n%s\n) AS c (query_id, query_text)',
        pg_catalog.regexp_replace(queries, '[;[:space:]]+$', '')), 'queries') AS r;
    SELECT pg_catalog.count(DISTINCT r.query_id) INTO judged
    FROM @extschema@.evaluation_judged(@extschema@.embedding_migration_judgements(queries)) AS r;
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    RETURN judged;
END
$$;

-- old against new by what was judged; NULL where nothing was.
CREATE FUNCTION embedding_migration_metrics(old embedding_columns, new embedding_columns, queries text, path text)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    run_a text := @extschema@.embedding_migration_run(old, queries, path);
    run_b text := @extschema@.embedding_migration_run(new, queries, path);
    result jsonb;
BEGIN
    PERFORM set_config('search_path', path, true); -- the queries mean what they mean to the caller
    result := (SELECT pg_catalog.jsonb_agg(pg_catalog.to_jsonb(r) OPERATOR(pg_catalog.-) 'a' OPERATOR(pg_catalog.-) 'b'
                      OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object('old', r.a, 'new', r.b))
               FROM @extschema@.compare_runs(run_a, run_b, @extschema@.embedding_migration_judgements(queries),
                                             '{recall@10,mrr,ndcg@10}') AS r);
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    RETURN result;
END
$$;

-- Makes the report of a migration, tells and keeps it. Gives the overlap, NULL where there is nothing to compare.
CREATE FUNCTION embedding_migration_report(tbl regclass, target name, queries text, judged bigint, sample int, path text)
    RETURNS float8
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    old @extschema@.embedding_columns := @extschema@.embedding_column(tbl, target);
    new @extschema@.embedding_columns := @extschema@.embedding_sibling(tbl, target, 'next');
    agreement record;
    metrics jsonb;
    m record;
BEGIN
    SELECT * INTO agreement FROM @extschema@.embedding_agreement(tbl, old.target, new.target, 10, sample);
    RAISE NOTICE '%: overlap@10 of neighbours % % over % of % rows',
        format('%s (%s) and %s (%s)', quote_ident(old.target), old.model, quote_ident(new.target), new.model),
        coalesce(round(agreement.overlap::numeric, 4)::text, 'unknown'),
        '[' || rpad(coalesce(@extschema@.text_bar(agreement.overlap), ''), 20) || ']', agreement.sampled, agreement.rows;
    IF judged > 0 THEN
        metrics := @extschema@.embedding_migration_metrics(old, new, queries, path);
        FOR m IN SELECT * FROM jsonb_to_recordset(metrics) AS r (metric text, old float8, new float8, delta float8, ci_low float8,
                    ci_high float8, p_holm float8, better bigint, worse bigint, tied bigint) LOOP
            RAISE NOTICE '%', format('%s: %s -> %s (95%% of %s to %s, p = %s; %s better, %s worse, %s the same)', m.metric,
                round(m.old::numeric, 4), round(m.new::numeric, 4), round(m.ci_low::numeric, 4), round(m.ci_high::numeric, 4),
                round(m.p_holm::numeric, 4), m.better, m.worse, m.tied);
        END LOOP;
    ELSIF queries IS NOT NULL THEN
        RAISE NOTICE 'none of the queries has judgements'
            USING HINT = 'judge(query_id, item_id, grade) records them; an item''s id is its key as text.';
    END IF;
    INSERT INTO @extschema@.embedding_migrations (tbl, target, old_model, new_model, overlap_at_10, sampled, metrics)
    VALUES (tbl, target, old.model, new.model, agreement.overlap, agreement.sampled,
            jsonb_build_object('agreement', to_jsonb(agreement), 'judged', coalesce(metrics, '[]'::jsonb)));
    RETURN agreement.overlap;
END
$$;
