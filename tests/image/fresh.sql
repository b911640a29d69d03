CREATE EXTENSION itembank_embed CASCADE;

CREATE TABLE items (id int PRIMARY KEY, subject text NOT NULL, question text NOT NULL);
SELECT add_embedding('items', 'embedding', 'multilingual-e5-small', inputs => 'question');
INSERT INTO items VALUES
    (1, '수학', '이차방정식 $x^2 - 5x + 6 = 0$의 두 근의 합은?'),
    (2, '수학', '첫째항이 $3$, 공차가 $4$인 등차수열의 첫째항부터 제$10$항까지의 합은?'),
    (3, '수학', '함수 $f(x) = \sin x + \cos x$의 최댓값을 구하시오.'),
    (4, '과학', '저항이 $5\,\Omega$인 니크롬선에 $10\,\mathrm{V}$를 걸 때 흐르는 전류는?'),
    (5, '과학', '식물의 광합성에 필요한 기체와 생성되는 기체를 쓰시오.'),
    (6, '역사', '조선 후기 실학자 정약용이 저술한 책은?');

CREATE TABLE queries (query_id text PRIMARY KEY, query_text text NOT NULL);
INSERT INTO queries VALUES
    ('q1', '두 근을 더한 값'), ('q2', '식물이 빛으로 양분을 만드는 과정'), ('q3', '수열의 합');
CREATE TABLE judgements (query_id text, item_id int, relevance int, PRIMARY KEY (query_id, item_id));
INSERT INTO judgements VALUES ('q1', 1, 2), ('q1', 2, 1), ('q2', 5, 2), ('q3', 2, 2), ('q3', 1, 0);
