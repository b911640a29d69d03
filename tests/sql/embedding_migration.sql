-- Another model for an embedding column: agreement of two columns, report, swap, way back, and what keeps it from being swapped.
\set SHOW_CONTEXT never
\getenv fixtures ITEMBANK_FIXTURES
SET itembank_embed.model_path = :'fixtures';
SET client_min_messages = warning; -- progress has times in it

-- Agreement of planted columns: ten groups of eleven, whose rows are each other's ten neighbours. b: the same groups;
-- half: six of each group stay together, with the five of the next one; none: no two of a group are together.
CREATE FUNCTION axis(n int) RETURNS vector LANGUAGE sql IMMUTABLE
    RETURN (SELECT array_agg((i = n)::int ORDER BY i)::vector FROM generate_series(0, 15) AS i);
CREATE TABLE migration_planted AS
    SELECT id, axis(id / 11) AS a, axis((id / 11 + 3) % 10)::halfvec AS b, axis(CASE WHEN id % 11 < 6 THEN id / 11 ELSE (id / 11 + 1) % 10 END) AS half,
           axis(id % 11) AS none, CASE WHEN id % 2 = 0 THEN axis(id / 11) WHEN id % 4 = 1 THEN array_fill(0, ARRAY[16])::vector END AS gaps
    FROM generate_series(0, 109) AS id;
ALTER TABLE migration_planted ADD PRIMARY KEY (id);
SELECT name, round(overlap::numeric, 6) AS overlap, sampled, round(jaccard::numeric, 6) AS jaccard, same_nearest, rows
FROM unnest('{a,b,gaps}'::name[]) AS name, embedding_agreement('migration_planted', 'a', name);
-- Of the ten others of a group six keep five of them, five keep four; without ties, since a group has no eleventh row.
SELECT round(overlap::numeric, 6) AS overlap, round((6 * 0.5 + 5 * 0.4) / 11, 6) AS expected, sampled
FROM embedding_agreement('migration_planted', 'a', 'half');
SELECT round(overlap::numeric, 6) AS overlap, same_nearest FROM embedding_agreement('migration_planted', 'a', 'none', k => 9);
SELECT overlap = (SELECT overlap FROM embedding_agreement('migration_planted', 'none', 'half', 3, 20, 7)) AS symmetric, sampled
FROM embedding_agreement('migration_planted', 'half', 'none', 3, 20, 7);
-- Exactly half, none, all: pairs that stay together or part, by the only neighbour.
CREATE TABLE migration_pairs AS SELECT i AS id, axis(i / 2) AS a, axis(CASE WHEN i < 8 THEN i / 2 ELSE 4 + i % 4 END) AS half, axis(i % 8) AS none
    FROM generate_series(0, 15) AS i;
SELECT a.overlap AS all, h.overlap AS half, n.overlap AS none FROM embedding_agreement('migration_pairs', 'a', 'a', 1) AS a,
    embedding_agreement('migration_pairs', 'a', 'half', 1) AS h, embedding_agreement('migration_pairs', 'a', 'none', 1) AS n;
-- One row has no neighbours, and no row none either.
CREATE TABLE migration_few (a vector(2), b vector(3));
SELECT * FROM embedding_agreement('migration_few', 'a', 'b');
INSERT INTO migration_few VALUES ('[1,2]', '[1,2,3]');
SELECT * FROM embedding_agreement('migration_few', 'a', 'b');
INSERT INTO migration_few VALUES ('[1,3]', '[1,2,4]'), ('[1,3]', NULL);
SELECT * FROM embedding_agreement('migration_few', 'a', 'b');
SELECT * FROM embedding_agreement('migration_few', 'a', 'nothing');
\echo :SQLSTATE
SELECT * FROM embedding_agreement('migration_planted', 'a', 'id');
\echo :SQLSTATE
SELECT * FROM embedding_agreement('migration_planted', 'a', 'b', 0);
\echo :SQLSTATE
SELECT * FROM embedding_agreement('migration_planted', 'a', NULL);
SELECT * FROM embedding_agreement('migration_planted', 'a', 'b', sample => 0);
SELECT * FROM embedding_agreement(NULL, 'a', 'b', seed => 1);
DROP TABLE migration_planted, migration_pairs, migration_few;
DROP FUNCTION axis;

