//! Precompiled CPU kernels and the thread pool that compiled programs call.
