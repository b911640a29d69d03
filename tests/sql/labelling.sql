-- Labelling: judgements by assessor, pairs worth a look, pooling, agreement. Kappa itself: crates/retrieval-metrics.
\set SHOW_CONTEXT never

-- The former grade; a second grade takes the first one's place, and a note stays until another is given.
SELECT judge('q1', '가', 2, 'kim', 'same unit') AS first, judge('q1', '가', 3, 'kim') AS second, judge('q1', '가', 1, 'lee') AS other;
SELECT query_id, item_id, assessor, grade, note FROM evaluation_judgements ORDER BY assessor;
SELECT judge('q1', '나', 0, note => 'by whom?') AS first;
SELECT count(*) FROM evaluation_judgements WHERE assessor = current_user AND note = 'by whom?';
SELECT judge(NULL, 'a', 1);
\echo :SQLSTATE
SELECT judge('q', NULL, 1);
SELECT judge('q', 'a', NULL);
SELECT judge('q', 'a', 1, NULL);
TRUNCATE evaluation_judgements;

-- Pooled: an even number, a tie, a negative grade, one assessor.
SELECT count(judge(query, item, grade, assessor)) AS earlier
FROM (VALUES ('q1', '가', 0, 'kim'), ('q1', '가', 1, 'lee'), ('q1', '가', 3, 'moon'), ('q1', '가', 3, 'park'),
             ('q1', '나', 0, 'kim'), ('q1', '나', 0, 'lee'), ('q1', '나', 3, 'moon'), ('q1', '나', 3, 'park'),
             ('q1', 'B', -1, 'kim'), ('q1', 'B', 2, 'moon'), ('q2', '9', 2, 'kim'), ('q2', '10', 2, 'kim'))
     AS given (query, item, grade, assessor);
SELECT query_id, item_id, median.assessors, median.relevance AS median, mean.relevance AS mean, max.relevance AS max,
       min.relevance AS min, majority.relevance AS majority
FROM pooled_judgements() AS median JOIN pooled_judgements('mean') AS mean USING (query_id, item_id)
    JOIN pooled_judgements('max') AS max USING (query_id, item_id) JOIN pooled_judgements('min') AS min USING (query_id, item_id)
    JOIN pooled_judgements('majority') AS majority USING (query_id, item_id)
ORDER BY query_id COLLATE "C", item_id COLLATE "C";
SELECT query_id, item_id FROM pooled_judgements();
SELECT * FROM pooled_judgements('mode');
\echo :SQLSTATE
SELECT * FROM pooled_judgements(NULL);

-- Agreement: each pair of assessors, with and without common items, then all of them together.
TRUNCATE evaluation_judgements;
SELECT * FROM assessor_agreement();
SELECT count(judge('q', n::text, grade, assessor)) AS earlier
FROM (SELECT n, 'kim', CASE WHEN n <= 25 THEN 1 ELSE 0 END FROM generate_series(1, 50) AS n
      UNION ALL
      SELECT n, 'lee', CASE WHEN n <= 20 OR n > 40 THEN 1 ELSE 0 END FROM generate_series(1, 50) AS n) AS given (n, assessor, grade);
SELECT assessor_a, assessor_b, pairs, round(agreement::numeric, 6) AS agreement, round(kappa::numeric, 6) AS kappa FROM assessor_agreement();
SELECT count(judge('q', n::text, n % 3, 'moon')) AS earlier FROM generate_series(46, 55) AS n;
SELECT judge('other', 'alone', 1, 'park') AS earlier;
SELECT assessor_a, assessor_b, pairs, round(agreement::numeric, 6) AS agreement, round(kappa::numeric, 6) AS kappa
FROM assessor_agreement('linear');
DELETE FROM evaluation_judgements WHERE assessor = 'park';
SELECT pairs, round(agreement::numeric, 6) AS agreement, round(kappa::numeric, 6) AS kappa
FROM assessor_agreement() WHERE assessor_a IS NULL;
\set VERBOSITY sqlstate
SELECT * FROM assessor_agreement('cubic');
\set VERBOSITY default
TRUNCATE evaluation_judgements;

-- Pairs worth a look. Ten hits a query: 1 to 5 of q1 and q2 are judged, q3 has no judgement at all.
CREATE TABLE label_run AS
    SELECT 'q' || q AS query_id, 'i' || i AS item_id, (10 - i)::float8 AS score
    FROM generate_series(1, 3) AS q, generate_series(1, 10) AS i;
CREATE TABLE label_judgements AS
    SELECT 'q' || q AS query_id, 'i' || i AS item_id, i % 3 AS relevance
    FROM generate_series(1, 2) AS q, unnest(ARRAY[1, 2, 3, 4, 5, 20, 22]) AS i;
\set run '''SELECT query_id, item_id, score FROM label_run'''
\set judgements '''SELECT query_id, item_id, relevance FROM label_judgements'''
SELECT * FROM label_sample(:run, :judgements, 7, 'unjudged', k => 6);
SELECT * FROM label_sample(:run, :judgements, 100, 'missed', k => 2);
SELECT strategy, n, count(*), count(DISTINCT (query_id, item_id)) AS different
FROM (VALUES ('unjudged', 100), ('missed', 3), ('sheet', 100)) AS v (strategy, n), label_sample(:run, :judgements, n, strategy)
GROUP BY strategy, n ORDER BY strategy;

-- The sheet: 40, 30 and 30 of a hundred, only of judged queries, and what its rows say is so.
CREATE TABLE label_many AS
    SELECT 'q' || q AS query_id, 'i' || i AS item_id, -i AS score, CASE WHEN (q * i) % 3 > 0 OR q = 1 THEN (q + i) % 3 END AS relevance
    FROM generate_series(1, 30) AS q, generate_series(1, 40) AS i;
