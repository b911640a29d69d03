-- Tables of the sample item bank; load.sql fills them. No embedding column: add one as you need it.

CREATE TABLE items (
    id            text PRIMARY KEY,
    subject       text NOT NULL,
    grade         smallint NOT NULL CHECK (grade BETWEEN 3 AND 12),
    unit          text NOT NULL,
    difficulty    smallint NOT NULL CHECK (difficulty BETWEEN 1 AND 5),
    question_text text NOT NULL,
    choices       text[] NOT NULL DEFAULT '{}' CHECK (cardinality(choices) IN (0, 5)),
    answer        text NOT NULL,
    image         bytea
);

COMMENT ON TABLE items IS 'Exam items; question text and choices hold LaTeX between dollar signs';
COMMENT ON COLUMN items.grade IS 'School year: 3-6 초등, 7-9 중학교 1-3, 10-12 고등학교 1-3';
COMMENT ON COLUMN items.unit IS 'Name of the unit (단원)';
COMMENT ON COLUMN items.difficulty IS '1 (easiest) to 5';
COMMENT ON COLUMN items.choices IS 'Five choices without their circled numbers; empty for a short-answer item';
COMMENT ON COLUMN items.answer IS 'Number of the right choice, or the short answer itself';
COMMENT ON COLUMN items.image IS 'Figure as a PNG, NULL when the item has none';

CREATE TABLE queries (
    query_id   text PRIMARY KEY,
    query_text text NOT NULL,
    language   text NOT NULL CHECK (language IN ('ko', 'en')),
    note       text
);

COMMENT ON TABLE queries IS 'Search phrases as a teacher would type them';

CREATE TABLE judgements (
    query_id  text NOT NULL,
    item_id   text NOT NULL REFERENCES items (id),
    relevance smallint NOT NULL CHECK (relevance BETWEEN 0 AND 3),
    PRIMARY KEY (query_id, item_id),
    CHECK (query_id <> item_id)
);

COMMENT ON TABLE judgements IS 'Graded relevance of items to queries';
COMMENT ON COLUMN judgements.query_id IS 'An id of queries, or of items for a search by item';
COMMENT ON COLUMN judgements.relevance IS
    '3 same template or wanted type, 2 same type in other words, 1 same unit, 0 only looks alike';
