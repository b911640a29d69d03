-- Reports: the table of several models, its bars, and the picture. The values are those of evaluate.
\set SHOW_CONTEXT never
SET extra_float_digits = -11; -- four digits are enough to read
CREATE TEMP TABLE judged (query_id, item_id, relevance) AS VALUES
    ('가', '1', 3), ('가', '2', 1), ('가', '3', 0), ('나', '1', 2), ('다', '4', 0), ('라', '5', 1);
CREATE TEMP TABLE category (query_id, category) AS VALUES
    ('가', '수학'), ('나', '수학'), ('라', '과학'), ('나', '과학'), ('나', '과학'), ('다', NULL), ('마', '역사');
CREATE TEMP TABLE first_run (query_id, item_id, score) AS VALUES
    ('가', '1', 0.9), ('가', '9', 0.8), ('가', '2', 0.7), ('나', '7', 0.5), ('나', '1', 0.4), ('다', '4', 0.1);
CREATE TEMP TABLE second_run AS SELECT * FROM first_run WHERE query_id <> '나';
\set runs '{"모델 \\"하나\\"": "SELECT query_id, item_id, score FROM first_run -- all", "둘": "TABLE second_run", "none": "SELECT * FROM first_run WHERE false"}'

SELECT * FROM evaluation_report(:'runs', 'TABLE judged');
SELECT category, model, queries, top_1, top_3, mrr, ndcg_10, ndcg_10_bar
FROM evaluation_report(:'runs', 'TABLE judged', 'SELECT query_id, category FROM category');

-- The options are those of evaluate, and the overall rows its means.
SELECT model, queries, top_1, mrr FROM evaluation_report(:'runs', 'TABLE judged', missing => 'skip', min_relevance => 2);
SELECT category, model, queries, mrr FROM evaluation_report(:'runs', 'TABLE judged', 'TABLE category', missing => 'skip');
SELECT count(*) AS metrics, bool_and(report.value = evaluate.value) AS same
FROM evaluate('TABLE first_run', 'TABLE judged', '{recall@3,mrr,ndcg@10,map}', gain => 'exponential') AS evaluate,
     evaluation_report('{"a": "TABLE first_run"}', 'TABLE judged', gain => 'exponential') AS table_row,
     unnest(ARRAY['recall@3', 'mrr', 'ndcg@10', 'map'],
            ARRAY[table_row.top_3, table_row.mrr, table_row.ndcg_10, table_row.map]) AS report (metric, value)
WHERE evaluate.query_id IS NULL AND evaluate.metric = report.metric;
SELECT * FROM evaluation_report(:'runs', 'SELECT * FROM judged WHERE false', 'TABLE category');

-- Bars.
SELECT value, '|' || text_bar(value, 4) || '|' AS bar
FROM unnest('{0,0.01,0.0625,0.125,0.25,0.3,0.7,0.999,1,1.5,-1,NaN,Infinity,NULL}'::float8[]) AS value;
SELECT length(text_bar(1)) AS default_width, text_bar(1, 0) AS none, text_bar(1, -1) AS less;

-- The picture: one document, a band a model, names escaped, ASCII, the same each time.
SELECT evaluation_svg(:'runs', 'TABLE judged', 5, '재현율 <k>') AS svg \gset
SELECT :'svg' LIKE '<svg xmlns="http://www.w3.org/2000/svg"%</svg>' || chr(10) AS one_document,
       :'svg' ~ '^[\x01-\x7e]*$' AS ascii,
       regexp_count(:'svg', '<polygon ') AS bands,
       position('<title>&#xC7AC;&#xD604;&#xC728; &lt;k&gt;</title>' IN :'svg') > 0 AS title,
       position('&#xBAA8;&#xB378; &quot;&#xD558;&#xB098;&quot;: recall@3 = 0.500' IN :'svg') > 0 AS tooltip,
       position('script' IN :'svg') AS script,
       :'svg' = evaluation_svg(:'runs', 'TABLE judged', 5, '재현율 <k>') AS same;
