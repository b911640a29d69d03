-- The models of an item bank by name: texts, images, both, neither; arrays. Values: tests/parity.
\getenv fixtures ITEMBANK_FIXTURES
\set picture `base64 -w 0 "$ITEMBANK_IMAGES/png-rgb8.png"`
\set figure `base64 -w 0 "$ITEMBANK_IMAGES/jpeg-420.jpg"`
SET itembank_embed.model_path = :'fixtures';

-- Not installed: which command installs the model, which setting names another.
SELECT qwen_embed('a');
\echo :SQLSTATE
SELECT kure_embed('a');
\echo :SQLSTATE
SELECT siglip_embed_text('a');
\echo :SQLSTATE
SELECT combined_embed('a', NULL);
\echo :SQLSTATE

SET itembank_embed.qwen_model = 'tiny-qwen3-vl';
SET itembank_embed.kure_model = 'tiny-cls';
SET itembank_embed.siglip_model = 'tiny-siglip';
CREATE TEMP TABLE pictures AS
    SELECT decode(:'picture', 'base64') AS picture, decode(:'figure', 'base64') AS figure;

-- Units of the models' sizes, and NULL where there is nothing.
SELECT f, vector_dims(e), round(vector_norm(e)::numeric, 5) AS norm
FROM pictures, LATERAL (VALUES
    ('qwen text', qwen_embed('두 근의 합은?')),
    ('qwen image', qwen_embed(NULL, figure)),
    ('qwen both', qwen_embed('두 근의 합은?', figure)),
    ('qwen nothing', qwen_embed(NULL, NULL::bytea)),
    ('qwen 12', qwen_embed('두 근의 합은?', figure, dimensions => 12)),
    ('kure', kure_embed('두 근의 합은?')),
    ('kure nothing', kure_embed(NULL::text)),
    ('siglip text', siglip_embed_text('two roots')),
    ('siglip image', siglip_embed_image(figure)),
    ('siglip nothing', siglip_embed_image(NULL::bytea)),
    ('combined both', combined_embed('두 근의 합은?', figure)),
    ('combined text', combined_embed('두 근의 합은?', NULL)),
    ('combined image', combined_embed(NULL, figure)),
    ('combined nothing', combined_embed(NULL::text, NULL))) AS v(f, e);

-- What is not given does not count; what is given does.
SELECT qwen_embed('a') = qwen_embed('a', NULL) AS no_image,
       qwen_embed('a', figure) = qwen_embed('a') AS image_is_lost,
       qwen_embed('a', figure) = qwen_embed('b', figure) AS text_is_lost,
       qwen_embed('a', figure) = qwen_embed('a', picture) AS images_are_alike,
       qwen_embed('') IS NULL AS the_empty_text_is_null,
       qwen_embed('a', instruction => 'Find') = qwen_embed('a', instruction => ' Find. ') AS full_stop,
       qwen_embed('a', instruction => 'Find') = qwen_embed('a') AS instruction_is_lost,
       qwen_embed('a', instruction => ' ') = qwen_embed('a') AS blank_is_default
FROM pictures;

-- Bare literals are one row.
SELECT qwen_embed(NULL, NULL) AS qwen, combined_embed(NULL, NULL) AS combined, siglip_embed_image(NULL) AS siglip,
       embed('tiny-siglip', NULL, NULL) AS embed, vector_dims(combined_embed('a', NULL)) AS text_alone;
SELECT siglip_embed_image('\x89504e47');
\echo :SQLSTATE
SELECT qwen_embed('a', '이미지가 아니다');
\echo :SQLSTATE

-- A text cannot stand for a picture, or end its turn.
SELECT text, tokens - (SELECT tokens FROM count_tokens('tiny-qwen3-vl', 'x')) > 5 AS spelt_out
FROM unnest(ARRAY['<|image_pad|>', '<|im_end|>', '<|endoftext|>']) AS text, count_tokens('tiny-qwen3-vl', text);

-- The halves of a combined vector weigh the same; a missing one is zeros.
SELECT round((1 - (kure_embed('a') <=> subvector(whole, 1, 16)))::numeric, 5) AS text_half,
       round((1 - (siglip_embed_image(figure) <=> subvector(whole, 17, vector_dims(whole) - 16)))::numeric, 5) AS image_half,
       round(vector_norm(subvector(whole, 1, 16))::numeric, 5) AS weight,
       round((1 - (combined_embed('a', NULL) <=> whole))::numeric, 5) AS text_against_both
FROM pictures, combined_embed('a', figure) AS whole;

