//! Tests of labels, codes and missing cells.

use super::*;
use crate::reader::LabelKind;

#[test]
fn a_word_for_nothing_is_a_word_in_quotes() {
    let found = open("x,code\n1,\"NA\"\n2,EU\n3,\"NA\"\n").unwrap();
    assert_eq!(found.classes, ["EU", "NA"]);
    let spaced = open("x code\n1 \"NA\"\n2 EU\n3 EU\n").unwrap();
    assert_eq!(spaced.classes, ["EU", "NA"]);
    assert!(open("x,code\n1,NA\n2,EU\n").is_err());
    assert!(open("x,code\n1,\"\"\n2,EU\n").is_err());
}

#[test]
fn a_category_that_training_never_saw_is_zeros_and_counted_unless_refused() {
    let table = open(IRIS).unwrap().table;
    let text = "colour,width,length\ngreen,1,2\nred,3,4\ngreen,5,6\n";
    let ask = ReadOptions { table, ..ReadOptions::default() };
    let found = read_as(text, &ask).unwrap();
    assert_eq!(floats(&found), [2., 1., 0., 0., 4., 3., 0., 1., 6., 5., 0., 0.]);
    assert!(
        found.notes.iter().any(|note| note.starts_with("warning: `colour`") && note.contains("`green` (2)"))
    );
    let refused =
        read_as(text, &ReadOptions { unknown: crate::format::table::Unknown::Refuse, ..ask }).unwrap_err();
    assert_eq!(refused.what, "t.csv holds `green`, which is none of the categories");
}

#[test]
fn labels_are_classes_or_numbers_as_they_are_told_to_be_and_codes_stay_as_typed() {
    let rows = |count: usize, classes: usize| -> String {
        (0..count).map(|row| format!("{row}.5,{}\n", row % classes)).collect()
    };
    let classes = |text: &str, label_kind| {
        read_as(text, &ReadOptions { label_kind, ..ReadOptions::default() }).unwrap().classes.len()
    };
    let (often, once) = (format!("x,y\n{}", rows(600, 150)), format!("x,y\n{}", rows(150, 150)));
    assert_eq!([classes(&often, LabelKind::Guess), classes(&once, LabelKind::Guess)], [150, 0]);
    assert_eq!([classes(&often, LabelKind::Real), classes(&once, LabelKind::Class)], [0, 150]);
    let said = open(&once).unwrap().notes;
    assert!(said.iter().any(|note| note.contains("--targets class")), "{said:?}");
    let ids = open("x,y\n1,1582218195625938945\n2,1582218195625938946\n3,1582218195625938947\n").unwrap();
    assert_eq!(ids.classes.len(), 3);
    let codes = open("x,y\n1,007\n2,008\n3,007\n").unwrap();
    assert_eq!(codes.classes, ["007", "008"]);
}

#[test]
fn what_was_taken_as_missing_is_spelled_out_and_may_be_chosen() {
    let rows = |na: &str| format!("x,place\n{}", format!("1,\"EU\"\n2,{na}\n3,\"AS\"\n4,EU\n").repeat(5));
    assert_eq!(open(gzip(rows("\"NA\"").as_bytes())).unwrap().classes, ["AS", "EU", "NA"]);
    let error = open(rows("NA")).unwrap_err();
    assert!(error.what.contains("taken as missing: `NA` 5 times"), "{error}");
    assert!(error.advice.unwrap().contains("--missing-values none"));
    let words = ReadOptions { missing_values: "none".parse().unwrap(), ..ReadOptions::default() };
    assert_eq!(read_as(rows("NA"), &words).unwrap().classes, ["AS", "EU", "NA"]);
    let drop = ReadOptions { missing: Missing::Drop, ..ReadOptions::default() };
    let notes = read_as(rows("NA"), &drop).unwrap().notes.join("\n");
    assert!(notes.contains("taken as missing: `NA` 5 times"), "{notes}");
    let dashes = ReadOptions {
        missing: Missing::Mean,
        missing_values: "-".parse().unwrap(),
        ..ReadOptions::default()
    };
    let found = read_as("x,y\n1,a\n-,b\n3,a\n", &dashes).unwrap();
    assert!(floats(&found)[1].is_nan() && found.table.unwrap().missing_values == dashes.missing_values);
}

#[test]
fn quotes_of_a_row_of_very_many_cells_are_found_once() {
    let columns = 100_000;
    let row = |start: &str| format!("{start}{}\n", ",NA".repeat(columns - 1));
    let names: String = (0..columns).map(|at| format!("c{at},")).collect();
    let text = format!("{names}y\n{}", row("\"x\"").replace('\n', ",a\n"));
    // With a pass over the row for each of its cells, this would take minutes.
    assert!(open(text).unwrap_err().what.contains("taken as missing: `NA` 99,999 times"));
}

#[test]
fn codes_stay_as_they_are_typed_and_large_identifiers_stay_apart() {
    let found = open("zip,size,code\n01234,1,007\n04321,2,7\n01234,3,007\n").unwrap();
    assert_eq!(found.classes, ["007", "7"]);
    assert_eq!(found.shape, Shape::Flat(3), "two zip codes and a number");
    assert!(found.notes.iter().any(|note| note.starts_with("`zip` holds codes")), "{:?}", found.notes);
    let ids = ["1582218195625938945", "1582218195625938946", "1582218195625938947"];
    let rows: String = ids.iter().map(|id| format!("1,{id}\n")).collect();
    assert_eq!(open(format!("x,account\n{rows}")).unwrap().classes, ids);
    let rows: String = ids.iter().map(|id| format!("{id},a\n")).collect();
    assert_eq!(open(format!("account,y\n{rows}")).unwrap().shape, Shape::Flat(3), "a word each");
    let many: String = (0..1_002).map(|row| format!("{row:05},{}\n", row % 2)).collect();
    let found = open(format!("zip,y\n{many}")).unwrap();
    assert_eq!(found.shape, Shape::Flat(1));
    assert!(
        found.notes.iter().any(|note| note.starts_with("warning: `zip` holds codes")),
        "{:?}",
        found.notes
    );
}

#[test]
fn a_regression_on_identifiers_is_warned_of() {
    let rows: String = (0..60).map(|row| format!("{},{}\n", row % 7, 40_000 + 131 * row)).collect();
    let warned = |name: &str| {
        let found = open(format!("x,{name}\n{rows}")).unwrap();
        assert!(found.classes.is_empty());
        found.notes.iter().any(|note| note.starts_with("warning:") && note.contains("identifier"))
    };
    assert!(warned("customer_id") && warned("userId") && !warned("price"));
}

#[test]
fn numbers_of_any_kind_are_classes_on_request_but_no_more_than_10_000() {
    let class = ReadOptions { label_kind: LabelKind::Class, ..ReadOptions::default() };
    assert_eq!(read_as("x,y\n1,0.5\n2,-1.5\n3,0.5\n", &class).unwrap().classes, ["-1.5", "0.5"]);
    let many: String = (0..10_001).map(|y| format!("1,{y}.5\n")).collect();
    let error = read_as(format!("x,y\n{many}"), &class).unwrap_err();
    assert!(error.what.contains("more than 10,000") && error.advice.unwrap().contains("--targets real"));
}
