-- Vectors of different models: comparing them is an error where the models are known when a statement is analysed.
\getenv fixtures ITEMBANK_FIXTURES
SET itembank_embed.model_path = :'fixtures';
SET itembank_embed.kure_model = 'tiny-cls';
SET itembank_embed.siglip_model = 'tiny-siglip';
SET client_min_messages = warning;
CREATE TABLE guarded (id int PRIMARY KEY, question text, other vector(16));
INSERT INTO guarded SELECT n, 'question ' || n FROM generate_series(1, 5) AS n;
SELECT add_embedding('guarded', 'embedding', 'tiny-last', inputs => 'question', index => false);
SELECT add_embedding('guarded', 'half', 'tiny-cls', inputs => 'question', type => 'halfvec', index => false);
CREATE TABLE guarded_parts (id int PRIMARY KEY, question text) PARTITION BY RANGE (id);
CREATE TABLE guarded_part PARTITION OF guarded_parts FOR VALUES FROM (0) TO (100);
SELECT add_embedding('guarded_parts', 'embedding', 'tiny-cls', inputs => 'question', index => false);

-- What is said, and where.
SELECT id FROM guarded ORDER BY embedding <=> embed('tiny-cls', 'a question', task => 'query') LIMIT 3;
\echo :SQLSTATE
SELECT a.id FROM guarded AS a, guarded AS b WHERE a.embedding::halfvec <-> b.half < 1;
\echo :SQLSTATE

-- The right model, a column that is none of ours, another size: nothing to say, or pgvector says it.
SELECT count(*) FROM guarded WHERE embedding <=> embed('tiny-last', 'a', task => 'query') < 2;
SELECT count(*) FROM guarded WHERE half <=> kure_embed('a')::halfvec < 2;
SELECT count(*) FROM guarded WHERE embedding <=> embed_query('guarded', 'embedding', 'a') < 2;
SELECT count(*) FROM guarded WHERE other <=> embed('tiny-cls', 'a') < 2;
SELECT count(*) FROM guarded WHERE other <=> embedding < 2;
SELECT count(*) FROM guarded_parts WHERE embedding <=> embed('tiny-cls', 'a') < 2;
SELECT count(*) FROM guarded WHERE embedding <=> embed('tiny-last', 'a', dimensions => 8) < 2;

-- Whichever side, operator, function, cast and notation.
\set VERBOSITY terse
SELECT embed('tiny-cls', 'a') <-> embedding FROM guarded;
SELECT 1 FROM guarded WHERE embedding = embed(input => 'a', model => 'tiny-cls');
SELECT cosine_distance(embedding, embed('tiny-cls', 'a')) FROM guarded;
SELECT 1 FROM guarded ORDER BY embedding::halfvec(16) <#> embed('tiny-cls'::varchar, 'a')::halfvec(16);
SELECT 1 FROM guarded ORDER BY binary_quantize(embedding)::bit(16) <~> binary_quantize(embed('tiny-cls', 'a'))::bit(16);
SELECT 1 FROM guarded ORDER BY subvector(embedding, 1, 4)::vector(4) <=> subvector(embed('tiny-cls', 'a'), 1, 4)::vector(4);
SELECT 1 FROM guarded ORDER BY embedding <=> (embed('tiny-cls', ARRAY['a', 'b']))[1];
SELECT 1 FROM guarded ORDER BY embedding <=> embed('tiny-cls', 'a', '\x00');
-- The models of settings, one of two models, one for another column.
SELECT 1 FROM guarded ORDER BY embedding <=> kure_embed('a');
SELECT 1 FROM guarded ORDER BY embedding <=> siglip_embed_text('a');
SELECT 1 FROM guarded ORDER BY embedding <=> combined_embed('a', NULL::bytea);
SELECT 1 FROM guarded ORDER BY embedding <=> embed_query('guarded', 'half', 'a');
SELECT 1 FROM guarded ORDER BY embedding <=> embed_query('guarded_parts', 'embedding', 'a');

