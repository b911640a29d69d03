-- Retrieval evaluation: a golden value for each trap, errors, rights. Parity with pytrec_eval: tests/parity.
\pset null NULL
SELECT pg_backend_pid() AS pid \gset

-- Each trap with its run (query, item, score) and judgements (query, item, relevance): the mean of one query.
CREATE TEMP TABLE traps (n serial, trap text, metric text, run text, judgements text);
INSERT INTO traps (trap, metric, run, judgements) VALUES
('recall is of all relevant, never of min(R, k)', 'recall@1', '(1,''a'',9)', '(1,''a'',1),(1,''b'',1),(1,''c'',1)'),
('recall is 0 where nothing is relevant', 'recall@5', '(1,''a'',9)', '(1,''a'',0)'),
('precision is of k, also when fewer came', 'precision@5', '(1,''a'',9)', '(1,''a'',1)'),
('hit rate is 1 from the first hit on', 'hit_rate@2', '(1,''x'',9),(1,''a'',8)', '(1,''a'',1),(1,''b'',1)'),
('hit rate is 0 beyond the cut', 'hit_rate@1', '(1,''x'',9),(1,''a'',8)', '(1,''a'',1),(1,''b'',1)'),
('MRR counts to the first hit', 'mrr', '(1,''x'',9),(1,''a'',8),(1,''b'',7)', '(1,''a'',1),(1,''b'',1)'),
('MRR without k has no cut', 'mrr', '(1,''x1'',9),(1,''x2'',8),(1,''x3'',7),(1,''a'',6)', '(1,''a'',1)'),
('MRR@k cuts', 'mrr@3', '(1,''x1'',9),(1,''x2'',8),(1,''x3'',7),(1,''a'',6)', '(1,''a'',1)'),
('the cut comes after tie ordering', 'mrr@1', '(1,''a'',5),(1,''b'',5)', '(1,''a'',1)'),
('MAP is of all relevant', 'map', '(1,''a'',9),(1,''x'',8),(1,''b'',7)', '(1,''a'',1),(1,''b'',1),(1,''c'',1)'),
('MAP@k too is of all relevant', 'map@1', '(1,''a'',9),(1,''b'',8)', '(1,''a'',1),(1,''b'',1)'),
('nDCG: gain is the grade, discount log2', 'ndcg@10', '(1,''a'',9),(1,''b'',8)', '(1,''a'',1),(1,''b'',3)'),
('the ideal is of all positive judgements', 'ndcg@10', '(1,''a'',9)', '(1,''a'',1),(1,''b'',3)'),
('the ideal is cut at k as well', 'ndcg@1', '(1,''a'',9)', '(1,''a'',3),(1,''b'',3)'),
('nDCG is 0 where the ideal is 0', 'ndcg@10', '(1,''a'',9)', '(1,''a'',0),(1,''b'',-1)'),
('a negative grade costs nothing but its rank', 'ndcg@10', '(1,''x'',9),(1,''a'',8)', '(1,''a'',1),(1,''x'',-3)'),
('R-precision looks at the top R', 'r_precision', '(1,''a'',9),(1,''x'',8),(1,''b'',7)', '(1,''a'',1),(1,''b'',1)'),
('R-precision is of R, also when fewer came', 'r_precision', '(1,''a'',9)', '(1,''a'',1),(1,''b'',1),(1,''c'',1)'),
('bpref: a judged non-relevant stands above', 'bpref', '(1,''x'',9),(1,''a'',8),(1,''b'',7)', '(1,''a'',1),(1,''b'',1),(1,''x'',0),(1,''y'',0)'),
('bpref: 1 a hit where none stands above', 'bpref', '(1,''u'',9),(1,''a'',8),(1,''b'',7)', '(1,''a'',1),(1,''b'',1),(1,''x'',0)'),
('bpref: unjudged and negative do not count', 'bpref', '(1,''u'',9),(1,''n'',8),(1,''a'',7)', '(1,''a'',1),(1,''n'',-1),(1,''x'',0)'),
('judged@k is of k', 'judged@4', '(1,''a'',9),(1,''u'',8),(1,''x'',7)', '(1,''a'',1),(1,''x'',0)'),
('unjudged and negative keep their rank', 'mrr', '(1,''u'',9),(1,''n'',8),(1,''a'',7)', '(1,''a'',1),(1,''n'',-1)'),
('ties: 9 stands before 10', 'mrr', '(1,''10'',5),(1,''9'',5)', '(1,''10'',1)'),
('ties: B stands behind 가 and 나', 'mrr', '(1,''B'',5),(1,''가'',5),(1,''나'',5)', '(1,''B'',1)'),
('ties: 가 stands behind 나', 'mrr', '(1,''B'',5),(1,''가'',5),(1,''나'',5)', '(1,''가'',1)'),
('-0 equals 0', 'mrr', '(1,''a'',0),(1,''b'',''-0''::float8)', '(1,''a'',1)'),
('infinite scores are ordered', 'mrr', '(1,''a'',''-Infinity''::float8),(1,''b'',0),(1,''c'',''Infinity'')', '(1,''a'',1)'),
('k may be more than there is', 'recall@4294967295', '(1,''a'',9)', '(1,''a'',1),(1,''b'',1)'),
('ids need not be text', 'mrr', '(1,2,3),(1,1,4)', '(1,2,1)'),
('a query without relevant documents counts', 'mrr', '(1,''a'',9),(2,''a'',9)', '(1,''a'',1),(2,''a'',0)'),
('a query that the run misses counts', 'mrr', '(1,''a'',9)', '(1,''a'',1),(2,''a'',1)'),
('an unjudged query does not', 'mrr', '(1,''a'',9),(2,''a'',9)', '(1,''a'',1)'),
('nor does one whose grades are NULL', 'mrr', '(1,''a'',9),(2,''a'',9)', '(1,''a'',1),(2,''a'',NULL)');
SELECT trap, t.metric, value FROM traps AS t,
    evaluate('VALUES ' || run, 'VALUES ' || judgements, ARRAY[t.metric]) AS e
