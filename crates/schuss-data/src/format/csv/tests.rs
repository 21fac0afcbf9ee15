#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use super::records::Format;
use super::*;
use crate::format::table::{ColumnKind, Table, Target};
use crate::reader::{LoadedSplit, Missing};
use crate::testing::{gzip, samples, saved};
use crate::{Labels, Samples, Shape, Values};
use std::io::BufReader;

const IRIS: &str =
    "length,width,colour,species\n5.1,3.5,red,setosa\n6.2,2.9,blue,virginica\n5.0,3.4,red,setosa\n";

fn read_as(text: impl AsRef<[u8]>, ask: &ReadOptions) -> Result<Loaded> {
    let (_folder, path) = saved("t.csv", text);
    crate::reader::open(&path, ask)
}

fn open(text: impl AsRef<[u8]>) -> Result<Loaded> {
    read_as(text, &ReadOptions::default())
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

fn labelled(label: &str) -> ReadOptions {
    ReadOptions { label: Some(label.into()), ..ReadOptions::default() }
}

#[test]
fn numbers_stay_words_become_categories_and_the_last_column_of_words_is_the_class() {
    let found = open(IRIS).unwrap();
    assert_eq!(found.shape, Shape::Flat(4));
    assert_eq!(found.classes, ["setosa", "virginica"]);
    assert_eq!(resident(&found).labels(), &Labels::Class(vec![0, 1, 0]));
    assert_eq!(floats(&found), [5.1, 3.5, 0., 1., 6.2, 2.9, 1., 0., 5.0, 3.4, 0., 1.]);
    let notes = [
        "comma-separated columns: 4, with a header",
        "label: the last column, `species`",
        "categorical columns, with their one-hot widths: `colour` 2",
        "`species` has 2 classes",
    ];
    assert_eq!(found.notes, notes);
}

/// Returns the column names, the number of rows, and the note about the form of a text.
fn form(text: impl AsRef<[u8]>, ask: &ReadOptions) -> (Vec<String>, u64, String) {
    let found = read_as(text, ask).unwrap();
    let columns = found.table.unwrap().columns;
    (columns.into_iter().map(|column| column.name).collect(), found.train.len(), found.notes[0].clone())
}

#[test]
fn what_stands_around_the_rows_is_skipped_and_said() {
    let rows = "1.5,2.5,x\n3.5,4.5,y\n5.5,6.5,x\n";
    let spaced = "  a    b   kind\n 1.5  2.5  x\n 3.5  4.5  y\n 5.5  6.5  x\n";
    let cases = [
        (
            format!("# station 7, cm\n# please, cite\na,b,kind\n{rows}"),
            "2 comments beginning with `#` skipped",
        ),
        (format!("a,b,kind\n# one, two\n{rows}#\n"), "2 comments beginning with `#` skipped"),
        (format!("// one\na,b,kind\n{rows}"), "1 comment beginning with `//` skipped"),
        (format!("#a,b,kind\n{rows}"), "named by the comment in line 1"),
        (format!("# by, me\n# a b kind\n{rows}"), "named by the comment in line 2"),
        (
            format!("sep=;\na;b;kind\n{}", rows.replace(',', ";")),
            "semicolon-separated columns: 3, with a header in line 2",
        ),
        (format!("Report of May\n\na,b,kind\n{rows}"), "1 line above the header skipped"),
        (format!("a,b,kind,\n{}", rows.replace('\n', ",\n")), "1 empty cell at the end of rows left out"),
        (format!("a,b,kind\n{}", rows.replace('\n', ",\n")), "1 empty cell at the end of rows left out"),
        (format!("a,b,kind,\n{rows}"), "comma-separated columns: 3"),
        (format!("a,b,kind\n{rows},,\n"), "1 blank row left out"),
        (spaced.into(), "space-separated columns: 3, with a header"),
        (format!("a,b,kind\r{}", rows.replace('\n', "\r")), "comma-separated columns: 3, with a header"),
        (format!("\r\n\r\na,b,kind\r\n{rows}"), "with a header in line 3"),
    ];
    for (text, said) in cases {
        let (names, count, note) = form(&text, &ReadOptions::default());
        assert_eq!((&names[..], count), (&["a".to_owned(), "b".to_owned()][..], 3), "{text}: {note}");
        assert!(note.contains(said), "{text}: {note}");
        let streamed = read_as(&text, &ReadOptions { memory: 32, ..ReadOptions::default() }).unwrap();
        assert!(matches!(streamed.train, LoadedSplit::Streamed(_)));
        assert_eq!(resident(&streamed), resident(&open(&text).unwrap()), "{text}");
        assert_eq!(resident(&open(gzip(text.as_bytes())).unwrap()), resident(&streamed));
    }
}

#[test]
fn utf_16_is_read_from_start_and_middle_alike() {
    let text = "\u{feff}a;b;stadt\r\n1.5;2.5;Köln\r\n3.5;4.5;東京\r\n5.5;6.5;😀\r\n";
    let expected = resident(&open(text).unwrap());
    for stored in [u16::to_le_bytes, u16::to_be_bytes] {
        for start in [0, 1] {
            let bytes: Vec<u8> = text.encode_utf16().skip(start).flat_map(stored).collect();
            let found = open(&bytes).unwrap();
            assert!(found.notes[0].contains("UTF-16"), "{}", found.notes[0]);
            assert_eq!(resident(&found), expected);
            let streamed = read_as(&bytes, &ReadOptions { memory: 32, ..ReadOptions::default() }).unwrap();
            assert_eq!(resident(&streamed), expected);
        }
    }
    let odd: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).chain([7]).collect();
    let error = open(&odd).unwrap_err();
    assert!(error.exit_code() == 3 && error.what.contains("not valid UTF-16 text"), "{error}");
}

