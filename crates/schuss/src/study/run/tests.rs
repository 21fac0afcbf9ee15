//! Fault injection: disks that fail and processes that die, at every single call.

use super::*;
use crate::files::faults::{self, Fault};
use crate::record::{EpochRecord, Timing};
use crate::session::Cadence;
use crate::study::checkpoint::{self, Unusable};
use crate::study::metrics;
use serde_json::Value;
use std::fs;
use std::io::Cursor;
use tempfile::TempDir;

fn data() -> Dataset {
    schuss_data::load("digits:train=40,test=10,size=8").unwrap()
}

fn study(data: &Dataset) -> Study {
    let text = "recipe = { model = '64-3-10', update = 'batch:20', optimizer = 'adam', epochs = 2 }\nobserve = { losses = true }\nseeds = [1, 2]";
    Study::resolve("faults", &StudyFile::parse(text, "").unwrap(), data).unwrap()
}

fn limits() -> Limits {
    Limits { threads: 1, checkpoint_every: Cadence::Updates(1), ..Limits::default() }
}

fn begin(data: &Dataset, out: &Path) -> Result<Finished> {
    run(&study(data), data, limits(), Some(out), "", &Control::default(), &mut ())
}

fn go_on(data: &Dataset, out: &Path) -> Finished {
    let begun = Begun::open(out).unwrap();
    begun.resume(&study(data), data, limits(), &Control::default(), &mut ()).unwrap()
}

/// Results of the trials except times: state and evaluations from the record, losses from their file.
fn left(finished: &Finished) -> Vec<(String, Vec<Option<f64>>, Vec<u8>)> {
    assert!(finished.error.is_none(), "{:?}", finished.error);
    let of = |trial: &TrialRecord| {
        let losses = finished.folder.path().join(trial.losses.as_ref().unwrap());
        let evaluations = trial.epochs.iter().flat_map(|row| [row.train_loss, row.eval_loss]).collect();
        (trial.state.clone(), evaluations, fs::read(losses).unwrap())
    };
    finished.summary.trials.iter().map(of).collect()
}

#[test]
fn whichever_call_a_disk_fails_at_or_a_process_dies_at_the_run_goes_on_to_the_same_bits() {
    let data = data();
    let place = TempDir::new().unwrap();
    let whole = left(&begin(&data, &place.path().join("whole")).unwrap());
    for kind in [Fault::Once, Fault::From] {
        for at in 1.. {
            let out = place.path().join("run");
            let (finished, failed) = faults::with(kind(at), || begin(&data, &out));
            if !failed {
                assert!(at > 50, "only {at} calls");
                drop(finished);
                fs::remove_dir_all(&out).unwrap();
                break;
            }
            let error = finished.map_or_else(Some, |finished| finished.error).unwrap();
            assert_eq!(error.exit_code(), 1, "call {at}: {error}");
            if out.exists() {
                assert_eq!(left(&go_on(&data, &out)), whole, "call {at}");
                fs::remove_dir_all(&out).unwrap();
            }
        }
    }
}

/// Four recipes that share little, in turns of an update or a block of them.
fn race(data: &Dataset) -> Study {
    let text = "recipe = { model = '64-20-10', epochs = 12 }\nobserve = { losses = true }\nseeds = [1, 2]\n\
                trial = [{ update = 'batch:7', optimizer = 'adam' }, { update = 'sample', optimizer = 'sgd:lr=0.1,momentum=0.9' },\
                { update = 'epoch', optimizer = 'l-bfgs' }, { update = 'batch:20', optimizer = 'sgd:lr=1e30' }]";
    Study::resolve("race", &StudyFile::parse(text, "").unwrap(), data).unwrap()
}

/// Notes whose turn it is.
#[derive(Default)]
struct Turns(Vec<(String, u64)>);

impl Watcher for Turns {
    fn event(&mut self, trial: &Trial, _: &Event) {
        let who = (trial.name.clone(), trial.seed);
        if self.0.last() != Some(&who) {
            self.0.push(who);
        }
    }
}

