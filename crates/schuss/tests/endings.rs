//! Endings of a trial: budget used up, target or condition met, interrupted, or diverged.

mod common;

use common::{ONE_THREAD, bits, initial_params, random_data, run, trial};
use schuss::data::{Dataset, Samples};
use schuss::network::Params;
use schuss::recipe::{EvalEvery, Trial};
use schuss::record::{EvaluationPoint, Status};
use schuss::session::{Control, Event, Limits, Outcome, Session};
use std::time::{Duration, Instant};

/// 20 updates of 5 samples per epoch.
fn data() -> Dataset {
    random_data(12, 3, 100, 40, 7)
}

/// The trial, evaluated every so many updates.
fn evaluating(mut trial: Trial, updates: u64) -> Trial {
    trial.budget.eval_every = Some(EvalEvery::Updates(updates));
    trial
}

fn descent(epochs: u32) -> Trial {
    trial("12-9-3", "batch:5", "sgd:lr=0.1", epochs)
}

fn epochs_and_updates(outcome: &Outcome) -> Vec<(u32, u64)> {
    outcome.epochs.iter().map(|row| (row.epoch, row.updates)).collect()
}

#[test]
fn max_updates_stops_in_the_middle_of_an_epoch_with_a_row_of_its_own() {
    let mut trial = descent(10);
    trial.budget.max_updates = Some(27);
    let (outcome, _) = run(&trial, &data(), ONE_THREAD);
    assert_eq!((outcome.status, outcome.updates, outcome.samples), (Status::Finished, 27, 135));
    assert_eq!(epochs_and_updates(&outcome), [(0, 0), (1, 20), (2, 27)]);
    let last = &outcome.epochs[2];
    assert!(last.train_loss.is_some() && last.eval_loss.is_some(), "{last:?}");
    assert_eq!(outcome.evaluation.map(|evaluation| evaluation.loss), last.eval_loss);
}

#[test]
fn max_updates_at_the_end_of_an_epoch_gives_one_row_and_none_at_all_trains_nothing() {
    for (max, rows) in [(40, vec![(0, 0), (1, 20), (2, 40)]), (1, vec![(0, 0), (1, 1)]), (0, vec![(0, 0)])] {
        let mut trial = descent(10);
        trial.budget.max_updates = Some(max);
        let (outcome, _) = run(&trial, &data(), ONE_THREAD);
        assert_eq!((outcome.status, epochs_and_updates(&outcome)), (Status::Finished, rows));
    }
}

/// A trial whose target random labels reach after some epochs: a running loss that takes memorising them.
fn with_target(beyond_target: bool) -> Trial {
    let mut trial = descent(60);
    trial.budget.target = Some("train_loss<1.05".parse().unwrap());
    trial.budget.beyond_target = beyond_target;
    trial
}

#[test]
fn a_target_ends_the_trial_where_it_is_first_seen_reached() {
    let (outcome, _) = run(&with_target(false), &data(), ONE_THREAD);
    let (last, before) = outcome.epochs.split_last().unwrap();
    assert_eq!(outcome.status, Status::Target);
    assert!(before.len() > 1, "reached at once: {:?}", epochs_and_updates(&outcome));
    assert!(last.train_loss.unwrap() < 1.05, "{last:?}");
    assert!(before[1..].iter().all(|row| row.train_loss.unwrap() >= 1.05), "{before:?}");
    let target = outcome.target.unwrap();
    assert_eq!(target.updates, Some(last.updates));
    assert!(target.seconds.is_some_and(|seconds| seconds > 0.0 && seconds <= outcome.train_seconds));
}

#[test]
fn beyond_its_target_a_trial_goes_on_and_keeps_when_it_was_reached() {
    let (stopped, _) = run(&with_target(false), &data(), ONE_THREAD);
    let (outcome, _) = run(&with_target(true), &data(), ONE_THREAD);
    assert_eq!((outcome.status, outcome.updates), (Status::Finished, 60 * 20));
    assert_eq!(outcome.target.unwrap().updates, stopped.target.unwrap().updates);
}

#[test]
fn a_target_that_is_missed_is_told_as_not_reached() {
    let mut trial = with_target(false);
    trial.budget.epochs = 1;
    let (outcome, _) = run(&trial, &data(), ONE_THREAD);
    let target = outcome.target.unwrap();
    assert_eq!((outcome.status, target.updates, target.seconds), (Status::Finished, None, None));
}