-- Wherever the vectors come from.
SELECT 1 FROM guarded ORDER BY embedding <=> (SELECT embed('tiny-cls', 'a'));
WITH q AS (SELECT embed('tiny-cls', 'a') AS v) SELECT 1 FROM guarded, q ORDER BY embedding <=> q.v;
WITH q AS MATERIALIZED (SELECT embed('tiny-cls', 'a') AS v)
SELECT 1 FROM guarded ORDER BY embedding <=> (SELECT v FROM q);
SELECT 1 FROM guarded, embed('tiny-cls', 'a') AS q ORDER BY embedding <=> q;
SELECT 1 FROM guarded, unnest(embed('tiny-cls', ARRAY['a', 'b'])) AS q(v) ORDER BY embedding <=> q.v;
SELECT 1 FROM guarded, LATERAL (SELECT embed('tiny-cls', question) AS v) AS q ORDER BY embedding <=> q.v;
SELECT 1 FROM (SELECT g.embedding AS e FROM guarded AS g) AS s ORDER BY s.e <=> embed('tiny-cls', 'a');
SELECT 1 FROM (guarded JOIN (SELECT 1 AS id) AS one USING (id)) AS j ORDER BY j.embedding <=> embed('tiny-cls', 'a');
SELECT 1 FROM guarded AS g WHERE EXISTS (SELECT FROM generate_series(1, 2) WHERE g.embedding <=> embed('tiny-cls', 'a') < 1);
SELECT embedding <=> embed('tiny-cls', 'a') FROM guarded GROUP BY embedding HAVING embedding <=> embed('tiny-cls', 'a') < 1;
SELECT 1 FROM guarded WHERE id = 1 UNION SELECT 2 FROM guarded WHERE embedding <=> embed('tiny-cls', 'a') < 1;
SELECT 1 FROM guarded ORDER BY embedding <=> (SELECT embedding FROM guarded_parts WHERE id = 1);
SELECT 1 FROM guarded_parts ORDER BY embedding <=> embed('tiny-last', 'a');
SELECT 1 FROM guarded_part ORDER BY embedding <=> embed('tiny-last', 'a');
CREATE VIEW guarded_view AS SELECT embedding AS e, id FROM guarded;
CREATE VIEW guarded_view_2 AS SELECT v.e AS f FROM guarded_view AS v JOIN guarded USING (id);
CREATE MATERIALIZED VIEW guarded_stored AS SELECT f FROM guarded_view_2;
SELECT 1 FROM guarded_view_2 ORDER BY f <=> embed('tiny-cls', 'a');
SELECT 1 FROM guarded_stored ORDER BY f <=> embed('tiny-cls', 'a');
SELECT count(*) FROM guarded_view_2 WHERE f <=> embed('tiny-last', 'a') < 2;
CREATE DOMAIN guarded_domain AS vector(16);
SELECT 1 FROM guarded ORDER BY embedding::guarded_domain <=> embed('tiny-cls', 'a');

-- Every kind of statement.
EXPLAIN SELECT 1 FROM guarded ORDER BY embedding <=> embed('tiny-cls', 'a');
EXPLAIN CREATE TABLE guarded_copy AS SELECT embedding <=> embed('tiny-cls', 'a') FROM guarded;
CREATE TABLE guarded_copy AS SELECT embedding <=> embed('tiny-cls', 'a') FROM guarded;
CREATE VIEW guarded_bad AS SELECT embedding <=> embed('tiny-cls', 'a') FROM guarded;
CREATE MATERIALIZED VIEW guarded_bad AS SELECT embedding <=> embed('tiny-cls', 'a') FROM guarded;
COPY (SELECT embedding <=> embed('tiny-cls', 'a') FROM guarded) TO STDOUT;
PREPARE bad AS SELECT 1 FROM guarded WHERE id = $1 ORDER BY embedding <=> embed('tiny-cls', $2);
DECLARE bad CURSOR WITH HOLD FOR SELECT 1 FROM guarded ORDER BY embedding <=> embed('tiny-cls', 'a');
INSERT INTO guarded (id) SELECT id + 100 FROM guarded WHERE embedding <=> embed('tiny-cls', 'a') < 0.5;
INSERT INTO guarded (id) VALUES (1)
    ON CONFLICT (id) DO UPDATE SET question = 'x' WHERE excluded.embedding <=> embed('tiny-cls', 'a') < 1;
UPDATE guarded SET question = 'x' WHERE embedding <=> embed('tiny-cls', 'a') < 0.5;
DELETE FROM guarded WHERE id = 1 RETURNING embedding <=> embed('tiny-cls', 'a');
MERGE INTO guarded AS g USING (SELECT embed('tiny-cls', 'a') AS v) AS q ON g.id = 1
    WHEN MATCHED AND g.embedding <=> q.v < 1 THEN DELETE WHEN NOT MATCHED THEN DO NOTHING;
SELECT count(*) FROM guarded;