-- A migration, by an owner who is nobody else.
CREATE ROLE migration_owner;
CREATE ROLE migration_reader;
CREATE SCHEMA migration AUTHORIZATION migration_owner;
GRANT USAGE ON SCHEMA migration TO migration_reader;
GRANT SELECT, INSERT, UPDATE ON evaluation_judgements TO migration_owner;
SET ROLE migration_owner;
SET search_path = migration, public;
CREATE TABLE items (id int PRIMARY KEY, question text, other int);
INSERT INTO items SELECT n, '문제 ' || n || ' ' || md5(n::text) FROM generate_series(1, 150) AS n;
INSERT INTO items VALUES (1000, NULL);
SELECT add_embedding('items', 'e', 'tiny-cls', inputs => 'question');
GRANT SELECT (id, e) ON items TO migration_reader;
CREATE VIEW seen AS SELECT id, e FROM items;
CREATE TABLE queries AS SELECT 'q' || id AS id, question FROM items WHERE id <= 10;
INSERT INTO queries VALUES ('not judged', 'anything');
SELECT count(judge('q' || n, n::text, 1)) AS earlier FROM generate_series(1, 10) AS n;

CALL migrate_embedding('items', 'e', 'tiny-qwen3-vl', swap => false, queries => 'SELECT id, question FROM queries;');
SELECT target, model, role, of, mode, queue FROM embedding_columns ORDER BY target;
SELECT count(*), count(e), count(e_next) FROM items;
-- A query is a document for both models, so that each finds its item.
SELECT tbl, target, old_model, new_model, sampled, swapped_at IS NULL AS not_swapped, overlap_at_10 BETWEEN 0 AND 1 AS overlap
FROM embedding_migrations;
SELECT m ->> 'metric' AS metric, (m ->> 'old')::numeric AS old, (m ->> 'new')::numeric AS new, m ->> 'better' AS better, m ->> 'worse' AS worse, m ->> 'tied' AS tied
FROM embedding_migrations, jsonb_array_elements(metrics -> 'judged') AS m;

-- Planted: the new column is like the old one. Then every other item of the queries is turned to the other side.
UPDATE items SET e_next = e;
CALL migrate_embedding('items', 'e', 'tiny-qwen3-vl', swap => false, queries => 'SELECT 1, ''nothing that was judged''');
SELECT overlap_at_10, sampled, metrics -> 'judged' AS judged FROM embedding_migrations ORDER BY at DESC LIMIT 1;
UPDATE items SET e_next = array_fill(-1, ARRAY[16])::vector * embed('tiny-qwen3-vl', question) WHERE id % 2 = 0 AND id <= 10;
UPDATE items SET e_next = embed('tiny-qwen3-vl', question) WHERE id % 2 = 1 OR id > 10;
CALL migrate_embedding('items', 'e', 'tiny-qwen3-vl', swap => false, sample => 20, queries => 'SELECT id, question FROM queries -- all');
SELECT m ->> 'metric' AS metric, (m ->> 'old')::numeric AS old, (m ->> 'new')::numeric AS new, m ->> 'better' AS better, m ->> 'worse' AS worse, m ->> 'tied' AS tied
FROM (SELECT * FROM embedding_migrations ORDER BY at DESC LIMIT 1) AS r, jsonb_array_elements(metrics -> 'judged') AS m;

-- Too little agreement: nothing is swapped, and the way on is said.
UPDATE items SET e_next = NULL, e_next_hash = NULL, e_next_fingerprint = NULL WHERE id <= 150;
SELECT count(e_next) FROM items;
\set VERBOSITY sqlstate
CALL migrate_embedding('items', 'e', 'tiny-qwen3-vl', min_overlap => 1);
\set VERBOSITY default
SELECT regexp_replace(:'LAST_ERROR_MESSAGE', '0\.\d+', '0.x') AS message, :'LAST_ERROR_SQLSTATE' AS state;
SELECT count(e_next), (SELECT count(*) FROM embedding_migrations) AS reports FROM items;