#[test]
fn interleaved_trials_have_the_bits_of_trials_run_alone() {
    let data = data();
    let study = race(&data);
    let mut turns = Turns::default();
    let finished = study.run_with(&data, limits(), &Control::default(), &mut turns).unwrap();
    assert!(turns.0.len() > 20, "{:?}", turns.0);
    let seeds: Vec<u64> = turns.0.iter().map(|(_, seed)| *seed).collect();
    assert!(seeds.is_sorted(), "recipes of one seed compete");
    assert_eq!(finished.summary.trials.len(), 8);
    for ((_, trial), record) in study.runs().zip(&finished.summary.trials) {
        let mut session = Session::new(&trial, &data, limits()).unwrap();
        let alone = session.run().unwrap();
        assert_eq!(
            (&record.name, record.seed, record.timing),
            (&trial.name, trial.seed, Timing::Interleaved)
        );
        assert_eq!((record.status, &record.diverged), (alone.status, &alone.diverged));
        assert_eq!(record.state, session.digest(), "{}", trial.name);
        let losses = |rows: &[EpochRecord]| -> Vec<_> {
            rows.iter().map(|row| (row.updates, row.train_loss, row.eval_loss)).collect()
        };
        assert_eq!(losses(&record.epochs), losses(&alone.epochs), "{}", trial.name);
        assert!(record.slices.unwrap().seconds_per_update > 0.0);
    }
}

#[test]
fn trials_beside_each_other_have_the_bits_of_trials_alone_and_the_seconds_per_update_of_their_recipe() {
    let data = data();
    let study = race(&data);
    let beside = Limits { threads: 3, side_by_side: true, ..limits() };
    let run = |limits| study.run_with(&data, limits, &Control::default(), &mut ()).unwrap();
    let (alone, beside) = (run(limits()), run(beside));
    let trials = &beside.summary.trials;
    for ((alone, beside), trace) in alone.summary.trials.iter().zip(trials).zip(&beside.traces) {
        assert_eq!((&beside.name, beside.seed, &beside.state), (&alone.name, alone.seed, &alone.state));
        assert_eq!((beside.timing, beside.threads), (Timing::Calibrated, 3), "{}", beside.name);
        if beside.status == Status::Diverged {
            assert_eq!(beside.slices, None, "no update counts");
            continue;
        }
        let seeds = trials.iter().filter(|trial| trial.config_id == beside.config_id);
        let speeds: Vec<f64> = seeds.map(|trial| trial.slices.unwrap().seconds_per_update).collect();
        let speed = (speeds[0] + speeds[1]) / 2.0;
        let is_near = |seconds: f64, updates: u64| (seconds / (speed * updates as f64) - 1.0).abs() < 1e-9;
        assert!(is_near(beside.train_seconds, beside.updates));
        assert!(is_near(beside.epochs.iter().map(|row| row.train_seconds).sum(), beside.updates));
        assert!(trace.evaluations[1..].iter().all(|point| is_near(point.train_seconds, point.updates)));
        assert!(beside.evaluations[1..].iter().all(|point| is_near(point.seconds, point.updates)));
    }
}

#[test]
fn an_interleaved_study_goes_on_to_the_same_bits_wherever_a_disk_fails_or_a_process_dies() {
    let data = data();
    let study = race(&data);
    let place = TempDir::new().unwrap();
    let limits = Limits { checkpoint_every: Cadence::Epochs(3), ..limits() };
    let begin = |out: &Path| run(&study, &data, limits, Some(out), "", &Control::default(), &mut ());
    let whole = left(&begin(&place.path().join("whole")).unwrap());
    for kind in [Fault::Once, Fault::From] {
        for at in (1..).step_by(67) {
            let out = place.path().join("run");
            let (begun, failed) = faults::with(kind(at), || begin(&out));
            if !failed {
                assert!(at > 300, "only {at} calls");
                break;
            }
            drop(begun);
            if out.exists() {
                let resumed =
                    Begun::open(&out).unwrap().resume(&study, &data, limits, &Control::default(), &mut ());
                assert_eq!(left(&resumed.unwrap()), whole, "call {at}");
                fs::remove_dir_all(&out).unwrap();
            }
        }
        let _ = fs::remove_dir_all(place.path().join("run"));
    }
}

#[test]
fn after_an_error_in_one_trial_the_others_are_interrupted_and_nothing_is_lost() {
    let data = data();
    let study = race(&data);
    let place = TempDir::new().unwrap();
    let out = place.path().join("run");
    let begun = faults::with(Fault::Once(90), || {
        run(
            &study,
            &data,
            Limits { checkpoint_every: Cadence::Epochs(3), ..limits() },
            Some(&out),
            "",
            &Control::default(),
            &mut (),
        )
        .unwrap()
    });
    let trials = &begun.0.summary.trials;
    assert!(begun.0.error.is_some());
    let count = |status: Status| trials.iter().filter(|trial| trial.status == status).count();
    assert!(count(Status::Failed) == 1 && count(Status::Interrupted) > 0, "{trials:?}");
}

