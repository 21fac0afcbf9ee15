//! A session drives any engine, and keeps to the order of calls that `Engine` documents.

mod common;

use common::{ONE_THREAD, trial};
use schuss::Result;
use schuss::data::{Dataset, Feed};
use schuss::metrics::{Metrics, Reconstructions};
use schuss::network::Params;
use schuss::record::{MemoryRecord, Status};
use schuss::session::{Control, Cpu, Engine, Outcome, Session, Tally, Watch, register_gpu};
use schuss::state::StateCodec;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// An engine that passes every call on to another and notes its name.
struct Noted {
    engine: Cpu,
    calls: Arc<Mutex<Vec<&'static str>>>,
}

impl Noted {
    fn note(&self, call: &'static str) {
        self.calls.lock().unwrap().push(call);
    }
}

impl Engine for Noted {
    fn advance(
        &mut self,
        feed: &mut Feed,
        positions: Range<usize>,
        watch: Watch,
        seen: &mut Vec<Tally>,
    ) -> Result<()> {
        self.note("advance");
        assert!(seen.is_empty() && seen.capacity() >= self.at_once());
        let end = positions.end;
        let start = positions.start as u64;
        self.engine.advance(feed, positions, watch, seen)?;
        assert!(start + seen.iter().map(|tally| tally.samples).sum::<u64>() <= end as u64);
        Ok(())
    }

    fn settle(&mut self, samples: Option<&mut Feed>) -> Result<()> {
        self.note("settle");
        assert_eq!(samples.is_some(), self.needs_statistics());
        self.engine.settle(samples)
    }

    fn needs_statistics(&self) -> bool {
        self.engine.needs_statistics()
    }

    fn evaluate(&mut self, feed: &mut Feed, metrics: &mut Metrics, control: &Control) -> Result<Option<f64>> {
        self.note("evaluate");
        self.engine.evaluate(feed, metrics, control)
    }

    fn reconstructions(&mut self, feed: &mut Feed, count: usize) -> Result<Option<Reconstructions>> {
        self.engine.reconstructions(feed, count)
    }

    fn observe(&mut self, eval_loss: f64) {
        self.note("observe");
        self.engine.observe(eval_loss);
    }

    fn params(&self) -> &Params {
        self.engine.params()
    }

    fn is_finite(&self) -> bool {
        self.engine.is_finite()
    }

    fn first_non_finite(&self) -> String {
        self.engine.first_non_finite()
    }

    fn keep(&mut self) {
        self.note("keep");
        self.engine.keep();
    }

    fn restore(&mut self) {
        self.note("restore");
        self.engine.restore();
    }

    fn state(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        self.engine.state(codec)
    }

    fn trained_state(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        self.engine.trained_state(codec)
    }

    fn is_at(&self, position: usize, len: usize) -> bool {
        self.engine.is_at(position, len)
    }

    fn at_once(&self) -> usize {
        self.engine.at_once()
    }

    fn memory(&self) -> MemoryRecord {
        self.engine.memory()
    }

    fn strategy(&self) -> &'static str {
        self.engine.strategy()
    }

    fn arithmetic(&self) -> &str {
        self.engine.arithmetic()
    }
}

fn data() -> Dataset {
    schuss::data::load("digits:train=300,test=60,size=8").unwrap()
}

/// Runs a trial of two epochs on an engine that notes its calls; returns them and the hash of the trained state.
fn noted(optimizer: &str, update: &str) -> (Vec<&'static str>, String) {
    let (data, trial) = (data(), trial("64-20-10", update, optimizer, 2));
    let calls = Arc::new(Mutex::new(vec![]));
    let engine = Noted { engine: Cpu::new(&trial, &data, ONE_THREAD).unwrap(), calls: Arc::clone(&calls) };
    let mut session = Session::with_engine(Box::new(engine), None, &trial, &data, ONE_THREAD).unwrap();
    session.run().unwrap();
    let calls = calls.lock().unwrap().clone();
    (calls, session.digest())
}

#[test]
fn an_engine_that_is_handed_in_trains_to_the_same_bits() {
    for optimizer in ["sgd:lr=0.1,momentum=0.9", "adam+ema:0.9", "clip-global-norm:1+sgd"] {
        let (data, trial) = (data(), trial("64-20-10", "batch:100", optimizer, 2));
        let mut session = Session::new(&trial, &data, ONE_THREAD).unwrap();
        session.run().unwrap();
        assert_eq!(noted(optimizer, "batch:100").1, session.digest(), "{optimizer}");
    }
}