#[test]
fn a_header_of_numbers_is_seen_and_may_be_denied() {
    let numbered = "0,1,2,label\n0.5,1.7,2.5,x\n0.1,0.2,0.4,y\n0.4,0.2,0.1,x\n";
    let (names, count, note) = form(numbered, &ReadOptions::default());
    assert_eq!((names, count), (["0", "1", "2"].map(str::to_owned).to_vec(), 3));
    assert!(note.contains("with a header of numbers (--header no if"), "{note}");
    let with = |header: &str| ReadOptions {
        form: Form { header: Some(header.parse().unwrap()), ..Form::default() },
        ..ReadOptions::default()
    };
    let (names, count, note) = form(numbered, &with("no"));
    assert_eq!((names, count), (["1", "2", "3"].map(str::to_owned).to_vec(), 4));
    assert!(note.contains("without a header"), "{note}");
    let (names, count, _) = form("7,8\n1,2\n3,4\n", &with("yes"));
    assert_eq!((names, count), (vec!["7".to_owned()], 2));
    let (names, count, note) = form("an \"open quote\nx,y,z\na,b\n1,2\n3,4\n", &with("3"));
    assert_eq!((names, count), (vec!["a".to_owned()], 2), "{note}");
    let (names, _, _) = form("# 1\n# a b\n1 2\n3 4\n", &with("2"));
    assert_eq!(names, ["a"]);
}

#[test]
fn a_file_without_the_models_names_above_its_rows_has_no_header() {
    let table = open("5.1,3.5,x\n6.2,2.9,y\n").unwrap().table;
    let found = read_as("a,b\n1,2\n", &ReadOptions { table: table.clone(), ..ReadOptions::default() });
    assert!(found.unwrap_err().what.contains("holds `a`"), "its names are numbers, so `a` is a cell");
    let numbered = open("0,1,2,label\n0.5,1.7,2.5,x\n0.1,0.2,0.4,y\n0.5,0.1,0.2,x\n").unwrap().table;
    let found =
        read_as("0,1,2\n7,8,9\n", &ReadOptions { table: numbered, ..ReadOptions::default() }).unwrap();
    assert_eq!(floats(&found), [7., 8., 9.]);
}

#[test]
fn delimiter_and_remarks_are_as_told() {
    let given = |delimiter: &str, comment: &str| {
        let form = Form {
            delimiter: Some(delimiter.parse().unwrap()),
            comment: Some(comment.parse().unwrap()),
            ..Form::default()
        };
        ReadOptions { form, ..ReadOptions::default() }
    };
    assert_eq!(form("a:b\n1:2\n!3:4\n", &given(":", "!")).0, ["a"]);
    let (_, count, _) = form("c,d\n#1,2\n#3,4\n", &given("comma", "none"));
    assert_eq!(count, 2);
    let (_, count, _) = form("#,kind\n1,x\n2,y\n", &ReadOptions::default());
    assert_eq!(count, 2, "a column called `#` is no remark");
    let error = open("a,b\n1,2\n3,4\n!end\n").unwrap_err();
    assert!(error.advice.unwrap().contains("--comment"));
}

