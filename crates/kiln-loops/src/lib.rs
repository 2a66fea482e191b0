//! The loop IR: how one kernel computes.