/// Counts the trials that began and those that ended.
#[derive(Default)]
struct Counted {
    started: usize,
    ended: usize,
}

impl Watcher for Counted {
    fn started(&mut self, _trial: &Trial, _index: usize, _total: usize) {
        self.started += 1;
    }

    fn ended(&mut self, _record: &TrialRecord) {
        self.ended += 1;
    }
}

#[test]
fn every_trial_that_began_has_a_record_wherever_a_disk_fails() {
    let data = data();
    let study = race(&data);
    let place = TempDir::new().unwrap();
    let limits = Limits { checkpoint_every: Cadence::Epochs(3), ..limits() };
    for at in (1..160).step_by(3) {
        let out = place.path().join(format!("run-{at}"));
        let mut counted = Counted::default();
        let ran = || run(&study, &data, limits, Some(&out), "", &Control::default(), &mut counted);
        let (finished, _) = faults::with(Fault::Once(at), ran);
        assert_eq!(counted.started, counted.ended, "call {at}");
        let records = finished.map_or(0, |finished| finished.summary.trials.len());
        assert_eq!(records, counted.ended, "call {at}");
    }
}

/// Best weights on disk, and those of the epoch in the record, retrained up to there.
fn best_on_disk_and_by_record(data: &Dataset, finished: &Finished, index: usize) -> [Vec<f32>; 2] {
    let record = &finished.summary.trials[index];
    let best = record.best.as_ref().unwrap();
    let (_, mut trial) = study(data).runs().nth(index).unwrap();
    let found = crate::network::Params::init(trial.plan(data).unwrap().layout, &trial.recipe.init, 1);
    let mut found = found;
    crate::network::load_weights(&mut found, &finished.folder.path().join(&best.model)).unwrap();
    trial.budget.epochs = best.best.epoch;
    let mut session = Session::new(&trial, data, limits()).unwrap();
    session.run().unwrap();
    [found.values().to_vec(), session.params().values().to_vec()]
}

/// Interrupts at the first event.
struct Impatient(Control);

impl Watcher for Impatient {
    fn event(&mut self, _: &Trial, _: &Event) {
        self.0.interrupt();
    }
}

#[test]
fn best_weights_and_their_record_agree_wherever_a_process_dies_and_the_next_is_interrupted() {
    let data = data();
    let place = TempDir::new().unwrap();
    for at in (1..).step_by(2) {
        let out = place.path().join("run");
        let (begun, failed) = faults::with(Fault::From(at), || begin(&data, &out));
        drop(begun);
        if !failed {
            assert!(at > 50, "only {at} calls");
            return;
        }
        if !out.exists() {
            continue;
        }
        let control = Control::default();
        let resumed = Begun::open(&out).unwrap().resume(
            &study(&data),
            &data,
            limits(),
            &control,
            &mut Impatient(control.clone()),
        );
        let resumed = resumed.unwrap();
        for index in 0..resumed.summary.trials.len() {
            if resumed.summary.trials[index].best.is_some() {
                let [on_disk, by_record] = best_on_disk_and_by_record(&data, &resumed, index);
                assert!(on_disk == by_record, "call {at}, trial {index}");
            }
        }
        drop(resumed);
        fs::remove_dir_all(&out).unwrap();
    }
}

#[test]
fn a_newest_checkpoint_that_does_not_fit_gives_way_to_the_one_before_it() {
    let data = data();
    let place = TempDir::new().unwrap();
    let whole = left(&begin(&data, &place.path().join("whole")).unwrap());
    let (out, mut went_back) = (place.path().join("run"), false);
    for at in 60.. {
        let (begun, failed) = faults::with(Fault::From(at), || begin(&data, &out));
        drop(begun);
        if !failed {
            break;
        }
        for trial in fs::read_dir(out.join("trials")).unwrap() {
            let [newest, previous] =
                ["checkpoint", "checkpoint.previous"].map(|name| trial.as_ref().unwrap().path().join(name));
            if newest.exists() && previous.exists() {
                let bytes = fs::read(&newest).unwrap();
                fs::write(&newest, sealed(&bytes[..bytes.len() - 16 - 8])).unwrap();
                went_back = true;
            }
        }
        assert_eq!(left(&go_on(&data, &out)), whole, "call {at}");
        fs::remove_dir_all(&out).unwrap();
    }
    assert!(went_back);
}

