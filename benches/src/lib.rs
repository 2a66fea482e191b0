//! The benchmark workloads: their data (a portable generator), their graphs, and the measuring loop.

pub mod data;
pub mod measure;
pub mod models;
pub mod table;
