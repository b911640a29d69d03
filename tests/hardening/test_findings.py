"""What random statements (dev/sqlsmith.sh) once found: each an error of its own class now."""

from conftest import fails


def test_ids_of_a_queue_may_not_be_null(sql):
    sql.execute("CREATE TABLE IF NOT EXISTS found (id int PRIMARY KEY, body text)")
    fails(sql, "22023", "SELECT * FROM embedding_fill('found', 'v', ARRAY[1, NULL]::bigint[])")
    sql.execute("DROP TABLE found")


def test_a_table_that_is_gone_is_not_announced(sql):
    assert sql.execute("SELECT embedding_announce(0)").fetchone() == ("",)
