//! Planning: what runs together, in which order, and where it keeps its values.
//!
//! [`fusion`] partitions an optimized function into groups, [`schedule`] orders tasks for low peak memory, [`arena`] places
//! buffers by their lifetimes. Nothing here changes a function.

pub mod arena;
pub mod fusion;
pub mod schedule;
