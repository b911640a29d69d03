-- Items that are the same but for numbers or order: forms of a text, kinds of pairs, candidates by vectors, rights, errors.
\set SHOW_CONTEXT never
\getenv fixtures ITEMBANK_FIXTURES
SET itembank_embed.model_path = :'fixtures';

-- What a text is compared by. Compatibility forms, case, spaces; each way to write a number; each way to mark a choice.
SELECT embedding_text_forms(NULL) IS NULL AS of_nothing, embedding_text_forms('');
\pset format unaligned
\pset recordsep '\n---\n'
SELECT f.* FROM (VALUES
    (1, E'  Ｔｈｅ  sum\tof１＋２\n is ? '), (2, '값은 −3, x - 3, 1,000 1{,}000.5 .5 f(-2) 10^{-12} {4} 1,2'),
    (3, '다음 중 옳은 것은? ① 사과 ② 배 ③ 감'), (4, E'옳은 것은?\n(1) 사과 (2) 배\n③ 감'), (5, E'1. 사과\n2. 배\n3.5는 수이다'),
    (6, '보기 ㄱ. 참 ㄴ. 거짓 (가) 하나 나) 둘'), (7, E'문제: 옳은 것은?\n선택지: 7\n5\n3'), (8, E'둘\n하나\n둘')) AS v (n, given),
    embedding_text_forms(given) AS f ORDER BY n;
\pset format aligned

-- Vectors by hand: of unit length, at an angle in degrees.
CREATE FUNCTION at_angle(degrees float8) RETURNS vector LANGUAGE sql IMMUTABLE
    RETURN array_cat(ARRAY[cosd(degrees), sind(degrees)], array_fill(0::float8, ARRAY[14]))::vector;
CREATE TABLE "near ""items" (id int PRIMARY KEY, question text, choices text[], picture bytea);
SELECT add_embedding('"near ""items"', 'the vector', 'tiny-qwen3-vl', inputs => E'문제: {question}\\n선택지: {choices}', image => 'picture', mode => 'manual');
INSERT INTO "near ""items" (id, question, choices, "the vector") VALUES
    (1, '두 수 3과 5의 합은?', '{8,9,10}', at_angle(0)), (2, '두 수 3과  5의 합은 ?', '{8,9,10}', at_angle(0)),
    (3, '두 수 1,200과 -5의 합은?', '{1195,9.5,10}', at_angle(40)), (4, '두 수 3과 5의 합은?', '{10,8,9}', at_angle(80)),
    (5, '옳은 것은?', '{사과 1개,배 2개}', at_angle(120)), (6, '옳은 것은?', '{배 7개,사과 3개}', at_angle(125)),
    (7, '전혀 다른 문제', NULL, at_angle(200)), (8, '비슷한 벡터의 문제', NULL, at_angle(210)), (9, '멀리 있는 문제', NULL, at_angle(250)),
    (10, '두 수 3과 5의 합은?', '{8,9,10}', NULL), (11, '멀리 있는 문제', NULL, array_fill(0, ARRAY[16])::vector);
SELECT key_a, key_b, round(similarity::numeric, 4) AS similarity, kind
FROM near_duplicates('"near ""items"') ORDER BY kind, key_a::int, key_b::int;
SELECT key_a, key_b, round(similarity::numeric, 4) AS similarity FROM near_duplicates('"near ""items"', 0.999) WHERE kind = 'similar';
SELECT key_a, key_b, round(similarity::numeric, 4) AS similarity FROM near_duplicates('"near ""items"', 0.7) WHERE kind = 'similar' ORDER BY 1, 2;
SELECT kind, count(*) FROM near_duplicates('"near ""items"', 0.7, neighbours => 0) GROUP BY kind ORDER BY kind;
-- Best first: kinds, then the most similar. Each pair once, in the order of the key.
SELECT array_agg(DISTINCT kind ORDER BY kind), bool_and(similarity <= before) AS sorted
FROM (SELECT *, lag(similarity) OVER (PARTITION BY kind ORDER BY place) AS before
      FROM near_duplicates('"near ""items"', 0.7) WITH ORDINALITY AS n (key_a, key_b, similarity, kind, place)) AS n;