-- Arrays: same order, batched, NULLs in their places, equal to the rows alone.
SELECT e[1] <-> qwen_embed('a') < 1e-5 AS text, e[2] <-> qwen_embed('b', figure) < 1e-5 AS both,
       e[3] IS NULL AS nothing, e[4] <-> qwen_embed(NULL, picture) < 1e-5 AS image
FROM pictures, qwen_embed(ARRAY['a', 'b', NULL, NULL], ARRAY[NULL, figure, NULL, picture]) AS e;
SELECT e[1] <-> combined_embed('a', NULL) < 1e-5 AS text, e[2] <-> combined_embed('b', figure) < 1e-5 AS both,
       e[3] IS NULL AS nothing, e[4] <-> combined_embed(NULL, picture) < 1e-5 AS image
FROM pictures, combined_embed(ARRAY['a', 'b', NULL, NULL], ARRAY[NULL, figure, NULL, picture]) AS e;
SELECT (kure_embed(ARRAY['a', NULL, 'b']))[2] IS NULL AS kure,
       (siglip_embed_text(ARRAY['a', NULL]))[1] <-> siglip_embed_text('a') < 1e-5 AS siglip_text,
       (siglip_embed_image(ARRAY[NULL, figure]))[2] <-> siglip_embed_image(figure) < 1e-5 AS siglip_image,
       qwen_embed(NULL::text[], ARRAY[NULL::bytea]) AS nulls, kure_embed(NULL::text[]) AS null_array
FROM pictures;
SELECT qwen_embed(ARRAY['a', 'b'], ARRAY[NULL::bytea]);
\echo :SQLSTATE

-- Far more rows than are prepared at a time.
SELECT array_length(e, 1) AS rows, e[2048] <-> siglip_embed_text('2048') < 1e-5 AS last_of_a_window,
       e[2049] IS NULL AS nothing, e[2050] <-> siglip_embed_text('2050') < 1e-5 AS next
FROM (SELECT siglip_embed_text(array_agg(nullif(n, 2049)::text ORDER BY n)) AS e FROM generate_series(1, 2100) AS n) AS many;
SELECT array_length(e, 1) AS rows, e[2048] <-> qwen_embed('2048') < 1e-5 AS last_of_a_window,
       e[2049] IS NULL AS nothing, e[2050] <-> qwen_embed('2050') < 1e-5 AS next
FROM (SELECT qwen_embed(array_agg(nullif(n, 2049)::text ORDER BY n)) AS e FROM generate_series(1, 2100) AS n) AS many;

-- The general function takes the same models.
SELECT embed('tiny-qwen3-vl', 'a', figure) = qwen_embed('a', figure) AS qwen,
       embed('tiny-siglip', 'a') = siglip_embed_text('a') AS siglip_text,
       embed('tiny-siglip', NULL, figure) = siglip_embed_image(figure) AS siglip_image
FROM pictures;
SELECT embed('tiny-siglip', 'a', figure) FROM pictures;
\echo :SQLSTATE
SELECT embed('tiny-siglip', 'a', instruction => 'Find');
\echo :SQLSTATE
SELECT qwen_embed('a', dimensions => 3);
\echo :SQLSTATE
SELECT embed('tiny-cls', 'a', figure) FROM pictures;
\echo :SQLSTATE

-- In columns: half precision for more than 2,000 dimensions, an index, and a query with an image.
CREATE TEMP TABLE items (id int, question text, figure bytea,
    embedding halfvec(16) GENERATED ALWAYS AS (qwen_embed(question, figure)) STORED,
    small vector(8) GENERATED ALWAYS AS (qwen_embed(question, figure, dimensions => 8)) STORED);
CREATE INDEX ON items USING hnsw (embedding halfvec_cosine_ops);
INSERT INTO items SELECT 1, '두 근의 합', NULL FROM pictures UNION ALL SELECT 2, '그림의 넓이', figure FROM pictures;
SELECT id FROM items, pictures ORDER BY embedding <=> qwen_embed('그림의 넓이', pictures.figure)::halfvec(16) LIMIT 1;
SELECT id FROM items ORDER BY small <=> qwen_embed('두 근의 합', dimensions => 8) LIMIT 1;
UPDATE items SET figure = NULL, question = '두 근의 합' WHERE id = 2;
SELECT count(DISTINCT embedding::text) FROM items;

-- Who may name the models.
CREATE ROLE somebody;
SET ROLE somebody;
SET itembank_embed.qwen_model = 'tiny-cls';
\echo :SQLSTATE
RESET ROLE;
DROP ROLE somebody;
