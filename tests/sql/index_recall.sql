-- Recall and latency of approximate indexes against exact search: kinds, types, distances, odd tables, errors.
\set SHOW_CONTEXT never
SET hnsw.ef_search = 77;
SET enable_indexscan = off;

-- Quoted names, no key, NULLs, and zero vectors, which have no cosine.
CREATE TABLE "recall ""items" AS
    SELECT i AS id, i % 4 AS part, v::vector(8) AS "the embedding", v::vector(8)::halfvec(8) AS half,
           (CASE WHEN i % 5 > 1 THEN v WHEN i % 5 = 1 THEN array_fill(0::float8, ARRAY[8]) END)::vector(8) AS gaps
    FROM generate_series(1, 600) AS i, LATERAL (SELECT array_agg(sin(i * j * 0.37) ORDER BY j) FROM generate_series(1, 8) AS j) AS s (v);
SELECT * FROM index_recall('"recall ""items"', 'the embedding');
\echo :SQLSTATE

CREATE INDEX ON "recall ""items" USING hnsw ("the embedding" vector_cosine_ops);
CREATE INDEX ON "recall ""items" USING ivfflat (half halfvec_l2_ops) WITH (lists = 6);
CREATE INDEX ON "recall ""items" USING hnsw (gaps vector_cosine_ops);
SELECT setting, value, recall BETWEEN 0.9 AND 1 AS good, p50_ms BETWEEN 0.001 AND p95_ms AS times, exact_p50_ms > 0 AS exact_time
FROM index_recall('"recall ""items"', 'the embedding', sample => 30);
SELECT setting, value, round(recall::numeric, 9) = 1 AS all_lists, recall BETWEEN 0.1 AND 1 AS possible
FROM index_recall('"recall ""items"', 'half', k => 60, sample => 30, ef_search => '{1,6,100}');
SELECT setting, value, recall >= 0.9 AS good FROM index_recall('"recall ""items"', 'gaps', sample => 1000, ef_search => '{100}');
-- No more than ef_search rows come out of an HNSW index; the same seed samples the same rows.
SELECT value, recall <= 0.25 AS short FROM index_recall('"recall ""items"', 'the embedding', k => 40, sample => 5, ef_search => '{10}');
SELECT (SELECT recall FROM index_recall('"recall ""items"', 'half', sample => 7, ef_search => '{1}', seed => 3))
     = (SELECT recall FROM index_recall('"recall ""items"', 'half', sample => 7, ef_search => '{1}', seed => 3)) AS same_seed;

-- The other distances, an expression, a part of the table, a partitioned table. Each list holds everything at its last value.
CREATE TABLE recall_kinds AS SELECT id, part, "the embedding" AS e FROM "recall ""items";
CREATE INDEX i ON recall_kinds USING ivfflat (e vector_ip_ops) WITH (lists = 2);
SELECT 'inner product', setting, value, recall FROM index_recall('recall_kinds', 'e', ef_search => '{2}');
DROP INDEX i;
CREATE INDEX i ON recall_kinds USING hnsw (e vector_l1_ops);
SELECT 'taxicab', setting, value, recall > 0.9 AS good FROM index_recall('recall_kinds', 'e', ef_search => '{600}');
DROP INDEX i;
CREATE INDEX i ON recall_kinds USING ivfflat ((e::halfvec(8)) halfvec_cosine_ops) WITH (lists = 2) WHERE part = 1;
SELECT 'part, as halfvec', setting, value, recall FROM index_recall('recall_kinds', 'e', ef_search => '{2}');
SELECT * FROM index_recall('recall_kinds', 'part');
\echo :SQLSTATE
CREATE TABLE recall_parts (id int, part int, e vector(8)) PARTITION BY LIST (part);
CREATE TABLE recall_part_0 PARTITION OF recall_parts FOR VALUES IN (0, 1);
CREATE TABLE recall_part_1 PARTITION OF recall_parts FOR VALUES IN (2, 3);
INSERT INTO recall_parts SELECT * FROM recall_kinds;
CREATE INDEX ON recall_parts USING ivfflat (e vector_l2_ops) WITH (lists = 2);
SELECT 'partitioned', setting, value, recall FROM index_recall('recall_parts', 'e', ef_search => '{2}');

