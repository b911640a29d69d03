-- Embedding columns: bad input, missing rights, changes that would break them. Nothing is half-made.
\getenv fixtures ITEMBANK_FIXTURES
\set SHOW_CONTEXT never
SET itembank_embed.model_path = :'fixtures';
SET client_min_messages = warning;

CREATE TABLE e (id int PRIMARY KEY, q text, n int, j jsonb, a text[], pic bytea, "an "" id" varchar(9));
INSERT INTO e (id, q) VALUES (1, 'a'), (2, NULL);

-- Arguments that are wrong by themselves.
SELECT add_embedding(NULL, 'v', 'tiny-bert', 'q');
\echo :SQLSTATE
SELECT add_embedding('e', NULL, 'tiny-bert', 'q');
SELECT add_embedding('e', 'v', NULL, 'q');
SELECT add_embedding('e', 'v', 'tiny-bert');
\echo :SQLSTATE
SELECT add_embedding('e', 'v', 'tiny-bert', 'q', mode => 'later');
\echo :SQLSTATE
SELECT add_embedding('e', 'v', 'tiny-bert', 'q', type => 'bit');
\echo :SQLSTATE
SELECT add_embedding('e', 'v', 'tiny-bert', 'q', dimensions => 33);
\echo :SQLSTATE
SELECT add_embedding('e', 'v', 'tiny-bert', 'q', dimensions => 0);
SELECT add_embedding('e', '', 'tiny-bert', 'q');
\echo :SQLSTATE
SELECT add_embedding('e', 'ctid', 'tiny-bert', 'q');
\echo :SQLSTATE
SELECT add_embedding('e', 'v', 'tiny-cross-bert', 'q');
\echo :SQLSTATE
SELECT add_embedding('nothing', 'v', 'tiny-bert', 'q');
\echo :SQLSTATE
SELECT add_embedding('12345678', 'v', 'tiny-bert', 'q');
\echo :SQLSTATE

