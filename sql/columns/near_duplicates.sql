-- Items that are the same but for numbers or the order of their choices: by vectors and by text, for item security.

-- A text without what says nothing: a space beside another one, beside punctuation or at a line's end. Before a minus
-- a space says something: of "x - 3" and "is -3" the second has a negative number.
CREATE FUNCTION embedding_text_spaces(input text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    input := regexp_replace(translate(input, E'\t\r\f\v', '    '), ' {2,}', ' ', 'g');
    input := regexp_replace(replace(input, ' - ', '-'), ' (?=[^[:alnum:]-])', '', 'g');
    RETURN btrim(regexp_replace(input, '([^[:alnum:] ]) ', '\1', 'g'), E' \n');
END
$$;

-- A text with # for each number: 12, 1.5, .5, 1,000 and 1{,}000, with the sign where nothing is taken away.
CREATE FUNCTION embedding_text_numbers(input text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    input := regexp_replace(input, '(\d)(?:,|\{,\}|\\,)(?=\d{3}(?!\d))', '\1', 'g');
    input := regexp_replace(input, '\d*\.?\d+', '#', 'g');
    input := regexp_replace(input, '(^|[^[:alnum:])}\]#])-#', '\1#', 'g');
    RETURN replace(replace(replace(input, '{#}', '#'), ' #', '#'), '# ', '#');
END
$$;

CREATE FUNCTION embedding_text_sorted(input text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    RETURN (SELECT string_agg(l.line, E'\n' ORDER BY l.line COLLATE "C")
            FROM (SELECT btrim(given) AS line FROM string_to_table(input, E'\n') AS t (given)) AS l WHERE l.line <> '');

-- What two texts are compared by: plain (compatibility forms of Unicode, case, spaces), with # for each number, with
-- lines and choices in order, and both at once. Choices in one line are split too: at circled and parenthesised
-- numbers and letters, at (1), 1) and Hangul consonants with a full stop. Their marks count as little as their order,
-- and a label at a line's begin is a line of its own. Escapes, for this is also read where the encoding is not UTF8.
CREATE FUNCTION embedding_text_forms(input text, OUT plain text, OUT numbers text, OUT ordered text,
                                     OUT numbers_ordered text)
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    marks text := '\d\d?|[a-e]';
    unicode CONSTANT bool := getdatabaseencoding() = 'UTF8';
    choices text; -- a line each
BEGIN
    IF input IS NULL THEN
        RETURN;
    END IF;
    choices := input;
    IF unicode THEN
        marks := '\d\d?|[a-e\u1100-\u1112\uac00\ub098\ub2e4\ub77c\ub9c8\ubc14\uc0ac\uc544\uc790'
                 '\ucc28\uce74\ud0c0\ud30c\ud558]';
        input := regexp_replace(input, '[\u00ad\u200b-\u200d\u2060\ufeff]', '', 'g'); -- what is not seen
        choices := regexp_replace(input, '[\u2460-\u24ff\u2776-\u2793\u3200-\u321e\u3260-\u327e]', E'\n', 'g');
        input := translate(normalize(input, NFKC), chr(8722) || chr(8211), '--'); -- minus and en dash
        choices := translate(normalize(choices, NFKC), chr(8722) || chr(8211), '--');
        choices := regexp_replace(choices, '\s[\u1100-\u1112]\.', E'\n', 'g');
    END IF;
    input := lower(input);
    choices := lower(choices);
    choices := regexp_replace(choices, format('(?:^|\s)\(?(?:%s)\)', marks), E'\n', 'g');
    choices := regexp_replace(choices, format('^\s*(?:%s)\.(?!\d)', marks), '', 'gn');
    choices := regexp_replace(choices, '^[ \t]*([^\s:][^:\n]{0,20}:)(?=\s)', E'\\1\n', 'gn');
    plain := @extschema@.embedding_text_spaces(translate(input, E'\n', ' '));
    numbers := @extschema@.embedding_text_numbers(plain);
    IF strpos(choices, E'\n') = 0 THEN
        ordered := plain;
        numbers_ordered := numbers;
    ELSE
        choices := @extschema@.embedding_text_spaces(choices);
        ordered := @extschema@.embedding_text_sorted(choices);
        numbers_ordered := @extschema@.embedding_text_sorted(@extschema@.embedding_text_numbers(choices));
    END IF;
END
$$;

-- The embedding column that is meant: the one of that name, or the only current one of the table.
CREATE FUNCTION embedding_column_meant(tbl regclass, target name) RETURNS embedding_columns
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known name[];
BEGIN
    IF tbl IS NOT NULL AND target IS NULL THEN
        known := ARRAY(SELECT c.target FROM @extschema@.embedding_columns AS c
                       WHERE c.tbl = $1 AND c.role = 'current' ORDER BY 1);
        IF cardinality(known) <> 1 THEN
            RAISE EXCEPTION 'table % has % embedding columns', tbl, coalesce(nullif(cardinality(known), 0)::text, 'no')
                USING ERRCODE = CASE cardinality(known) WHEN 0 THEN 'undefined_object' ELSE 'ambiguous_column' END,
                DETAIL = coalesce('They are: ' || nullif(array_to_string(known, ', '), '') || '.',
                                  'Items are compared by their vectors.'),
                HINT = coalesce('Name one: target => ' || quote_literal(known[1]) || '.',
                                'add_embedding makes one; embeddings() lists those there are.');
        END IF;
        target := known[1];
    END IF;
    RETURN @extschema@.embedding_column(tbl, target);
END
$$;

-- The query of near_duplicates. What is where in the table holds for one statement, hence one query.
CREATE FUNCTION embedding_near_pairs(c embedding_columns, neighbours int, threshold float8) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format($query$
        WITH given AS (
            SELECT row_number() OVER (ORDER BY %1$s) AS number, t.tableoid, t.ctid, %2$s AS key,
                   (%3$s
                   ) AS input, encode(sha256(%4$s
                   ), 'hex') AS image
            FROM %5$s AS t WHERE t.%6$I IS NOT NULL
        ), item AS MATERIALIZED (
            SELECT g.number, g.tableoid, g.ctid, g.key, coalesce(g.input, g.image) IS NOT NULL AS comparable,
                   md5(concat(g.image, f.plain)) AS plain, md5(concat(g.image, f.numbers)) AS numbers,
                   md5(concat(g.image, f.ordered)) AS ordered,
                   md5(concat(g.image, f.numbers_ordered)) AS numbers_ordered
            FROM given AS g, @extschema@.embedding_text_forms(g.input) AS f
        ), near AS (
            SELECT t.tableoid AS table_a, t.ctid AS row_a, n.tableoid AS table_b, n.ctid AS row_b
            FROM %5$s AS t CROSS JOIN LATERAL (
                SELECT u.tableoid, u.ctid, u.%6$I OPERATOR(%7$I.<=>) t.%6$I AS distance
                FROM %5$s AS u ORDER BY u.%6$I OPERATOR(%7$I.<=>) t.%6$I LIMIT %8$s) AS n
            WHERE t.%6$I IS NOT NULL AND n.distance <= 1 - %9$s + 1e-6
        ), pair AS (
            SELECT number AS a, unnest(array_agg(number) OVER (
                PARTITION BY numbers ORDER BY number ROWS BETWEEN 1 FOLLOWING AND 100 FOLLOWING)) AS b
            FROM item WHERE comparable
            UNION
            SELECT number, unnest(array_agg(number) OVER (
                PARTITION BY numbers_ordered ORDER BY number ROWS BETWEEN 1 FOLLOWING AND 100 FOLLOWING))
            FROM item WHERE comparable
            UNION
            SELECT least(a.number, b.number), greatest(a.number, b.number)
            FROM near AS n JOIN item AS a ON a.ctid = n.row_a AND a.tableoid = n.table_a
                JOIN item AS b ON b.ctid = n.row_b AND b.tableoid = n.table_b
            WHERE a.number <> b.number
        )
        SELECT a.key AS key_a, b.key AS key_b, nullif(1 - (t.%6$I OPERATOR(%7$I.<=>) u.%6$I), 'NaN') AS similarity, k.kind
        FROM pair AS p JOIN item AS a ON a.number = p.a JOIN item AS b ON b.number = p.b
            JOIN %5$s AS t ON t.ctid = a.ctid AND t.tableoid = a.tableoid
            JOIN %5$s AS u ON u.ctid = b.ctid AND u.tableoid = b.tableoid,
            LATERAL (SELECT CASE WHEN NOT (a.comparable AND b.comparable) THEN 'similar'
                        WHEN a.plain = b.plain THEN 'identical' WHEN a.ordered = b.ordered THEN 'order'
                        WHEN a.numbers = b.numbers THEN 'numbers'
                        WHEN a.numbers_ordered = b.numbers_ordered THEN 'numbers and order'
                        ELSE 'similar' END) AS k (kind)
        ORDER BY array_position('{identical,order,numbers,numbers and order,similar}', k.kind),
                 similarity DESC NULLS LAST, p.a, p.b
    $query$, k.key_order, @extschema@.embedding_key_text('t', c.key_columns),
        coalesce(c.input_expression, 'NULL::text'), coalesce(c.image_expression, 'NULL::bytea'), c.tbl,
        c.target, v.schema, CASE neighbours WHEN 0 THEN 0 ELSE neighbours + 1 END,
        quote_literal(threshold) || '::float8')
    FROM @extschema@.embedding_vector_type(c.tbl, c.target) AS v,
        (SELECT string_agg(format('t.%I', u.col), ', ' ORDER BY u.place)
         FROM unnest(c.key_columns) WITH ORDINALITY AS u (col, place)) AS k (key_order)
$$;

-- Candidates are each row's nearest rows (through the column's index where there is one) from the threshold on, and
-- rows whose texts are equal in one of their forms: all pairs of up to 101 such rows, of more of them each with the
-- next 100. Items with images are of the same text only where the image is the same too. Rows without a vector are
-- left out. With the caller's rights; who has the table owner's lends none to what the inputs' expression calls.
CREATE FUNCTION near_duplicates(tbl regclass, threshold float8 DEFAULT 0.95, target name DEFAULT NULL,
                                neighbours int DEFAULT 10)
    RETURNS TABLE (key_a text, key_b text, similarity float8, kind text)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp SET jit = off SET hnsw.ef_search = 1000 SET ivfflat.probes = 32768
AS $$
DECLARE
    wrong text := CASE
        WHEN threshold IS NULL OR threshold NOT BETWEEN -1 AND 1 THEN 'threshold must be -1 to 1'
        WHEN neighbours IS NULL OR neighbours NOT BETWEEN 0 AND 500 THEN 'neighbours must be 0 to 500' END;
    pairs text;
BEGIN
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '%', wrong USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'Pairs of other texts are given from a cosine of threshold on, each row with its nearest neighbours.',
            HINT = 'For example: near_duplicates(''items'', 0.95).';
    END IF;
    PERFORM set_config('hnsw.ef_search', least(1000, greatest(40, 2 * (neighbours + 1)))::text, true),
            set_config('ivfflat.probes', '32', true);
    pairs := @extschema@.embedding_near_pairs(@extschema@.embedding_column_meant(tbl, target), neighbours, threshold);
    IF @extschema@.embedding_may(tbl) THEN
        RETURN QUERY SELECT r.key_a, r.key_b, r.similarity, r.kind
                     FROM @extschema@.embedding_as_owner(tbl, pairs) AS j,
                          jsonb_to_record(j) AS r (key_a text, key_b text, similarity float8, kind text);
    ELSE
        RETURN QUERY EXECUTE pairs;
    END IF;
END
$$;