-- Another model than the one that is under way; the column that it fills; the same again.
CALL migrate_embedding('items', 'e', 'tiny-last');
\echo :SQLSTATE
CALL migrate_embedding('items', 'e', 'tiny-qwen3-vl', 8);
CALL migrate_embedding('items', 'e_next', 'tiny-last');
SELECT drop_embedding('items', 'e');
\echo :SQLSTATE
BEGIN;
CALL migrate_embedding('items', 'e', 'tiny-qwen3-vl');
ROLLBACK;

-- A row that the new model's column cannot take.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE data_exception USING MESSAGE = 'planted'; END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON items FOR EACH ROW WHEN (NEW.id IN (7, 8) AND NEW.e_next_hash IS NOT NULL) EXECUTE FUNCTION refuse();
ALTER TABLE items DISABLE TRIGGER USER;
UPDATE items SET e_next = NULL, e_next_hash = NULL, e_next_fingerprint = NULL WHERE id < 10;
ALTER TABLE items ENABLE TRIGGER USER;
CALL migrate_embedding('items', 'e', 'tiny-qwen3-vl');
\echo :SQLSTATE
SELECT key_1, attempts, code, error FROM items_e_next_queue ORDER BY key_1;
SELECT count(e), count(e_next) FROM items;
DROP TRIGGER refuse ON items;
DROP FUNCTION refuse();

-- The swap: names, indexes, queues, rights; the view holds to the old column.
CALL migrate_embedding('items', 'e', 'tiny-qwen3-vl');
SELECT target, model, role, of, hash_column, fingerprint_column, queue FROM embedding_columns ORDER BY target;
SELECT attname, format_type(atttypid, atttypmod), attacl FROM pg_attribute WHERE attrelid = 'items'::regclass AND attnum > 3 ORDER BY attname COLLATE "C";
SELECT relname, pg_get_indexdef(indexrelid, 1, true) AS on_column FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE relnamespace = 'migration'::regnamespace ORDER BY relname COLLATE "C";
SELECT swapped_at IS NOT NULL AS swapped FROM embedding_migrations ORDER BY at DESC LIMIT 1;
SELECT bool_and(e = embed('tiny-qwen3-vl', question)) AS new, bool_and(e_previous = embed('tiny-cls', question)) AS old FROM items;
SELECT embedding_bound('items', 'e_previous');
SELECT count(*) FROM seen JOIN items USING (id) WHERE seen.e = items.e_previous;
RESET ROLE;
SET ROLE migration_reader;
SELECT count(e) FROM items;
SELECT count(other) FROM items;
RESET ROLE;
SET ROLE migration_owner;

-- Both stay fresh, and a query is embedded by the model that has the name.
INSERT INTO items VALUES (200, 'a new one');
UPDATE items SET question = 'another text' WHERE id = 1;
UPDATE items SET question = NULL WHERE id = 2;
SELECT id, e = embed('tiny-qwen3-vl', question) AS new, e_previous = embed('tiny-cls', question) AS old FROM items WHERE id IN (1, 2, 200) ORDER BY id;
SELECT id FROM items ORDER BY e <=> embed_query('items', 'e', 'a new one') LIMIT 1;
SELECT * FROM items_e_queue;

-- Not twice without an end of the first; back; again; back is not possible from there.
CALL migrate_embedding('items', 'e', 'tiny-last');
\echo :SQLSTATE
SET client_min_messages = notice;
SELECT rollback_embedding('items', 'e');
SET client_min_messages = warning;
SELECT target, model, role, of, queue FROM embedding_columns ORDER BY target;
SELECT bool_and(e = embed('tiny-cls', question)) AS old, bool_and(e_next = embed('tiny-qwen3-vl', question)) AS new FROM items;
SELECT count(*) FROM seen JOIN items USING (id) WHERE seen.e = items.e;
SELECT rollback_embedding('items', 'e');
\echo :SQLSTATE
CALL migrate_embedding('items', 'e', 'tiny-qwen3-vl');
SELECT target, model, role FROM embedding_columns ORDER BY target;
DROP VIEW seen;
SELECT drop_embedding('items', 'e_previous');
SELECT rollback_embedding('items', 'e');
SELECT relname FROM pg_class WHERE relnamespace = 'migration'::regnamespace AND relkind IN ('r', 'i', 'S') AND relname LIKE 'items%' ORDER BY relname COLLATE "C";