-- Expressions and templates; attempts to get out of them.
SELECT add_embedding('e', 'v', 'tiny-bert', 'nope');
\echo :SQLSTATE
SELECT add_embedding('e', 'v', 'tiny-bert', 'q || nope(q)');
\echo :SQLSTATE
SELECT add_embedding('e', 'v', 'tiny-bert', 'n');
\echo :SQLSTATE
SELECT add_embedding('e', 'v', 'tiny-bert', 'a');
SELECT add_embedding('e', 'v', 'tiny-bert', 'pic');
SELECT add_embedding('e', 'v', 'tiny-qwen3-vl', image => 'q');
SELECT add_embedding('e', 'v', 'tiny-bert', image => 'pic');
\echo :SQLSTATE
SELECT add_embedding('e', 'v', 'tiny-siglip', 'q', 'pic');
SELECT add_embedding('e', 'v', 'tiny-bert', '(SELECT max(q) FROM e)');
\echo :SQLSTATE
SELECT add_embedding('e', 'v', 'tiny-bert', 'max(q)');
\echo :SQLSTATE
SELECT add_embedding('e', 'v', 'tiny-bert', 'first_value(q) OVER ()');
SELECT add_embedding('e', 'v', 'tiny-bert', 'unnest(a)');
SELECT add_embedding('e', 'v', 'tiny-bert', '''constant''');
\echo :SQLSTATE
SELECT add_embedding('e', 'v', 'tiny-bert', 'e::text');
\echo :SQLSTATE
SELECT add_embedding('e', 'v', 'tiny-bert', 'v');
SELECT add_embedding('e', 'v', 'tiny-bert', '{q} and {nope}');
\echo :SQLSTATE
SELECT add_embedding('e', 'v', 'tiny-bert', '{{q}}');
\echo :SQLSTATE
SELECT add_embedding('e', 'v', 'tiny-bert', '{q} {');
SELECT add_embedding('e', 'v', 'tiny-bert', '{q} \frac');
SELECT add_embedding('e', 'v', 'tiny-bert', '{pic}');
\echo :SQLSTATE
-- Only the code: what the parser says depends on its version, and which models there are does not matter.
\set VERBOSITY sqlstate
SELECT add_embedding('e', 'v', 'no-such-model', 'q');
SELECT add_embedding('e', 'v', 'tiny-bert', 'q) IS NULL); DROP TABLE e; --');
SELECT add_embedding('e', 'v', 'tiny-bert', 'q; DROP TABLE e');
SELECT add_embedding('e', 'v', 'tiny-bert', 'q FROM e); DROP TABLE e; --');
SELECT add_embedding('e', 'v', 'tiny-bert', 'q /* open');
SELECT add_embedding('e', 'v', 'tiny-bert', '''open');
SELECT add_embedding('e', 'v', 'tiny-bert', '');
SELECT add_embedding('e', 'v', 'tiny-bert', 'q, q');
SELECT add_embedding('e', 'v', 'tiny-bert', '*');
SELECT add_embedding('e', 'v', 'tiny-bert', 'q AS x');
SELECT add_embedding('e', 'v', 'tiny-qwen3-vl', image => 'pic); DROP TABLE e; --');
SELECT add_embedding('e', 'v"; DROP TABLE e; --', 'tiny-bert''; DROP TABLE e; --', 'q');
SELECT add_embedding('e', 'v', 'tiny-bert', 'q', type => 'vector(1)); DROP TABLE e; --');
SELECT add_embedding('e', 'v', 'tiny-bert', 'q', mode => 'statement''; DROP TABLE e; --');
SELECT drop_embedding('e', 'v"; DROP TABLE e; --');
CALL backfill('e', 'v"; DROP TABLE e; --');
SELECT * FROM verify_embeddings('e', 1, 'v"; DROP TABLE e; --');
SELECT * FROM stale_embeddings('e; DROP TABLE e');
\set VERBOSITY default
\d e
-- Quotes and comments that are only text.
SELECT add_embedding('e', 'quote " '' -- ', 'tiny-bert', '{q}''); DROP TABLE e; -- {an " id}', mode => 'manual');
SELECT add_embedding('e', 'v', 'tiny-bert', 'q -- a comment');
SELECT count(*) FROM stale_embeddings('e');
SELECT drop_embedding('e', 'quote " '' -- '), drop_embedding('e', 'v');

-- Relations that can have none.
CREATE VIEW e_view AS SELECT * FROM e;
CREATE MATERIALIZED VIEW e_kept AS SELECT * FROM e;
CREATE TABLE e_parent (id int PRIMARY KEY, q text);
CREATE TABLE e_child () INHERITS (e_parent);
CREATE TABLE e_parts (id int PRIMARY KEY, q text) PARTITION BY RANGE (id);
CREATE TABLE e_part PARTITION OF e_parts DEFAULT;
CREATE TEMP TABLE e_temp (id int PRIMARY KEY, q text);
SELECT add_embedding('e_view', 'v', 'tiny-bert', 'q');
\echo :SQLSTATE
SELECT add_embedding('e_kept', 'v', 'tiny-bert', 'q');
SELECT add_embedding('e_pkey', 'v', 'tiny-bert', 'q');
SELECT add_embedding('pg_class', 'v', 'tiny-bert', 'relname');
SELECT add_embedding('e_parent', 'v', 'tiny-bert', 'q');
SELECT add_embedding('e_child', 'v', 'tiny-bert', 'q');
SELECT add_embedding('e_part', 'v', 'tiny-bert', 'q');
SELECT add_embedding('e_temp', 'v', 'tiny-bert', 'q', mode => 'queue');
\echo :SQLSTATE
DROP VIEW e_view;
DROP MATERIALIZED VIEW e_kept;
DROP TABLE e_parent, e_child, e_parts, e_temp;

-- Keys.
CREATE TABLE k (a int, b int, q text);
SELECT add_embedding('k', 'v', 'tiny-bert', 'q');
\echo :SQLSTATE
CREATE UNIQUE INDEX k_1 ON k (a);
CREATE UNIQUE INDEX k_2 ON k ((a + 1));
ALTER TABLE k ALTER b SET NOT NULL, ADD CONSTRAINT k_3 UNIQUE (b) DEFERRABLE;
CREATE UNIQUE INDEX k_4 ON k (b) WHERE b > 0;
SELECT add_embedding('k', 'v', 'tiny-bert', 'q');
ALTER TABLE k ALTER a SET NOT NULL;
SELECT add_embedding('k', 'b', 'tiny-bert', 'q');
SELECT add_embedding('k', 'v', 'tiny-bert', 'q');
SELECT key_columns FROM embedding_columns;
ALTER TABLE k ALTER a DROP NOT NULL;
\echo :SQLSTATE
DROP INDEX k_1;
\echo :SQLSTATE
DROP INDEX k_2;
ALTER TABLE k ADD PRIMARY KEY (b);
CREATE UNIQUE INDEX k_5 ON k (a);
DROP INDEX k_1;
DROP TABLE k;

-- Columns that are there, with another type or another purpose.
CREATE TABLE c (id int PRIMARY KEY, q text, v vector(16), w vector, g vector(32) GENERATED ALWAYS AS (embed('tiny-bert', q)) STORED, x vector(32), x_hash text);
SELECT add_embedding('c', 'q', 'tiny-bert', 'q');
\echo :SQLSTATE
SELECT add_embedding('c', 'id', 'tiny-bert', 'q');
SELECT add_embedding('c', 'v', 'tiny-bert', 'q');
\echo :SQLSTATE
SELECT add_embedding('c', 'w', 'tiny-bert', 'q');
SELECT add_embedding('c', 'g', 'tiny-bert', 'q');
\echo :SQLSTATE
SELECT add_embedding('c', 'x', 'tiny-bert', 'q');
CREATE FUNCTION regress_other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER itembank_embed_insert AFTER INSERT ON c EXECUTE FUNCTION regress_other();
SELECT add_embedding('c', 'y', 'tiny-bert', 'q');
\echo :SQLSTATE
\d c
DROP TABLE c;
DROP FUNCTION regress_other;

-- What would break an embedding column is refused.
SELECT add_embedding('e', 'v', 'tiny-bert', 'upper(q) || coalesce(j::text, '''')');
SELECT add_embedding('e', 'v', 'tiny-bert', 'q');
\echo :SQLSTATE
SELECT add_embedding('e', 'v_hash', 'tiny-bert', 'q');
SELECT add_embedding('e', 'w', 'tiny-bert', 'v_fingerprint');
\echo :SQLSTATE
ALTER TABLE e RENAME COLUMN q TO question;
\echo :SQLSTATE
ALTER TABLE e RENAME COLUMN v TO embedding;
ALTER TABLE e RENAME COLUMN id TO number;
ALTER FOREIGN TABLE e RENAME COLUMN q TO question;
ALTER VIEW e RENAME COLUMN q TO question;
ALTER MATERIALIZED VIEW e RENAME COLUMN q TO question;
ALTER TABLE e DROP COLUMN q;
ALTER TABLE e DROP COLUMN v_hash;
ALTER TABLE e DROP COLUMN j CASCADE;
ALTER TABLE e DROP CONSTRAINT e_pkey;
ALTER TABLE e ALTER v TYPE real[] USING NULL;
ALTER TABLE e ALTER v TYPE vector;
ALTER TABLE e ALTER v_hash TYPE text;
ALTER TABLE e ALTER q TYPE int USING 1;
DROP TABLE e_v_queue;
ALTER TABLE e_v_queue DROP COLUMN error;
ALTER TABLE e_v_queue ALTER attempts TYPE bigint;
ALTER TABLE e_v_queue RENAME COLUMN key_1 TO id_1;
-- What does not, is not.
ALTER TABLE e RENAME COLUMN n TO number;
ALTER TABLE e DROP COLUMN a, ALTER q TYPE varchar(100), ADD COLUMN z int;
ALTER TABLE e_v_queue RENAME TO e_list;
UPDATE e SET q = 'b' WHERE id = 1;
SELECT count(*) FROM stale_embeddings('e');

