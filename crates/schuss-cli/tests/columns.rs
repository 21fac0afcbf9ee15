//! Parquet through the command.
#![cfg(feature = "full")]

mod common;

use common::Place;

/// 2,000 rows, class after class, in ten groups.
const ORDERED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../schuss-data/tests/files/ordered.parquet");

/// What `data show` says in so much memory.
fn shown(order: &str, memory: &str) -> String {
    let ran = Place::new().run(&["data", "show", ORDERED, "--order", order, "--memory", memory]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stdout
}

/// All but the lines that say how much is held in memory and how far batches are from the whole, which is measured on
/// other batches where a file is read in other parts.
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