WHERE e.query_id IS NULL ORDER BY n;
-- The same in float64: only what float32 took for a tie could differ, and nothing here does.
SELECT count(*), bool_and(nine.value = ten.value) AS equal FROM traps AS t,
    evaluate('VALUES ' || run, 'VALUES ' || judgements, ARRAY[t.metric]) AS nine,
    evaluate('VALUES ' || run, 'VALUES ' || judgements, ARRAY[t.metric], tie => 'trec10') AS ten
WHERE nine.query_id IS NULL AND ten.query_id IS NULL;

-- Options.
SELECT tie, value FROM unnest(ARRAY['trec9', 'trec10', 'given']) WITH ORDINALITY AS t (tie, n),
    evaluate('VALUES (1, ''a'', 0.5), (1, ''b'', 0.5 - 1e-11), (1, ''c'', 0.9)', 'VALUES (1, ''a'', 1)', '{mrr}', tie => tie) AS e
WHERE query_id IS NULL ORDER BY n;
SELECT tie, value AS beyond_float32 FROM unnest(ARRAY['trec9', 'trec10']) AS tie,
    evaluate('VALUES (1, ''a'', 1e301::float8), (1, ''b'', 1e300)', 'VALUES (1, ''a'', 1)', '{mrr}', tie => tie) AS e
WHERE query_id IS NULL ORDER BY tie DESC;
SELECT missing, query_id, metric, value FROM unnest(ARRAY['zero', 'skip']) AS missing,
    evaluate('VALUES (''q1'', ''a'', 2), (''q1'', ''b'', 1)', 'VALUES (''q2'', ''a'', 1), (''q1'', ''b'', 1)',
             '{mrr, recall@1}', missing => missing);
SELECT min_relevance, metric, value FROM generate_series(0, 3) AS min_relevance,
    evaluate('VALUES (1, ''a'', 3), (1, ''b'', 2), (1, ''c'', 1)', 'VALUES (1, ''a'', 0), (1, ''b'', 1), (1, ''c'', 2)',
             '{recall@2, mrr, ndcg@10}', min_relevance => min_relevance) AS e
WHERE query_id IS NULL;
SELECT gain, value FROM unnest(ARRAY['linear', 'exponential']) AS gain,
    evaluate('VALUES (1, ''a'', 2), (1, ''b'', 1)', 'VALUES (1, ''a'', 1), (1, ''b'', 3)', '{ndcg@10}', gain => gain) AS e
