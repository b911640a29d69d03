-- make demo: semantic search in the sample item bank. Run by psql from the repository root (dev/demo.sh).
-- Everything lives in the schema `demo`, which each run makes anew.
\set QUIET on
\set ON_ERROR_STOP on
\pset pager off
\pset footer off
\pset linestyle unicode
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS demo CASCADE;
CREATE SCHEMA demo;
SET search_path = demo, public;

\echo
\echo '1. The item bank: tests/data/item_bank/schema.sql and load.sql'
\i tests/data/item_bank/schema.sql
\i tests/data/item_bank/load.sql
SELECT subject, count(*) AS items, min(grade) AS from_grade, max(grade) AS to_grade
FROM items GROUP BY subject ORDER BY items DESC, subject;

\echo
\echo '2. One column is all it takes. Adding it embeds every item (about half a minute on two cores)'
\echo '   embedding vector(384) GENERATED ALWAYS AS (embed(''multilingual-e5-small'', item_text(…))) STORED'
-- A generated column wants an IMMUTABLE expression; array_to_string is not, for the sake of other types than text.
CREATE FUNCTION item_text(question_text text, choices text[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN concat_ws(E'\n', question_text, nullif(array_to_string(choices, E'\n'), ''));
\timing on
ALTER TABLE items ADD COLUMN embedding vector(384)
    GENERATED ALWAYS AS (embed('multilingual-e5-small', item_text(question_text, choices))) STORED;
\timing off

\echo
\echo '3. An HNSW index for cosine distance'
\timing on
CREATE INDEX ON items USING hnsw (embedding vector_cosine_ops);
\timing off
ANALYZE items;

\echo
\echo '4. Five searches'

-- What each of them shows of the items it found.
\set columns 'row_number() OVER (ORDER BY distance) AS rank, id, subject, grade, unit, '
\set columns :columns 'round((1 - distance)::numeric, 3) AS similarity, left(question_text, 50) AS question'
\timing on

\echo
\echo 'a) as a teacher would say it'
\set q '두 근의 합과 곱을 구하는 이차방정식 문제'
\echo '  ' :q
SELECT :columns
FROM (SELECT *, embedding <=> embed('multilingual-e5-small', :'q', task => 'query') AS distance
      FROM items ORDER BY distance LIMIT 5) AS nearest;

\echo
\echo 'b) a formula'
\set q '$\\lim_{x \\to 2} \\frac{x^2 - 4}{x - 2}$'
\echo '  ' :q
SELECT :columns
FROM (SELECT *, embedding <=> embed('multilingual-e5-small', :'q', task => 'query') AS distance
      FROM items ORDER BY distance LIMIT 5) AS nearest;

\echo
\echo 'c) Korean items, asked for in English'
\set q 'sum of the first ten terms of an arithmetic sequence'
\echo '  ' :q
SELECT :columns
FROM (SELECT *, embedding <=> embed('multilingual-e5-small', :'q', task => 'query') AS distance
      FROM items ORDER BY distance LIMIT 5) AS nearest;

\echo
\echo 'd) only 과학, only 중학교 (grades 7 to 9): SQL filters as ever'
\set q '전류와 저항'
\echo '  ' :q
SELECT :columns
FROM (SELECT *, embedding <=> embed('multilingual-e5-small', :'q', task => 'query') AS distance
      FROM items WHERE subject = '과학' AND grade BETWEEN 7 AND 9 ORDER BY distance LIMIT 5) AS nearest;

\echo
\echo 'e) items like this one: near duplicates need no model at all, their vectors are there'
SELECT id, left(question_text, 60) AS question FROM items WHERE id = 'M-0002';
SELECT :columns
FROM (SELECT *, embedding <=> (SELECT embedding FROM items WHERE id = 'M-0002') AS distance
      FROM items WHERE id <> 'M-0002' ORDER BY distance LIMIT 5) AS nearest;
