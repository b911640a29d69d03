-- embed() and count_tokens(): shapes, NULLs, arrays, prompts, sizes. Values: tests/parity.
\getenv fixtures ITEMBANK_FIXTURES
SET itembank_embed.model_path = :'fixtures';
SELECT name, kind, modalities, dimensions, max_tokens, precision, problem
FROM models() ORDER BY name;

-- One row: a unit vector of the model's size.
SELECT vector_dims(e), round(vector_norm(e)::numeric, 5) FROM embed('tiny-bert', '두 근의 합은?') AS e;
SELECT pg_typeof(embed('tiny-bert', 'a'));
SELECT name, device LIKE 'cpu%' AS on_cpu, loaded FROM models() WHERE name = 'tiny-bert';

-- The same text, the same vector; the task picks the prompt, document by default.
SELECT embed('tiny-bert', 'a') = embed('tiny-bert', 'a') AS same,
       embed('tiny-bert', 'a') = embed('tiny-bert', 'a', task => 'document') AS default_is_document,
       embed('tiny-bert', 'a') = embed('tiny-bert', 'a', task => 'query') AS query_is_document;

-- NULL in, NULL out; the empty text is a text.
SELECT embed('tiny-bert', NULL) IS NULL AS null_text, embed('tiny-bert', '') IS NULL AS empty_text;

-- Matryoshka: shorter, of length 1 again, in the same direction.
SELECT vector_dims(short), round(vector_norm(short)::numeric, 5) AS norm,
       round((1 - (short <=> subvector(whole, 1, 16)))::numeric, 5) AS cosine
FROM embed('tiny-bert', 'a', dimensions => 16) AS short, embed('tiny-bert', 'a') AS whole;

-- Many rows: same order, NULL stays in its place, equal to the rows alone.
SELECT array_length(e, 1) AS rows, e[2] IS NULL AS second_is_null,
       e[1] = embed('tiny-bert', '가') AS first, e[3] = embed('tiny-bert', 'b c') AS third
FROM embed('tiny-bert', ARRAY['가', NULL, 'b c']) AS e;
SELECT pg_typeof(embed('tiny-bert', ARRAY['a']));
SELECT embed('tiny-bert', '{}'::text[]) AS empty, embed('tiny-bert', NULL::text[]) AS null_array,
       embed('tiny-bert', ARRAY[NULL, NULL]::text[]) AS nulls;
SELECT count(*), count(DISTINCT e::text), max(alone <-> e) < 1e-6 AS as_alone
FROM (SELECT array_agg(repeat('문제 ', n % 7 + 1) || n ORDER BY n) AS texts FROM generate_series(1, 300) n) AS many,
     unnest(texts, embed('tiny-bert', texts)) AS u(t, e), embed('tiny-bert', t) AS alone;

-- Other poolings, and a sentence-transformers directory without a manifest.
SELECT m, vector_dims(embed(m, 'a b c')), embed(m, 'a b c') = embed(m, 'a b d') AS constant
FROM unnest(ARRAY['tiny-cls', 'tiny-last', 'tiny-st', 'tiny-st-cls']) AS m;

-- Tokens: as the model counts, prompt and special tokens included.
SELECT * FROM count_tokens('tiny-bert', 'a b c');
SELECT used, truncated, tokens > used AS longer FROM count_tokens('tiny-bert', repeat('a ', 100));
SELECT * FROM count_tokens('tiny-bert', NULL);