#[test]
fn evaluations_between_epochs_find_a_target_in_the_middle_of_one() {
    let data = data();
    let mut session = Session::new(&evaluating(with_target(false), 7), &data, ONE_THREAD).unwrap();
    let mut seen = vec![];
    let mut sink = |event: &Event| {
        if let Event::Evaluation(point) = event {
            seen.push(point.updates);
        }
        Ok(())
    };
    let outcome = session.run_with(&Control::default(), &mut sink).unwrap();
    let expected = (0..=outcome.updates).filter(|update| update % 7 == 0 || update % 20 == 0);
    assert_eq!(seen, expected.collect::<Vec<_>>());
    let epochs: Vec<u32> = outcome.epochs.iter().map(|row| row.epoch).collect();
    assert_eq!(epochs, (0..epochs.len() as u32).collect::<Vec<_>>());
    assert_eq!(outcome.target.unwrap().updates, Some(outcome.updates));
}

#[test]
fn with_a_target_all_racers_are_evaluated_at_the_same_samples() {
    // 100 / 40 affords 2 evaluations within ten epochs: the first has 3 parts, the others 1
    let data = data();
    let points = |update: &str| {
        let mut trial = with_target(true);
        (trial.recipe.update, trial.budget.epochs) = (update.parse().unwrap(), 3);
        let mut session = Session::new(&trial, &data, ONE_THREAD).unwrap();
        let mut seen = vec![];
        let mut sink = |event: &Event| {
            if let Event::Evaluation(point) = event {
                seen.push(point.samples);
            }
            Ok(())
        };
        session.run_with(&Control::default(), &mut sink).unwrap();
        seen
    };
    assert_eq!(points("sample"), [0, 34, 67, 100, 200, 300]);
    assert_eq!(points("batch:5"), [0, 35, 70, 100, 200, 300]);
    assert_eq!(points("batch:50"), [0, 50, 100, 200, 300]);
    assert_eq!(points("epoch"), [0, 100, 200, 300]);
}

#[test]
fn weights_after_a_step_are_those_of_its_update() {
    let data = data();
    for update in ["sample", "batch:5", "epoch"] {
        let mut trial = descent(3);
        trial.recipe.update = update.parse().unwrap();
        let mut session = Session::new(&trial, &data, ONE_THREAD).unwrap();
        for updates in 1..=3 {
            session.step().unwrap();
            trial.budget.max_updates = Some(updates);
            let (_, params) = run(&trial, &data, ONE_THREAD);
            assert_eq!(bits(session.params()), bits(&params), "{update}, update {updates}");
        }
    }
}

#[test]
fn evaluations_between_epochs_change_no_bit() {
    let data = data();
    let mut session = Session::new(&evaluating(descent(3), 3), &data, ONE_THREAD).unwrap();
    let outcome = session.run().unwrap();
    let (plain, params) = run(&descent(3), &data, ONE_THREAD);
    assert_eq!(bits(session.params()), bits(&params));
    assert_eq!(common::rows_without_times(&outcome), common::rows_without_times(&plain));
}

#[test]
fn a_stop_condition_ends_the_trial_as_stopped() {
    let mut trial = with_target(false);
    trial.budget.stop = trial.budget.target.take();
    let (outcome, _) = run(&trial, &data(), ONE_THREAD);
    assert_eq!((outcome.status, outcome.target), (Status::Stopped, None));
    assert!(outcome.epochs.last().unwrap().train_loss.unwrap() < 1.05);
    assert!(outcome.updates < 60 * 20);
}

/// Runs a trial that is also evaluated every 7 updates; returns its evaluations, its outcome and its weights.
fn evaluated(trial: &Trial) -> (Vec<EvaluationPoint>, Outcome, Params) {
    let data = data();
    let mut session = Session::new(&evaluating(trial.clone(), 7), &data, ONE_THREAD).unwrap();
    let mut points = vec![];
    let mut sink = |event: &Event| {
        if let Event::Evaluation(point) = event {
            points.push(EvaluationPoint { train_seconds: 0.0, ..(*point).clone() });
        }
        Ok(())
    };
    let outcome = session.run_with(&Control::default(), &mut sink).unwrap();
    (points, outcome, session.params().clone())
}

/// A trial that memorises random labels, so that its evaluation loss rises.
fn memorising(criterion: &str) -> Trial {
    let mut trial = descent(60);
    trial.budget.early_stop = (criterion != "none").then(|| criterion.parse().unwrap());
    trial
}