-- The same model has no place to go to; with other dimensions it has. Without an index none is made; nor is halfvec given up.
CALL migrate_embedding('items', 'e', 'tiny-qwen3-vl');
\echo :SQLSTATE
CALL migrate_embedding('items', 'e', 'tiny-qwen3-vl', 16);
CREATE TABLE "odd ""table" (part int, "the key" text, "q'x" text, PRIMARY KEY ("the key", part)) PARTITION BY LIST (part);
CREATE TABLE odd_1 PARTITION OF "odd ""table" FOR VALUES IN (1);
CREATE TABLE odd_2 PARTITION OF "odd ""table" FOR VALUES IN (2);
INSERT INTO "odd ""table" SELECT 1 + n % 2, 'k"' || n, '이것은 ' || n FROM generate_series(1, 30) AS n;
SELECT add_embedding('"odd ""table"', 'e %s"''', 'tiny-bert', '문제: {q''x}', type => 'halfvec', mode => 'manual', index => false);
CALL backfill('"odd ""table"');
CALL migrate_embedding('"odd ""table"', 'e %s"''', 'tiny-bert', dimensions => 8);
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = '"odd ""table"'::regclass AND attnum > 3 ORDER BY attname COLLATE "C";
SELECT count(*), bool_and("e %s""'"::vector = embed('tiny-bert', '문제: ' || "q'x", dimensions => 8)::halfvec(8)::vector) AS new FROM "odd ""table";
SELECT count(*) FROM pg_index WHERE indrelid = '"odd ""table"'::regclass;
-- More rows than are embedded under the lock: first without it.
INSERT INTO "odd ""table_e %s""'_previous_queue" (key_1, key_2) SELECT "the key", part FROM "odd ""table" LIMIT 17;
SELECT rollback_embedding('"odd ""table"', 'e %s"''');
\echo :SQLSTATE
CALL backfill('"odd ""table"', 'e %s"''_previous');
SELECT rollback_embedding('"odd ""table"', 'e %s"''');
SELECT target, dimensions, role FROM embedding_columns WHERE tbl = '"odd ""table"'::regclass ORDER BY role;
SELECT drop_embedding('"odd ""table"', 'e %s"''_next'), drop_embedding('"odd ""table"', 'e %s"''');
DROP TABLE "odd ""table";

-- Bad input: nothing is made.
CALL migrate_embedding('items', 'nothing', 'tiny-cls');
\echo :SQLSTATE
CALL migrate_embedding(NULL, 'e', 'tiny-cls');
CALL migrate_embedding('items', 'e', NULL);
\echo :SQLSTATE
CALL migrate_embedding('items', 'e', 'tiny-cross-bert');
CALL migrate_embedding('items', 'e', 'tiny-cls', 17);
CALL migrate_embedding('items', 'e', 'tiny-cls', swap => NULL);
CALL migrate_embedding('items', 'e', 'tiny-cls', min_overlap => 1.1);
CALL migrate_embedding('items', 'e', 'tiny-cls', sample => 0);
CALL migrate_embedding('items', 'e', 'tiny-cls', batch => 0);
CALL migrate_embedding('items', 'e', 'tiny-cls', queries => 'SELECT 1');
CALL migrate_embedding('items', 'e', 'tiny-cls', queries => 'SELECT 1, 2) AS c; DROP TABLE items; SELECT (1');
CALL migrate_embedding('items', 'e', 'tiny-cls', queries => 'DELETE FROM items RETURNING id, question');
ALTER TABLE items ADD COLUMN e_next int, ADD COLUMN e_previous_hash bytea;
CALL migrate_embedding('items', 'e', 'tiny-cls');
\echo :SQLSTATE
ALTER TABLE items DROP COLUMN e_next;
CALL migrate_embedding('items', 'e', 'tiny-cls');
ALTER TABLE items DROP COLUMN e_previous_hash;
RESET ROLE;
SET ROLE migration_reader;
CALL migrate_embedding('items', 'e', 'tiny-cls');
\echo :SQLSTATE
SELECT rollback_embedding('items', 'e');
\echo :SQLSTATE
INSERT INTO embedding_migrations (tbl, target, old_model, new_model, sampled, metrics) VALUES ('items', 'e', 'a', 'b', 1, '{}');
\echo :SQLSTATE
RESET ROLE;
SELECT target, model, role FROM embedding_columns;
SELECT attname FROM pg_attribute WHERE attrelid = 'items'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attname COLLATE "C";

