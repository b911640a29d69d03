-- Retrieval evaluation over src/functions/evaluation: aggregates, whole runs, comparisons.

-- Aggregates -------------------------------------------------------------------------------------
-- One row a query and document: rank NULL where it was not retrieved, relevance NULL where it is not judged.

CREATE FUNCTION metric_combine(state internal, other internal) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'metric_combine_wrapper';
CREATE FUNCTION metric_serialize(state internal) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'metric_serialize_wrapper';
CREATE FUNCTION metric_deserialize(bytes bytea, state internal) RETURNS internal
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'metric_deserialize_wrapper';
CREATE FUNCTION metric_mean(state internal) RETURNS float8
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'metric_mean_wrapper';

CREATE FUNCTION observe_recall(state internal, query_id text, rank bigint, relevance int, k int) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_recall_wrapper';
CREATE AGGREGATE recall_at_k(query_id text, rank bigint, relevance int, k int) (
    SFUNC = observe_recall, STYPE = internal, FINALFUNC = metric_mean, COMBINEFUNC = metric_combine,
    SERIALFUNC = metric_serialize, DESERIALFUNC = metric_deserialize, PARALLEL = SAFE);

CREATE FUNCTION observe_precision(state internal, query_id text, rank bigint, relevance int, k int) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_precision_wrapper';
CREATE AGGREGATE precision_at_k(query_id text, rank bigint, relevance int, k int) (
    SFUNC = observe_precision, STYPE = internal, FINALFUNC = metric_mean, COMBINEFUNC = metric_combine,
    SERIALFUNC = metric_serialize, DESERIALFUNC = metric_deserialize, PARALLEL = SAFE);

CREATE FUNCTION observe_hit_rate(state internal, query_id text, rank bigint, relevance int, k int) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_hit_rate_wrapper';
CREATE AGGREGATE hit_rate_at_k(query_id text, rank bigint, relevance int, k int) (
    SFUNC = observe_hit_rate, STYPE = internal, FINALFUNC = metric_mean, COMBINEFUNC = metric_combine,
    SERIALFUNC = metric_serialize, DESERIALFUNC = metric_deserialize, PARALLEL = SAFE);

CREATE FUNCTION observe_judged(state internal, query_id text, rank bigint, relevance int, k int) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_judged_wrapper';
CREATE AGGREGATE judged_at_k(query_id text, rank bigint, relevance int, k int) (
    SFUNC = observe_judged, STYPE = internal, FINALFUNC = metric_mean, COMBINEFUNC = metric_combine,
    SERIALFUNC = metric_serialize, DESERIALFUNC = metric_deserialize, PARALLEL = SAFE);

CREATE FUNCTION observe_ndcg(state internal, query_id text, rank bigint, relevance int, k int) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_ndcg_wrapper';
CREATE AGGREGATE ndcg_at_k(query_id text, rank bigint, relevance int, k int) (
    SFUNC = observe_ndcg, STYPE = internal, FINALFUNC = metric_mean, COMBINEFUNC = metric_combine,
    SERIALFUNC = metric_serialize, DESERIALFUNC = metric_deserialize, PARALLEL = SAFE);

CREATE FUNCTION observe_ndcg_gain(state internal, query_id text, rank bigint, relevance int, k int, gain text) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_ndcg_gain_wrapper';
CREATE AGGREGATE ndcg_at_k(query_id text, rank bigint, relevance int, k int, gain text) (
    SFUNC = observe_ndcg_gain, STYPE = internal, FINALFUNC = metric_mean, COMBINEFUNC = metric_combine,
    SERIALFUNC = metric_serialize, DESERIALFUNC = metric_deserialize, PARALLEL = SAFE);

CREATE FUNCTION observe_reciprocal_rank(state internal, query_id text, rank bigint, relevance int) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_reciprocal_rank_wrapper';
CREATE AGGREGATE mean_reciprocal_rank(query_id text, rank bigint, relevance int) (
    SFUNC = observe_reciprocal_rank, STYPE = internal, FINALFUNC = metric_mean, COMBINEFUNC = metric_combine,
    SERIALFUNC = metric_serialize, DESERIALFUNC = metric_deserialize, PARALLEL = SAFE);

CREATE FUNCTION observe_reciprocal_rank_at(state internal, query_id text, rank bigint, relevance int, k int) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_reciprocal_rank_at_wrapper';
CREATE AGGREGATE mean_reciprocal_rank(query_id text, rank bigint, relevance int, k int) (
    SFUNC = observe_reciprocal_rank_at, STYPE = internal, FINALFUNC = metric_mean, COMBINEFUNC = metric_combine,
    SERIALFUNC = metric_serialize, DESERIALFUNC = metric_deserialize, PARALLEL = SAFE);

CREATE FUNCTION observe_average_precision(state internal, query_id text, rank bigint, relevance int) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_average_precision_wrapper';
CREATE AGGREGATE average_precision(query_id text, rank bigint, relevance int) (
    SFUNC = observe_average_precision, STYPE = internal, FINALFUNC = metric_mean, COMBINEFUNC = metric_combine,
    SERIALFUNC = metric_serialize, DESERIALFUNC = metric_deserialize, PARALLEL = SAFE);