-- In functions: of plpgsql when it runs, of SQL when it is made.
CREATE FUNCTION guarded_search(q text) RETURNS SETOF int LANGUAGE plpgsql AS $$
BEGIN RETURN QUERY SELECT id FROM guarded ORDER BY embedding <=> embed('tiny-cls', q) LIMIT 1; END $$;
SELECT guarded_search('a');
CREATE FUNCTION guarded_sql(q text) RETURNS int LANGUAGE sql
    AS $$ SELECT id FROM guarded ORDER BY embedding <=> embed('tiny-cls', q) LIMIT 1 $$;
-- An error of ours ends no more than any other.
DO $$ BEGIN PERFORM guarded_search('a'); EXCEPTION WHEN invalid_parameter_value THEN RAISE WARNING 'caught'; END $$;

-- What is not known passes: a model that is a parameter or a column, one of several queries.
PREPARE by_model(text) AS SELECT count(*) FROM guarded WHERE embedding <=> embed($1, 'a') < 2;
EXECUTE by_model('tiny-cls');
DEALLOCATE by_model;
SELECT count(*) FROM guarded, (VALUES ('tiny-cls')) AS m(name) WHERE embedding <=> embed(m.name, 'a') < 2;
SELECT count(*) FROM guarded, (SELECT embed('tiny-cls', 'a') AS v UNION ALL SELECT embed('tiny-last', 'a')) AS q
WHERE embedding <=> q.v < 2;
-- So does what is no comparison.
SELECT count(*) FROM guarded WHERE vector_dims(embedding || embed('tiny-cls', 'a')) = 32;
SELECT count(*) FROM guarded WHERE embedding IS DISTINCT FROM embed('tiny-cls', 'a');
-- A function of the same name that is another's.
CREATE SCHEMA guarded_schema;
CREATE FUNCTION guarded_schema.embed(model text, input text) RETURNS vector LANGUAGE sql
    AS $$ SELECT public.embed('tiny-last', input) $$;
SELECT count(*) FROM guarded WHERE embedding <=> guarded_schema.embed('tiny-cls', 'a') < 2;

-- Off: for a session, or for one function. It belongs to everybody.
CREATE ROLE regress_guarded;
GRANT SELECT ON guarded TO regress_guarded;
SET ROLE regress_guarded;
SELECT count(*) FROM guarded WHERE embedding <=> embed('tiny-cls', 'a') < 2;
SET itembank_embed.model_guard = off;
SELECT count(*) FROM guarded WHERE embedding <=> embed('tiny-cls', 'a') < 2;
RESET ROLE;
RESET itembank_embed.model_guard;
CREATE FUNCTION guarded_sql(q text) RETURNS bool LANGUAGE sql SET itembank_embed.model_guard = off
    AS $$ SELECT bool_and(embedding <=> embed('tiny-cls', q) < 2) FROM guarded $$;
SELECT guarded_sql('a');
ALTER FUNCTION guarded_search SET itembank_embed.model_guard = off;
SELECT count(*) FROM guarded_search('a');

-- Names mean what they mean now: a prepared statement is checked again when another column takes the name.
PREPARE search AS SELECT count(*) FROM guarded_parts WHERE embedding <=> embed('tiny-cls', 'a') < 2;
EXECUTE search;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT drop_embedding('guarded_parts', 'embedding');
SELECT add_embedding('guarded_parts', 'embedding', 'tiny-last', inputs => 'question', index => false);
SELECT count(*) FROM guarded_parts WHERE embedding <=> embed('tiny-last', 'a') < 2;
EXECUTE search;
ROLLBACK;
EXECUTE search;

-- In an empty search path, and by names that need quotes.
SET search_path = '';
SELECT 1 FROM public.guarded ORDER BY embedding OPERATOR(public.<=>) public.embed('tiny-cls', 'a');
RESET search_path;
CREATE TABLE guarded_schema."It's" (id int PRIMARY KEY, "내용" text);
SELECT add_embedding('guarded_schema."It''s"', '벡터', 'tiny-last', inputs => '내용', index => false);
\set VERBOSITY default
SELECT 1 FROM guarded_schema."It's" ORDER BY "벡터" <=> embed('tiny-cls', 'a');

DROP TABLE guarded, guarded_parts CASCADE;
DROP SCHEMA guarded_schema CASCADE;
DROP FUNCTION guarded_search, guarded_sql;
DROP DOMAIN guarded_domain;
DROP ROLE regress_guarded;
