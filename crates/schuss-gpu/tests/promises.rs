//! The same bits every time, checkpoints that move between engines, and divergence found at its update.

mod common;

use common::{ONE_THREAD, adapter, digits, largest_difference, on_card, on_processor, trial};
use schuss::record::Status;
use schuss::session::{Control, Limits, Session};
use schuss_gpu::{Adapter, Gpu};

fn saved(session: &mut Session) -> Vec<u8> {
    let mut state = vec![];
    session.save(&mut state).unwrap();
    state
}

fn finished(mut session: Session) -> String {
    session.run().unwrap();
    session.digest()
}

/// Runs so many single updates.
fn step(session: &mut Session, updates: usize) {
    let control = Control::default();
    for _ in 0..updates {
        assert!(session.step_with(&control, &mut ()).unwrap().is_none());
    }
}

#[test]
fn a_trial_has_the_same_bits_every_time_and_after_a_resume() {
    let Some(adapter) = adapter("a_trial_has_the_same_bits_every_time_and_after_a_resume") else { return };
    for (optimizer, update) in
        [("adam:lr=0.01", "batch:70"), ("clip-global-norm:0.1+sgd:lr=0.2", "batch:110")]
    {
        let (data, trial) = (digits(), trial("64-20-10", update, optimizer, 3));
        let begin = || on_card(&trial, &data, &adapter);
        let whole = finished(begin());
        assert_eq!(finished(begin()), whole, "{optimizer}");
        let mut stopped = begin();
        step(&mut stopped, 4);
        let state = saved(&mut stopped);
        let mut resumed = begin();
        resumed.load(&mut &state[..]).unwrap();
        assert_eq!(finished(resumed), whole, "{optimizer}");
    }
}

#[test]
fn checkpoints_move_between_card_and_processor() {
    let Some(adapter) = adapter("checkpoints_move_between_card_and_processor") else { return };
    let (data, trial) = (digits(), trial("64-20-10", "batch:70", "adam:lr=0.01", 3));
    let sessions = || [on_card(&trial, &data, &adapter), on_processor(&trial, &data)];
    let [mut card, mut processor] = sessions();
    processor.run().unwrap();
    let [mut on_card, mut on_cores] = sessions();
    step(&mut card, 6);
    on_cores.load(&mut &saved(&mut card)[..]).unwrap();
    on_cores.run().unwrap();
    let [_, mut begun] = sessions();
    step(&mut begun, 6);
    on_card.load(&mut &saved(&mut begun)[..]).unwrap();
    on_card.run().unwrap();
    for session in [&on_card, &on_cores] {
        let difference = largest_difference(session.params().values(), processor.params().values());
        assert!(difference < 2e-4, "{difference}");
    }
}

#[test]
fn a_loss_that_is_not_finite_is_found_at_its_update_and_layer() {
    let Some(adapter) = adapter("a_loss_that_is_not_finite_is_found_at_its_update_and_layer") else { return };
    let (data, trial) = (digits(), trial("64-20-10", "batch:30", "sgd:lr=1e30", 3));
    let found = [on_card(&trial, &data, &adapter), on_processor(&trial, &data)].map(|mut session| {
        let outcome = session.run().unwrap();
        assert_eq!(outcome.status, Status::Diverged);
        let found = outcome.diverged.unwrap();
        assert!(session.params().first_non_finite().is_none());
        (found.update, found.layer)
    });
    assert_eq!(found[0], found[1]);
}

#[test]
fn updates_of_a_call_after_one_that_diverged_change_nothing_of_what_is_found() {
    let Some(adapter) = adapter("updates_of_a_call_after_one_that_diverged_change_nothing") else { return };
    let (data, mut trial) = (digits(), trial("64-20-10", "batch:10", "sgd:lr=40", 9));
    trial.recipe.loss = "mse".parse().unwrap();
    let mut whole = on_card(&trial, &data, &adapter);
    let all = whole.run().unwrap().diverged.unwrap();
    let mut single = on_card(&trial, &data, &adapter);
    let outcome = loop {
        if let Some(outcome) = single.step().unwrap() {
            break outcome;
        }
    };
    assert_eq!(outcome.diverged.unwrap(), all);
    assert!(all.update > 10 && whole.digest() == single.digest(), "{all:?}");
}

