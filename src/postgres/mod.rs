//! The ground: everything that touches Postgres' C side, and the only room with `unsafe` of ours.
#![allow(unsafe_code, reason = "the boundary to Postgres; each use says why it holds")]

pub mod aggregate;
pub mod array;
pub mod background;
pub mod child;
pub mod error;
pub mod interrupts;
pub mod log;
pub mod query;
pub mod settings;
pub mod shared;
pub mod signals;
pub mod socket;
pub mod text;
pub mod varlena;
pub mod vector;
pub mod window;
pub mod worker;