#[test]
fn a_session_calls_its_engine_in_the_documented_order() {
    let (calls, _) = noted("sgd:lr=0.1", "batch:100");
    let first = ["settle", "evaluate", "keep"];
    let epoch = ["advance", "advance", "advance", "settle", "evaluate", "keep", "observe"];
    assert_eq!(calls, [&first[..], &epoch, &epoch].concat());
}

#[test]
fn instruments_are_refused_by_an_engine_that_has_none() {
    let (data, mut trial) = (data(), trial("64-20-10", "batch:100", "sgd:lr=0.1", 1));
    trial.instruments = vec!["dead-units".parse().unwrap()];
    let engine = Noted { engine: Cpu::new(&trial, &data, ONE_THREAD).unwrap(), calls: Arc::default() };
    let error = Session::with_engine(Box::new(engine), None, &trial, &data, ONE_THREAD).err().unwrap();
    assert!(error.exit_code() == 2 && error.what.contains("no instruments"), "{error}");
}

#[test]
fn a_trial_that_diverges_restores_the_copy_of_the_last_report_point() {
    let (calls, _) = noted("sgd:lr=1e30", "batch:100");
    assert_eq!(calls.iter().filter(|call| **call == "restore").count(), 1);
}

#[test]
fn weights_and_state_after_a_divergence_are_those_of_the_last_report_point_on_every_path() {
    let data = schuss::data::load("digits:train=300,test=60").unwrap();
    for (optimizer, update, strategy) in [
        ("sgd:lr=1e30", "batch:100", "in-backward"),
        ("rmsprop:lr=1e30", "batch:100", "fused"),
        ("clip-value:1+sgd:lr=1e38", "batch:100", "staged"),
        ("sgd:lr=1e30", "sample", "blocked-sample"),
        ("sgd:lr=1e30,momentum=0.9", "sample", "blocked-sample"),
    ] {
        let ended = |epochs| {
            let mut session =
                Session::new(&trial("784-20-10", update, optimizer, epochs), &data, ONE_THREAD).unwrap();
            let status = session.run().unwrap().status;
            assert_eq!(session.strategy(), strategy);
            assert!(
                session.params().values().iter().all(|weight| weight.is_finite()),
                "{optimizer}, {update}"
            );
            (status, session.digest())
        };
        let [(diverged, found), (_, begun)] = [1, 0].map(ended);
        assert_eq!(diverged, Status::Diverged, "{optimizer}, {update}");
        assert_eq!(found, begun, "{optimizer}, {update}");
    }
}

#[test]
fn single_steps_give_the_bits_and_the_rows_of_a_run() {
    for (optimizer, update) in
        [("adam+ema:0.9", "batch:70"), ("sgd:lr=0.02,momentum=0.9", "sample"), ("cg", "epoch")]
    {
        let data = schuss::data::load("digits:train=300,test=60").unwrap();
        let trial = trial("784-20-10", update, optimizer, 2);
        let [mut run, mut steps] = [(); 2].map(|()| Session::new(&trial, &data, ONE_THREAD).unwrap());
        let whole = run.run().unwrap();
        let control = Control::default();
        let mut calls = 1;
        let outcome = loop {
            match steps.step_with(&control, &mut ()).unwrap() {
                Some(outcome) => break outcome,
                None => calls += 1,
            }
        };
        assert_eq!(calls, whole.updates, "{optimizer}");
        let losses = |outcome: &Outcome| {
            outcome.epochs.iter().map(|row| (row.epoch, row.train_loss, row.eval_loss)).collect::<Vec<_>>()
        };
        assert_eq!(losses(&outcome), losses(&whole), "{optimizer}");
        assert_eq!(steps.digest(), run.digest(), "{optimizer}");
    }
}

#[test]
fn a_session_outlives_the_data_set_it_was_made_from() {
    let trial = trial("64-20-10", "batch:100", "sgd", 1);
    let mut session = {
        let data = data();
        Session::new(&trial, &data, ONE_THREAD).unwrap()
    };
    let outcome = std::thread::spawn(move || session.run().unwrap()).join().unwrap();
    assert_eq!(outcome.updates, 3);
}

#[test]
fn a_registered_maker_makes_the_engine_of_a_trial_on_a_card() {
    let data = data();
    let mut card = trial("64-20-10", "batch:100", "sgd", 1);
    card.recipe.device = "gpu:Small Card".parse().unwrap();
    let error = Session::new(&card, &data, ONE_THREAD).err().unwrap();
    assert!(error.exit_code() == 2 && error.to_string().contains("--features gpu"), "{error}");
    register_gpu(|name, trial, data, limits| {
        assert_eq!(name, Some("Small Card"));
        Ok(Box::new(Cpu::new(trial, data, limits)?))
    });
    assert_eq!(Session::new(&card, &data, ONE_THREAD).unwrap().run().unwrap().updates, 3);
}
