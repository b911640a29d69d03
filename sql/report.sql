-- Reports: the table of several models and the picture of their recall, both out of evaluate.

-- The runs of a json object, {"model": "SELECT ..."}, in its order.
CREATE FUNCTION evaluation_runs(runs json) RETURNS TABLE (place bigint, model text, run text)
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    example CONSTANT text := 'Give an object of models and queries: '
        '{"my model": "SELECT query_id, item_id, score FROM ..."}.';
    bad text;
BEGIN
    IF runs IS NULL OR json_typeof(runs) <> 'object' THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'runs is not a JSON object',
            DETAIL = coalesce('It is of JSON type ' || json_typeof(runs), 'It is NULL') || '.',
            HINT = example;
    END IF;
    SELECT key INTO bad FROM json_each(runs) WHERE json_typeof(value) <> 'string' LIMIT 1;
    IF FOUND THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('the run of model "%s" is not a string', bad),
            DETAIL = format('It is of JSON type %s.', json_typeof(runs -> bad)), HINT = example;
    END IF;
    SELECT key INTO bad FROM json_each(runs) GROUP BY key HAVING count(*) > 1 LIMIT 1;
    IF FOUND THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('model "%s" occurs twice in runs', bad),
            DETAIL = 'Its rows would be added up.', HINT = 'Give each run a name of its own.';
    END IF;
    RETURN QUERY SELECT ordinality, key, value
        FROM json_each_text(runs) WITH ORDINALITY;
    IF NOT FOUND THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'runs names no model', DETAIL = 'The object is empty.', HINT = example;
    END IF;
END
$$;

-- The categories of the queries as a SELECT gives them, each pair once: read-only, with the caller's rights.
CREATE FUNCTION evaluation_categories(categories text) RETURNS TABLE (query_id text, category text)
    LANGUAGE plpgsql STABLE
AS $$
BEGIN
    IF categories IS NOT NULL THEN
        RETURN QUERY SELECT DISTINCT r.a, r.b
        FROM @extschema@.evaluation_rows(pg_catalog.format(
            E'SELECT c.*, 0 FROM (\n%s\n) AS c (query_id, category)',
            pg_catalog.regexp_replace(categories, '[;[:space:]]+$', '')), 'categories') AS r
        WHERE r.b IS NOT NULL;
    END IF;
END
$$;

-- 0 to 1 as a bar of `width` characters: full blocks and one of 1 to 7 eighths (U+2588 to U+258F).
-- Encodings other than UTF8 lack these, hence #. PL/pgSQL, since it plans only what it reaches: in a
-- plain SQL function chr(9608) would be computed, and fail, in such a database all the same.
CREATE FUNCTION text_bar(value float8, width int DEFAULT 20) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    eighths int;
BEGIN
    IF value = 'NaN' THEN
        RETURN NULL;
    END IF;
    eighths := floor(greatest(0, least(1, value)) * greatest(0, least(1000, width)) * 8 + 0.5);
    IF getdatabaseencoding() <> 'UTF8' THEN
        RETURN repeat('#', (eighths + 4) / 8);
    END IF;
    RETURN repeat(chr(9608), eighths / 8)
        || CASE WHEN eighths % 8 > 0 THEN chr(9616 - eighths % 8) ELSE '' END;
END
$$;

-- The table of a report: every model over all queries (category NULL), then over each category.
-- judged_10 says how far the rest can be trusted.
CREATE FUNCTION evaluation_report(
    runs json, judgements text, categories text DEFAULT NULL, tie text DEFAULT 'trec9',
    missing text DEFAULT 'zero', min_relevance int DEFAULT 1, gain text DEFAULT 'linear')
RETURNS TABLE (
    category text, model text, queries bigint, top_1 float8, top_3 float8, top_5 float8,
    top_10 float8, top_20 float8, mrr float8, ndcg_5 float8, ndcg_10 float8, map float8,
    judged_10 float8, ndcg_10_bar text)
    LANGUAGE sql STABLE ROWS 20