SELECT count(*), count(DISTINCT (key_a, key_b)) AS pairs, bool_and(key_a::int < key_b::int) AS by_key
FROM near_duplicates('"near ""items"', -1, 'the vector', 500);

-- The same text with another picture is another item; the same picture without a text is the same one.
INSERT INTO "near ""items" (id, question, picture, "the vector") VALUES
    (20, '그림의 넓이는?', '\x01', at_angle(300)), (21, '그림의 넓이는?', '\x02', at_angle(330)), (22, '그림의 넓이는?', '\x01', at_angle(301)),
    (23, NULL, '\x03', at_angle(345)), (24, NULL, '\x03', at_angle(359));
SELECT key_a, key_b, kind FROM near_duplicates('"near ""items"', 0.99) WHERE key_a >= '20' AND length(key_a) = 2;

-- A composite key in two partitions, halfvec, no index. Of many equal texts each is paired with the next hundred.
CREATE TABLE near_parts (part int, name text, question text, e halfvec(16), PRIMARY KEY (part, name)) PARTITION BY LIST (part);
CREATE TABLE near_part_1 PARTITION OF near_parts FOR VALUES IN (1);
CREATE TABLE near_part_2 PARTITION OF near_parts FOR VALUES IN (2);
SELECT add_embedding('near_parts', 'e', 'tiny-cls', 'question', type => 'halfvec', mode => 'manual', index => false);
INSERT INTO near_parts (part, name, question, e)
SELECT p, n, q, ('[1' || repeat(',0', 15) || ']')::halfvec
FROM (VALUES (2, 'a "b"', 'x + 1 = 2'), (1, 'z', 'x+3=7'), (1, 'y', 'y')) AS v (p, n, q);
SELECT key_a, key_b, round(similarity::numeric, 4) AS similarity, kind FROM near_duplicates('near_parts', 1) ORDER BY kind, key_a, key_b;
INSERT INTO near_parts (part, name, question, e)
SELECT 1, n, 'the same ' || n, ('[' || repeat('0,', 15) || '1]')::halfvec FROM generate_series(1001, 1150) AS n;
SELECT kind, count(*) FROM near_duplicates('near_parts', 1, neighbours => 0) GROUP BY kind;

-- Two columns: which is meant has to be said. With the caller's rights and policies.
SELECT add_embedding('near_parts', 'other', 'tiny-cls', 'question', mode => 'manual', index => false);
SELECT count(*) FROM near_duplicates('near_parts');
\echo :SQLSTATE
SELECT count(*) FROM near_duplicates('near_parts', target => 'other');
CREATE ROLE near_reader;
SET ROLE near_reader;
SELECT count(*) FROM near_duplicates('"near ""items"');
\echo :SQLSTATE
RESET ROLE;
GRANT SELECT ON "near ""items" TO near_reader;
ALTER TABLE "near ""items" ENABLE ROW LEVEL SECURITY;
CREATE POLICY a_few ON "near ""items" FOR SELECT USING (id IN (1, 3, 9));
SET ROLE near_reader;
SELECT key_a, key_b, kind FROM near_duplicates('"near ""items"');
RESET ROLE;

-- Errors of the arguments; the caller's settings are as before.
SELECT * FROM near_duplicates('near_parts', 1.5, 'e');
\echo :SQLSTATE
SELECT * FROM near_duplicates('near_parts', NULL, 'e');
SELECT * FROM near_duplicates('near_parts', target => 'e', neighbours => -1);
SELECT * FROM near_duplicates(NULL);
\echo :SQLSTATE
SELECT * FROM near_duplicates('near_parts', target => 'name');
\echo :SQLSTATE
SELECT * FROM near_duplicates('pg_class');
\echo :SQLSTATE
SHOW hnsw.ef_search;

DROP TABLE "near ""items", near_parts;
DROP FUNCTION at_angle;
DROP ROLE near_reader;
