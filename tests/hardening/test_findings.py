"""What random statements (dev/sqlsmith.sh) once found: each an error of its own class now."""

import pytest
from conftest import fails, setting


def test_ids_of_a_queue_may_not_be_null(sql):
    sql.execute("CREATE TABLE IF NOT EXISTS found (id int PRIMARY KEY, body text)")
    fails(sql, "22023", "SELECT * FROM embedding_fill('found', 'v', ARRAY[1, NULL]::bigint[])")
    sql.execute("DROP TABLE found")


def test_a_table_that_is_gone_is_not_announced(sql):
    assert sql.execute("SELECT embedding_announce(0)").fetchone() == ("",)


@pytest.mark.parametrize("ids", ["array_fill(1, ARRAY[2,2])", "array_fill(1, ARRAY[2], ARRAY[5])"])
def test_halving_ends_with_any_array(sql, ids):
    """Slices of these are the whole again, or empty: it was tried until the stack was full."""
    path = setting("ITEMBANK_FIXTURES")
    sql.execute("SELECT set_config('itembank_embed.model_path', %s, false)", (path,))
    sql.execute("CREATE TABLE halved (id int PRIMARY KEY, body text)")
    sql.execute("SELECT add_embedding('halved', 'v', 'tiny-bert', 'body', index => false)")
    query = f"SELECT count(*) FROM embedding_fill_safely('halved', 'v', {ids}::bigint[])"
    assert sql.execute(query).fetchone()[0] <= 4
    sql.execute("SELECT drop_embedding('halved', 'v')")
    sql.execute("DROP TABLE halved")


def test_a_swap_without_a_migration_ends(sql):
    """It waited for ever for a moment at which to swap a column in that was not there."""
    path = setting("ITEMBANK_FIXTURES")
    sql.execute("SELECT set_config('itembank_embed.model_path', %s, false)", (path,))
    sql.execute("CREATE TABLE found (id int PRIMARY KEY, body text)")
    sql.execute("SELECT add_embedding('found', 'v', 'tiny-bert', 'body', index => false)")
    sql.execute("SET statement_timeout = '20s'")
    fails(sql, "55000", "CALL embedding_swap('found', 'v', 10)")
    sql.execute("SELECT drop_embedding('found', 'v')")
    sql.execute("DROP TABLE found")