WHERE query_id IS NULL;
-- Names: any case, short forms. Rows: queries in byte order, metrics as given, means last.
SELECT * FROM evaluate('VALUES (''나'', ''a'', 1), (''가'', ''a'', 1), (''B'', ''a'', 1), (''10'', ''a'', 1), (''9'', ''a'', 1)',
                       'VALUES (''나'', ''a'', 1), (''가'', ''a'', 1), (''B'', ''b'', 1), (''10'', ''a'', 1), (''9'', ''a'', 1)',
                       '{P@5, MRR, Success@1, RPrec}');
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, 1)') WHERE query_id IS NULL;

-- Nothing to evaluate is NULL.
SELECT * FROM evaluate('SELECT 1, 1, 1', 'SELECT 1, 1, 1 WHERE false');
SELECT * FROM evaluate('SELECT 1, 1, 1 WHERE false', 'SELECT 1, 1, 1 WHERE false', '{mrr}');
SELECT * FROM evaluate('SELECT 1, 1, 1 WHERE false', 'SELECT 1, 1, 1', '{mrr}');
SELECT * FROM evaluate('SELECT 1, 1, 1 WHERE false', 'SELECT 1, 1, 1', '{mrr}', missing => 'skip');
SELECT count(*) AS no_metric FROM evaluate('SELECT 1, 1, 1', 'SELECT 1, 1, 1', '{}');

-- What a single SELECT may look like.
SELECT run, value FROM unnest(ARRAY['VALUES (1, 1, 1)', ' (SELECT 1, 1, 1) ; ', 'SELECT 1, 1, 1 -- so it is',
    'SELECT 1::int8, ''1''::varchar, 1::numeric', 'WITH r (a, b, c) AS (VALUES (1, 1, 1)) SELECT * FROM r ORDER BY c LIMIT 1',
    'SELECT 1, ''1'', ''1'' UNION ALL SELECT 2, ''x'', '' 2.5 ''']) WITH ORDINALITY AS t (run, n),
    evaluate(run, 'VALUES (1, 1, 1)', '{mrr}') AS e
WHERE query_id IS NULL ORDER BY n;

-- Aggregates: over all, by group, filtered, in a view, over nothing.
CREATE TABLE evaluation_rows_of (model text, query_id text, rank int, relevance int);
INSERT INTO evaluation_rows_of VALUES
    ('A', '가', 1, NULL), ('A', '가', 2, 2), ('A', '가', 3, 0), ('A', '가', NULL, 1),
    ('A', '나', 1, -1), ('A', '나', 2, 1), ('A', '다', NULL, 1), ('A', '라', 1, 0), ('A', '마', 1, NULL),
    ('B', '가', 1, 2), ('B', '가', 2, 1), ('B', '나', 1, 1);
CREATE VIEW evaluation_table AS
    SELECT model, recall_at_k(query_id, rank, relevance, 2) AS recall_2, precision_at_k(query_id, rank, relevance, 2) AS precision_2,
        hit_rate_at_k(query_id, rank, relevance, 1) AS hit_rate_1, mean_reciprocal_rank(query_id, rank, relevance) AS mrr,
        mean_reciprocal_rank(query_id, rank, relevance, 1) AS mrr_1, average_precision(query_id, rank, relevance) AS map,
        average_precision(query_id, rank, relevance, 1) AS map_1, ndcg_at_k(query_id, rank, relevance, 10) AS ndcg_10,
        ndcg_at_k(query_id, rank, relevance, 10, 'exponential') AS exponential_10, r_precision(query_id, rank, relevance) AS r_precision,
        bpref(query_id, rank, relevance) AS bpref, judged_at_k(query_id, rank, relevance, 2) AS judged_2
    FROM evaluation_rows_of GROUP BY model;
\x on
SELECT * FROM evaluation_table ORDER BY model;
\x off
SELECT count(*) AS no_rows FROM evaluation_table WHERE model = 'C';
SELECT query_id, count(*), recall_at_k(query_id, rank, relevance, 2), mean_reciprocal_rank(query_id, rank, relevance)
FROM evaluation_rows_of WHERE model = 'A' GROUP BY query_id ORDER BY query_id COLLATE "C";
SELECT recall_at_k(query_id, rank, relevance, 2) FILTER (WHERE model = 'A') AS a,
    recall_at_k(query_id, rank, relevance, 2) FILTER (WHERE model = 'B') AS b,
    recall_at_k(query_id, rank, relevance, 2) FILTER (WHERE model = 'C') AS c
