-- What add_embedding is given: checked, and what is to be embedded as an SQL expression that means the same everywhere.

-- The arguments that can be wrong by themselves.
CREATE FUNCTION embedding_check_arguments(tbl regclass, target name, model text, inputs text, image text, mode text,
                                          index bool) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing text := CASE WHEN tbl IS NULL THEN 'tbl' WHEN target IS NULL THEN 'target' WHEN model IS NULL THEN 'model'
                         WHEN mode IS NULL THEN 'mode' WHEN index IS NULL THEN 'index' END;
BEGIN
    IF missing IS NOT NULL OR inputs IS NULL AND image IS NULL THEN
        RAISE EXCEPTION '% must not be null', coalesce(missing, 'one of inputs and image')
            USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'A model fills the column target of the table with embeddings of what inputs and image give.',
            HINT = 'For example: add_embedding(''items'', ''embedding'', ''multilingual-e5-small'', ''question'').';
    ELSIF mode NOT IN ('statement', 'queue', 'manual') THEN
        RAISE EXCEPTION 'unrecognized mode "%"', mode USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'It says when changed rows are embedded: in the statement, soon by a worker, or only by backfill.',
            HINT = 'Use ''statement'', ''queue'' or ''manual''.';
    ELSIF target = '' THEN
        RAISE EXCEPTION 'target must not be empty' USING ERRCODE = 'invalid_name',
            DETAIL = 'It is the name of a column.', HINT = 'For example: ''embedding''.';
    ELSIF mode = 'queue' AND EXISTS (SELECT FROM pg_class AS c WHERE c.oid = tbl AND c.relpersistence = 't') THEN
        RAISE EXCEPTION 'temporary table % cannot be kept by a background worker', tbl
            USING ERRCODE = 'feature_not_supported', DETAIL = 'Only its own session sees a temporary table.',
            HINT = 'Use mode => ''statement'' or mode => ''manual''.';
    ELSIF EXISTS (SELECT FROM @extschema@.embedding_columns AS c WHERE c.tbl = $1 AND c.target = $2) THEN
        PERFORM @extschema@.embedding_check_table(tbl);
        RAISE EXCEPTION 'column "%" of table % is an embedding column already', target, tbl
            USING ERRCODE = 'duplicate_object', DETAIL = 'Its model, inputs and mode are in embeddings().',
            HINT = format('To make it anew, first: SELECT drop_embedding(%L, %L); migrate_embedding changes its model.',
                          tbl::text, target);
    END IF;
END
$$;

