//! The workers of the columns, for the SQL that puts something into their queues.

use crate::columns::worker;
use pgrx::prelude::*;

/// Once the transaction has committed, this database's worker looks for work; it is started where there is none.
#[pg_extern(volatile, parallel_restricted)]
fn embedding_wake() {
    worker::wake_at_commit();
}

/// Whether the server has workers: whether a queue is worked on without anybody calling `backfill`.
#[pg_extern(stable, parallel_restricted)]
fn embedding_worker_available() -> bool {
    worker::available()
}