-- Rights.
CREATE ROLE regress_owner;
CREATE ROLE regress_other;
CREATE SCHEMA regress_closed;
GRANT USAGE ON SCHEMA regress_closed TO regress_owner, regress_other;
CREATE TABLE regress_closed.t (id int PRIMARY KEY, q text);
ALTER TABLE regress_closed.t OWNER TO regress_owner;
SET ROLE regress_owner;
SELECT add_embedding('regress_closed.t', 'v', 'tiny-bert', 'q');
\echo :SQLSTATE
RESET ROLE;
GRANT CREATE ON SCHEMA regress_closed TO regress_owner;
SET ROLE regress_owner;
SELECT add_embedding('regress_closed.t', 'v', 'tiny-bert', 'q');
SET ROLE regress_other;
SELECT add_embedding('regress_closed.t', 'w', 'tiny-bert', 'q');
\echo :SQLSTATE
SELECT drop_embedding('regress_closed.t', 'v');
\echo :SQLSTATE
CALL backfill('regress_closed.t');
\echo :SQLSTATE
SELECT * FROM verify_embeddings('regress_closed.t');
\echo :SQLSTATE
SELECT * FROM embedding_drain('regress_closed.t', 'v', 1);
\echo :SQLSTATE
SELECT count(*) FROM embedding_as_owner('regress_closed.t', 'SELECT 1');
\echo :SQLSTATE
SELECT tbl, rows, pending FROM embeddings() WHERE tbl = 'regress_closed.t'::regclass;
SELECT tbl, total, pending FROM itembank_progress WHERE tbl = 'regress_closed.t'::regclass;
SELECT * FROM stale_embeddings();
DELETE FROM embedding_columns WHERE tbl = 'e'::regclass;
\echo :SQLSTATE
UPDATE embedding_columns SET input_expression = 'pg_sleep(1)::text' WHERE tbl = 'regress_closed.t'::regclass;
UPDATE embedding_progress SET done = 0 WHERE tbl = 'e'::regclass;
CREATE TEMP TABLE mine (id int PRIMARY KEY, q text);
INSERT INTO embedding_columns SELECT 'mine', target, model, inputs, image, input_expression, image_expression, input_columns,
    key_columns, key_equals, dimensions, mode, hash_column, fingerprint_column, queue, role, of FROM embedding_columns;