#[test]
fn semicolons_separate_where_numbers_have_commas() {
    for text in [
        "3,2;1,75;x\n2,5;0,25;y\n",
        "a;b;c\n3,2;1,75;x\n2,5;0,25;y\n",
        "3,2\t1,75\tx\n2,5\t0,25\ty\n",
        "3,2 1,75 x\n2,5 0,25 y\n",
    ] {
        assert_eq!(form(text, &ReadOptions::default()).0.len(), 2, "{text}");
    }
}

#[test]
fn delimiters_line_ends_marks_quotes_and_packing_do_not_matter() {
    let expected = resident(&open(IRIS).unwrap());
    let quoted = IRIS.replace("red", "\"red\"").replace("5.1", " 5.1 ");
    let texts = [
        IRIS.replace(',', ";"),
        IRIS.replace(',', "\t"),
        IRIS.replace(',', "|"),
        IRIS.replace('\n', "\r\n"),
        IRIS.replace('\n', "\n\n"),
        IRIS.trim_end().into(),
        format!("\u{feff}{IRIS}"),
        quoted,
    ];
    for text in texts {
        assert_eq!(resident(&open(&text).unwrap()), expected, "{text:?}");
    }
    assert_eq!(resident(&open(gzip(IRIS.as_bytes())).unwrap()), expected);
    let packed =
        ruzstd::encoding::compress_to_vec(IRIS.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
    assert_eq!(resident(&open(&packed).unwrap()), expected);
    let (front, back) = IRIS.as_bytes().split_at(40);
    let frames = [front, back]
        .map(|part| ruzstd::encoding::compress_to_vec(part, ruzstd::encoding::CompressionLevel::Fastest));
    assert_eq!(resident(&open(frames.concat()).unwrap()), expected);
}

#[test]
fn a_quoted_cell_may_hold_delimiters_line_ends_and_quotes() {
    let found = open("a,b\n1,\"x, \"\"y\"\"\r\nz\"\n2,w\n").unwrap();
    assert_eq!(found.classes, ["w", "x, \"y\"\r\nz"]);
}

#[test]
fn records_are_the_same_however_the_text_is_cut_into_chunks() {
    let text = "\u{feff}a,b\r\n\r\n\"1\n\",2\n\n\n3,\"\"\"4\"\r\n5,6";
    let read = |capacity| {
        let mut records =
            Records::new(BufReader::with_capacity(capacity, text.as_bytes()), &Format::default(), u64::MAX)
                .unwrap();
        let mut all = Vec::new();
        while let Some(record) = records.next().unwrap() {
            let cells: Vec<String> =
                record.cells().map(|cell| String::from_utf8(cell.to_vec()).unwrap()).collect();
            all.push((record.line, record.offset, cells));
        }
        all
    };
    let cells = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
    let expected = [
        (1, 3, cells(["a", "b"])),
        (3, 10, cells(["1\n", "2"])),
        (7, 19, cells(["3", "\"4"])),
        (8, 28, cells(["5", "6"])),
    ];
    for capacity in [4, 5, 7, 100] {
        assert_eq!(read(capacity), expected, "chunks of {capacity}");
    }
}

#[test]
fn few_whole_numbers_are_classes_in_order_and_others_are_numbers() {
    let classes = open("x,y\n1,10\n2,9\n3,10.0\n").unwrap();
    assert_eq!(classes.classes, ["9", "10"]);
    assert_eq!(resident(&classes).labels(), &Labels::Class(vec![1, 0, 1]));
    let price = open("x,y\n1,10.5\n2,9\n").unwrap();
    assert!(price.classes.is_empty());
    assert_eq!(resident(&price).labels(), &Labels::Real { values: vec![10.5, 9.0], width: 1 });
    let many: String = (0..101).map(|row| format!("{row},{row}\n")).collect();
    assert!(matches!(
        resident(&open(format!("x,y\n{many}")).unwrap()).labels(),
        Labels::Real { width: 1, .. }
    ));
}

#[test]
fn the_label_may_be_any_column_several_or_none() {
    let text = "a,b,c\n1,0,1\n2,1,0\n";
    let several = read_as(text, &labelled("b,c")).unwrap();
    assert_eq!(resident(&several).labels(), &Labels::Real { values: vec![0., 1., 1., 0.], width: 2 });
    assert_eq!(floats(&several), [1., 2.]);
    let first = read_as(text, &labelled("a")).unwrap();
    assert_eq!(first.classes, ["1", "2"]);
    let none = read_as(text, &labelled("none")).unwrap();
    assert_eq!((none.shape, resident(&none).labels()), (Shape::Flat(3), &Labels::Absent(2)));
    let error = read_as(text, &labelled("bb")).unwrap_err();
    assert_eq!((error.exit_code(), &*error.what), (2, "unknown column `bb` for --label"));
    let error = read_as("a,b,c\n1,x,1\n", &labelled("b,c")).unwrap_err();
    assert_eq!(error.what, "t.csv holds `x` where a numeric label is expected");
}

#[test]
fn a_column_that_a_word_among_numbers_makes_one_of_words_is_named() {
    let found = read_as("a,b\n1,0\n2,1\n3.5x,0\n4,1\n", &labelled("b")).unwrap();
    let note = "`a` holds mostly numbers, but is read as words: line 4 has `3.5x`";
    assert!(found.notes.contains(&note.into()), "{:?}", found.notes);
}

#[test]
fn without_a_header_columns_are_numbered() {
    let found = read_as("1,2,x\n3,4,y\n", &labelled("1")).unwrap();
    assert_eq!(found.classes, ["1", "3"]);
    assert!(found.notes[0].contains("without a header"));
    let letters = open("p,x,x\ne,x,y\n").unwrap();
    assert_eq!(letters.train.len(), 2, "two equal words in a row are no header");
}

#[test]
fn missing_cells_are_refused_filled_or_left_out_as_told() {
    let text = "age,city,y\n1,,a\n,x,b\n5,z,a\n";
    let error = open(text).unwrap_err();
    assert_eq!(
        error.what,
        "t.csv has missing cells: 1 in `age`, 1 in `city`, taken as missing: empty cells 2 times; the first is here"
    );
    assert!(error.place.unwrap().to_string().ends_with("t.csv, line 3, column `age`"));
    assert!(error.advice.unwrap().contains("--missing mean"));
    let mean = read_as(text, &ReadOptions { missing: Missing::Mean, ..ReadOptions::default() }).unwrap();
    let found: Vec<f32> = floats(&mean).iter().map(|x| if x.is_nan() { -1. } else { *x }).collect();
    assert_eq!(found, [1., 0., 0., 1., -1., 1., 0., 0., 5., 0., 1., 0.]);
    let drop = read_as(text, &ReadOptions { missing: Missing::Drop, ..ReadOptions::default() }).unwrap();
    assert_eq!(floats(&drop), [5., 1.]);
    assert!(
        drop.notes.contains(
            &"missing cells: 2 of 3 rows have one and were left out, taken as missing: empty cells 2 times"
                .into()
        )
    );
    let label = "a,y\n1,2\n2,?\n";
    let error =
        read_as(label, &ReadOptions { missing: Missing::Mean, ..ReadOptions::default() }).unwrap_err();
    assert!(error.advice.unwrap().contains("a missing label cannot be filled in"));
}

#[test]
fn a_column_of_numbers_and_words_is_a_category_of_them_all() {
    let found = open("code,y\n1,0.5\n2,0.5\nA,0.5\n1,0.1\n").unwrap();
    let kind = &found.table.unwrap().columns[0].kind;
    assert_eq!(
        kind,
        &ColumnKind::Category { levels: vec!["1".into(), "2".into(), "A".into()], missing: false }
    );
}

#[test]
fn every_sort_of_damage_is_refused_with_line_and_column() {
    let long: String = (0..1_001).map(|row| format!("word{row},1\n")).collect();
    let mixed: String = (0..1_001).map(|row| format!("{row},1\n")).collect();
    let cases: [(Vec<u8>, &str, &str); 19] = [
        (b"".into(), "is empty", ""),
        (b"\n\n".into(), "is empty", ""),
        (b"a,b\n".into(), "has a header but no rows", ""),
        (b"a\n1\n".into(), "has no column besides its label", ""),
        (b"a,b,a\n1,2,3\n".into(), "has two columns called `a`: column 1 and column 3", ""),
        (
            b"a,b\n1,2\n1,2,3\n".into(),
            "has 3 cells in a row, but 2 columns; the row begins with `1 | 2 | 3`",
            "line 3",
        ),
        (b"a,b\n1,2\n\n1\n".into(), "has 1 cell in a row, but 2 columns; the row begins with `1`", "line 4"),
        (b"a,b\n1,\"2\n3,4\n".into(), "opens a quote in line 2 that it never closes", ""),
        (b"a,b\n1,2\n\0,4\n".into(), "holds a NUL byte", "line 3, column `a`"),
        (b"a,b\n1,2\n3,\xff\n".into(), "is not UTF-8 text", "line 3, column `b`"),
        (b"a,b\n1,2\n\xc3,\xa9\n".into(), "is not UTF-8 text", "line 3, column `a`"),
        (b"a,b\0\n1,2\n".into(), "has a header with a NUL byte, in column 2", "line 1"),
        (b"a\xff,b\n1,2\n".into(), "has a header that is not UTF-8 text, in column 1", "line 1"),
        (b"a,b\n1,2\ninf,2\n".into(), "holds inf, which is not finite", "line 3, column `a`"),
        (b"a,b\n1,2\n1,-1e999\n".into(), "holds -inf, which is not finite", "line 3, column `b`"),
        (b"a,b\n1,2\n1e39,2\n".into(), "holds `1e39`, beyond what 32-bit numbers hold", "line 3, column `a`"),
        (
            format!("a,b\n{long}").into(),
            "has a text column with more than 1,000 distinct words",
            "line 1002, column `a`",
        ),
        (
            format!("a,b\nx,1\n{mixed}").into(),
            "has missing cells: 1 in `a`; the first is here. In `a`, 1 cell is not a number and counts as missing: `x` 1",
            "column `a`",
        ),
        (
            b"a,b\n\x1b[31m,\xc3\xa4\n1,\x1b,3\n".into(),
            "has 3 cells in a row, but 2 columns; the row begins with `1 | \\u{1b} | 3`",
            "line 3",
        ),
    ];
    for (text, what, place) in cases {
        let error = open(&text).unwrap_err();
        assert_eq!((error.exit_code(), &*error.what), (3, &*format!("t.csv {what}")), "{error}");
        assert!(error.place.as_ref().is_some_and(|seen| seen.to_string().ends_with(place)), "{error}");
    }
}

#[test]
fn what_a_message_quotes_is_short_and_holds_no_control_characters() {
    let table = open("a,b\n1,2\n").unwrap().table;
    let word = format!("\x1b[31m{}", "x".repeat(1_000));
    let error =
        read_as(format!("a,b\n{word},1\n"), &ReadOptions { table, ..ReadOptions::default() }).unwrap_err();
    assert!(error.what.starts_with("t.csv holds `\\u{1b}[31mxxx") && error.what.len() < 120, "{error}");
}

#[test]
fn one_row_and_one_class_are_enough_to_read() {
    let found = open("a,b\n1,x\n").unwrap();
    assert_eq!((found.train.len(), &found.classes[..]), (1, &["x".to_owned()][..]));
}

#[test]
fn another_file_is_read_by_the_same_columns_whatever_their_order() {
    let table = open(IRIS).unwrap().table.unwrap();
    let json = serde_json::to_string(&table).unwrap();
    assert_eq!(serde_json::from_str::<Table>(&json).unwrap(), table);
    let ask = ReadOptions { table: Some(table), ..ReadOptions::default() };
    let found = read_as("colour,extra,width,length\nblue,9,1,2\n", &ask).unwrap();
    assert_eq!(floats(&found), [2., 1., 1., 0.]);
    assert_eq!(resident(&found).labels(), &Labels::Absent(1));
    let with_label = read_as("species,colour,width,length\nsetosa,red,1,2\n", &ask).unwrap();
    assert_eq!(resident(&with_label).labels(), &Labels::Class(vec![0]));
    let cases = [
        ("colour,width\nblue,1\n", "t.csv has no column `length`, which the model reads"),
        ("colour,width,length\nred,?,2\n", "t.csv holds nothing where a number is expected"),
        ("colour,width,length\nred,wide,2\n", "t.csv holds `wide` where a number is expected"),
        ("species,colour,width,length\nrose,red,1,2\n", "t.csv holds `rose`, which is none of the classes"),
        ("colour,width,length\n", "t.csv has a header but no rows"),
    ];
    for (text, what) in cases {
        assert_eq!(read_as(text, &ask).unwrap_err().what, what);
    }
}

#[test]
fn a_table_says_what_it_tells() {
    let real = read_as("a,b,c\n1,0,1\n", &labelled("b,c")).unwrap().table.unwrap();
    assert_eq!(real.target, Target::Real { columns: vec!["b".into(), "c".into()] });
    assert_eq!(serde_json::to_string(&real.columns).unwrap(), r#"[{"name":"a","number":{}}]"#);
}

#[test]
fn what_does_not_fit_into_memory_is_read_row_by_row_to_the_same_samples() {
    let rows: String = (0..500).map(|row| format!("{row},{}.5,\"w\n{}\"\r\n", row * 2, row % 3)).collect();
    let text = format!("a,b,c\r\n{rows}");
    let expected = resident(&open(&text).unwrap());
    let (_folder, path) = saved("t.csv", &text);
    let found = crate::reader::open(&path, &ReadOptions { memory: 4_096, ..ReadOptions::default() }).unwrap();
    let LoadedSplit::Streamed(store) = &found.train else {
        panic!("500 rows of 12 bytes are more than 4,096")
    };
    assert_eq!((store.len(), store.access()), (500, crate::Access::Random));
    assert_eq!(resident(&found), expected);
    let mut some = expected.clone();
    store.read(&[499, 7, 8, 9, 7], &mut some).unwrap();
    let rows: Vec<_> = (0..5).map(|row| some.row(row)).collect();
    assert_eq!(rows, [499, 7, 8, 9, 7].map(|row| expected.row(row)));
    store.read(&[], &mut some).unwrap();
    assert!(some.is_empty() && matches!(some.labels(), Labels::Class(_)));
    assert_eq!(store.read(&[500], &mut some).unwrap_err().what, "t.csv has no row 500");
    std::fs::write(&path, "a,b,c\r\n1,2,3\r\n").unwrap();
    assert_eq!(store.read(&[400], &mut some).unwrap_err().exit_code(), 3);
}

#[test]
fn rows_left_out_are_left_out_when_streamed_too() {
    let rows: String =
        (0..300).map(|row| format!("{},{row}.5\n", if row % 3 == 0 { "" } else { "1" })).collect();
    let ask = |memory| ReadOptions { missing: Missing::Drop, memory, ..ReadOptions::default() };
    let [all, streamed] = [1 << 20, 1_600].map(|memory| read_as_kept(&format!("a,b\n{rows}"), &ask(memory)));
    assert_eq!(all, streamed);
    assert_eq!(all.len(), 200);
}

fn read_as_kept(text: &str, ask: &ReadOptions) -> Samples {
    let (_folder, path) = saved("t.csv", text);
    resident(&crate::reader::open(&path, ask).unwrap())
}

#[test]
fn a_packed_text_unpacks_to_no_more_than_the_memory() {
    let bomb = gzip(format!("a,b\n{}", "1,2\n".repeat(1_000_000)).as_bytes());
    let error = read_as(&bomb, &ReadOptions { memory: 100_000, ..ReadOptions::default() }).unwrap_err();
    assert_eq!(error.what, "t.csv unpacks to more than 100 kB, the memory limit");
    assert!(error.advice.unwrap().contains("gunzip"));
    let blank = gzip(&vec![b'\n'; 10_000_000]);
    assert_eq!(
        read_as(&blank, &ReadOptions { memory: 100_000, ..ReadOptions::default() }).unwrap_err().exit_code(),
        3
    );
}

#[test]
fn every_truncation_of_a_packed_text_is_refused() {
    let packed = [
        gzip(IRIS.as_bytes()),
        ruzstd::encoding::compress_to_vec(IRIS.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest),
    ];
    for packed in packed {
        for length in 4..packed.len() {
            let error = open(&packed[..length]).unwrap_err();
            assert_eq!(error.exit_code(), 3, "after {length} bytes: {error}");
        }
    }
}

mod labels;

#[test]
fn a_csv_is_opened_once() {
    let rows: String = (0..500).map(|row| format!("{row},{}.5,w{}\n", row * 2, row % 3)).collect();
    let text = format!("a,b,c\n{rows}");
    crate::testing::assert_opened_once("t.csv", text.as_bytes(), &[1 << 20, 4_096]);
    crate::testing::assert_opened_once("t.csv.gz", &crate::testing::gzip(text.as_bytes()), &[1 << 20]);
}
