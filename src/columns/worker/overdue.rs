//! The entry of a queue whose row takes too long: it steps aside for others, and says why.

use super::registry::Registered;
use crate::columns::definition::Definition;
use crate::postgres::owner::{AsOwner, Caller};
use crate::postgres::spi::{self, Parameter};
use crate::postgres::transaction::{self, Ended, Problem};
use crate::postgres::{extension, settings};
use pgrx::spi::Spi;

/// Marks the first entry that is due as failed, as `embedding_drain_batch` does it with rows that fail, but for longer, so
/// that it is not the first again after its column's pause; it took a batch of one too long. In a transaction of its own.
///
/// # Errors
/// What was raised; by triggers of the queue, which is the owner's, too.
pub fn record(column: &Registered, problem: &Problem) -> Result<(), Ended> {
    transaction::run_within(settings::worker_timeout(), || {
        Spi::connect(|_| {
            spi::execute("SET CONSTRAINTS ALL IMMEDIATE", &[])?;
            let schema = extension::schema()?;
            let _owner = AsOwner::of(column.table, Caller::Member);
            let definition = Definition::find(&schema, column.table, &column.target)?;
            let sql = format!(
                "UPDATE {queue} SET attempts = attempts + 1, code = $1, error = $2, retry_at = \
                 pg_catalog.clock_timestamp() + least(interval '1 hour', interval '1 min' * 2 ^ least(attempts, 20)) \
                 WHERE id IN (SELECT id FROM {queue} WHERE retry_at <= pg_catalog.clock_timestamp() \
                              ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)",
                queue = definition.sql.queue
            );
            let said = [Some(problem.message.as_str()), problem.detail.as_deref()];
            let said: Vec<&str> = said.into_iter().flatten().collect();
            let error = said.join(": ");
            let why = [Parameter::Text(Some(&problem.code)), Parameter::Text(Some(&error))];
            spi::execute(&sql, &why).map(drop)
        })
    })
}