CREATE FUNCTION observe_average_precision_at(state internal, query_id text, rank bigint, relevance int, k int) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_average_precision_at_wrapper';
CREATE AGGREGATE average_precision(query_id text, rank bigint, relevance int, k int) (
    SFUNC = observe_average_precision_at, STYPE = internal, FINALFUNC = metric_mean, COMBINEFUNC = metric_combine,
    SERIALFUNC = metric_serialize, DESERIALFUNC = metric_deserialize, PARALLEL = SAFE);

CREATE FUNCTION observe_r_precision(state internal, query_id text, rank bigint, relevance int) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_r_precision_wrapper';
CREATE AGGREGATE r_precision(query_id text, rank bigint, relevance int) (
    SFUNC = observe_r_precision, STYPE = internal, FINALFUNC = metric_mean, COMBINEFUNC = metric_combine,
    SERIALFUNC = metric_serialize, DESERIALFUNC = metric_deserialize, PARALLEL = SAFE);

CREATE FUNCTION observe_bpref(state internal, query_id text, rank bigint, relevance int) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'observe_bpref_wrapper';
CREATE AGGREGATE bpref(query_id text, rank bigint, relevance int) (
    SFUNC = observe_bpref, STYPE = internal, FINALFUNC = metric_mean, COMBINEFUNC = metric_combine,
    SERIALFUNC = metric_serialize, DESERIALFUNC = metric_deserialize, PARALLEL = SAFE);

-- Whole runs -------------------------------------------------------------------------------------
-- The texts are SELECTs, run with the caller's rights as in a read-only transaction.

CREATE FUNCTION evaluate(
    run text, judgements text, metrics text[] DEFAULT '{recall@5,recall@10,mrr,ndcg@10,map}',
    tie text DEFAULT 'trec9', missing text DEFAULT 'zero', min_relevance int DEFAULT 1,
    gain text DEFAULT 'linear')
    RETURNS TABLE (query_id text, metric text, value float8)
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100000
    AS 'MODULE_PATHNAME', 'evaluate_wrapper';

CREATE FUNCTION compare_runs(
    run_a text, run_b text, judgements text,
    metrics text[] DEFAULT '{recall@5,recall@10,mrr,ndcg@10,map}', samples int DEFAULT 10000,
    seed bigint DEFAULT 42, tie text DEFAULT 'trec9', missing text DEFAULT 'zero',
    min_relevance int DEFAULT 1, gain text DEFAULT 'linear')
    RETURNS TABLE (metric text, a float8, b float8, delta float8, ci_low float8, ci_high float8,
                   p_value float8, better bigint, worse bigint, tied bigint, p_holm float8)
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100000
    AS 'MODULE_PATHNAME', 'compare_runs_wrapper';

CREATE FUNCTION evaluation_interval("values" float8[], samples int DEFAULT 1000, seed bigint DEFAULT 42)
    RETURNS TABLE (low float8, high float8)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10000 ROWS 1
    AS 'MODULE_PATHNAME', 'evaluation_interval_wrapper';

-- What the functions over this read of a caller's SELECT: three columns, whatever their names and types.
CREATE FUNCTION evaluation_rows(query text, name text DEFAULT 'query')
    RETURNS TABLE (a text, b text, c float8)
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000
    AS 'MODULE_PATHNAME', 'evaluation_rows_wrapper';

CREATE FUNCTION evaluation_run(run text, name text DEFAULT 'run', tie text DEFAULT 'trec9')
    RETURNS TABLE (query_id text, item_id text, score float8, rank bigint)
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000
    AS 'MODULE_PATHNAME', 'evaluation_run_wrapper';

CREATE FUNCTION evaluation_judged(judgements text, name text DEFAULT 'judgements')
    RETURNS TABLE (query_id text, item_id text, relevance int)
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000
    AS 'MODULE_PATHNAME', 'evaluation_judged_wrapper';

-- Agreement --------------------------------------------------------------------------------------

CREATE FUNCTION cohen_kappa(a int[], b int[], weights text DEFAULT 'none') RETURNS float8
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cohen_kappa_wrapper';

CREATE FUNCTION fleiss_kappa_of(grades int[], assessors int) RETURNS float8
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'fleiss_kappa_of_wrapper';

-- A row of the array is a subject, a column an assessor.
CREATE FUNCTION fleiss_kappa(grades int[]) RETURNS float8
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN @extschema@.fleiss_kappa_of(
        ARRAY(SELECT pg_catalog.unnest(grades)), coalesce(pg_catalog.array_length(grades, 2), 1));

-- Drawing ----------------------------------------------------------------------------------------

-- A point of model i at ks[j] is at (i - 1) * length of ks + j of means, lows and highs; NaN is not drawn.
CREATE FUNCTION recall_curve_svg(models text[], ks int[], means float8[], lows float8[], highs float8[],
                                 title text DEFAULT NULL) RETURNS text
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'recall_curve_svg_wrapper';
