-- Embeddings in tables: generated columns, HNSW, and every way that rows come in.
\getenv fixtures ITEMBANK_FIXTURES
SET itembank_embed.model_path = :'fixtures';
CREATE TABLE items (
    id int PRIMARY KEY,
    subject text NOT NULL,
    question text,
    embedding vector(32) GENERATED ALWAYS AS (embed('tiny-bert', question)) STORED
);

-- INSERT … SELECT of 300 rows, and the index that finds them.
INSERT INTO items (id, subject, question)
SELECT n, CASE WHEN n % 3 = 0 THEN '과학' ELSE '수학' END, '이차방정식 $x^2 - ' || n || 'x = 0$의 두 근의 합은?'
FROM generate_series(1, 300) AS n;
CREATE INDEX items_embedding ON items USING hnsw (embedding vector_cosine_ops);
ANALYZE items;
SELECT count(*), count(embedding) FROM items;

-- The filter is a filter on the index scan; the query is embedded once, at plan time.
SET enable_seqscan = off;
SET enable_sort = off;
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
        RETURN NEXT regexp_replace(line, '''\[[^]]*\]''', '''(vector)''');
    END LOOP;
END $$;
SELECT plan_of($$
    SELECT id FROM items WHERE subject = '수학'
    ORDER BY embedding <=> embed('tiny-bert', '두 근의 합', task => 'query') LIMIT 10 $$);
PREPARE search(text) AS
    SELECT id FROM items WHERE subject = '수학'
    ORDER BY embedding <=> embed('tiny-bert', $1, task => 'query') LIMIT 10;
SET plan_cache_mode = force_generic_plan;
SELECT plan_of($$ EXECUTE search('두 근의 합') $$);
RESET plan_cache_mode;
SELECT id FROM items ORDER BY embedding <=> (SELECT embedding FROM items WHERE id = 42) LIMIT 1;
RESET enable_seqscan;
RESET enable_sort;

-- COPY, single rows, NULL.
COPY items (id, subject, question) FROM STDIN;
1001	국어	윗글의 내용과 일치하지 않는 것은?
1002	국어	\N
\.
INSERT INTO items (id, subject, question) VALUES (1003, '국어', '윗글의 내용과 일치하지 않는 것은?');
SELECT id, embedding IS NULL AS is_null, embedding = embed('tiny-bert', question) AS fresh
FROM items WHERE id > 1000 ORDER BY id;
SELECT a.embedding = b.embedding AS same FROM items a, items b WHERE a.id = 1001 AND b.id = 1003;

-- UPDATE follows; other columns do not disturb.
UPDATE items SET question = '밑줄 친 부분의 뜻은?' WHERE id = 1003;
UPDATE items SET subject = '국어 II' WHERE id = 1001;
SELECT id, embedding = embed('tiny-bert', question) AS fresh FROM items WHERE id > 1002 OR id = 1001;

-- A second column on a table that is full; STORED must be written.
ALTER TABLE items ADD COLUMN short vector(16)
    GENERATED ALWAYS AS (embed('tiny-bert', question, dimensions => 16)) STORED;
SELECT count(*), count(short), bool_and(round(vector_norm(short)::numeric, 5) = 1) FROM items;

-- An index without a column: the cast gives the expression its size.
CREATE INDEX ON items USING hnsw (((embed('tiny-bert', subject))::vector(32)) vector_cosine_ops);

-- In PL/pgSQL, in a view, in a CTE, in a lateral join over an array.
CREATE VIEW nearest AS SELECT id, embedding <=> embed('tiny-bert', '합', task => 'query') AS distance FROM items;
SELECT count(*) FROM nearest WHERE distance IS NOT NULL;
DO $$ BEGIN ASSERT vector_dims(embed('tiny-bert', 'x')) = 32; END $$;

-- The extension's functions need no search path, as in a restore.
SET search_path = '';
INSERT INTO public.items (id, subject, question) VALUES (2000, '수학', '빈 경로');
SELECT array_length(public.embed('tiny-bert', ARRAY['a', 'b']), 1);
RESET search_path;
SELECT embedding = embed('tiny-bert', '빈 경로') AS fresh FROM items WHERE id = 2000;
DROP TABLE items CASCADE;