SELECT regexp_count(evaluation_svg(:'runs', 'TABLE judged', 1), 'whisker') AS one_k,
       regexp_count(evaluation_svg(:'runs', 'TABLE judged', 100), 'recall@100</text>') AS hundred,
       regexp_count(evaluation_svg(:'runs', 'SELECT * FROM judged WHERE false', 3), ': no value.') AS nothing_judged;

-- What cannot be reported.
SELECT evaluation_report('["TABLE first_run"]', 'TABLE judged');
\echo :SQLSTATE
SELECT evaluation_report(NULL, 'TABLE judged');
\echo :SQLSTATE
SELECT evaluation_report('{}', 'TABLE judged');
\echo :SQLSTATE
SELECT evaluation_report('{"a": "TABLE first_run", "b": 1}', 'TABLE judged');
\echo :SQLSTATE
SELECT evaluation_report('{"a": "TABLE first_run", "a": "TABLE second_run"}', 'TABLE judged');
\echo :SQLSTATE
SELECT evaluation_svg('{"a": "TABLE first_run"}', 'TABLE judged', 0);
\echo :SQLSTATE
SELECT evaluation_svg('{"a": "TABLE first_run"}', 'TABLE judged', 2147483647);
\echo :SQLSTATE
SELECT evaluation_svg('{"a": "TABLE first_run"}', 'TABLE judged', -2147483648);
\echo :SQLSTATE
SELECT length(evaluation_svg('{"a": "TABLE first_run"}', 'TABLE judged', 1000)) > 0 AS the_most;
SELECT text_bar(1, 2147483647) = text_bar(1, 1000) AS no_wider;
SELECT evaluation_svg('{"a": "TABLE first_run"}', 'TABLE judged', -3);
\echo :SQLSTATE
SELECT evaluation_svg('{"a": "TABLE first_run"}', 'TABLE judged', NULL);
\echo :SQLSTATE
SELECT evaluation_report('{"a": "DELETE FROM first_run RETURNING *"}', 'TABLE judged');
\echo :SQLSTATE

-- Categories: one SELECT, which writes nothing and has no more rights than its caller.
SELECT evaluation_report('{"a": "TABLE first_run"}', 'TABLE judged', '');
\echo :SQLSTATE
SELECT evaluation_report('{"a": "TABLE first_run"}', 'TABLE judged', 'SELECT query_id FROM category');
\echo :SQLSTATE
SELECT evaluation_report('{"a": "TABLE first_run"}', 'TABLE judged', 'DELETE FROM category RETURNING *');
\echo :SQLSTATE
SELECT evaluation_report('{"a": "TABLE first_run"}', 'TABLE judged', 'TABLE category) AS c (query_id, category); SELECT * FROM (TABLE category');
\echo :SQLSTATE
CREATE TABLE report_target (category text);
CREATE FUNCTION report_writes() RETURNS text LANGUAGE sql AS 'INSERT INTO report_target VALUES (1) RETURNING category';
SELECT evaluation_report('{"a": "TABLE first_run"}', 'TABLE judged', 'SELECT query_id, report_writes() FROM category');
\echo :SQLSTATE
BEGIN;
CREATE ROLE regress_report_reader;
GRANT SELECT ON first_run, judged TO regress_report_reader;
SET LOCAL ROLE regress_report_reader;
SELECT model, queries, mrr FROM evaluation_report('{"a": "TABLE first_run"}', 'TABLE judged');
SELECT evaluation_report('{"a": "TABLE first_run"}', 'TABLE judged', 'TABLE category');
\echo :SQLSTATE
ROLLBACK;

-- The transaction can write as before.
BEGIN;
SELECT count(*) AS rows FROM evaluation_report('{"a": "TABLE first_run"}', 'TABLE judged', 'TABLE category');
SHOW transaction_read_only;
INSERT INTO report_target VALUES ('written');
COMMIT;
DROP FUNCTION report_writes();
DROP TABLE report_target;