#[test]
fn a_process_that_dies_while_it_resumes_can_be_resumed() {
    let data = data();
    let place = TempDir::new().unwrap();
    let whole = left(&begin(&data, &place.path().join("whole")).unwrap());
    for at in 1.. {
        let out = place.path().join("run");
        let _ = faults::with(Fault::From(60), || begin(&data, &out));
        let (resumed, failed) = faults::with(Fault::From(at), || {
            let begun = Begun::open(&out)?;
            begun.resume(&study(&data), &data, limits(), &Control::default(), &mut ())
        });
        drop(resumed);
        if !failed {
            assert!(at > 10, "only {at} calls");
            return;
        }
        assert_eq!(left(&go_on(&data, &out)), whole, "call {at}");
        fs::remove_dir_all(&out).unwrap();
    }
}

#[test]
fn other_data_are_refused_and_named() {
    let place = TempDir::new().unwrap();
    let out = place.path().join("run");
    let _ = faults::with(Fault::From(60), || begin(&data(), &out));
    let other = schuss_data::load("digits:train=40,test=10,size=8,seed=2").unwrap();
    let begun = Begun::open(&out).unwrap();
    let error = begun.resume(&study(&other), &other, limits(), &Control::default(), &mut ()).unwrap_err();
    assert_eq!(error.exit_code(), 3, "{error}");
}

/// A checkpoint of a tiny trial.
fn tiny(place: &Path) -> Vec<u8> {
    let out = place.join("run");
    begin(&data(), &out).unwrap();
    let trials = fs::read_dir(out.join("trials")).unwrap();
    fs::read(trials.last().unwrap().unwrap().path().join("checkpoint")).unwrap()
}

#[test]
fn every_truncation_and_every_bit_flip_of_a_checkpoint_is_found() {
    let place = TempDir::new().unwrap();
    let whole = tiny(place.path());
    let damaged = |bytes: &[u8]| {
        let read = checkpoint::read(Cursor::new(bytes), bytes.len() as u64);
        matches!(read, Err(Unusable::Damaged(_)))
    };
    assert!(!damaged(&whole));
    for end in 0..whole.len() {
        assert!(damaged(&whole[..end]), "{end} bytes");
    }
    let mut flipped = whole;
    for bit in 0..8 * flipped.len() {
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(damaged(&flipped), "bit {bit}");
        flipped[bit / 8] ^= 1 << (bit % 8);
    }
}

/// Appends a valid checksum.
fn sealed(body: &[u8]) -> Vec<u8> {
    let checksum = xxhash_rust::xxh3::xxh3_128(body).to_le_bytes();
    [body, &checksum].concat()
}

