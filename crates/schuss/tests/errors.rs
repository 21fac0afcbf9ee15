//! Errors are matched on by place and cause, without reading their text.

mod common;

use schuss::data::{Column, DataFile, RowUnit};
use schuss::network::ModelFile;
use schuss::recipe::{ChoiceKey, Choices, Source};
use schuss::session::{Limits, Session};
use schuss::study::StudyFile;
use schuss::{Cause, Error, ErrorKind, Place};

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

fn unknown_name(error: Error) -> (String, String, Option<String>) {
    let Cause::UnknownName { noun, name, nearest } = *error.cause else { panic!("{error}") };
    (noun, name, nearest)
}

#[test]
fn an_unknown_name_is_a_cause_with_the_nearest_known_one() {
    let expected = |noun: &str, name: &str, nearest: &str| (noun.into(), name.into(), Some(nearest.into()));
    let error = refused(ChoiceKey::Optimizer, "adm", Source::Flag);
    assert_eq!(unknown_name(error), expected("optimizer", "adm", "adam"));
    let error = refused(ChoiceKey::Optimizer, "sgd:momentm=0.9", Source::Flag);
    assert_eq!(unknown_name(error), expected("key", "momentm", "momentum"));
    let error = StudyFile::parse("[recipe]\noptimiser = 'adam'\n", "a.toml").unwrap_err();
    assert_eq!(unknown_name(error), expected("key of [recipe]", "optimiser", "optimizer"));
}

#[test]
fn a_wrong_value_and_a_misfit_are_causes() {
    let cause = |key, text| *refused(key, text, Source::Api).cause;
    assert_eq!(cause(ChoiceKey::Optimizer, "adam:lr=-1"), Cause::InvalidValue);
    assert_eq!(cause(ChoiceKey::Targets, "real"), Cause::Mismatch);
}

#[test]
fn a_choice_without_effect_is_a_cause_at_the_line_that_makes_it() {
    let text = "[workload]\ndata = 'digits:train=100,test=10,size=8'\nlabel = 'x'\n";
    let error = StudyFile::parse(text, "a.toml").unwrap().data(None).unwrap_err();
    assert_eq!(*error.cause, Cause::NoEffect);
    let Place::StudyFile { line, key, .. } = place(error) else { panic!("not a study file") };
    assert_eq!((line, key.as_deref()), (Some(3), Some("label")));
}

#[test]
fn too_little_memory_is_a_cause_with_the_bytes() {
    let data = schuss::data::load("digits:train=100,test=10,size=8").unwrap();
    let limits = Limits { memory: Some(1000), ..Limits::default() };
    let session = Session::new(&common::trial("64-10", "batch:10", "sgd", 1), &data, limits);
    let error = session.err().expect("1000 bytes hold no session");
    let Cause::TooLarge { needed, available } = *error.cause else { panic!("{error}") };
    assert!(needed > 1000 && available == Some(1000), "{error}");
}

#[test]
fn an_error_of_the_system_is_the_source() {
    use std::error::Error as _;
    let error = schuss::data::load("/nobody/here.csv").unwrap_err();
    assert_eq!((error.kind, &*error.cause), (ErrorKind::Data, &Cause::NotFound));
    let source = error.source().and_then(|source| source.downcast_ref::<std::io::Error>()).unwrap();
    assert_eq!(source.kind(), std::io::ErrorKind::NotFound);

    let error = schuss::files::write(std::path::Path::new("/dev/null/file"), b"x").unwrap_err();
    assert_eq!((error.kind, &*error.cause), (ErrorKind::Failure, &Cause::Unwritable));
    assert!(error.source().is_some());
}

#[test]
fn a_model_file_that_is_none_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, b"no model").unwrap();
    let error = ModelFile::load(&path).unwrap_err();
    assert_eq!((&*error.cause, error.place.as_deref()), (&Cause::Damaged, Some(&Place::from(&path))));
}