\echo :SQLSTATE
DROP TABLE mine;
RESET ROLE;
CREATE VIEW seen AS SELECT 1 AS id;
UPDATE embedding_columns SET queue = 'seen' WHERE tbl = 'e'::regclass;
\echo :SQLSTATE
DROP VIEW seen;
SELECT tbl, target, inputs FROM embedding_columns ORDER BY tbl::text;

-- The rest of the functions.
SELECT drop_embedding('e', 'nope');
\echo :SQLSTATE
SELECT drop_embedding('e', NULL);
\echo :SQLSTATE
CALL backfill(NULL);
CALL backfill('e', 'nope');
\echo :SQLSTATE
CALL backfill('e', batch => 0);
\echo :SQLSTATE
CALL backfill('pg_class');
\echo :SQLSTATE
BEGIN;
CALL backfill('e');
\echo :SQLSTATE
ROLLBACK;
SELECT * FROM stale_embeddings('pg_class');
\echo :SQLSTATE
SELECT * FROM verify_embeddings(NULL);
SELECT * FROM verify_embeddings('e', 0);
\echo :SQLSTATE
SELECT * FROM verify_embeddings('e', 10, 'nope');
\echo :SQLSTATE

-- Everything goes with the extension but what is the table's own.
BEGIN;
SET LOCAL client_min_messages = error;
DROP EXTENSION itembank_embed CASCADE;
\d e
ROLLBACK;
BEGIN;
SET LOCAL client_min_messages = error;
DROP EXTENSION vector CASCADE;
SELECT attname FROM pg_attribute WHERE attrelid = 'e'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum;
ROLLBACK;
DROP TABLE e;
DROP SCHEMA regress_closed CASCADE;
DROP ROLE regress_owner, regress_other;
SELECT count(*) FROM embedding_columns;