#[test]
fn the_number_of_updates_per_call_changes_no_bit() {
    let Some(adapter) = adapter("the_number_of_updates_per_call_changes_no_bit") else { return };
    let (data, trial) = (digits(), trial("64-20-10", "batch:30", "adam:lr=0.01", 2));
    let whole = finished(on_card(&trial, &data, &adapter));
    let mut single = on_card(&trial, &data, &adapter);
    while single.step().unwrap().is_none() {}
    assert_eq!(single.digest(), whole);
}

#[test]
fn the_arithmetic_names_card_and_driver() {
    let Some(adapter) = adapter("the_arithmetic_names_card_and_driver") else { return };
    let session = on_card(&trial("64-10", "batch:100", "sgd", 1), &digits(), &adapter);
    assert!(
        session.arithmetic().contains(adapter.name()) && session.arithmetic().contains(&adapter.driver())
    );
}

#[test]
fn what_is_not_written_for_cards_is_refused_with_the_way_out() {
    let Some(adapter) = adapter("what_is_not_written_for_cards_is_refused_with_the_way_out") else { return };
    for (model, optimizer, part) in [
        ("64-20-10", "muon", "whole tensors"),
        ("64-20-10", "l-bfgs", "solver"),
        ("64-20-10", "sam+sgd", "sam"),
        ("64-20-10", "adam+ema", "ema"),
        ("64-20-10", "centralize+sgd", "centralize"),
        ("linear:20,batch-norm,linear:10", "schedule-free-sgd", "batch-norm"),
        ("linear:20,prelu,linear:10", "sgd", "layer 1"),
    ] {
        let trial = trial(model, "batch:100", optimizer, 1);
        let error = Gpu::new(&trial, &digits(), ONE_THREAD(), &adapter).err().unwrap();
        assert!(error.what.contains(part), "{optimizer}: {error}");
        assert_eq!(error.exit_code(), 2);
        assert_eq!(error.advice.as_deref(), Some("--device cpu"), "{optimizer}: {error}");
    }
}

#[test]
fn memory_on_the_card_is_checked_beforehand() {
    let Some(adapter) = adapter("memory_on_the_card_is_checked_beforehand") else { return };
    let (data, trial) = (digits(), trial("64-20-10", "batch:100", "adam", 1));
    let needed = Gpu::new(&trial, &data, ONE_THREAD(), &adapter).unwrap().device_memory();
    let limited = |memory| Limits { device_memory: Some(memory), ..ONE_THREAD() };
    let with = |memory| Gpu::new(&trial, &data, limited(memory), &adapter);
    assert_eq!(with(needed).unwrap().device_memory(), needed);
    let without_samples = with(needed - 1).unwrap();
    assert!(without_samples.device_memory() < needed);
    let begin = |gpu| Session::with_engine(Box::new(gpu), None, &trial, &data, ONE_THREAD()).unwrap();
    assert_eq!(finished(begin(without_samples)), finished(on_card(&trial, &data, &adapter)));
    let error = with(1_000).err().unwrap();
    assert!(error.what.contains("but the limit is") && error.exit_code() == 2, "{error}");
}

#[test]
fn adapters_are_found_by_a_part_of_their_name_and_imitations_only_by_name() {
    let Some(first) = adapter("adapters_are_found_by_a_part_of_their_name") else { return };
    let part = first.name().split(' ').next().unwrap().to_uppercase();
    assert_eq!(Adapter::find(Some(&part)).unwrap().name(), first.name());
    let error = Adapter::find(Some("no such card")).unwrap_err();
    assert!(error.exit_code() == 2 && error.what.contains(first.name()), "{error}");
    match Adapter::find(None) {
        Ok(found) => assert!(!found.is_software()),
        Err(error) => assert!(first.is_software() && error.exit_code() == 2, "{error}"),
    }
}
