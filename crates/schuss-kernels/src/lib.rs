//! schuss-kernels
