//! Tests of columns with more than plain numbers and words, and of columns selected and left out.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use super::{ColumnKind, Notation, Table, Target};
use crate::reader::{Loaded, LoadedSplit, Missing, ReadOptions};
use crate::testing::{samples, saved};
use crate::{Labels, Result, Samples, Values};

fn read_as(text: &str, ask: &ReadOptions) -> Result<Loaded> {
    let (_folder, path) = saved("t.csv", text);
    crate::reader::open(&path, ask)
}

fn open(text: &str) -> Loaded {
    read_as(text, &ReadOptions::default()).unwrap()
}

fn resident(found: &Loaded) -> Samples {
    samples(&found.train)
}

fn floats(found: &Loaded) -> Vec<f32> {
    match resident(found).values() {
        Values::Floats(floats) => floats.clone(),
        Values::Bytes(_) => panic!("a table holds numbers"),
    }
}

fn names(found: &Loaded) -> Vec<&str> {
    found.table.as_ref().unwrap().columns.iter().map(|column| &*column.name).collect()
}

fn says(found: &Loaded, note: &str) {
    assert!(found.notes.iter().any(|said| said.contains(note)), "{note}: {:#?}", found.notes);
}

#[test]
fn numbers_in_other_notations_are_numbers_and_are_said() {
    let text = "preis;anteil;tag;zeit;wahr;y\n\
        1.234,50;12 %;2024-03-01;10:00;ja;a\n3,25;7,5%;2024-03-02;10:30;nein;b\n\"12\";0 %;2024-03-03;0:01:30;ja;a\n";
    let text = text.replace("ja", "yes").replace("nein", "No");
    let found = open(&text);
    assert_eq!(names(&found), ["preis", "anteil", "tag", "zeit", "wahr"]);
    #[rustfmt::skip]
    assert_eq!(floats(&found), [
        1234.5, 0.12, 19783.0, 36_000.0, 1.0,
        3.25, 0.075, 19784.0, 37_800.0, 0.0,
        12.0, 0.0, 19785.0, 90.0, 1.0,
    ]);
    says(
        &found,
        "read as numbers with a decimal comma: `preis` (`1.234,50` is 1234.5), `anteil` (`12 %` is 0.12)",
    );
    says(&found, "read as dates, as days since 1970-01-01: `tag` (`2024-03-01` is 19783)");
    says(&found, "read as times, as seconds: `zeit` (`10:00` is 36000)");
    says(&found, "read as booleans, as 0 and 1: `wahr` (`yes` is 1)");
    let streamed = read_as(&text, &ReadOptions { memory: 40, ..ReadOptions::default() }).unwrap();
    assert!(matches!(streamed.train, LoadedSplit::Streamed(_)));
    assert_eq!(resident(&streamed), resident(&found));
}

#[test]
fn a_label_in_another_notation_is_what_its_numbers_are() {
    let prices = open("a;price\n1;12,75\n2;3,5\n3;7,25\n");
    assert_eq!(resident(&prices).labels(), &Labels::Real { values: vec![12.75, 3.5, 7.25], width: 1 });
    let days = open("a,day\n1,2024-03-01T12:00\n2,2024-03-02T00:00:01\n3,2024-03-03 00:00\n");
    assert!(days.classes.is_empty(), "a date is no class");
    let booleans = read_as("a,b\n1,true\n2,false\n3,true\n", &ReadOptions::default()).unwrap();
    assert_eq!(booleans.classes, ["false", "true"]);
}

