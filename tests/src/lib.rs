//! Suites that cross crates: file tests, snapshots, random graphs.