#[test]
fn an_early_stop_ends_the_trial_at_the_first_evaluation_that_has_risen_for_certain_and_changes_no_bit_before()
{
    let (whole, ..) = evaluated(&memorising("none"));
    let mut lowest = f64::INFINITY;
    let has_risen = |point: &EvaluationPoint| {
        let loss = point.eval_loss.unwrap();
        lowest = lowest.min(loss);
        loss > 1.02 * lowest && loss - lowest > 1.96 * point.rise_error.unwrap()
    };
    let risen = whole.iter().position(has_risen).unwrap();
    let above = |point: &&EvaluationPoint| point.eval_loss.unwrap() > 1.02 * lowest;
    assert!(whole[..risen].iter().any(|point| above(&point)), "every rise is certain");

    let (points, outcome, params) = evaluated(&memorising("gl:2"));
    assert_eq!((outcome.status, outcome.updates), (Status::Stopped, whole[risen].updates));
    assert_eq!(points, whole[..=risen]);
    let mut limited = memorising("none");
    limited.budget.max_updates = Some(outcome.updates);
    assert_eq!(bits(&params), bits(&evaluated(&limited).2));
    let best = outcome.best.unwrap();
    let least = points.iter().min_by(|a, b| a.eval_loss.unwrap().total_cmp(&b.eval_loss.unwrap())).unwrap();
    assert_eq!((best.updates, Some(best.eval_loss)), (least.updates, least.eval_loss));
}

#[test]
fn of_a_target_a_condition_and_an_early_stop_the_first_one_met_ends_the_trial() {
    let stopped = run(&memorising("up:1,k=2"), &data(), ONE_THREAD).0;
    assert_eq!((stopped.status, stopped.updates % 40), (Status::Stopped, 0), "at the end of a strip");
    let loss = stopped.epochs.last().unwrap().train_loss.unwrap();
    let with = |target: Option<f64>, stop: Option<f64>, beyond_target: bool| {
        let mut trial = memorising("up:1,k=2");
        let condition = |bound: f64| format!("train_loss<={bound}").parse().unwrap();
        (trial.budget.target, trial.budget.stop) = (target.map(condition), stop.map(condition));
        trial.budget.beyond_target = beyond_target;
        trial.budget.eval_every = Some(EvalEvery::Epoch); // evaluations within epochs may have a lower loss
        run(&trial, &data(), ONE_THREAD).0
    };
    let ended = |outcome: Outcome| (outcome.status, outcome.updates);
    let at_the_same = with(Some(loss), None, false);
    assert_eq!(ended(at_the_same), (Status::Target, stopped.updates), "a target comes first");
    let later = with(Some(0.0), Some(0.0), false);
    assert_eq!(ended(later), (Status::Stopped, stopped.updates));
    let beyond = with(Some(1.1), None, true);
    assert!(beyond.target.as_ref().unwrap().updates.unwrap() < stopped.updates);
    assert_eq!(ended(beyond), (Status::Stopped, stopped.updates));
    let sooner = with(None, Some(1.1), false);
    assert!(sooner.status == Status::Stopped && sooner.updates < stopped.updates);
}

#[test]
fn a_trial_resumed_anywhere_stops_early_where_it_would_have() {
    for criterion in ["gl:2", "pq:0.1,k=2", "up:1,k=2"] {
        let (data, trial) = (data(), memorising(criterion));
        let (points, expected, params) = evaluated(&trial);
        assert_eq!(expected.status, Status::Stopped, "{criterion}");
        for cut in [0, 1, 7, 20, 39, expected.updates - 1] {
            let start = || Session::new(&evaluating(trial.clone(), 7), &data, ONE_THREAD).unwrap();
            let (mut begun, mut saved) = (start(), vec![]);
            while begun.place()[1] < cut {
                assert!(begun.step().unwrap().is_none());
            }
            begun.save(&mut saved).unwrap();
            let mut session = start();
            session.load(&mut &saved[..]).unwrap();
            let mut last = None;
            let mut sink = |event: &Event| {
                if let Event::Evaluation(point) = event {
                    last = Some((point.updates, point.eval_loss, point.rise_error));
                }
                Ok(())
            };
            let outcome = session.run_with(&Control::default(), &mut sink).unwrap();
            assert_eq!((outcome.status, outcome.updates), (Status::Stopped, expected.updates), "{criterion}");
            assert_eq!(bits(session.params()), bits(&params), "{criterion}, from update {cut}");
            let end = points.last().unwrap();
            assert_eq!(last, Some((end.updates, end.eval_loss, end.rise_error)), "{criterion}, from {cut}");
        }
    }
}