BEGIN ATOMIC
    WITH asked AS MATERIALIZED (
        SELECT * FROM @extschema@.evaluation_runs(runs)
    ), value AS MATERIALIZED (
        SELECT asked.place, found.query_id, found.metric, found.value
        FROM asked, LATERAL @extschema@.evaluate(
            asked.run, judgements,
            '{recall@1,recall@3,recall@5,recall@10,recall@20,mrr,ndcg@5,ndcg@10,map,judged@10}',
            tie, missing, min_relevance, gain) AS found
    ), mean AS (
        SELECT NULL AS category, value.place, value.metric, count(value.query_id) AS queries,
               max(value.value) FILTER (WHERE value.query_id IS NULL) AS value
        FROM value GROUP BY value.place, value.metric
        UNION ALL
        SELECT labelled.category, value.place, value.metric, count(*),
               avg(value.value ORDER BY value.query_id COLLATE "C")
        FROM value JOIN @extschema@.evaluation_categories(categories) AS labelled USING (query_id)
        GROUP BY labelled.category, value.place, value.metric
    ), part AS ( -- every model has a row in each, also where it misses all of its queries
        SELECT DISTINCT mean.category FROM mean UNION SELECT NULL
    ), report AS (
        SELECT part.category, asked.place, asked.model, coalesce(max(mean.queries), 0) AS queries,
               max(mean.value) FILTER (WHERE metric = 'recall@1') AS top_1,
               max(mean.value) FILTER (WHERE metric = 'recall@3') AS top_3,
               max(mean.value) FILTER (WHERE metric = 'recall@5') AS top_5,
               max(mean.value) FILTER (WHERE metric = 'recall@10') AS top_10,
               max(mean.value) FILTER (WHERE metric = 'recall@20') AS top_20,
               max(mean.value) FILTER (WHERE metric = 'mrr') AS mrr,
               max(mean.value) FILTER (WHERE metric = 'ndcg@5') AS ndcg_5,
               max(mean.value) FILTER (WHERE metric = 'ndcg@10') AS ndcg_10,
               max(mean.value) FILTER (WHERE metric = 'map') AS map,
               max(mean.value) FILTER (WHERE metric = 'judged@10') AS judged_10
        FROM asked CROSS JOIN part
            LEFT JOIN mean ON mean.place = asked.place AND mean.category IS NOT DISTINCT FROM part.category
        GROUP BY part.category, asked.place, asked.model
    )
    SELECT category, model, queries, top_1, top_3, top_5, top_10, top_20, mrr, ndcg_5, ndcg_10,
           map, judged_10, @extschema@.text_bar(ndcg_10)
    FROM report ORDER BY category COLLATE "C" NULLS FIRST, place;
END;

-- Recall at 1 to max_k of every model with 95 % bands, as one SVG. A max_k that is no cut-off, or
-- more of them than evaluate takes, is asked for all the same, for the error that evaluate has.
CREATE FUNCTION evaluation_svg(
    runs json, judgements text, max_k int DEFAULT 20, title text DEFAULT NULL,
    samples int DEFAULT 1000, seed bigint DEFAULT 42)
RETURNS text
    LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH asked AS MATERIALIZED (
        SELECT * FROM @extschema@.evaluation_runs(runs)
    ), cutoff AS MATERIALIZED (
        SELECT k, 'recall@' || k AS metric
        FROM generate_series(least(1, coalesce(max_k, 0)), least(coalesce(max_k, 0), 1001)) AS k
    ), value AS MATERIALIZED (
        SELECT asked.place, found.query_id, found.metric, found.value
        FROM asked, LATERAL @extschema@.evaluate(
            asked.run, judgements, ARRAY(SELECT metric FROM cutoff ORDER BY k)) AS found
    ), recall AS (
        SELECT place, metric, max(value) FILTER (WHERE query_id IS NULL) AS mean,
               array_agg(value ORDER BY query_id COLLATE "C")
                   FILTER (WHERE query_id IS NOT NULL) AS of_queries
        FROM value GROUP BY place, metric
    ), band AS (
        SELECT recall.place, recall.metric, recall.mean, found.low, found.high
        FROM recall, LATERAL @extschema@.evaluation_interval(of_queries, samples, seed) AS found
        WHERE of_queries IS NOT NULL
    ), curve AS (  -- a value that is missing is NaN, which is not drawn
        SELECT place, model, array_agg(k ORDER BY k) AS ks,
               array_agg(coalesce(mean, 'NaN') ORDER BY k) AS means,
               array_agg(coalesce(low, 'NaN') ORDER BY k) AS lows,
               array_agg(coalesce(high, 'NaN') ORDER BY k) AS highs
        FROM asked CROSS JOIN cutoff LEFT JOIN band USING (place, metric)
        GROUP BY place, model
    )
    SELECT @extschema@.recall_curve_svg(
        array_agg(model ORDER BY place), min(ks), array_agg(means ORDER BY place),
        array_agg(lows ORDER BY place), array_agg(highs ORDER BY place), title)
    FROM curve;
END;