#[test]
fn another_file_is_read_in_the_models_notation() {
    let table = open("a;day;y\n1,5;01.02.2024;x\n2,5;13.02.2024;y\n").table.unwrap();
    assert_eq!(table.notations.get("a"), Some(&Notation::Comma));
    let written = serde_json::to_string(&table).unwrap();
    assert_eq!(serde_json::from_str::<Table>(&written).unwrap(), table);
    let ask = ReadOptions { table: Some(table), ..ReadOptions::default() };
    let found = read_as("day\ta\n05.02.2024\t3\n06.02.2024\t1.000,5\n", &ask).unwrap();
    assert_eq!(floats(&found), [3.0, 19758.0, 1000.5, 19759.0]);
    let error = read_as("a,day\n1.25,01.02.2024\n", &ask).unwrap_err();
    assert_eq!(
        (&*error.what, error.advice.as_deref()),
        ("t.csv holds `1.25` where a number is expected", Some("--decimal point"))
    );
    let form = crate::format::csv::Form { decimal: Some("point".parse().unwrap()), ..Default::default() };
    let found = read_as("a,day\n1.25,01.02.2024\n", &ReadOptions { form, ..ask }).unwrap();
    assert_eq!(floats(&found), [1.25, 19754.0]);
}

#[test]
fn a_table_without_notations_is_one_of_plain_numbers() {
    let old = r#"{"columns":[{"name":"a","number":{}}],"target":"absent"}"#;
    let table: Table = serde_json::from_str(old).unwrap();
    assert_eq!(table.target, Target::Absent);
    assert!(table.notations.is_empty() && serde_json::to_string(&table).unwrap() == old);
}

#[test]
fn stray_cells_are_counted_by_their_spelling_and_count_as_missing() {
    let rows: String = (0..30).map(|row| format!("{row}.5,7,{}\n", row % 2)).collect();
    let text = format!("a,b,y\n{rows}\"1,234.5\",7,1\nbroken,8,0\nbroken,8,1\n");
    let error = read_as(&text, &ReadOptions::default()).unwrap_err();
    assert!(
        error.what.contains("In `a`, 2 cells are not numbers and count as missing: `broken` 2"),
        "{error}"
    );
    assert!(error.advice.unwrap().contains("--missing mean"));
    let mean = read_as(&text, &ReadOptions { missing: Missing::Mean, ..ReadOptions::default() }).unwrap();
    says(&mean, "In `a`, 2 cells are not numbers and count as missing: `broken` 2");
    assert_eq!(floats(&mean).iter().filter(|x| x.is_nan()).count(), 2);
    let drop = read_as(&text, &ReadOptions { missing: Missing::Drop, ..ReadOptions::default() }).unwrap();
    assert_eq!(drop.train.len(), 31);
    let streamed =
        read_as(&text, &ReadOptions { missing: Missing::Drop, memory: 300, ..ReadOptions::default() })
            .unwrap();
    assert!(matches!(streamed.train, LoadedSplit::Streamed(_)));
    assert_eq!(resident(&streamed), resident(&drop));
}

#[test]
fn many_numbers_and_a_few_words_are_numbers_but_few_are_words() {
    let many: String = (0..60).map(|row| format!("{}.5,1\n", row * 7)).collect();
    let found = read_as(
        &format!("a,y\n{many}none yet,0\n"),
        &ReadOptions { missing: Missing::Mean, ..ReadOptions::default() },
    );
    says(&found.unwrap(), "In `a`, 1 cell is not a number and counts as missing: `none yet` 1");
    let few: String = (0..60).map(|row| format!("{},{}\n", row % 4, row % 2)).collect();
    let found = open(&format!("a,y\n{few}5+,0\n"));
    assert!(matches!(found.table.unwrap().columns[0].kind, ColumnKind::Category { .. }));
}

#[test]
fn thousands_in_a_file_of_decimal_commas_are_whole_numbers() {
    let found = open("size;count;y\n1,5;1.250;a\n2,5;950;b\n3,5;12.000;a\n");
    assert_eq!(floats(&found), [1.5, 1250.0, 2.5, 950.0, 3.5, 12000.0]);
    says(&found, "`count` (`1.250` is 1250; if not: --decimal point)");
}