/// Interrupted by a sink at the evaluation after update 27.
#[test]
fn an_interrupted_trial_keeps_the_weights_and_rows_it_has() {
    let data = data();
    let control = Control::default();
    let mut session = Session::new(&evaluating(descent(10), 27), &data, ONE_THREAD).unwrap();
    let mut sink = |event: &Event| {
        if let Event::Evaluation(point) = event
            && point.updates == 27
        {
            control.interrupt();
        }
        Ok(())
    };
    let outcome = session.run_with(&control, &mut sink).unwrap();
    assert_eq!((outcome.status, outcome.updates, outcome.samples), (Status::Interrupted, 27, 135));
    assert_eq!(epochs_and_updates(&outcome), [(0, 0), (1, 20), (2, 27)]);

    let mut limited = descent(10);
    limited.budget.max_updates = Some(27);
    let (finished, params) = run(&limited, &data, ONE_THREAD);
    assert_eq!(bits(session.params()), bits(&params));
    assert_eq!(common::rows_without_times(&outcome), common::rows_without_times(&finished));
    assert_eq!(outcome.evaluation, finished.evaluation, "the weights it keeps were evaluated");
}

#[test]
fn a_trial_interrupted_beyond_its_last_evaluation_claims_none_of_its_final_weights() {
    let data = data();
    let control = Control::default();
    let mut session = Session::new(&trial("12-9-3", "sample", "sgd", 1_000_000), &data, ONE_THREAD).unwrap();
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            while control.samples() % 100 != 50 {
                std::hint::spin_loop();
            }
            control.interrupt();
        });
        session.run_with(&control, &mut ()).unwrap()
    });
    let last = outcome.epochs.last().unwrap();
    assert_eq!((outcome.status, outcome.updates), (Status::Interrupted, last.updates));
    assert!(last.train_loss.is_some(), "{last:?}");
    assert_eq!(outcome.evaluation.is_some(), last.eval_loss.is_some(), "{last:?}");
}

#[test]
fn a_trial_interrupted_between_two_epochs_invents_no_third() {
    let data = data();
    let control = Control::default();
    let mut session = Session::new(&descent(10), &data, ONE_THREAD).unwrap();
    let mut sink = |event: &Event| {
        if let Event::Epoch(row) = event
            && row.epoch == 2
        {
            control.interrupt();
        }
        Ok(())
    };
    let outcome = session.run_with(&control, &mut sink).unwrap();
    assert_eq!((outcome.status, outcome.updates), (Status::Interrupted, 40));
    assert_eq!(epochs_and_updates(&outcome), [(0, 0), (1, 20), (2, 40)]);
    assert_eq!(outcome.evaluation.map(|evaluation| evaluation.loss), outcome.epochs[2].eval_loss);
}

/// A session stopped at its first row, at updates within an epoch, or before the evaluation at an epoch's end.
#[test]
fn a_session_saved_after_an_interruption_goes_on_without_a_second_row_of_the_same_epoch() {
    let data = data();
    let (expected, _) = run(&descent(3), &data, ONE_THREAD);
    for (every, stops_at) in [(27, 0), (7, 7), (7, 20), (27, 27), (27, 40)] {
        let (control, mut seen, mut saved) = (Control::default(), 0, vec![]);
        let mut session = Session::new(&evaluating(descent(3), every), &data, ONE_THREAD).unwrap();
        let mut sink = |event: &Event| {
            if let Event::Losses(losses) = event {
                seen += losses.len();
            }
            if seen == stops_at {
                control.interrupt();
            }
            Ok(())
        };
        assert_eq!(session.run_with(&control, &mut sink).unwrap().status, Status::Interrupted);
        session.save(&mut saved).unwrap();
        let mut again = Session::new(&evaluating(descent(3), every), &data, ONE_THREAD).unwrap();
        again.load(&mut &saved[..]).unwrap();
        let outcome = again.run().unwrap();
        let rows = common::rows_without_times;
        assert_eq!(rows(&outcome), rows(&expected), "stopped at update {stops_at}");
    }
}

/// One update over 200,000 samples takes far longer than stopping may take, so it is abandoned without a trace.
#[test]
fn an_interruption_from_another_thread_ends_the_trial_within_a_second_even_inside_a_long_update() {
    let data = random_data(64, 10, 200_000, 10, 1);
    let trial = trial("64-200-10", "epoch", "sgd:lr=0.1,momentum=0.9", 1_000);
    let (control, mut asked) = (Control::default(), None);
    let mut session = Session::new(&trial, &data, Limits { threads: 2, ..Limits::default() }).unwrap();
    let outcome = std::thread::scope(|scope| {
        let interrupter = scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            control.interrupt();
            Instant::now()
        });
        let outcome = session.run_with(&control, &mut ()).unwrap();
        asked = Some(interrupter.join().unwrap());
        outcome
    });
    let waited = asked.unwrap().elapsed();
    assert!(waited < Duration::from_secs(1), "stopped {waited:?} after it was asked to");
    assert_eq!(outcome.status, Status::Interrupted);
    assert_eq!(outcome.samples, outcome.updates * 200_000);
    if outcome.updates == 0 {
        assert_eq!(bits(session.params()), bits(&initial_params(&trial, &data)));
    }
}

