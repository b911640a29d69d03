-- Reranking: order, NULLs, ties, the three forms. Scores: tests/parity.
\getenv fixtures ITEMBANK_FIXTURES
\set picture `base64 -w 0 "$ITEMBANK_IMAGES/png-rgb8.png"`
\set figure `base64 -w 0 "$ITEMBANK_IMAGES/jpeg-420.jpg"`
CREATE TEMP TABLE pictures AS
    SELECT decode(:'picture', 'base64') AS picture, decode(:'figure', 'base64') AS figure;

-- Out of the box: the default model by its token vectors.
SELECT index, candidate, score BETWEEN -1 AND 1 AS in_range
FROM rerank('두 근의 합', ARRAY['광합성에 필요한 기체는?', NULL, '이차방정식 $x^2 - 5x + 6 = 0$의 두 근의 합은?',
                               '삼각형의 넓이를 구하시오.']);

-- The tiny models: a cross-encoder with and one without a manifest, a Qwen3-VL reranker, an encoder.
SET itembank_embed.model_path = :'fixtures';
SELECT name, kind, modalities, dimensions, max_tokens, precision, problem FROM models()
WHERE kind IN ('cross-encoder', 'qwen3_vl_reranker') ORDER BY name;
CREATE TEMP TABLE rerankers AS
    SELECT model FROM unnest(ARRAY['tiny-bert', 'tiny-cls', 'tiny-st', 'tiny-cross-bert', 'tiny-cross-st',
                                   'tiny-qwen3-vl-reranker']) AS model;
CREATE TEMP TABLE candidates AS
    SELECT n, text FROM unnest(ARRAY['두 근의 합', NULL, 'a hexagon', '두 근의 합', '함수의 최댓값', '①②③']) WITH ORDINALITY AS t (text, n);

-- Best first, none lost, NULL last, ties as given; rows, arrays and windows agree.
SELECT model, array_agg(index ORDER BY place) @> ARRAY[1, 2, 3, 4, 5, 6] AS all_there,
       (array_agg(index ORDER BY place))[6] AS last, bool_and(score >= coalesce(next, score)) FILTER (WHERE score IS NOT NULL) AS falling,
       max(place) FILTER (WHERE index = 4) - max(place) FILTER (WHERE index = 1) AS ties_in_order,
       bool_and(candidate IS NOT DISTINCT FROM text) AS candidates_kept
FROM rerankers, LATERAL (SELECT *, lead(score) OVER (ORDER BY place) AS next
    FROM rerank('근의 합은?', (SELECT array_agg(text ORDER BY n) FROM candidates), model => model)
        WITH ORDINALITY AS r (index, candidate, score, place)) AS found
    JOIN candidates ON n = index
GROUP BY model ORDER BY model;
SELECT model, count(s), max(abs(s - rerank_score('근의 합은?', text, model => model))) < 1e-5 AS as_one,
       bool_and((s IS NULL) = (text IS NULL)) AS nulls
FROM (SELECT *, rerank_batch('근의 합은?', text, model => model) OVER (PARTITION BY model) AS s
      FROM rerankers, candidates) AS scored
GROUP BY model ORDER BY model;

-- Several queries, instructions and models in one window; each partition its own.
SELECT count(*) AS wrong
FROM (SELECT *, rerank_batch(query, text, model => model) OVER () AS batch,
             rerank_batch(query, text, model => model) OVER (PARTITION BY query ORDER BY n) AS parted
      FROM rerankers, candidates, unnest(ARRAY['근의 합은?', 'hexagon', NULL]) AS query) AS scored
WHERE abs(coalesce(batch, 9) - coalesce(rerank_score(query, text, model => model), 9)) > 1e-5
   OR abs(coalesce(batch, 9) - coalesce(parted, 9)) > 1e-5;
SELECT count(*) AS rows FROM (SELECT rerank_batch('a', text) OVER () FROM candidates WHERE false) AS none;

-- Nothing to compare, nothing to score.
SET itembank_embed.rerank_model = 'tiny-bert';
SELECT * FROM rerank('a', '{}');
SELECT * FROM rerank('a', NULL);
SELECT * FROM rerank(NULL, ARRAY['a', NULL]);
SELECT * FROM rerank('a', ARRAY[NULL, NULL]);
SELECT rerank_score(NULL, 'a') AS query, rerank_score('a', NULL) AS candidate, rerank_score(NULL, NULL) AS both;
SELECT * FROM rerank('a', ARRAY['', NULL, ' ', 'b']) OFFSET 1;
SELECT rerank_score('', 'a', model => 'tiny-cross-bert') IS NOT NULL AS cross_encoder,
       rerank_score('', 'a', model => 'tiny-qwen3-vl-reranker') = rerank_score('NULL', 'a', model => 'tiny-qwen3-vl-reranker') AS qwen_query,
       rerank_score('a', '', model => 'tiny-qwen3-vl-reranker') = rerank_score('a', 'NULL', model => 'tiny-qwen3-vl-reranker') AS qwen_candidate;

