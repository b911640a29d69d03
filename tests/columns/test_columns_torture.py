"""A small run of the torture in each mode; dev/torture.sh runs the large ones."""

import pytest
from columns_server import server_of
from columns_torture import Plan, run
from conftest import setting

pytestmark = pytest.mark.server


@pytest.mark.parametrize("mode", ["queue", "statement"])
def test_no_row_is_lost_doubled_or_stale(mode):
    setting("ITEMBANK_TEST_URL")
    plan = Plan(mode, 1500, 10, piece=200, pace=0.4, sample=500, patience=40, pause=0.1)
    with server_of(f"columns-{mode}") as server:
        outcome = run(server, plan)
    print(outcome)
    assert not outcome.faults, str(outcome)
    assert outcome.report.rows > 1000
