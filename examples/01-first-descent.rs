//! The lecture's training in a few lines of library code:
//! `cargo run --release --example 01-first-descent`
use schuss::optim::Adam;
use schuss::session::{Limits, Session};
use schuss::{Budget, Recipe, Result, Trial, UpdateRule};

fn main() -> Result<()> {
    let data = schuss::data::load("digits:train=6000,test=1000")?;
    let trial = Trial {
        model: "784-400-256-10".parse()?,
        recipe: Recipe {
            update: UpdateRule::Batch(100),
            optimizer: Adam { lr: 1e-3, ..Adam::default() }.into(),
            ..Recipe::default()
        },
        budget: Budget { epochs: 5, ..Budget::default() },
        ..Trial::default()
    };
    let mut session = Session::new(&trial, &data, Limits::default())?;
    let outcome = session.run()?;
    for row in &outcome.epochs {
        println!("epoch {}: accuracy {:.3}", row.epoch, row.eval_accuracy.unwrap_or(0.0));
    }
    println!("{} updates in {:.2} s", outcome.updates, outcome.train_seconds);
    Ok(())
}
