//! Errors are matched on by place and cause, without reading their text.

use schuss::data::{Column, DataFile, RowUnit};
use schuss::recipe::{ChoiceKey, Choices, Source};
use schuss::study::StudyFile;
use schuss::{Error, Place};

/// Returns the error of a choice that was given in a place.
fn refused(key: ChoiceKey, text: &str, source: Source) -> Error {
    let mut choices = Choices::default();
    let data = schuss::data::load("digits:train=100,test=10,size=8").unwrap();
    choices.give(key, text, source).and_then(|()| choices.resolve("trial", &data)).unwrap_err()
}

fn place(error: Error) -> Place {
    *error.place.expect("the error has a place")
}

#[test]
fn a_wrong_value_of_a_flag_is_placed_at_the_flag() {
    let error = refused(ChoiceKey::Optimizer, "adam:lr=-1", Source::Flag);
    let Place::Flag { name, key: None, part } = place(error) else { panic!("not a flag") };
    assert_eq!((&*name, part.as_deref()), ("optimizer", Some("optimizer `adam`")));
}

#[test]
fn a_wrong_value_of_a_trial_is_placed_at_its_key() {
    let error = refused(ChoiceKey::Optimizer, "adam:lr=-1", Source::Trial);
    let Place::Flag { name, key: Some(key), .. } = place(error) else { panic!("not a flag with a key") };
    assert_eq!((&*name, &*key), ("trial", "optimizer"));
}

#[test]
fn a_wrong_value_in_a_study_file_is_placed_at_path_line_and_key() {
    let text = "title = 'a study'\n\n[recipe]\nepochs = 'three'\n";
    let error = StudyFile::parse(text, "a.toml").unwrap_err();
    let Place::StudyFile { path, line, key, table, part: None, .. } = place(error) else {
        panic!("not a study file")
    };
    assert_eq!((&*path, line, key.as_deref(), &*table), ("a.toml", Some(4), Some("epochs"), "[recipe]"));
}

#[test]
fn a_study_file_that_is_not_toml_is_placed_at_its_line() {
    let error = StudyFile::parse("title = 'a study'\nseeds = [1\n", "a.toml").unwrap_err();
    assert!(matches!(place(error), Place::StudyFile { line: Some(2..), key: None, .. }));
}

#[test]
fn a_broken_cell_is_placed_at_path_row_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, "age,city,y\n1,a,0.5\n2,b,\n3,c,1.5\n").unwrap();
    let error = schuss::data::load(&path.display().to_string()).unwrap_err();
    let expected = DataFile {
        path: path.display().to_string(),
        unit: RowUnit::Line,
        row: Some(3),
        column: Some(Column::Name("y".into())),
        ..DataFile::default()
    };
    assert_eq!(place(error), Place::DataFile(expected));
}

#[test]
fn a_wrong_spec_of_a_program_is_placed_in_the_interface() {
    let error = "adam:lr=-1".parse::<schuss::optim::rule::Rule>().unwrap_err();
    assert_eq!(place(error), Place::Api("optimizer `adam`".into()));
    let error = refused(ChoiceKey::Optimizer, "adam:lr=-1", Source::Api);
    assert_eq!(place(error), Place::Api("optimizer `adam`".into()));
}