fn assert_no_nan(outcome: &Outcome) {
    for row in &outcome.epochs {
        let numbers = [row.train_loss, row.eval_loss, row.eval_accuracy];
        assert!(numbers.into_iter().flatten().all(f64::is_finite), "{row:?}");
    }
}

#[test]
fn a_diverging_trial_names_update_and_layer_and_keeps_weights_that_are_finite() {
    for update in ["epoch", "batch:5", "sample"] {
        for optimizer in ["sgd:lr=1e30", "sgd:lr=1e30,momentum=0.9", "adam:lr=1e30"] {
            let (data, trial) = (data(), trial("12-9-3", update, optimizer, 10));
            let (outcome, params) = run(&trial, &data, ONE_THREAD);
            let case = format!("{update} {optimizer}: {outcome:?}");
            assert_eq!(outcome.status, Status::Diverged, "{case}");
            let diverged = outcome.diverged.clone().unwrap();
            assert!((1..=10).contains(&diverged.update), "{case}");
            assert!(["0", "2"].contains(&diverged.layer.as_str()), "{case}");
            assert!(params.values().iter().all(|weight| weight.is_finite()), "{case}");
            assert_no_nan(&outcome);
            let rows: Vec<u32> = outcome.epochs.iter().map(|row| row.epoch).collect();
            assert_eq!(rows, (0..rows.len() as u32).collect::<Vec<_>>(), "{case}");
        }
    }
}

/// Updates, samples and weights of a diverged trial are those of its last finite report point.
#[test]
fn a_diverged_trial_counts_the_updates_and_samples_of_the_weights_it_keeps() {
    let (data, trial) = (data(), trial("12-9-3", "batch:5", "sgd:lr=1e30", 10));
    let (outcome, params) = run(&trial, &data, ONE_THREAD);
    assert_eq!((outcome.updates, outcome.samples), (0, 0));
    assert_eq!(bits(&params), bits(&initial_params(&trial, &data)));
}

#[test]
fn initial_weights_that_overflow_are_told_as_divergence_before_any_update() {
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    let mut params = common::zero_params("12-9-3", 3);
    for entry in params.layout().clone().entries() {
        params.set_tensor(entry, vec![1e30; entry.len()]);
    }
    let mut trial = descent(3);
    trial.init_from = Some(folder.path().join("weights.safetensors"));
    common::save_params(&params, trial.init_from.as_ref().unwrap());
    let (outcome, kept) = run(&trial, &data, ONE_THREAD);
    assert_eq!((outcome.status, outcome.updates), (Status::Diverged, 0));
    assert_eq!(outcome.diverged.as_ref().map(|diverged| (diverged.update, &*diverged.layer)), Some((0, "2")));
    assert_eq!(epochs_and_updates(&outcome), [(0, 0)]);
    assert_no_nan(&outcome);
    assert_eq!(bits(&kept), bits(&params));
}

/// White images drive all weights of a unit to −∞ together: ReLU hides them, and the loss never shows it.
#[test]
fn weights_that_stop_being_finite_behind_a_relu_are_found_though_the_loss_is_finite() {
    let white = |len: usize| Samples::images(vec![255; len * 12], vec![0; len], 12).unwrap();
    let data = common::data_of(white(10), white(10), 3);
    let folder = tempfile::tempdir().unwrap();
    let mut params = common::zero_params("12-9-3", 3);
    let large = [1.0, 1.0, 20.0, -20.0];
    for (entry, value) in params.layout().clone().entries().iter().zip(large) {
        let sign = |i: usize| if entry.name == "2.weight" && i / 9 == 0 { -value } else { value };
        params.set_tensor(entry, (0..entry.len()).map(sign).collect::<Vec<f32>>());
    }
    let path = folder.path().join("weights.safetensors");
    common::save_params(&params, &path);
    let mut trial = trial("12-9-3", "epoch", "sgd:lr=1e37", 5);
    trial.init_from = Some(path);
    let (outcome, params) = run(&trial, &data, ONE_THREAD);
    assert!(params.values().iter().all(|weight| weight.is_finite()), "{outcome:?}");
    assert_eq!(outcome.status, Status::Diverged);
}
