//! The ground: everything that touches Postgres' C side, and the only room with `unsafe` of ours.
#![allow(unsafe_code, reason = "the boundary to Postgres; each use says why it holds")]

pub mod aggregate;
pub mod array;
pub mod background;
pub mod child;
pub mod deadline;
pub mod error;
pub mod expression;
pub mod extension;
pub mod interrupts;
pub mod invalidation;
pub mod log;
pub mod memory;
pub mod owner;
pub mod query;
pub mod query_tree;
pub mod registry;
pub mod relation;
pub mod settings;
pub mod shared;
pub mod signals;
pub mod snapshot;
pub mod socket;
pub mod spi;
pub mod subtransaction;
pub mod text;
pub mod transaction;
pub mod trigger;
pub mod varlena;
pub mod vector;
pub mod window;
pub mod worker;
pub mod worker_slots;
