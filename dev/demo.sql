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
\echo '2. One call is all it takes: it adds the column, embeds what is there (546 items, about half a minute on two cores),'
\echo '   builds an HNSW index, and from now on every INSERT, UPDATE and COPY embeds what it changes'
\echo '   SELECT add_embedding(''items'', ''embedding'', ''multilingual-e5-small'', inputs => ''{question_text}\\n{choices}'')'
SET client_min_messages = notice;
\timing on
SELECT add_embedding('items', 'embedding', 'multilingual-e5-small', inputs => '{question_text}\n{choices}');
\timing off
SET client_min_messages = warning;
ANALYZE items;
SELECT target, model, mode, type, dimensions, rows, embedded, coverage, index FROM embeddings() WHERE tbl = 'items'::regclass;

\echo
\echo '3. Only what changed is embedded: an UPDATE of another column, of all items, asks the model for nothing'
\timing on
UPDATE items SET difficulty = difficulty;
INSERT INTO items (id, subject, grade, unit, difficulty, answer, question_text)
    VALUES ('X-0001', '수학', 10, '이차방정식', 2, '7', '이차방정식 $x^2 - 7x + 12 = 0$의 두 근의 합은?');
\timing off
SELECT id, embedding IS NOT NULL AS embedded FROM items WHERE id = 'X-0001';
DELETE FROM items WHERE id = 'X-0001';

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
FROM (SELECT *, embedding <=> embed_query('items', 'embedding', :'q') AS distance
      FROM items ORDER BY distance LIMIT 5) AS nearest;

\echo
\echo 'b) a formula'
\set q '$\\lim_{x \\to 2} \\frac{x^2 - 4}{x - 2}$'
\echo '  ' :q
SELECT :columns
FROM (SELECT *, embedding <=> embed_query('items', 'embedding', :'q') AS distance
      FROM items ORDER BY distance LIMIT 5) AS nearest;

\echo
\echo 'c) Korean items, asked for in English'
\set q 'sum of the first ten terms of an arithmetic sequence'
\echo '  ' :q
SELECT :columns
FROM (SELECT *, embedding <=> embed_query('items', 'embedding', :'q') AS distance
      FROM items ORDER BY distance LIMIT 5) AS nearest;

\echo
\echo 'd) only 과학, only 중학교 (grades 7 to 9): SQL filters as ever'
\set q '전류와 저항'
\echo '  ' :q
SELECT :columns
FROM (SELECT *, embedding <=> embed_query('items', 'embedding', :'q') AS distance
      FROM items WHERE subject = '과학' AND grade BETWEEN 7 AND 9 ORDER BY distance LIMIT 5) AS nearest;

\echo
\echo 'e) items like this one: near duplicates need no model at all, their vectors are there'
SELECT id, left(question_text, 60) AS question FROM items WHERE id = 'M-0002';
SELECT :columns
FROM (SELECT *, embedding <=> (SELECT embedding FROM items WHERE id = 'M-0002') AS distance
      FROM items WHERE id <> 'M-0002' ORDER BY distance LIMIT 5) AS nearest;

\timing off
\echo
\echo '5. Two stages: the index finds the best hits, rerank_batch puts them in order (late interaction,'
\echo '   by the same model: every token of the query is compared with every token of the item)'
-- A filter that is NULL is none; as many hits are reranked as hits says, and the best results of them given.
CREATE FUNCTION search_items(
    query text, subject text DEFAULT NULL, grades int[] DEFAULT NULL,
    hits int DEFAULT 50, results int DEFAULT 10)
RETURNS TABLE (rank bigint, rank_before bigint, id text, similarity float8, score real, question text)
LANGUAGE sql STABLE
SET hnsw.iterative_scan = strict_order  -- search on where the filters leave too few (to hnsw.max_scan_tuples)
SET hnsw.ef_search = 100                -- not below hits
AS $$
    WITH nearest AS (
        SELECT item.*, item.embedding <=>
               (SELECT embed_query('items', 'embedding', query)) AS distance
        FROM items AS item
        WHERE (search_items.subject IS NULL OR item.subject = search_items.subject)
          AND (grades IS NULL OR item.grade = ANY (grades))
        ORDER BY distance LIMIT hits
    ), scored AS (
        SELECT nearest.*, row_number() OVER (ORDER BY distance, nearest.id) AS rank_before,
               rerank_batch(query, concat_ws(E'\n', question_text, array_to_string(choices, E'\n'))) OVER () AS score
        FROM nearest
    )
    SELECT row_number() OVER best_first, scored.rank_before, scored.id, 1 - distance, scored.score, question_text
    FROM scored
    WINDOW best_first AS (ORDER BY scored.score DESC NULLS LAST, scored.rank_before)
    ORDER BY 1 LIMIT results