FROM evaluation_rows_of;
SELECT recall_at_k('q', NULL, NULL, 1) AS nothing_judged, mean_reciprocal_rank('q', NULL, 1) AS missed, bpref('q', 1, NULL) AS unjudged;
SELECT DISTINCT model, ndcg_at_k(query_id, rank, relevance, 3) OVER (PARTITION BY model) AS as_a_window
FROM evaluation_rows_of ORDER BY model;
DROP VIEW evaluation_table;
-- Two runs in one group are an error: their ranks collide.
SELECT recall_at_k(query_id, rank, relevance, 2) FROM evaluation_rows_of;
\echo :SQLSTATE

-- Errors of the aggregates: code, detail, hint.
SELECT recall_at_k('q', 1, 1, 0);
\echo :SQLSTATE
SELECT precision_at_k('q', 1, 1, -3);
\echo :SQLSTATE
SELECT ndcg_at_k('q', 1, 1, NULL);
\echo :SQLSTATE
SELECT mean_reciprocal_rank('q', 1, 1, 0);
\echo :SQLSTATE
SELECT average_precision(NULL, 1, 1);
\echo :SQLSTATE
SELECT bpref('q', 0, 1);
\echo :SQLSTATE
SELECT r_precision('q', -1, 1);
\echo :SQLSTATE
SELECT judged_at_k('q', 5000000000, 1, 1);
\echo :SQLSTATE
SELECT ndcg_at_k('q', 1, 1, 5, 'cubic');
\echo :SQLSTATE
SELECT ndcg_at_k('q', 1, 1, 5, NULL);
\echo :SQLSTATE
SELECT ndcg_at_k('q', 1, 513, 5, 'exponential');
\echo :SQLSTATE
SELECT recall_at_k('q', rank, 1, k) FROM (VALUES (1, 1), (2, 2)) AS r (rank, k);
\echo :SQLSTATE
SELECT recall_at_k('q', rank, 1, k) FROM (VALUES (1, 1), (2, NULL)) AS r (rank, k);
\echo :SQLSTATE
SELECT recall_at_k('문항', rank, 1, 3) FROM unnest(ARRAY[1, 2, 1]) AS rank;
\echo :SQLSTATE
SELECT hit_rate_at_k('문항', rank, 1, 3) FROM unnest(ARRAY[1, 1]) AS rank;
\echo :SQLSTATE
SELECT mean_reciprocal_rank('문항', rank, 1) FROM unnest(ARRAY[1, 1]) AS rank;
\echo :SQLSTATE
SELECT average_precision('문항', rank, 1) FROM unnest(ARRAY[2, 1, 2]) AS rank;
\echo :SQLSTATE
SELECT bpref('문항', rank, 1) FROM unnest(ARRAY[1, 1]) AS rank;
\echo :SQLSTATE
SELECT recall_at_k('q', 1, 1::bigint, 5);
\echo :SQLSTATE
SELECT recall_at_k(7, 1, 1, 5);
\echo :SQLSTATE
SELECT recall_at_k('q', 1.5, 1, 5);
\echo :SQLSTATE
-- No state by hand: minor releases of PostgreSQL refuse it, or do not find the function.
DO $$ BEGIN PERFORM observe_recall(NULL, 'q', 1, 1, 5);
EXCEPTION WHEN undefined_function OR feature_not_supported THEN RAISE NOTICE 'refused'; END $$;