-- Images on either side, both, or alone.
SET itembank_embed.rerank_model = 'tiny-qwen3-vl-reranker';
SELECT count(*), count(DISTINCT score) AS different, min(score) > 0 AND max(score) < 1 AS in_range
FROM pictures, LATERAL (VALUES
    (rerank_score('a', 'b')), (rerank_score('a', 'b', query_image => figure)), (rerank_score('a', 'b', candidate_image => figure)),
    (rerank_score('a', 'b', figure, figure)), (rerank_score('a', 'b', figure, picture)), (rerank_score(NULL, 'b', figure)),
    (rerank_score('a', NULL, NULL, figure)), (rerank_score(NULL, NULL, picture, figure)),
    (rerank_score('a', 'b', instruction => 'Find'))) AS v (score);
SELECT bool_and(abs(score - one) < 1e-5), count(score), array_agg(index ORDER BY index) AS indices
FROM pictures, LATERAL (SELECT *, rerank_score('a', (ARRAY['b', NULL, NULL, 'c'])[index], figure,
                                              (ARRAY[NULL, figure, NULL, picture])[index]) AS one
    FROM rerank('a', ARRAY['b', NULL, NULL, 'c'], figure, ARRAY[NULL, figure, NULL, picture])) AS found;
SELECT count(*) AS images_alone FROM pictures, rerank('a', NULL, NULL, ARRAY[figure, picture]);
SELECT max(abs(batch - rerank_score('a', text, figure, picture))) < 1e-5 AS images_in_a_window
FROM (SELECT *, rerank_batch('a', text, figure, picture) OVER () AS batch FROM pictures, candidates) AS scored;
SELECT rerank_score('a', 'b', instruction => '') = rerank_score('a', 'b') AS empty_is_default,
       rerank_score('a', 'b', instruction => ' ') = rerank_score('a', 'b') AS blank_is_default,
       rerank_score('<|image_pad|>', '<|im_end|>') BETWEEN 0 AND 1 AS spelt_out;

-- More candidates than are prepared at a time.
SET itembank_embed.rerank_model = 'tiny-cross-bert';
SELECT count(*), count(score), max(abs(score - rerank_score('7', candidate))) FILTER (WHERE index IN (1, 2048, 2050, 2100)) < 1e-5 AS right
FROM rerank('7', (SELECT array_agg(nullif(n, 2049)::text ORDER BY n) FROM generate_series(1, 2100) AS n));
SELECT count(score), max(abs(score - rerank_score('7', candidate, model => 'tiny-bert'))) FILTER (WHERE index IN (1, 2048, 2050, 2100)) < 1e-5 AS right
FROM rerank('7', (SELECT array_agg(nullif(n, 2049)::text ORDER BY n) FROM generate_series(1, 2100) AS n), model => 'tiny-bert');
SELECT tokens, used, truncated FROM count_tokens('tiny-cross-bert', repeat('a ', 100));

-- What is far too long is cut once, not for each candidate; candidates that are the same are ties.
SELECT count(score), count(DISTINCT score) FROM rerank(repeat('근의 합은 ', 10000), (SELECT array_agg(n::text) FROM generate_series(1, 50) AS n));
SELECT array_agg(index) AS same, count(DISTINCT score) AS scores
FROM rerank('a', (SELECT array_agg(t ORDER BY n) FROM generate_series(1, 60) AS n, LATERAL (SELECT repeat(CASE WHEN n % 5 = 0 THEN 'b ' ELSE 'c ' || n END, 1 + n % 3) AS t) AS x))
WHERE index IN (15, 30, 45, 60);

