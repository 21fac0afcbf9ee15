//! The lecture's training in a few lines of library code:
//! `cargo run --release --example 01-first-descent`
use schuss::session::{Control, Event, Limits, Session};
use schuss::{Budget, Recipe, Result, Trial};

fn main() -> Result<()> {
    let data = schuss::data::load("digits:train=6000,test=1000")?;
    let trial = Trial {
        model: "784-400-256-10".parse()?,
        recipe: Recipe {
            update: "batch:100".parse()?,
            optimizer: "adam:lr=0.001".parse()?,
            ..Recipe::default()
        },
        budget: Budget { epochs: 5, ..Budget::default() },
        ..Trial::default()
    };
    let mut session = Session::new(&trial, &data, Limits::default())?;
    let outcome = session.run(&Control::default(), &mut |event: &Event| {
        if let Event::Epoch(row) = event {
            println!("epoch {}: accuracy {:.3}", row.epoch, row.eval_accuracy.unwrap_or(0.0));
        }
        Ok(())
    })?;
    println!("{} updates in {:.2} s", outcome.updates, outcome.train_seconds);
    Ok(())
}