-- Errors of evaluate: scores, duplicates, NULLs, grades, names.
SELECT * FROM evaluate('VALUES (''문항 1'', ''가'', ''NaN''::float8)', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, ''가'', ''NaN''::float8)', 'VALUES (1, 1, 1)', tie => 'given');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (''문항 1'', ''가'', 1), (''문항 1'', ''가'', 2)', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'VALUES (''문항 1'', ''가'', 1), (''문항 1'', ''가'', 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, NULL::float8)', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (NULL, 1, 1)', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, NULL, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, 1.5)');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, 3e10)');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, ''NaN''::float8)');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, 513)', '{ndcg@10}', gain => 'exponential');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', '{recal@5}');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', '{recall}');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', '{recall@0}');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', '{recall@-1}');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', '{recall@1.5}');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', '{bpref@5}');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', '{mrr, NULL}');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', '{{mrr}, {map}}');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', tie => 'trec');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', missing => 'one');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', gain => 'cubic');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', min_relevance => -1);
\echo :SQLSTATE
SELECT * FROM evaluate(NULL, 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', NULL);
\echo :SQLSTATE

-- Not a single SELECT of three columns.
SELECT * FROM evaluate('', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate(' ; ', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1); VALUES (1, 1, 1)', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, 1); DROP TABLE evaluation_rows_of');
\echo :SQLSTATE
SELECT * FROM evaluate('SELECT 1, 1, 1) AS r (a, b, c); DROP TABLE evaluation_rows_of; SELECT (1', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('DELETE FROM evaluation_rows_of RETURNING query_id, query_id, 1', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('WITH d AS (DELETE FROM evaluation_rows_of RETURNING *) SELECT query_id, query_id, 1 FROM d', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('SELECT 1, 1, 1 INTO evaluation_made', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('CREATE TABLE evaluation_made AS SELECT 1, 1, 1', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('EXPLAIN SELECT 1, 1, 1', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('COPY evaluation_rows_of TO STDOUT', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('SHOW port', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('COMMIT', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('SELEC 1, 1, 1', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'TABLE no_such_table');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, $1)', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1)', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1, 1)', 'VALUES (1, 1, 1)', '{mrr}');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, now())', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, true)', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, ''high''::text)', 'VALUES (1, 1, 1)');
\echo :SQLSTATE

-- Nothing is written, by whatever function; afterwards the transaction is what it was.
CREATE TABLE evaluation_log (at text);
CREATE FUNCTION evaluation_writes() RETURNS float8 LANGUAGE plpgsql AS
    $$BEGIN INSERT INTO evaluation_log VALUES ('written'); RETURN 1; END$$;
CREATE FUNCTION evaluation_insists() RETURNS float8 LANGUAGE plpgsql AS
    $$BEGIN
        BEGIN INSERT INTO evaluation_log VALUES ('written'); EXCEPTION WHEN OTHERS THEN NULL; END;
        BEGIN SET transaction_read_only = off; EXCEPTION WHEN OTHERS THEN NULL; END;
        PERFORM * FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, 1)');
        INSERT INTO evaluation_log VALUES ('written');
        RETURN 1;
    END$$;
CREATE FUNCTION evaluation_creates() RETURNS float8 LANGUAGE plpgsql AS
    $$BEGIN CREATE TABLE evaluation_made (a int); RETURN 1; END$$;
CREATE SEQUENCE evaluation_sequence;
SELECT * FROM evaluate('SELECT 1, 1, evaluation_writes()', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'SELECT 1, 1, evaluation_insists()');
\echo :SQLSTATE
SELECT * FROM evaluate('SELECT 1, 1, evaluation_creates()', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('SELECT 1, 1, nextval(''evaluation_sequence'')', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('SELECT query_id, query_id, 1 FROM evaluation_rows_of FOR UPDATE', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM compare_runs('VALUES (1, 1, 1)', 'SELECT 1, 1, evaluation_writes()', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluation_rows('SELECT 1, 1, evaluation_writes()');
\echo :SQLSTATE
BEGIN;
SELECT value FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', '{mrr}') WHERE query_id IS NULL;
SHOW transaction_read_only;
INSERT INTO evaluation_log VALUES ('after evaluate');
SAVEPOINT before;
SELECT * FROM evaluate('SELECT 1, 1, evaluation_writes()', 'VALUES (1, 1, 1)');
ROLLBACK TO before;
SHOW transaction_read_only;
INSERT INTO evaluation_log VALUES ('after an error and a savepoint');
COMMIT;
DO $$
BEGIN
    BEGIN
        PERFORM * FROM evaluate('SELECT 1, 1, evaluation_writes()', 'VALUES (1, 1, 1)');
    EXCEPTION WHEN read_only_sql_transaction THEN RAISE NOTICE 'caught: %', SQLERRM;
    END;
    INSERT INTO evaluation_log VALUES ('after a caught error of the SELECT');
    BEGIN
        PERFORM * FROM evaluate('VALUES (1, 1, ''NaN''::float8)', 'VALUES (1, 1, 1)');
    EXCEPTION WHEN invalid_parameter_value THEN RAISE NOTICE 'caught: %', SQLERRM;
    END;
    INSERT INTO evaluation_log VALUES ('after a caught error of its rows');
END
$$;
BEGIN READ ONLY;
SELECT value FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', '{mrr}') WHERE query_id IS NULL;
SHOW transaction_read_only;
COMMIT;
SHOW transaction_read_only;
TABLE evaluation_log;
SELECT to_regclass('evaluation_made') AS made, (SELECT is_called FROM evaluation_sequence) AS drawn;
-- A transaction's own rows are seen.
BEGIN;
INSERT INTO evaluation_rows_of VALUES ('own', 'own', 1, 1);
SELECT * FROM evaluate('SELECT query_id, query_id, 1 FROM evaluation_rows_of WHERE model = ''own''', 'VALUES (''own'', ''own'', 1)', '{mrr}');
ROLLBACK;

-- The caller's rights, not the owner's.
CREATE ROLE regress_evaluation;
SET ROLE regress_evaluation;
SELECT * FROM evaluate('SELECT query_id, query_id, 1 FROM evaluation_rows_of', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM evaluate('VALUES (1, 1, 1)', 'SELECT query_id, query_id, relevance FROM evaluation_rows_of');
\echo :SQLSTATE
SELECT value FROM evaluate('VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', '{mrr}') WHERE query_id IS NULL;
RESET ROLE;
GRANT SELECT ON evaluation_rows_of TO regress_evaluation;
ALTER TABLE evaluation_rows_of ENABLE ROW LEVEL SECURITY;
CREATE POLICY only_b ON evaluation_rows_of TO regress_evaluation USING (model = 'B');
SET ROLE regress_evaluation;
SELECT DISTINCT a FROM evaluation_rows('SELECT model, query_id, 1 FROM evaluation_rows_of');
RESET ROLE;
SELECT DISTINCT a FROM evaluation_rows('SELECT model, query_id, 1 FROM evaluation_rows_of') ORDER BY a;

-- Two runs: b is better at two queries of three, worse at none. Of the 2^3 signs 4 are as far off.
SELECT * FROM compare_runs('VALUES (1, ''a'', 1), (1, ''b'', 2), (2, ''a'', 1), (3, ''x'', 1)',
                           'VALUES (1, ''a'', 2), (1, ''b'', 1), (2, ''a'', 1), (3, ''a'', 1)',
                           'VALUES (1, ''a'', 1), (2, ''a'', 1), (3, ''a'', 1)', '{mrr, recall@1, recall@5}');
SELECT a, b, delta, p_value, p_holm FROM compare_runs('VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', '{mrr}');
SELECT * FROM compare_runs('VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', samples => 0);
\echo :SQLSTATE
SELECT * FROM compare_runs('VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', samples => 20000000);
\echo :SQLSTATE
SELECT * FROM compare_runs('VALUES (1, 1, 1)', 'VALUES (2, 1, 1)', 'VALUES (1, 1, 1), (2, 1, 1)', missing => 'skip');
\echo :SQLSTATE
SELECT * FROM compare_runs('VALUES (1, 1, 1)', 'VALUES (1, 1, 1)', 'SELECT 1, 1, 1 WHERE false');
\echo :SQLSTATE
SELECT * FROM compare_runs('VALUES (1, 1, 1)', 'VALUES (1, 1, ''NaN''::float8)', 'VALUES (1, 1, 1)');
\echo :SQLSTATE
SELECT * FROM compare_runs('VALUES (1, 1, 1)', 'CHECKPOINT', 'VALUES (1, 1, 1)');
\echo :SQLSTATE

-- Intervals of means.
SELECT low <= 0.5 AND 0.5 <= high AS around, low < high AS wide FROM evaluation_interval(ARRAY[0, 0.25, 0.5, 0.75, 1, NULL]);
SELECT * FROM evaluation_interval('{0.5}') AS one, evaluation_interval('{}') AS none, evaluation_interval('{NULL}') AS nulls;
SELECT one = other AS same FROM evaluation_interval('{0, 0.2, 0.4, 0.9}', seed => 7) AS one, evaluation_interval('{0, 0.2, 0.4, 0.9}', seed => 7) AS other;
SELECT * FROM evaluation_interval('{0, 1}', samples => -1);
\echo :SQLSTATE
SELECT * FROM evaluation_interval('{0, NaN}');
\echo :SQLSTATE

DROP TABLE evaluation_rows_of, evaluation_log;
DROP FUNCTION evaluation_writes, evaluation_insists, evaluation_creates;
DROP SEQUENCE evaluation_sequence;
DROP ROLE regress_evaluation;
SELECT pg_backend_pid() = :pid AS same_backend;
