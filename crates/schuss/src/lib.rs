//! schuss