-- The number of dimensions of the column, and its type without it, from what add_embedding was given.
CREATE FUNCTION embedding_size(model text, dimensions int, type text, index bool, OUT size int, OUT kind text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most int := @extschema@.model_dimensions(model);
    indexed int;
BEGIN
    size := coalesce(dimensions, most);
    kind := coalesce(type, CASE WHEN size > 2000 THEN 'halfvec' ELSE 'vector' END);
    IF kind NOT IN ('vector', 'halfvec') THEN
        RAISE EXCEPTION 'unrecognized type "%"', type USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'Vectors are kept as pgvector''s vector, four bytes a number, or halfvec, two.',
            HINT = 'Use ''vector'' or ''halfvec''.';
    END IF;
    indexed := CASE kind WHEN 'vector' THEN 2000 ELSE 4000 END;
    IF size NOT BETWEEN 1 AND most THEN
        RAISE EXCEPTION 'dimensions must be between 1 and %', most USING ERRCODE = 'invalid_parameter_value',
            DETAIL = format('Model "%s" gives %s numbers, of which the first ones are kept.', model, most),
            HINT = 'Leave dimensions out for all of them.';
    ELSIF index AND size > indexed THEN
        RAISE EXCEPTION 'an HNSW index takes a % of % dimensions at most, not of %', kind, indexed, size
            USING ERRCODE = 'program_limit_exceeded', DETAIL = 'That is pgvector''s limit.',
            HINT = CASE WHEN kind = 'vector' AND size <= 4000
                        THEN 'Use type => ''halfvec'', fewer dimensions, or index => false.'
                        ELSE 'Use fewer dimensions, or index => false.' END;
    END IF;
END
$$;

-- An error where the model does not take what it is given.
CREATE FUNCTION embedding_check_modalities(model text, inputs text, image text) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    m record;
    wrong text;
BEGIN
    SELECT * INTO m FROM @extschema@.models() AS i WHERE i.name = model;
    wrong := CASE WHEN inputs IS NOT NULL AND 'text' <> ALL (m.modalities) THEN 'text'
                  WHEN image IS NOT NULL AND 'image' <> ALL (m.modalities) THEN 'images'
                  WHEN inputs IS NOT NULL AND image IS NOT NULL AND m.kind LIKE 'siglip%'
                  THEN 'text and image together' END;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'model "%" does not embed %', model, wrong USING ERRCODE = 'invalid_parameter_value',
            DETAIL = format('It takes: %s.', array_to_string(m.modalities, ' or ')),
            HINT = 'models() lists what the models take. An embedding column each can be added for text and image.';
    END IF;
END
$$;

-- What a column of a template contributes: its text; of an array the elements, a line each. And when that is something.
CREATE FUNCTION embedding_template_value(tbl regclass, col text, OUT value text, OUT filled text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kind record;
BEGIN
    SELECT t.typcategory AS category, a.atttypid AS type INTO kind
    FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
    WHERE a.attrelid = tbl AND a.attname = col AND a.attnum > 0 AND NOT a.attisdropped;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'column "%" of the template does not exist in table %', col, tbl
            USING ERRCODE = 'undefined_column', DETAIL = @extschema@.embedding_table_columns(tbl),
            HINT = 'Write names between the braces as they are, without quotes, and {{ }} for braces that are text.';
    ELSIF kind.type = 'bytea'::regtype THEN
        RAISE EXCEPTION 'column "%" of the template is of type bytea', col USING ERRCODE = 'datatype_mismatch',
            DETAIL = 'A template is made of texts.',
            HINT = format('If it holds images: image => %L.', quote_ident(col));
    ELSIF kind.category = 'A' THEN
        value := format('pg_catalog.array_to_string(%I, E''\n'')', col);
        filled := format('%s OPERATOR(pg_catalog.<>) %L', value, '');
    ELSE
        value := format('%I::pg_catalog.text', col);
        filled := format('pg_catalog.num_nulls(%I) OPERATOR(pg_catalog.=) 0', col);
    END IF;
END
$$;

-- A template's lines as rows: each line's text as an expression, and when it has something; NULL: it is mere text.
CREATE FUNCTION embedding_template_lines(tbl regclass, template text) RETURNS TABLE (line text, filled text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    token text;
    pattern text := '\{\{|\}\}|\{[^{}]*\}|\\.|[^{}\\\n]+|.';
    literal text := '';
    parts text[] := '{}';
    col record;
BEGIN
    FOR token IN SELECT m[1] FROM regexp_matches(template || E'\n', pattern, 'g') AS m LOOP
        IF token IN (E'\n', '\n') THEN
            line := coalesce(nullif(array_to_string(array_append(parts, quote_literal(nullif(literal, ''))),
                                                    ' OPERATOR(pg_catalog.||) '), ''), quote_literal(''));
            RETURN NEXT;
            literal := '';
            parts := '{}';
            filled := NULL;
        ELSIF token ~ '^\{[^{]' AND token <> '{}' THEN
            SELECT * INTO col FROM @extschema@.embedding_template_value(tbl, substr(token, 2, length(token) - 2));
            parts := parts || ARRAY[quote_literal(nullif(literal, '')), format('coalesce(%s, %L)', col.value, '')];
            filled := concat_ws(' OR ', filled, col.filled);
            literal := '';
        ELSIF token IN ('{', '}', '{}') OR left(token, 1) = '\' AND token NOT IN ('\\', '\t') THEN
            RAISE EXCEPTION 'unexpected "%" in the template of inputs', token USING ERRCODE = 'invalid_parameter_value',
                DETAIL = 'A template is text with {column}; \n, \t and \\ are a line break, a tab and a backslash.',
                HINT = 'Write {{ }} for braces that are text, and \\ for a backslash.';
        ELSE
            literal := literal || CASE token WHEN '{{' THEN '{' WHEN '}}' THEN '}'
                                             WHEN '\\' THEN '\' WHEN '\t' THEN E'\t' ELSE token END;
        END IF;
    END LOOP;
END
$$;

-- The expression of a template: NULL where all its columns are, or are empty arrays; else its lines, but for such ones.
CREATE FUNCTION embedding_template(tbl regclass, template text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lines text;
    conditions text;
BEGIN
    SELECT string_agg(CASE WHEN l.filled IS NULL THEN l.line
                           ELSE format('CASE WHEN %s THEN %s END', l.filled, l.line) END, ', ' ORDER BY l.number),
           string_agg(l.filled, ' OR ' ORDER BY l.number)
    INTO lines, conditions
    FROM ROWS FROM (@extschema@.embedding_template_lines(tbl, template)) WITH ORDINALITY AS l (line, filled, number);
    IF conditions IS NULL THEN
        RAISE EXCEPTION 'the template of inputs uses no column' USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'Every row would have the same embedding.',
            HINT = 'Write {column} where a column''s text belongs. {{ and }} are braces that are text.';
    END IF;
    RETURN format('CASE WHEN %s THEN pg_catalog.concat_ws(E''\n'', %s) END', conditions, lines);
END
$$;

-- Whether inputs is a template: it has at least one {column} of the table.
CREATE FUNCTION embedding_is_template(tbl regclass, inputs text) RETURNS bool
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM pg_attribute AS a
                   WHERE a.attrelid = tbl AND a.attnum > 0 AND NOT a.attisdropped
                     AND position('{' || a.attname || '}' IN inputs) > 0)
$$;

-- Postgres' own reading of an expression, as for a CHECK constraint: no subqueries, aggregates, sets. Names are looked
-- up on the path, the text is for pg_catalog, pg_temp. The constraint is gone before it checks a row.
CREATE FUNCTION embedding_read(tbl regclass, expression text, path text,
                               OUT analysed text, OUT columns int2[], OUT type regtype)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    trial text := format(E'ALTER TABLE %s ADD CONSTRAINT itembank_embed_trial CHECK ((%s\n) IS NULL) NOT VALID',
                         tbl, expression);
BEGIN
    PERFORM set_config('search_path', path, true);
    EXECUTE trial;
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    SELECT c.conkey,
           substring(pg_get_expr(c.conbin, c.conrelid) FROM '^\((.*) IS (?:NULL|NOT DISTINCT FROM NULL)\)$')
    INTO columns, analysed FROM pg_constraint AS c WHERE c.conrelid = tbl AND c.conname = 'itembank_embed_trial';
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT itembank_embed_trial', tbl);
    -- Not evaluated: a CASE knows its type without that.
    EXECUTE format(E'SELECT pg_typeof(CASE WHEN false THEN (%s\n) END) '
                   'FROM (VALUES (0)) AS itembank_embed_one (itembank_embed_one) LEFT JOIN %s ON false', analysed, tbl)
        INTO type;
END
$$;

-- The same as the table's owner, by names of the caller's path. Who reads an expression runs the input functions of its
-- literals, and who plans a query what is constant in the conditions of indexes: code of the owner.
CREATE FUNCTION embedding_analyse(tbl regclass, expression text, path text,
                                  OUT analysed text, OUT columns int2[], OUT type regtype)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    schemas text;
BEGIN
    -- What "$user" is differs from one to the other.
    PERFORM set_config('search_path', path, true);
    schemas := (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(s), ', ')
                FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) AS s);
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    SELECT r.analysed, r.columns, r.type::oid INTO analysed, columns, type
    FROM @extschema@.embedding_as_owner(tbl, format(
             'SELECT analysed, columns, type::oid AS type FROM @extschema@.embedding_read(%s, %L, %L)',
             tbl::oid, expression, coalesce(schemas, ''))) AS j,
         jsonb_to_record(j) AS r (analysed text, columns int2[], type text);
END
$$;

-- inputs (of type text) or image (of type bytea) as such an expression, and the columns that it uses.
CREATE FUNCTION embedding_expression(tbl regclass, given text, argument text, path text,
                                     OUT expression text, OUT columns name[])
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    template bool := argument = 'inputs' AND @extschema@.embedding_is_template(tbl, given);
    wanted regtype := CASE argument WHEN 'image' THEN 'bytea' ELSE 'text' END;
    a record;
    code text;
    message text;
BEGIN
    IF template THEN
        expression := @extschema@.embedding_template(tbl, given);
    ELSE
        PERFORM @extschema@.embedding_check_expression(given, argument);
        expression := given;
    END IF;
    BEGIN
        SELECT * INTO a FROM @extschema@.embedding_analyse(tbl, expression,
                                                           CASE WHEN template THEN 'pg_catalog, pg_temp' ELSE path END);
    EXCEPTION WHEN syntax_error_or_access_rule_violation OR invalid_schema_name OR feature_not_supported
                   OR data_exception THEN
        GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
        RAISE EXCEPTION '% is no expression over the columns of table %', argument, tbl USING ERRCODE = code,
            DETAIL = upper(left(message, 1)) || substr(message, 2) || '.',
            HINT = format('It is one SQL expression of type %s, such as a column''s name%s. %s', wanted,
                          CASE argument WHEN 'inputs' THEN ', or text with {column}' ELSE '' END,
                          @extschema@.embedding_table_columns(tbl));
    END;
    PERFORM @extschema@.embedding_expression_type(a.type, wanted, argument);
    columns := @extschema@.embedding_expression_columns(tbl, a.columns, argument);
    expression := CASE WHEN a.type = wanted THEN a.analysed ELSE format('(%s)::%s', a.analysed, wanted) END;
END
$$;

-- An expression's columns by name. There must be one at least, and no row as a whole, whose text has the table's name.
CREATE FUNCTION embedding_expression_columns(tbl regclass, numbers int2[], argument text) RETURNS name[]
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF numbers IS NULL OR cardinality(numbers) = 0 THEN
        RAISE EXCEPTION '% uses no column of table %', argument, tbl USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'Every row would have the same embedding.',
            HINT = 'Give an expression over the table''s columns, such as a column''s name.';
    ELSIF 0 >= ANY (numbers) THEN
        RAISE EXCEPTION '% uses the row as a whole or a system column', argument
            USING ERRCODE = 'feature_not_supported',
            DETAIL = 'An embedding comes from columns of the row, and its vector is one too.',
            HINT = 'Name the columns.';
    END IF;
    RETURN (SELECT array_agg(a.attname ORDER BY a.attnum) FROM pg_attribute AS a
            WHERE a.attrelid = tbl AND a.attnum = ANY (numbers));
END
$$;

-- Strings of other types, and domains over the wanted one, are cast; everything else its writer has to cast himself.
CREATE FUNCTION embedding_expression_type(type regtype, wanted regtype, argument text) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF type = wanted OR EXISTS (SELECT FROM pg_type AS t WHERE t.oid = type
            AND (wanted = 'text'::regtype AND t.typcategory = 'S' OR t.typbasetype = wanted)) THEN
        RETURN;
    END IF;
    RAISE EXCEPTION '% is of type %, not %', argument, type, wanted USING ERRCODE = 'datatype_mismatch',
        DETAIL = 'inputs gives the text to embed, image the bytes of a picture.',
        HINT = CASE WHEN wanted = 'bytea'::regtype
                    THEN 'Pictures are kept as bytea: decode(column, ''base64'') makes it of base64 text.'
                    WHEN type = 'bytea'::regtype THEN 'If it is a picture, give it as image instead.'
                    ELSE 'Say how it reads: by a cast, array_to_string, or a template such as ''{column}''.' END;
END
$$;
