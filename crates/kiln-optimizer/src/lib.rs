//! The graph optimizer: passes, fusion, scheduling and buffer assignment.

pub mod fusion;