#[test]
fn dates_that_could_be_read_in_two_ways_are_said_and_may_be_told() {
    let text = "day,y\n01/02/2024,a\n03/04/2024,b\n";
    says(&open(text), "`day` (`01/02/2024` is 19754; if not: --dates month-first)");
    let form = crate::format::csv::Form { dates: Some("month-first".parse().unwrap()), ..Default::default() };
    let found = read_as(text, &ReadOptions { form, ..ReadOptions::default() }).unwrap();
    assert_eq!(floats(&found), [19724.0, 19786.0]);
}

#[test]
fn row_numbers_are_left_out_and_said_unless_asked_for() {
    for (header, numbers) in [
        (",a,y", ["0", "1", "2"]),
        ("\"\",a,y", ["\"1\"", "\"2\"", "\"3\""]),
        ("Unnamed: 0,a,y", ["7", "3", "12"]),
        ("index,a,y", ["0", "1", "2"]),
        ("a,y", ["1", "2", "3"]),
        ("a,y", ["Mazda", "Fiat", "Volvo"]),
    ] {
        let [first, second, third] = numbers;
        let found = open(&format!("{header}\n{first},1.5,x\n{second},2.5,y\n{third},0.5,x\n"));
        assert_eq!(names(&found), ["a"], "{header} {numbers:?}");
        says(&found, "left out: the column");
    }
    let kept = read_as(
        "index,a,y\n0,1.5,x\n1,2.5,y\n2,5.5,y\n",
        &ReadOptions { columns: Some("index,a".into()), ..ReadOptions::default() },
    );
    assert_eq!(names(&kept.unwrap()), ["index", "a"]);
    says(
        &open("id,a,y\n1,1.5,x\n2,2.5,y\n3,5.5,y\n"),
        "`id` counts the rows, so it only gives a row's position; --drop 'id'",
    );
}

#[test]
fn columns_are_taken_in_and_left_out_by_name() {
    let text = "a,b,c,y\n1,2,3,x\n4,5,6,y\n";
    let with = |columns: Option<&str>, drop: Option<&str>, label: Option<&str>| {
        let [columns, drop, label] = [columns, drop, label].map(|list| list.map(str::to_owned));
        read_as(text, &ReadOptions { columns, drop, label, ..ReadOptions::default() })
    };
    let found = with(Some("a,c"), None, None).unwrap();
    assert_eq!((names(&found), found.classes.len()), (vec!["a", "c"], 2));
    says(&found, "columns left out, as requested: `b`");
    assert_eq!(names(&with(None, Some("a, b"), None).unwrap()), ["c"]);
    assert_eq!(
        names(&with(None, Some("y"), None).unwrap()),
        ["a", "b"],
        "the last that is left is the label"
    );
    for error in [with(Some("d"), None, None), with(None, Some("a,bb"), None)] {
        let error = error.unwrap_err();
        assert!(error.exit_code() == 2 && error.what.starts_with("unknown column `"), "{error}");
        assert!(error.advice.unwrap().ends_with("a b c y"));
    }
    assert_eq!(with(None, Some("y"), Some("y")).unwrap_err().exit_code(), 2);
    let table = with(Some("a,c"), None, None).unwrap().table;
    let again = |columns: Option<&str>, drop: Option<&str>| {
        let [columns, drop] = [columns, drop].map(|list| list.map(str::to_owned));
        read_as("a,c\n1,2\n", &ReadOptions { columns, drop, table: table.clone(), ..ReadOptions::default() })
    };
    assert_eq!(floats(&again(Some("a,c"), Some("b")).unwrap()), [1.0, 2.0]);
    for refused in [again(Some("a"), None), again(None, Some("a")), again(Some("a,b,c"), None)] {
        assert_eq!(refused.unwrap_err().exit_code(), 2);
    }
}