\set many '''SELECT query_id, item_id, score FROM label_many'''
\set graded '''SELECT query_id, item_id, relevance FROM label_many WHERE relevance IS NOT NULL AND query_id NOT IN (''''q3'''', ''''q6'''')'''
SELECT n, reason, count(*), bool_and((coalesce(relevance, 0) > 0) = (reason <> 'suspected false positive')) AS by_grade,
       bool_and((rank <= 10) = (reason <> 'false negative')) AS by_rank, count(*) FILTER (WHERE query_id IN ('q3', 'q6')) AS of_no_judged_query
FROM unnest(ARRAY[1, 2, 3, 7, 50]) AS n, label_sample(:many, :graded, n) WITH ORDINALITY
GROUP BY n, reason ORDER BY n, min(ordinality);
SELECT (SELECT array_agg(s) FROM label_sample(:many, :graded) AS s) = (SELECT array_agg(s) FROM label_sample(:many, :graded) AS s) AS same_seed,
       (SELECT array_agg(s) FROM label_sample(:many, :graded) AS s) = (SELECT array_agg(s) FROM label_sample(:many, :graded, seed => 7) AS s) AS other_seed;
SELECT query_id, item_id, rank, relevance FROM label_sample(:many, :graded, 8, 'sheet');

-- Two runs: in the top k of one alone, then by the difference of ranks.
SELECT query_id, item_id, rank, score, reason
FROM label_sample(:run, :judgements, 100, 'disagreement', k => 4,
    other_run => 'SELECT ''q1'', ''i'' || i, v FROM unnest(ARRAY[''1'', ''9'', ''3'', ''11'', ''4'', ''2'']) WITH ORDINALITY AS t (i, n), LATERAL (SELECT -n) AS s (v)')
WHERE query_id = 'q1';
SELECT item_id, rank, reason
FROM label_sample('SELECT ''q'', i, -i FROM generate_series(1, 9) AS i', :judgements, 5, 'disagreement',
    'SELECT ''q'', i, CASE i WHEN 2 THEN -9 WHEN 9 THEN -2 ELSE -i END FROM generate_series(0, 9) AS i');

-- Without judgements, those of the table, pooled. Ties: by item id, descending in byte order; scores as float32.
SELECT judge('q1', 'i10', 2, 'kim') AS a, judge('q1', 'i10', 0, 'lee') AS b, judge('q1', 'i3', 1, 'kim') AS c;
SELECT * FROM label_sample(:run, k => 9);
SELECT item_id, rank, score FROM label_sample($$
    SELECT 'q', item, score FROM (VALUES ('10', 1.0), ('9', 1.0 + 1e-11), ('B', 1.0), ('가', 1.0), ('나', 1.0), ('z', 1e300), ('y', 1e308),
        ('a', -1e300), ('b', 1e-300)) AS t (item, score) -- a comment$$,
    n => 20, strategy => 'unjudged');
SELECT * FROM label_sample('SELECT 1, 2, 3.5 WHERE false');
SELECT query_id, item_id, reason FROM label_sample('TABLE label_run', 'VALUES (1, 2, 3)', strategy => 'missed');

-- Errors of the arguments.
SELECT * FROM label_sample(NULL);
\echo :SQLSTATE
SELECT * FROM label_sample(:run, strategy => 'random');
\echo :SQLSTATE
SELECT * FROM label_sample(:run, strategy => NULL);
SELECT * FROM label_sample(:run, strategy => 'disagreement');
SELECT * FROM label_sample(:run, n => 0);
SELECT * FROM label_sample(:run, n => NULL);
SELECT * FROM label_sample(:run, k => -1);
SELECT * FROM label_sample(:run, seed => NULL);

-- What the texts select is read as evaluate does: tests/sql/evaluation.sql has the messages. One SELECT that writes
-- nothing, not even by a function that it calls; afterwards the transaction writes again.
\set VERBOSITY sqlstate
SELECT * FROM label_sample('SELECT ''q'', ''a'', ''NaN''::float8');
SELECT * FROM label_sample(:run, other_run => 'VALUES (''q'', ''a'', 1), (''q'', ''a'', 2)', strategy => 'disagreement');
SELECT * FROM label_sample(:run, 'SELECT ''q'', ''a'', 1.5');
SELECT * FROM label_sample(:run, 'DELETE FROM label_judgements RETURNING query_id, item_id, relevance');
SELECT * FROM label_sample('SELECT 1, 2, 3) AS a; DROP TABLE label_run; SELECT * FROM (SELECT 1, 2, 3');
CREATE FUNCTION label_write() RETURNS int LANGUAGE sql VOLATILE AS 'DELETE FROM label_run RETURNING 1';
SELECT * FROM label_sample('SELECT 1, 2, label_write()');
\set VERBOSITY default
BEGIN;
SELECT count(*) FROM label_sample(:run, :judgements);
SHOW transaction_read_only;
DELETE FROM label_run;
ROLLBACK;
SELECT count(*) FROM label_run;

-- With the caller's rights.
CREATE ROLE label_reader;
SET ROLE label_reader;
SELECT * FROM label_sample(:run, :judgements);
\echo :SQLSTATE
SELECT judge('q1', 'i1', 1);
\echo :SQLSTATE
RESET ROLE;
GRANT SELECT, INSERT, UPDATE ON evaluation_judgements TO label_reader;
SET ROLE label_reader;
SELECT judge('q1', 'i1', 1);
RESET ROLE;
SELECT assessor, grade FROM evaluation_judgements WHERE item_id = 'i1';
REVOKE ALL ON evaluation_judgements FROM label_reader;
DROP ROLE label_reader;

DROP FUNCTION label_write();
DROP TABLE label_run, label_judgements, label_many;
TRUNCATE evaluation_judgements;