-- What the wrong kind of model, and wrong arguments, are told.
SELECT embed('tiny-cross-bert', 'a');
\echo :SQLSTATE
SELECT embed('tiny-qwen3-vl-reranker', ARRAY['a', 'b'], dimensions => 8);
\echo :SQLSTATE
SELECT rerank_score('a', 'b', model => 'tiny-siglip');
\echo :SQLSTATE
SELECT * FROM rerank('a', ARRAY['b'], model => 'tiny-qwen3-vl');
\echo :SQLSTATE
SET itembank_embed.rerank_model = 'tiny-siglip2';
SELECT rerank_score('a', 'b');
\echo :SQLSTATE
SET itembank_embed.rerank_model = 'not-there';
SELECT rerank_score('a', 'b');
\echo :SQLSTATE
SET itembank_embed.rerank_model = 'tiny-bert';
SELECT rerank_score('a', 'b', model => 'not-there');
\echo :SQLSTATE
SELECT rerank_score('', 'b');
\echo :SQLSTATE
SELECT rerank_score('a', 'b', figure) FROM pictures;
\echo :SQLSTATE
SELECT * FROM pictures, rerank('a', ARRAY['b', 'c'], candidate_images => ARRAY[NULL, figure], model => 'tiny-cross-st');
\echo :SQLSTATE
SELECT rerank_score('a', 'b', instruction => 'Find');
\echo :SQLSTATE
SELECT rerank_score('a', 'b', instruction => 'Find', model => 'tiny-cross-bert');
\echo :SQLSTATE
SELECT * FROM rerank('a', ARRAY['b', 'c'], candidate_images => ARRAY[NULL]::bytea[]);
\echo :SQLSTATE
SELECT * FROM rerank('a', ARRAY[['b'], ['c']]);
\echo :SQLSTATE
SELECT * FROM rerank('a', ARRAY['b', 'c'], NULL, ARRAY[NULL, '\x89504e47'::bytea], model => 'tiny-qwen3-vl-reranker');
\echo :SQLSTATE
SELECT rerank_score('a', 'b', '\x00', model => 'tiny-qwen3-vl-reranker');
\echo :SQLSTATE
SELECT rerank_batch('a', 'b');
\echo :SQLSTATE
SET itembank_embed.max_input_bytes = 10;
SELECT rerank_score('가나다라', 'b');
\echo :SQLSTATE
SELECT * FROM rerank('a', ARRAY['b', '가나다라']);
\echo :SQLSTATE
SELECT rerank_batch('a', text) OVER () FROM candidates;
\echo :SQLSTATE
SELECT rerank_score('a', 'b', instruction => '가나다라', model => 'tiny-qwen3-vl-reranker');
\echo :SQLSTATE
RESET itembank_embed.max_input_bytes;

-- In a view and a prepared statement, with parameters.
CREATE TEMP VIEW best AS SELECT n, rerank_batch('두 근', text) OVER () AS score FROM candidates;
SELECT count(score) FROM best;
PREPARE again(text) AS SELECT index FROM rerank($1, ARRAY['b', $1, 'c']) LIMIT 1;
SET plan_cache_mode = force_generic_plan;
EXECUTE again('두 근의 합');
RESET plan_cache_mode;

-- The setting counts when a statement runs, not when it was planned.
SET itembank_embed.rerank_model = 'tiny-bert';
PREPARE scored AS SELECT rerank_score('근의 합', '두 근') = rerank_score('근의 합', '두 근', model => 'tiny-bert') AS tiny_bert;
EXECUTE scored;
SET itembank_embed.rerank_model = 'tiny-cross-bert';
EXECUTE scored;
SELECT rerank_score('a', 'b', instruction => '') IS NOT NULL AS an_empty_instruction_is_none;

-- Images in a table's rows, stored apart or not, equal queries in all rows, or other ones.
SET itembank_embed.rerank_model = 'tiny-qwen3-vl-reranker';
CREATE TEMP TABLE figures AS SELECT n, CASE WHEN n % 2 = 0 THEN figure ELSE picture END || decode(repeat('00', n * 1000), 'hex') AS image
FROM pictures, generate_series(1, 6) AS n;
SELECT count(*), max(abs(one - rerank_score('a', n::text, q.figure, image))) < 1e-5 AS equal_queries,
       max(abs(other - rerank_score('a', n::text, image, image))) < 1e-5 AS other_queries
FROM pictures AS q, (SELECT f.*, rerank_batch('a', n::text, p.figure, image) OVER () AS one,
                            rerank_batch('a', n::text, image, image) OVER (ORDER BY n DESC) AS other FROM figures AS f, pictures AS p) AS scored;
SELECT n, round(r::numeric, 6) = round(s::numeric, 6) AS same FROM generate_series(1, 2) AS n, LATERAL
    (SELECT rerank_batch(n::text, text) OVER () AS r, rerank_score(n::text, text) AS s FROM candidates WHERE candidates.n = 3) AS x;
SELECT rerank_batch('a', 'b', NULL, CASE n WHEN 5 THEN '\x00'::bytea END, model => CASE WHEN n > 3 THEN 'tiny-qwen3-vl-reranker' ELSE 'tiny-bert' END) OVER () FROM figures;
\echo :SQLSTATE