$$;

\set shown 'rank, rank_before, id, round(similarity::numeric, 3) AS similarity, round(score::numeric, 3) AS score'
\set shown :shown ', left(question, 50) AS question'
\timing on
\echo
\set q '두 근의 합과 곱을 구하는 이차방정식 문제'
\echo '  ' :q
SELECT :shown FROM search_items(:'q', hits => 20, results => 5);

\echo
\set q '전류와 저항'
\echo '  ' :q '(과학, grades 7 to 9)'
SELECT :shown FROM search_items(:'q', subject => '과학', grades => '{7,8,9}', hits => 20, results => 5);

\echo
\echo '6. Measured: the best 10 hits of 50 search phrases, in the order of the index and reranked (500 pairs,'
\echo '   about 15 seconds on two cores), against the judgements of the sample item bank'
CREATE TABLE run AS
    SELECT query_id, found.id AS item_id, rank_before, rank
    FROM queries, search_items(query_text, hits => 10, results => 10) AS found;
\timing off
\set judged 'SELECT query_id, item_id, relevance FROM judgements JOIN queries USING (query_id)'
\set vectors 'SELECT query_id, item_id, -rank_before FROM run'
\set reranked 'SELECT query_id, item_id, -rank FROM run'
SELECT json_build_object('vectors', :'vectors', 'reranked', :'reranked') AS runs \gset
SET extra_float_digits = -11;
SELECT model, queries, top_1, top_5, top_10, mrr, ndcg_5, ndcg_10, ndcg_10_bar FROM evaluation_report(:'runs', :'judged');

\echo
\echo '   Or is it chance? A randomisation test over the queries, and the interval of the difference'
SELECT metric, a, b, ci_low, ci_high, better, worse, p_value FROM compare_runs(:'vectors', :'reranked', :'judged', '{mrr,ndcg@10}');

\echo
\if :{?drawing}
\else
    \set drawing demo-recall.svg
\endif
\echo '   Recall over k, drawn:' :drawing '(open it in a browser)'
\pset format unaligned
\pset tuples_only on
\o :drawing
SELECT evaluation_svg(:'runs', :'judged', 10, 'Sample item bank, multilingual-e5-small');
\o
\pset tuples_only off
\pset format aligned

\echo
\echo '7. Another model, while everybody reads and writes: a second column is filled beside the first, compared with it, and'
\echo '   takes its name in one short transaction. Here to an English model, so that the report has something to say'
SELECT count(judge(query_id, item_id, relevance, assessor => 'demo') IS NULL) AS judgements
FROM judgements JOIN queries USING (query_id);
SET client_min_messages = notice;
\timing on
CALL migrate_embedding('items', 'embedding', 'all-MiniLM-L6-v2', queries => 'SELECT query_id, query_text FROM queries');
\timing off
\echo
\echo '   It finds Korean items far worse. embed_query took the new model with the column; and back again:'
SELECT left(question_text, 60) AS nearest FROM items ORDER BY embedding <=> embed_query('items', 'embedding', '두 근의 합') LIMIT 1;
SELECT rollback_embedding('items', 'embedding');
SELECT drop_embedding('items', 'embedding_next');
SELECT left(question_text, 60) AS nearest FROM items ORDER BY embedding <=> embed_query('items', 'embedding', '두 근의 합') LIMIT 1;
SET client_min_messages = warning;
DELETE FROM evaluation_judgements WHERE assessor = 'demo';

\echo
\echo '8. Items that are the same but for numbers or the order of their choices'
SELECT kind, count(*) AS pairs FROM near_duplicates('items', 0.97) GROUP BY kind ORDER BY pairs DESC;
SELECT kind, round(similarity::numeric, 3) AS similarity, left(a.question_text, 45) AS one, left(b.question_text, 45) AS other
FROM near_duplicates('items', 0.97) JOIN items AS a ON a.id = key_a JOIN items AS b ON b.id = key_b
WHERE kind <> 'similar' ORDER BY kind, similarity DESC LIMIT 6;
