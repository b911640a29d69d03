-- Labelling from psql: judgements by assessor, pairs worth a look, agreement, pooled judgements.

CREATE TABLE evaluation_judgements (
    query_id  text NOT NULL,
    item_id   text NOT NULL,
    assessor  text NOT NULL DEFAULT current_user,
    grade     int NOT NULL,
    judged_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    note      text,
    PRIMARY KEY (query_id, item_id, assessor)
);
SELECT pg_catalog.pg_extension_config_dump('@extschema@.evaluation_judgements', '');

-- The former grade is NULL where there was none. A note stays until another one is given.
CREATE FUNCTION judge(query text, item text, grade int, assessor text DEFAULT current_user,
                      note text DEFAULT NULL) RETURNS int
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    missing text := CASE WHEN query IS NULL THEN 'query' WHEN item IS NULL THEN 'item'
                         WHEN judge.grade IS NULL THEN 'grade' WHEN judge.assessor IS NULL THEN 'assessor' END;
    former int;
BEGIN
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION '% must not be null', missing USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'A judgement is one assessor''s grade for one pair of query and item.',
            HINT = pg_catalog.format('Give a value for %s.', missing);
    END IF;
    SELECT j.grade INTO former FROM @extschema@.evaluation_judgements AS j
    WHERE j.query_id = query AND j.item_id = item AND j.assessor = judge.assessor
    FOR UPDATE;
    INSERT INTO @extschema@.evaluation_judgements AS j (query_id, item_id, assessor, grade, note)
    VALUES (query, item, judge.assessor, judge.grade, judge.note)
    ON CONFLICT (query_id, item_id, assessor) DO UPDATE
    SET grade = excluded.grade, judged_at = excluded.judged_at, note = coalesce(excluded.note, j.note);
    RETURN former;
END
$$;

CREATE FUNCTION pooled_judgements(rule text DEFAULT 'median')
    RETURNS TABLE (query_id text, item_id text, relevance int, assessors bigint)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF rule IS NULL OR rule NOT IN ('median', 'mean', 'max', 'min', 'majority') THEN
        RAISE EXCEPTION 'unrecognized rule %', coalesce('"' || rule || '"', 'NULL')
            USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'A rule makes one relevance of the grades that several assessors gave to a pair.',
            HINT = 'Use ''median'', ''mean'', ''max'', ''min'' or ''majority''.';
    END IF;
    -- mode() takes the first of equally frequent grades in its order: the lower one, as the median does.
    RETURN QUERY
    SELECT j.query_id, j.item_id,
           CASE rule WHEN 'median' THEN percentile_disc(0.5) WITHIN GROUP (ORDER BY j.grade)
                     WHEN 'mean' THEN round(avg(j.grade))::int
                     WHEN 'max' THEN max(j.grade)
                     WHEN 'min' THEN min(j.grade)
                     ELSE mode() WITHIN GROUP (ORDER BY j.grade) END,
           count(*)
    FROM @extschema@.evaluation_judgements AS j
    GROUP BY j.query_id, j.item_id
    ORDER BY j.query_id COLLATE "C", j.item_id COLLATE "C";
END
$$;

-- Cohen's kappa over the pairs that both judged; last, where there are two assessors or more, Fleiss'
-- over those that all of them judged, with the mean agreement of two assessors.
CREATE FUNCTION assessor_agreement(weights text DEFAULT 'none')
    RETURNS TABLE (assessor_a text, assessor_b text, pairs bigint, agreement float8, kappa float8)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH assessors AS (
        SELECT DISTINCT j.assessor FROM @extschema@.evaluation_judgements AS j
    ), grades AS (
        SELECT j.query_id, j.item_id, array_agg(j.grade ORDER BY j.assessor COLLATE "C") AS grades
        FROM @extschema@.evaluation_judgements AS j
        GROUP BY j.query_id, j.item_id
        HAVING count(*) = (SELECT count(*) FROM assessors)
    ), cohen AS (
        SELECT a.assessor AS assessor_a, b.assessor AS assessor_b, count(y.grade) AS pairs,
               avg((x.grade = y.grade)::int)::float8 AS agreement,
               CASE WHEN count(y.grade) > 0 THEN @extschema@.cohen_kappa(
                    array_agg(x.grade) FILTER (WHERE y.grade IS NOT NULL),
                    array_agg(y.grade) FILTER (WHERE y.grade IS NOT NULL), weights) END AS kappa
        FROM assessors AS a
            JOIN assessors AS b ON a.assessor COLLATE "C" < b.assessor COLLATE "C"
            JOIN @extschema@.evaluation_judgements AS x ON x.assessor = a.assessor
            LEFT JOIN @extschema@.evaluation_judgements AS y
                ON y.assessor = b.assessor AND y.query_id = x.query_id AND y.item_id = x.item_id
        GROUP BY a.assessor, b.assessor
    ), fleiss AS (
        SELECT count(*) AS pairs,
               (SELECT avg((x.grade = y.grade)::int)::float8
                FROM grades AS g, unnest(g.grades) WITH ORDINALITY AS x (grade, place),
                     unnest(g.grades) WITH ORDINALITY AS y (grade, place)
                WHERE x.place < y.place) AS agreement,
               CASE WHEN count(*) > 0 THEN @extschema@.fleiss_kappa(array_agg(g.grades)) END AS kappa
        FROM grades AS g
    )
    SELECT * FROM (
        SELECT * FROM cohen
        UNION ALL
        SELECT NULL, NULL, f.* FROM fleiss AS f WHERE (SELECT count(*) FROM assessors) > 1) AS rows
    ORDER BY assessor_a COLLATE "C" NULLS LAST, assessor_b COLLATE "C"
