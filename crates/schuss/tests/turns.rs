//! Recipes of a comparison take turns with the whole machine.

mod common;

use common::{ONE_THREAD, random_data, trial};
use schuss::Trial;
use schuss::recipe::EvalEvery;
use schuss::record::Timing;
use schuss::session::{Control, Event};
use schuss::study::{Study, Watcher};
use std::thread::sleep;
use std::time::Duration;

/// Time that an update takes, in its evaluation.
const UPDATE: Duration = Duration::from_millis(10);

/// Notes whose turn it is, for how many evaluations.
#[derive(Default)]
struct Turns(Vec<Turn>);

struct Turn {
    name: String,
    evaluations: usize,
}

impl Watcher for Turns {
    fn event(&mut self, trial: &Trial, event: &Event) {
        let Event::Evaluation(_) = event else { return };
        sleep(UPDATE);
        match self.0.last_mut() {
            Some(turn) if turn.name == trial.name => turn.evaluations += 1,
            _ => self.0.push(Turn { name: trial.name.clone(), evaluations: 1 }),
        }
    }
}

#[test]
fn recipes_take_turns_of_a_tenth_of_a_second_in_random_order() {
    let data = random_data(12, 3, 600, 10, 7);
    let trials = ["sgd", "adam", "rmsprop"].map(|optimizer| {
        let mut trial = trial("12-9-3", "batch:10", optimizer, 1);
        trial.budget.eval_every = Some(EvalEvery::Updates(1));
        trial
    });
    let (study, mut turns) = (Study::of(trials, &data).unwrap(), Turns::default());
    let finished = study.run_with(&data, ONE_THREAD, &Control::default(), &mut turns).unwrap();
    assert!(finished.summary.trials.iter().all(|trial| trial.timing == Timing::Interleaved));
    let turns = turns.0;
    assert!(turns.len() > 12, "{} turns", turns.len());
    let (last, others) = turns.split_last().unwrap();
    // the last one of a round may be the first of the next
    assert!(others.iter().all(|turn| turn.evaluations <= 2 * 11), "{}", last.name);
    assert!(turns.windows(4).any(|round| round[0].name != round[3].name), "the order varies");
}
