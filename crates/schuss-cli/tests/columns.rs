//! Parquet files in `schuss data show`.
#![cfg(feature = "full")]

mod common;

use common::Place;

/// File of 2,000 rows, sorted by class, in ten row groups.
const ORDERED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../schuss-data/tests/files/ordered.parquet");

/// Returns the output of `data show` under a memory limit.
fn shown(order: &str, memory: &str) -> String {
    let ran = Place::new().run(&["data", "show", ORDERED, "--order", order, "--memory", memory]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stdout
}

/// Returns all lines except those on the memory held and on the distance of batches from the whole, which is measured
/// on different batches if the file is read in different parts.
fn without_memory(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| !line.starts_with("memory ") && !line.contains("mixes classes poorly"))
        .collect()
}

#[test]
fn data_show_says_how_an_order_mixes_the_groups_of_a_parquet_file() {
    let [sequential, blocks] = ["sequential", "blocks:2"].map(|order| shown(order, "1GiB"));
    assert!(sequential.contains("the order sequential mixes classes poorly"), "{sequential}");
    assert!(blocks.contains("in the order blocks:2, classes are mixed"), "{blocks}");
}

#[test]
fn data_show_says_the_same_of_a_parquet_file_that_does_not_fit_into_memory() {
    for order in ["sequential", "blocks:2"] {
        let [held, streamed] = ["1GiB", "64KiB"].map(|memory| shown(order, memory));
        assert!(held.contains("fingerprint"), "{held}");
        assert_eq!(without_memory(&held), without_memory(&streamed), "{order}");
    }
}

#[test]
fn data_show_refuses_memory_that_cannot_even_hold_where_rows_begin() {
    let ran = Place::new().run(&["data", "show", ORDERED, "--memory", "2KiB"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("give more --memory"), "{}", ran.stderr);
}
