-- Embedding columns: made, kept fresh, back-filled, looked into, followed through changes of their tables, removed.
\getenv fixtures ITEMBANK_FIXTURES
\set SHOW_CONTEXT never
SET itembank_embed.model_path = :'fixtures';
-- NOTICE lines of back-fills tell times.
SET client_min_messages = warning;

-- A template: labels, lines without content left out, an array's elements a line each, braces and backslashes.
CREATE TABLE items (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, subject text, question varchar(200), choices text[], seen int);
INSERT INTO items (subject, question, choices)
VALUES ('수학', '두 근의 합은?', '{1,2}'), (NULL, 'x', NULL), ('국어', NULL, '{}'), (NULL, NULL, NULL), ('수학', '두 근의 합은?', '{1,2}');
SELECT add_embedding('items', 'embedding', 'tiny-bert', '과목: {subject}\n{{문제}} {question}\\\n{choices}\nend');
\d items
\d items_embedding_queue
SELECT id, embedding = embed('tiny-bert', expected) AS right_vector, embedding_hash = embedding_hash(expected) AS right_hash,
       embedding_fingerprint = model_fingerprint('tiny-bert') AS right_model
FROM items JOIN (VALUES (1, E'과목: 수학\n{문제} 두 근의 합은?\\\n1\n2\nend'), (2, E'{문제} x\\\nend'), (3, E'과목: 국어\nend')) AS v (number, expected) ON id = number
ORDER BY id;
SELECT id FROM items WHERE embedding IS NULL AND embedding_hash IS NULL AND embedding_fingerprint IS NULL;
SELECT tbl, target, model, mode, input_columns, key_columns, key_equals, dimensions, hash_column, fingerprint_column, queue, role, of
FROM embedding_columns;
SELECT tbl, target, role, model, mode, type, dimensions, rows, embedded, pending, failed, coverage, index FROM embeddings();
SELECT done, total, failures, finished_at IS NOT NULL AS finished FROM embedding_progress;
SELECT tbl, target, state, done, total, percent, bar, eta, failures, pending FROM itembank_progress;

-- Fresh after each statement; other columns do not matter.
UPDATE items SET seen = 1;
UPDATE items SET question = 'neu' WHERE id = 2;
INSERT INTO items (question) VALUES ('y'), (NULL);
UPDATE items SET subject = NULL, question = NULL, choices = NULL WHERE id = 1;
SELECT * FROM stale_embeddings();
SELECT id, embedding IS NULL AS empty FROM items ORDER BY id;

-- What is stale, and why. Without the triggers nothing sees to it.
ALTER TABLE items DISABLE TRIGGER USER;
UPDATE items SET question = 'other' WHERE id = 2;
UPDATE items SET embedding = NULL WHERE id = 3;
UPDATE items SET embedding_hash = NULL, embedding_fingerprint = NULL WHERE id = 5;
UPDATE items SET embedding_fingerprint = 'another' WHERE id = 6;
ALTER TABLE items ENABLE TRIGGER USER;
SELECT * FROM stale_embeddings('items') ORDER BY key;
SELECT col, sampled, min_cosine > 0.9999 AS same, differing FROM verify_embeddings('items');
CALL backfill('items');
SELECT * FROM stale_embeddings('items');
SELECT col, sampled, min_cosine > 0.9999 AS same, mean_cosine > 0.9999 AS same_mean, differing FROM verify_embeddings('items', 3, 'embedding');
SELECT done, total FROM embedding_progress;
UPDATE items SET embedding = (SELECT embedding FROM items WHERE id = 3) WHERE id = 2;
SELECT col, sampled, differing FROM verify_embeddings('items');