$$;

-- Pairs worth a look. Equal urgency is drawn by seed, the same on every server. It has no search_path of its own,
-- since the SELECTs mean what they mean to the caller.
--   unjudged      hits in the top k without a judgement, best ranks first
--   missed        relevant, but not in the top k, best grades first
--   disagreement  ranks that differ most between run and other_run; beyond the top k all count as k + 1
--   sheet         40 % relevant in the top k, 30 % in the top k with a grade of 0 or less or none, 30 % relevant
--                 and not in the top k, of the queries that have judgements; 20, 15 and 15 of 50
CREATE FUNCTION label_sample(run text, judgements text DEFAULT NULL, n int DEFAULT 50, strategy text DEFAULT 'sheet',
                             other_run text DEFAULT NULL, k int DEFAULT 10, seed bigint DEFAULT 42)
    RETURNS TABLE (query_id text, item_id text, rank bigint, score float8, relevance int, reason text)
    LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    beyond bigint := k::bigint + 1;
    positives int := pg_catalog.round(0.4 OPERATOR(pg_catalog.*) n);
    shares int[] := ARRAY[positives, (n - positives + 1) / 2, (n - positives) / 2, n];
    wrong text := CASE
        WHEN run IS NULL THEN 'run must not be null'
        WHEN strategy IS NULL THEN 'strategy must not be null'
        WHEN strategy NOT IN ('unjudged', 'missed', 'disagreement', 'sheet') THEN
            pg_catalog.format('unrecognized strategy "%s"', strategy)
        WHEN strategy = 'disagreement' AND other_run IS NULL THEN 'other_run must not be null'
        WHEN n IS NULL OR n < 1 THEN 'n must be 1 or more'
        WHEN k IS NULL OR k < 1 THEN 'k must be 1 or more'
        WHEN seed IS NULL THEN 'seed must not be null' END;
BEGIN
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '%', wrong USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'A strategy picks n pairs of query and item by what stands in the top k of the run.',
            HINT = 'Use ''sheet'', ''unjudged'' or ''missed''; or ''disagreement'', which compares run with other_run.';
    END IF;
    RETURN QUERY
    WITH hits AS MATERIALIZED (
        SELECT * FROM @extschema@.evaluation_run(run)
    ), others AS MATERIALIZED (
        SELECT * FROM @extschema@.evaluation_run(CASE strategy WHEN 'disagreement' THEN other_run
                                                 ELSE 'SELECT NULL, NULL, NULL WHERE false' END, 'other_run')
    ), judged AS MATERIALIZED (
        SELECT * FROM @extschema@.evaluation_judged(coalesce(judgements,
            'SELECT query_id, item_id, relevance FROM @extschema@.pooled_judgements()'))
    ), pairs AS (
        SELECT query_id, item_id, h.rank, h.score, j.relevance, o.rank AS other_rank,
               least(h.rank, beyond) AS place, least(o.rank, beyond) AS other_place,
               pg_catalog.count(j.relevance) OVER (PARTITION BY query_id) > 0 AS of_a_judged_query
        FROM hits AS h FULL JOIN others AS o USING (query_id, item_id) FULL JOIN judged AS j USING (query_id, item_id)
    ), strata AS (
        SELECT *, CASE
            WHEN strategy = 'unjudged' AND place < beyond AND relevance IS NULL
              OR strategy = 'missed' AND place = beyond AND relevance >= 1
              OR strategy = 'disagreement' AND place <> other_place THEN 4
            WHEN strategy <> 'sheet' THEN NULL
            WHEN place < beyond AND relevance >= 1 THEN 1
            WHEN place < beyond AND of_a_judged_query THEN 2
            WHEN relevance >= 1 THEN 3 END AS stratum
        FROM pairs
    ), drawn AS (
        SELECT *, pg_catalog.row_number() OVER (
            PARTITION BY stratum
            ORDER BY CASE strategy WHEN 'unjudged' THEN place WHEN 'missed' THEN -relevance
                                   WHEN 'disagreement' THEN -pg_catalog.abs(place - other_place) END,
                     pg_catalog.md5(pg_catalog.format('%s %L %L', seed, query_id, item_id)) COLLATE "C") AS turn
        FROM strata WHERE stratum IS NOT NULL
    )
    SELECT query_id, item_id, rank, score, relevance,
           CASE WHEN stratum < 4 THEN (ARRAY['true positive', 'suspected false positive', 'false negative'])[stratum]
                WHEN strategy <> 'disagreement' THEN strategy
                WHEN other_place = beyond THEN 'only in run'
                WHEN place = beyond THEN 'only in other_run'
                ELSE pg_catalog.format('rank %s in other_run', other_rank) END
    FROM drawn WHERE turn <= shares[stratum] ORDER BY stratum, turn;
END
$$;
