//! Programs: kernels in order, buffers with offsets, and a signature.
