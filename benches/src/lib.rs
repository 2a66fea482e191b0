//! Benchmarks: the workloads, compile time and run time.