-- Both kinds on one column: one of them is measured, at every value.
DROP INDEX i;
CREATE INDEX j ON recall_kinds USING ivfflat (e vector_l2_ops) WITH (lists = 2);
CREATE INDEX k ON recall_kinds USING hnsw (e vector_l2_ops);
SELECT count(*), count(DISTINCT setting) AS settings FROM index_recall('recall_kinds', 'e', ef_search => '{1,1000}');
DROP INDEX j;
SELECT setting FROM index_recall('recall_kinds', 'e', ef_search => '{1}');

-- Ties: which of the equally near rows is found does not matter. Few rows, none.
CREATE TABLE recall_ties (e vector(2));
CREATE INDEX ON recall_ties USING hnsw (e vector_l2_ops);
SELECT * FROM index_recall('recall_ties', 'e');
INSERT INTO recall_ties SELECT ARRAY[i % 2, 0]::vector FROM generate_series(1, 40) AS i;
INSERT INTO recall_ties VALUES (NULL);
SELECT setting, value, recall FROM index_recall('recall_ties', 'e', k => 3, ef_search => '{40}');
SELECT setting, value, recall > 0.9 AS good FROM index_recall('recall_ties', 'e', k => 1000, ef_search => '{100}');

-- The caller's settings are as before, after errors too; nothing is written.
SHOW hnsw.ef_search;
SHOW ivfflat.probes;
SHOW enable_seqscan;
SHOW enable_indexscan;
BEGIN READ ONLY;
SELECT value, recall FROM index_recall('recall_ties', 'e', k => 3, ef_search => '{40}');
COMMIT;

-- With the caller's rights and policies: the index finds rows that the caller may not see, and others are missing.
CREATE ROLE recall_reader;
GRANT SELECT ON recall_kinds TO recall_reader;
ALTER TABLE recall_kinds ENABLE ROW LEVEL SECURITY;
CREATE POLICY first_ones ON recall_kinds USING (id <= 60);
SET ROLE recall_reader;
SELECT setting, recall BETWEEN 0.01 AND 0.9 AS poor FROM index_recall('recall_kinds', 'e', ef_search => '{40}');
SELECT * FROM index_recall('recall_ties', 'e');
\echo :SQLSTATE
RESET ROLE;
DROP POLICY first_ones ON recall_kinds;
REVOKE ALL ON recall_kinds FROM recall_reader;
DROP ROLE recall_reader;

-- Errors of the arguments.
SELECT * FROM index_recall('recall_ties', 'nothing');
\echo :SQLSTATE
SELECT * FROM index_recall(NULL, 'e');
\echo :SQLSTATE
SELECT * FROM index_recall('recall_ties', NULL);
SELECT * FROM index_recall('recall_ties', 'e', k => 0);
SELECT * FROM index_recall('recall_ties', 'e', sample => 0);
SELECT * FROM index_recall('recall_ties', 'e', seed => NULL);
SELECT * FROM index_recall('recall_ties', 'e', ef_search => '{}');
SELECT * FROM index_recall('recall_ties', 'e', ef_search => '{40,NULL}');
SELECT * FROM index_recall('recall_ties', 'e', ef_search => '{40,0}');
SELECT * FROM index_recall('recall_ties', 'e', ef_search => '{40,1001}');
\echo :SQLSTATE
SHOW hnsw.ef_search;

-- A long one can be cancelled.
SET statement_timeout = '100ms';
SELECT * FROM index_recall('recall_parts', 'e', k => 200, sample => 600, ef_search => array_fill(2, ARRAY[1000]));
\echo :SQLSTATE
RESET statement_timeout;

RESET enable_indexscan;
RESET hnsw.ef_search;
DROP TABLE "recall ""items", recall_kinds, recall_parts, recall_ties;