#[test]
fn a_checkpoint_that_lies_under_a_right_checksum_is_refused_without_a_panic() {
    let place = TempDir::new().unwrap();
    let whole = tiny(place.path());
    let body = &whole[..whole.len() - 16];
    let (data, mut refused) = (data(), 0);
    let trial = study(&data).runs().next().unwrap().1;
    let mut session = Session::new(&trial, &data, limits()).unwrap();
    for byte in (0..body.len()).step_by(3) {
        let mut lie = body.to_vec();
        lie[byte] = !lie[byte];
        let lie = sealed(&lie);
        let Ok(mut found) = checkpoint::read(Cursor::new(&lie), lie.len() as u64) else {
            refused += 1;
            continue;
        };
        match found.restore(&mut session) {
            Ok(()) => drop(session.run()),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 100, "{refused} of {}", body.len());
}

#[test]
fn a_checkpoint_of_a_later_format_is_refused_not_misread() {
    let place = TempDir::new().unwrap();
    let whole = tiny(place.path());
    let mut later = whole[..whole.len() - 16].to_vec();
    later[8] += 1;
    let path = place.path().join("checkpoint");
    fs::write(&path, sealed(&later)).unwrap();
    assert!(matches!(checkpoint::open(&path), Err(Unusable::Refused(_))));
}

#[test]
fn the_summary_of_a_run_that_was_killed_can_be_read() {
    let place = TempDir::new().unwrap();
    let out = place.path().join("run");
    let _ = faults::with(Fault::From(60), || begin(&data(), &out));
    let summary: Value = serde_json::from_slice(&fs::read(out.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["schema"], 1);
    assert_eq!(summary["trials"], Value::Array(vec![]));
}

#[test]
fn a_run_from_before_the_target_scale_goes_on_without() {
    let parse = |trial: &str| StudyFile::parse(&format!("[[trial]]\n{trial}"), "").unwrap();
    let mut older = parse("targets = 'real'");
    assert!(keep_targets(&mut older));
    assert_eq!(older.trials[0].choices.get(ChoiceKey::TargetScale), Some("none"));
    for newer in ["targets = 'real'\ntarget_scale = 'standard'", "targets = 'class'"] {
        let mut file = parse(newer);
        assert!(!keep_targets(&mut file) && file == parse(newer), "{newer}");
    }
}

/// Runs a recipe for `epochs` epochs, from scratch.
fn run_for(epochs: u32, recipe: &str, data: &Dataset, out: &Path) -> Result<Finished> {
    let text = format!(
        "recipe = {{ model = '64-3-10', {recipe}, epochs = {epochs} }}\nobserve = {{ losses = true }}\nseeds = [1, 2]"
    );
    let study = Study::resolve("longer", &StudyFile::parse(&text, "").unwrap(), data).unwrap();
    run(&study, data, limits(), Some(out), "", &Control::default(), &mut ())
}

fn extended(out: &Path, epochs: u32, data: &Dataset) -> Result<Finished> {
    let begun = Begun::open(out)?.extend(epochs)?;
    let study = Study::resolve("longer", &begun.file, data)?;
    begun.resume(&study, data, limits(), &Control::default(), &mut ())
}

#[test]
fn a_finished_run_goes_on_to_the_bits_of_a_longer_one() {
    let data = data();
    for recipe in [
        "update = 'batch:20', optimizer = 'adam+ema:0.9', schedule = 'plateau:patience=0'",
        "update = 'sample', optimizer = 'sgd:lr=0.1,momentum=0.9', schedule = 'step:step_size=30,gamma=0.5'",
        "update = 'epoch', optimizer = 'l-bfgs'",
    ] {
        let place = TempDir::new().unwrap();
        let long = left(&run_for(5, recipe, &data, &place.path().join("long")).unwrap());
        let out = place.path().join("short");
        drop(run_for(2, recipe, &data, &out).unwrap());
        let extended = extended(&out, 5, &data).unwrap();
        assert_eq!(left(&extended), long, "{recipe}");
        assert!(extended.summary.trials.iter().all(|trial| trial.budget.epochs == 5));
        let written = fs::read_to_string(out.join(STUDY)).unwrap();
        assert!(written.contains("epochs = 5") && !written.contains("epochs = 2"), "{written}");
    }
}

#[test]
fn a_recipe_that_answers_one_class_is_warned_of_once_with_its_seeds() {
    let data = data();
    let place = TempDir::new().unwrap();
    let finished = run_for(1, "update = 'batch:20'", &data, &place.path().join("run")).unwrap();
    let mut trials = finished.summary.trials.clone();
    for trial in &mut trials {
        let test = trial.test.as_mut().unwrap();
        (test.only_class, test.accuracy, test.chance) = (Some(3), Some(0.1), Some(0.2));
    }
    let both = alike::answers_one_class(&trials, &data);
    assert!(both.len() == 1 && both[0].contains(", seeds 1, 2: predicts one class"), "{both:?}");
    trials[1].test.as_mut().unwrap().only_class = None;
    let one = alike::answers_one_class(&trials, &data);
    assert!(one.len() == 1 && one[0].contains("seed 1: predicts `3` for every sample"), "{one:?}");
    assert!(one[0].contains("accuracy of 10.0 %") && one[0].contains("20.0 %"), "{one:?}");
    trials[0].test.as_mut().unwrap().only_class = None;
    assert_eq!(alike::answers_one_class(&trials, &data), Vec::<String>::new());
}

#[test]
fn metrics_of_a_run_are_one_table_of_what_was_measured() {
    let data = data();
    let place = TempDir::new().unwrap();
    let table = |recipe: &str, name: &str| {
        let finished = run_for(2, recipe, &data, &place.path().join(name)).unwrap();
        let text = metrics::csv(&finished.summary, &finished.traces);
        let head = text.lines().next().unwrap().to_owned();
        assert!(text.lines().all(|line| line.split(',').count() == head.split(',').count()), "{text}");
        assert_eq!(
            text.lines().count(),
            1 + 2 * 3,
            "two seeds, an evaluation before and after each of two epochs"
        );
        head
    };
    let fixed = "recipe,seed,epoch,update,samples,seconds,train_loss,eval_loss,eval_accuracy";
    assert_eq!(table("update = 'batch:20'", "classes"), format!("{fixed},chance"));
    assert_eq!(
        table("update = 'epoch', optimizer = 'l-bfgs'", "solver"),
        format!("{fixed},chance,evaluations")
    );
}

#[test]
fn what_cannot_be_longer_is_refused() {
    let data = data();
    let place = TempDir::new().unwrap();
    for (name, recipe, epochs) in [
        ("cosine", "update = 'batch:20', schedule = 'warmup:1+cosine'", 4),
        ("updates", "update = 'batch:20', max_updates = 3", 4),
        ("fewer", "update = 'batch:20'", 1),
    ] {
        let out = place.path().join(name);
        drop(run_for(2, recipe, &data, &out).unwrap());
        let error = extended(&out, epochs, &data).unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains("a new run"), "{name}: {error}");
    }
}

#[test]
fn a_finished_trial_keeps_weights_and_state_and_nothing_that_was_on_its_way() {
    let data = data();
    let place = TempDir::new().unwrap();
    for update in ["sample", "batch:20"] {
        let out = place.path().join(update.replace(':', "-"));
        drop(
            run_for(2, &format!("update = '{update}', optimizer = 'sgd:lr=0.1,momentum=0.9'"), &data, &out)
                .unwrap(),
        );
        let trial = fs::read_dir(out.join("trials")).unwrap().next().unwrap().unwrap().path();
        let kept = fs::metadata(trial.join("checkpoint")).unwrap().len();
        // weights, velocity and best weights: 64 and 3 rows and two of biases, of 16 lanes each
        let weights = 4 * 16 * (64 + 3 + 2);
        assert!(kept < 4 * weights + 4_000, "{update}: {kept}");
    }
    let out = place.path().join("cosine");
    drop(run_for(2, "update = 'batch:20', schedule = 'cosine'", &data, &out).unwrap());
    let trial = fs::read_dir(out.join("trials")).unwrap().next().unwrap().unwrap().path();
    let kept = fs::metadata(trial.join("checkpoint")).unwrap().len();
    assert!(kept < 4_000, "a schedule made for its epochs: {kept}");
}

#[test]
fn a_trial_that_ended_otherwise_keeps_no_state_and_stays_as_it_is() {
    let data = data();
    let place = TempDir::new().unwrap();
    let out = place.path().join("run");
    let recipe = "update = 'batch:20', stop = 'train_loss<100'";
    drop(run_for(2, recipe, &data, &out).unwrap());
    let checkpoint = fs::metadata(out.join("trials/01-batch-20-sgd-lr-0-1-1/checkpoint")).unwrap().len();
    assert!(checkpoint < 4_000, "{checkpoint}");
    let again = extended(&out, 4, &data).unwrap();
    assert!(again.summary.trials.iter().all(|trial| trial.status == Status::Stopped && trial.updates == 2));
}

/// Interrupts the study when so many trials have ended.
struct EndsWith(usize, Control);

impl Watcher for EndsWith {
    fn ended(&mut self, _: &TrialRecord) {
        self.0 -= 1;
        if self.0 == 0 {
            self.1.interrupt();
        }
    }
}

#[test]
fn a_plane_that_an_interruption_left_out_is_drawn_by_resuming() {
    let data = data();
    let text = "workload = { instrument = 'plane' }\nrecipe = { model = '64-3-10', epochs = 2 }\n\
                trial = [{ optimizer = 'adam' }, { optimizer = 'sgd:lr=0.1' }]";
    let study = Study::resolve("plane", &StudyFile::parse(text, "").unwrap(), &data).unwrap();
    let (place, control) = (TempDir::new().unwrap(), Control::default());
    let out = place.path().join("run");
    let whole = study.run_with(&data, limits(), &Control::default(), &mut ()).unwrap();
    assert!(whole.summary.surfaces.len() == 1 && !whole.lacks_plane);
    let watcher = &mut EndsWith(2, control.clone());
    let cut = run(&study, &data, limits(), Some(&out), "", &control, watcher).unwrap();
    assert!(cut.lacks_plane && cut.summary.surfaces.is_empty());
    assert!(cut.summary.trials.iter().all(|trial| trial.status == Status::Finished));
    cut.folder.write_summary(&cut.summary).unwrap();
    drop(cut);
    let begun = Begun::open(&out).unwrap();
    assert!(!begun.is_finished());
    let resumed = begun.resume(&study, &data, limits(), &Control::default(), &mut ()).unwrap();
    assert_eq!(resumed.summary.surfaces, whole.summary.surfaces);
    resumed.folder.write_summary(&resumed.summary).unwrap();
    drop(resumed);
    assert!(Begun::open(&out).unwrap().is_finished());
}