#[test]
fn words_of_which_every_row_has_its_own_are_named_with_the_flag_that_leaves_them_out() {
    let rows: String = (0..20).map(|row| format!("name{row},{row}.5,{}\n", row % 2)).collect();
    says(
        &open(&format!("who,a,y\n{rows}")),
        "a different word in `who` (20 distinct), so it says nothing about other rows; --drop 'who'",
    );
    let many: String = (0..1_100).map(|row| format!("name{row},{row}.5,{}\n", row % 2)).collect();
    let error = read_as(&format!("who,a,y\n{many}"), &ReadOptions::default()).unwrap_err();
    assert_eq!(error.advice.as_deref(), Some("leave the column out: --drop 'who'"));
    assert_eq!(
        names(
            &read_as(
                &format!("who,a,y\n{many}"),
                &ReadOptions { drop: Some("who".into()), ..ReadOptions::default() }
            )
            .unwrap()
        ),
        ["a"]
    );
}

#[test]
fn truths_and_zeros_and_ones_are_read_for_each_other() {
    let table = |text: &str| ReadOptions { table: open(text).table, ..ReadOptions::default() };
    let (words, numbers) = ("a,y\nTrue,x\nFalse,y\nTrue,x\n", "a,y\n1,x\n0,y\n1,x\n");
    assert_eq!(floats(&read_as("a\n1\n0\n", &table(words)).unwrap()), [1.0, 0.0]);
    assert_eq!(floats(&read_as("a\nTrue\nno\n", &table(numbers)).unwrap()), [1.0, 0.0]);
    assert!(read_as("a\n2\n", &table(words)).is_err() && read_as("a\nperhaps\n", &table(numbers)).is_err());
}

#[test]
fn truths_in_several_columns_to_predict_are_zeros_and_ones() {
    let text = "x,cat,dog\n1,True,True\n2,False,True\n3,True,False\n";
    let found =
        read_as(text, &ReadOptions { label: Some("cat,dog".into()), ..ReadOptions::default() }).unwrap();
    let values = vec![1.0, 1.0, 0.0, 1.0, 1.0, 0.0];
    assert_eq!(resident(&found).labels(), &Labels::Real { values, width: 2 });
}

#[test]
fn a_column_called_label_is_the_label_wherever_it_stands_and_that_is_said() {
    let found = open("Label,a,b\nx,1,2\ny,3,4\n");
    assert_eq!((names(&found), &found.classes[..]), (vec!["a", "b"], &["x".into(), "y".to_owned()][..]));
    says(&found, "label: the column `Label`, by its name (--label chooses another)");
    assert_eq!(names(&open("label,target,b\nx,1,2\ny,3,4\n")), ["label", "target"], "not if there are two");
}

#[test]
fn a_day_with_a_time_is_a_part_of_a_day_where_days_are_counted() {
    let ask = ReadOptions {
        table: open("day,z,y\n2024-03-01,1,a\n2024-03-03,2,b\n").table,
        ..ReadOptions::default()
    };
    assert_eq!(floats(&read_as("day,z\n2024-03-01 12:00,3\n", &ask).unwrap()), [19_783.5, 3.0]);
}

#[test]
fn identifiers_that_look_like_powers_are_words_and_shuffled_ones_are_warned_of() {
    let hex = open("id,y\n02e668,a\n001eef,b\n0ab3c9,a\n");
    assert!(matches!(hex.table.as_ref().unwrap().columns[0].kind, ColumnKind::Category { .. }));
    let rows: String = (0..40).map(|row| format!("{},{},{}\n", row * 7 % 40, row, row % 2)).collect();
    says(&open(&format!("user_id,x,y\n{rows}")), "warning: every row has a different number in `user_id`");
}

#[test]
fn commas_separate_cells_that_have_blanks_in_them() {
    for rows in ["8.7 kg,0.014,no\n9.1 kg,0.2,yes\n", "21.1 C,3,no\n20.5 C,4,yes\n"] {
        let found = open(&format!("weight,b,kind\n{}", rows.repeat(4)));
        assert_eq!(
            (names(&found), &found.classes[..]),
            (vec!["weight", "b"], &["no".into(), "yes".to_owned()][..])
        );
    }
}
