//! Fused graphs: results, and number of kernels.
