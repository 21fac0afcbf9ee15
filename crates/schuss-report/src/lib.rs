//! schuss-report
