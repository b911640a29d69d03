-- Every class of error that a call can raise by its arguments: code, detail, hint, and life after it.
-- Damaged files and libraries: tests/faults.
\getenv fixtures ITEMBANK_FIXTURES
SET itembank_embed.model_path = :'fixtures';
SELECT pg_backend_pid() AS pid \gset

SELECT embed('no-such-model', 'a');
\echo :SQLSTATE
SELECT count_tokens('no-such-model', 'a');
\echo :SQLSTATE
SELECT embed('../fixtures/tiny-bert', 'a');
\echo :SQLSTATE
SELECT embed('/etc', 'a');
\echo :SQLSTATE
SELECT embed('한글', 'a');
\echo :SQLSTATE
SELECT embed('', 'a');
\echo :SQLSTATE
SELECT embed(NULL, 'a');
\echo :SQLSTATE
SELECT embed('tiny-bert', 'a', task => 'search');
\echo :SQLSTATE
SELECT embed('tiny-bert', 'a', task => NULL);
\echo :SQLSTATE
SELECT embed('tiny-bert', 'a', instruction => '찾아라');
\echo :SQLSTATE
SELECT embed('tiny-bert', 'a', dimensions => 17);
\echo :SQLSTATE
SELECT embed('tiny-bert', 'a', dimensions => 0);
\echo :SQLSTATE
SELECT embed('tiny-bert', 'a', dimensions => -1);
\echo :SQLSTATE
SELECT embed('tiny-bert', 'a', image => '\x89504e47');
\echo :SQLSTATE
SELECT embed('tiny-bert', NULL, image => '\x89504e47');
\echo :SQLSTATE
SELECT embed('tiny-bert', ARRAY['a', 'b'], images => ARRAY[NULL, '\x89504e47'::bytea]);
\echo :SQLSTATE
SELECT embed('tiny-bert', ARRAY['a', 'b'], images => ARRAY[NULL::bytea]);
\echo :SQLSTATE
SELECT embed('tiny-bert', ARRAY[['a', 'b'], ['c', 'd']]);
\echo :SQLSTATE

SET itembank_embed.max_input_bytes = 10;
SELECT embed('tiny-bert', '가나다라');
\echo :SQLSTATE
SELECT embed('tiny-bert', ARRAY['a', '가나다라']);
\echo :SQLSTATE
SELECT count_tokens('tiny-bert', '가나다라');
\echo :SQLSTATE
SELECT vector_dims(embed('tiny-bert', '가나다'));
RESET itembank_embed.max_input_bytes;

SELECT embed('tiny-bert', array_fill(NULL::text, ARRAY[1000001]));
\echo :SQLSTATE

-- Text that is no text never gets in.
SELECT embed('tiny-bert', E'a\000b');
\echo :SQLSTATE
SELECT embed('tiny-bert', convert_from('\xff', 'UTF8'));
\echo :SQLSTATE

-- A failed row leaves nothing behind.
CREATE TABLE t (id int PRIMARY KEY, x text, e vector(32) GENERATED ALWAYS AS (embed('tiny-bert', x)) STORED);
SET itembank_embed.max_input_bytes = 10;
INSERT INTO t VALUES (1, 'a'), (2, 'far too long for the limit');
\echo :SQLSTATE
SELECT count(*) FROM t;
RESET itembank_embed.max_input_bytes;
DROP TABLE t;

SELECT pg_backend_pid() = :pid AS same_backend, vector_dims(embed('tiny-bert', 'a'));