-- Any identifiers; an expression of the caller's schema; a key of two columns; types that are cast; a column that was there.
CREATE ROLE regress_owner;
CREATE ROLE regress_writer;
CREATE SCHEMA "문항, ""은행""" AUTHORIZATION regress_owner;
GRANT USAGE ON SCHEMA "문항, ""은행""" TO regress_writer;
SET ROLE regress_owner;
SET search_path = "문항, ""은행""", public;
CREATE FUNCTION "라 벨"(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT '문제: ' || $1 $$;
CREATE TABLE "표 ""1""" ("키 a" int, b uuid, "질 문" varchar(50), "벡터" vector(32), PRIMARY KEY (b, "키 a"));
INSERT INTO "표 ""1""" SELECT i, ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid, '질문 ' || i % 4, array_fill(i, ARRAY[32])::vector
FROM generate_series(1, 9) AS i;
SELECT add_embedding('"표 ""1"""', '벡터', 'tiny-bert', '"라 벨"("질 문")');
SELECT add_embedding('"표 ""1"""', repeat('가', 21)::name, 'tiny-bert', '{질 문}', type => 'halfvec', mode => 'manual');
SELECT target, input_expression, hash_column, fingerprint_column, queue FROM embedding_columns WHERE tbl = '"표 ""1"""'::regclass ORDER BY target;
SELECT bool_and("벡터" = embed('tiny-bert', '문제: ' || "질 문")) AS right_vectors FROM "표 ""1""";
SELECT target, type, rows, embedded, coverage, index FROM embeddings() WHERE tbl = '"표 ""1"""'::regclass;

-- Who may insert gets vectors; whatever else there is needs the owner's rights. Inputs mean the same whatever the path.
GRANT SELECT, INSERT ON "표 ""1""" TO regress_writer;
SET ROLE regress_writer;
SET search_path = public;
INSERT INTO "문항, ""은행"""."표 ""1""" ("키 a", b, "질 문") VALUES (10, '00000000-0000-0000-0000-000000000010', '새로');
SELECT "벡터" = embed('tiny-bert', '문제: 새로') AS right_vector FROM "문항, ""은행"""."표 ""1""" WHERE "키 a" = 10;
SELECT target, rows, pending FROM embeddings() WHERE tbl = '"문항, ""은행"""."표 ""1"""'::regclass;
SELECT count(*) FROM stale_embeddings();
SELECT count(*) FROM stale_embeddings('"문항, ""은행"""."표 ""1"""');
\echo :SQLSTATE
RESET ROLE;
SELECT target, count(*) FROM stale_embeddings() GROUP BY target;
CALL backfill('"문항, ""은행"""."표 ""1"""');
SELECT count(*) FROM stale_embeddings();

-- Renamed, moved, given away, with another type of key: the queue follows.
CREATE ROLE regress_heir;
CREATE SCHEMA regress_moved;
GRANT CREATE, USAGE ON SCHEMA regress_moved TO regress_owner, regress_heir;
SELECT drop_embedding('"문항, ""은행"""."표 ""1"""', '벡터', keep_column => true);
ALTER TABLE "문항, ""은행"""."표 ""1""" RENAME TO plain;
ALTER TABLE "문항, ""은행""".plain SET SCHEMA regress_moved;
ALTER TABLE regress_moved.plain OWNER TO regress_heir;
ALTER TABLE regress_moved.plain ALTER "키 a" TYPE bigint, ALTER "질 문" TYPE text;
ALTER SCHEMA regress_moved RENAME TO regress_settled;
SELECT c.relnamespace::regnamespace, c.relname, pg_get_userbyid(c.relowner) AS owner, a.attname, format_type(a.atttypid, a.atttypmod)
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname LIKE 'key%' WHERE c.oid IN (SELECT queue FROM embedding_columns) ORDER BY 2, 4;
SELECT tbl, target, embedded FROM embeddings() ORDER BY tbl::text;
UPDATE regress_settled.plain SET "질 문" = 'changed' WHERE "키 a" < 3;
SELECT * FROM stale_embeddings() ORDER BY key;
CALL backfill('regress_settled.plain');
SELECT count(*) FROM stale_embeddings();

-- Gone with its table, its schema, its owner.
DROP SCHEMA regress_settled CASCADE;
SELECT tbl FROM embedding_columns;
SET ROLE regress_owner;
CREATE TABLE "문항, ""은행""".t (id int PRIMARY KEY, body text);
SELECT add_embedding('"문항, ""은행""".t', 'v', 'tiny-bert', 'body');
RESET ROLE;
DROP OWNED BY regress_owner, regress_writer, regress_heir;
SELECT tbl FROM embedding_columns;
DROP ROLE regress_owner, regress_writer, regress_heir;

-- Queue: listed by triggers, embedded by who drains. Failures stay, with their reason, and do not block others.
CREATE FUNCTION strict(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF $1 LIKE 'bad%' THEN RAISE EXCEPTION 'this is bad' USING ERRCODE = 'data_exception'; END IF;
    RETURN $1;
END $$;
CREATE TABLE queued (id int PRIMARY KEY, body text);
INSERT INTO queued SELECT i, CASE WHEN i IN (3, 20, 21) THEN 'bad ' ELSE 'good ' END || i FROM generate_series(1, 40) AS i;
SELECT add_embedding('queued', 'v', 'tiny-bert', 'strict(body)', mode => 'queue', index => false);
SELECT count(*) FROM queued_v_queue;
CALL backfill('queued', 'v', 7);
SELECT key_1, origin, attempts, code, error, retry_at > now() AS later FROM queued_v_queue ORDER BY key_1;
SELECT done, total, failures, finished_at IS NOT NULL AS finished FROM embedding_progress WHERE tbl = 'queued'::regclass;
SELECT * FROM stale_embeddings('queued') ORDER BY key::int;
UPDATE queued SET body = 'good again' WHERE id = 3;
CALL backfill('queued');
SELECT key_1, attempts FROM queued_v_queue ORDER BY key_1;
CREATE OR REPLACE FUNCTION strict(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CALL backfill('queued');
SELECT count(*) FROM queued_v_queue;
SELECT count(*), count(v) FROM queued;

-- What a row's input does not find is that row's fault; a model that is not found is not.
CREATE TABLE worded (id int PRIMARY KEY, config text, body text);
INSERT INTO worded SELECT i, CASE WHEN i < 6 THEN 'none' ELSE 'simple' END, 'body ' || i FROM generate_series(1, 8) AS i;
SELECT add_embedding('worded', 'v', 'tiny-bert', 'to_tsvector(config::regconfig, body)::text', mode => 'manual', index => false);
CALL backfill('worded', 'v', 5);
SELECT code, error, count(*) FROM worded_v_queue GROUP BY code, error;
SELECT reason, count(*) FROM stale_embeddings('worded') GROUP BY reason;
DROP TABLE worded;

-- A back-fill that goes on counts what it had listed, and embeds what has come since as well.
CREATE TABLE resumed (id int PRIMARY KEY, body text);
INSERT INTO resumed SELECT i, 'body ' || i FROM generate_series(1, 10) AS i;
SELECT add_embedding('resumed', 'v', 'tiny-bert', 'body', mode => 'manual', index => false);
SELECT embedding_backfill_begin('resumed', 'v');
SELECT taken FROM embedding_drain('resumed', 'v', 4);
INSERT INTO resumed SELECT i, 'body ' || i FROM generate_series(11, 30) AS i;
SELECT embedding_backfill_begin('resumed', 'v');
SELECT done, total, percent, pending FROM itembank_progress WHERE tbl = 'resumed'::regclass;
CALL backfill('resumed');
SELECT done, total, percent, pending FROM itembank_progress WHERE tbl = 'resumed'::regclass;
SELECT count(*), count(v) FROM resumed;
DROP TABLE resumed;

-- One that drains by hand. Listed twice is embedded once, the same content too; rows that are gone are no matter.
UPDATE embedding_columns SET mode = 'manual' WHERE tbl = 'queued'::regclass; -- no worker comes between
ALTER TABLE queued DISABLE TRIGGER USER;
UPDATE queued SET body = 'same' WHERE id <= 10;
DELETE FROM queued WHERE id = 40;
ALTER TABLE queued ENABLE TRIGGER USER;
INSERT INTO queued_v_queue (key_1) SELECT i FROM generate_series(1, 10) AS i UNION ALL VALUES (1), (40), (12);
BEGIN;
SELECT taken, embedded + shared AS written, unchanged, failed, busy FROM embedding_drain('queued', 'v', 100);
SELECT taken FROM embedding_drain('queued', 'v', 100);
ROLLBACK;

-- A function that is gone is no fault of rows: they wait.
DROP FUNCTION strict;
SET client_min_messages = error;
SELECT count(*) FROM embedding_drain('queued', 'v', 100);
\echo :SQLSTATE
SELECT count(*) AS listed, count(error) AS failed FROM queued_v_queue;
DROP TABLE queued;
SET client_min_messages = warning;

-- Partitions: written to directly, moved between, new, attached, detached.
CREATE TABLE parts (region text, id int, body text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a');
CREATE TABLE parts_b PARTITION OF parts FOR VALUES IN ('b') PARTITION BY RANGE (id);
CREATE TABLE parts_b1 PARTITION OF parts_b FOR VALUES FROM (0) TO (100);
INSERT INTO parts SELECT CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END, i, 'body ' || i FROM generate_series(1, 6) AS i;
SELECT add_embedding('parts', 'v', 'tiny-bert', 'body');
INSERT INTO parts_a VALUES ('a', 50, 'direct');
UPDATE parts_b1 SET body = 'direct, too' WHERE id = 1;
UPDATE parts SET region = 'b', body = 'moved' WHERE id = 2;
CREATE TABLE parts_c PARTITION OF parts FOR VALUES IN ('c');
INSERT INTO parts_c VALUES ('c', 1, 'new');
CREATE TABLE parts_d (LIKE parts INCLUDING ALL);
INSERT INTO parts_d (region, id, body) VALUES ('d', 1, 'was there');
SET client_min_messages = notice;
ALTER TABLE parts ATTACH PARTITION parts_d FOR VALUES IN ('d');
SET client_min_messages = warning;
INSERT INTO parts_d VALUES ('d', 2, 'came later');
SELECT tableoid::regclass, id, v = embed('tiny-bert', body) AS right_vector FROM parts ORDER BY 1, 2;
SELECT * FROM stale_embeddings('parts');
CALL backfill('parts');
SELECT * FROM stale_embeddings('parts');
ALTER TABLE parts DETACH PARTITION parts_d;
INSERT INTO parts_d VALUES ('d', 3, 'free');
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgname LIKE 'itembank%' AND tgrelid::regclass::text LIKE 'parts%' ORDER BY tgrelid::regclass::text COLLATE "C", tgname;
SELECT inhrelid::regclass, count(i.indexrelid) AS indexes FROM pg_inherits JOIN pg_index AS i ON i.indrelid = inhrelid WHERE inhparent = 'parts'::regclass GROUP BY 1 ORDER BY 1;
DROP TABLE parts, parts_d;

-- Images; fewer dimensions; generated columns as inputs; a temporary table; what was a generated column.
\set picture `base64 -w 0 "$ITEMBANK_IMAGES/png-rgb8.png"`
CREATE TEMP TABLE pictures (id int PRIMARY KEY, picture bytea, caption text, upper text GENERATED ALWAYS AS (upper(caption)) STORED,
    was vector(16) GENERATED ALWAYS AS (embed('tiny-qwen3-vl', caption)) STORED);
INSERT INTO pictures VALUES (1, decode(:'picture', 'base64'), 'a'), (2, NULL, 'b'), (3, decode(:'picture', 'base64'), NULL), (4, NULL, NULL);
SELECT add_embedding('pictures', 'pair', 'tiny-qwen3-vl', 'caption', 'picture', type => 'halfvec', index => false);
SELECT add_embedding('pictures', 'image', 'tiny-siglip', image => 'picture');
SELECT add_embedding('pictures', 'short', 'tiny-qwen3-vl', 'upper', dimensions => 8);
ALTER TABLE pictures ALTER was DROP EXPRESSION;
SELECT add_embedding('pictures', 'was', 'tiny-qwen3-vl', 'caption');
INSERT INTO pictures (id, caption) VALUES (5, 'c');
SELECT id, pair IS NOT NULL AS pair, image IS NOT NULL AS image, vector_dims(short) AS short, was = embed('tiny-qwen3-vl', caption) AS was FROM pictures ORDER BY id;
SELECT target, type, dimensions, embedded, index FROM embeddings() WHERE tbl = 'pictures'::regclass;
SELECT col, sampled, differing FROM verify_embeddings('pictures');
SELECT count(*) FROM stale_embeddings('pictures');
DROP TABLE pictures;

-- Removed without a trace; with the vectors kept.
SELECT drop_embedding('items', 'embedding', true);
\d items
SELECT add_embedding('items', 'embedding', 'tiny-bert', 'question');
SELECT drop_embedding('items', 'embedding');
\d items
SELECT count(*) FROM embedding_columns;
SELECT count(*) FROM embedding_progress;
SELECT relname FROM pg_class WHERE relname LIKE '%\_queue';
DROP TABLE items;
