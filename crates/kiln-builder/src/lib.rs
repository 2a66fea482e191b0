//! The Rust API that records graphs.