-- What the owner has put on a queue runs as himself, where a superuser migrates and goes back.
CREATE TABLE migration.seen_as (who name, what text);
GRANT INSERT, SELECT ON migration.seen_as TO PUBLIC;
SET ROLE migration_owner;
CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO migration.seen_as VALUES (current_user, TG_OP); RETURN NULL; END $$;
CALL migrate_embedding('items', 'e', 'tiny-cls', swap => false);
CREATE TRIGGER spy AFTER UPDATE OR DELETE ON items_e_next_queue EXECUTE FUNCTION spy();
INSERT INTO items_e_next_queue (key_1) VALUES (3), (4);
RESET ROLE;
CALL migrate_embedding('items', 'e', 'tiny-cls');
SELECT who, what FROM migration.seen_as GROUP BY who, what ORDER BY what COLLATE "C";
TRUNCATE migration.seen_as;
CREATE TRIGGER spy AFTER UPDATE OR DELETE ON items_e_previous_queue EXECUTE FUNCTION spy();
INSERT INTO items_e_previous_queue (key_1, retry_at) VALUES (5, 'infinity');
SELECT rollback_embedding('items', 'e');
SELECT who, what FROM migration.seen_as GROUP BY who, what ORDER BY what COLLATE "C";
DROP FUNCTION spy() CASCADE;

-- No row that failed loses a vector that it got after it was looked at, nor takes one of other content for the present one.
INSERT INTO items_e_next_queue (key_1, attempts, retry_at, error) VALUES (3, 1, 'infinity', 'of one row');
CREATE TEMPORARY TABLE kept AS SELECT id, e_next, e_next_hash FROM items WHERE id IN (3, 4);
UPDATE items SET e_next = NULL WHERE id = 3;
SELECT embedding_swap_try('items', 'e', 'next', 'previous', 4);
UPDATE items SET (e_next, e_next_hash) = (SELECT k.e_next, k.e_next_hash FROM kept AS k WHERE k.id = 4) WHERE id = 3;
SELECT embedding_swap_try('items', 'e', 'next', 'previous', 4);
CALL migrate_embedding('items', 'e', 'tiny-cls');
-- One that waits for its time, and fails then, is told at once.
INSERT INTO items_e_previous_queue (key_1, retry_at) VALUES (5, 'infinity');
UPDATE items SET e_previous_hash = e_hash WHERE id = 5;
UPDATE items SET e_previous = NULL WHERE id = 5;
SET itembank_embed.max_input_bytes = 1;
SELECT rollback_embedding('items', 'e');
\echo :SQLSTATE
RESET itembank_embed.max_input_bytes;
CALL backfill('items', 'e_previous');
SELECT rollback_embedding('items', 'e');
SELECT drop_embedding('items', 'e_next');

-- Another isolation by default changes nothing; nor does it who owns what, where a superuser migrates the table of another.
SET default_transaction_isolation = 'repeatable read';
CALL migrate_embedding('items', 'e', 'tiny-cls');
RESET default_transaction_isolation;
SELECT target, model, role FROM embedding_columns ORDER BY target;
SHOW search_path;
SELECT c.relowner::regrole FROM pg_class AS c WHERE c.oid IN ('items_e_queue'::regclass, 'items_e_previous_queue'::regclass);

RESET search_path;
DROP SCHEMA migration CASCADE;
SELECT count(*) FROM embedding_columns;
DELETE FROM embedding_migrations;
TRUNCATE evaluation_judgements;
REVOKE ALL ON evaluation_judgements FROM migration_owner;
DROP ROLE migration_owner, migration_reader;
