//! `schuss find-lr`.

use crate::args::{Flags, RateFlags};
use crate::choices::Probed;
use crate::compare::{begin, deliver, describe, warn};
use crate::progress::{Shown, say};
use crate::terminal::Screen;
use crate::{signals, study};
use schuss::Result;
use schuss::record::numbers::{plural, seconds, significant};
use schuss::record::{Bounds, IntervalKind, RateRecord};
use schuss::session::Limits;
use schuss::study::{Study, Tune, to_json};
use schuss_data::text::grouped;
use schuss_report::shell_word;

/// Name of the command, and of its study.
const FIND_LR: &str = "find-lr";

/// Looks for the learning rate of a recipe, prints it and returns the exit code.
pub(crate) fn run(flags: RateFlags, screen: &Screen) -> Result<u8> {
    let RateFlags { probed: Probed(choices), seeds, json, running } = flags;
    let tune = Tune { seeds: seeds as usize, ..("lr".parse()?) };
    let flags = Flags { choices, running, json, tune: Some(tune), ..Flags::default() };
    study::refuse_several(FIND_LR, &flags)?;
    let limits = flags.running.limits(Limits::default())?;
    let shown = Shown::new(&flags.running, limits.side_by_side, json, screen);
    let file = study::from_flags(None, &flags)?;
    let data = file.data(limits.memory)?;
    shown.say(&describe(&data)?);
    let study = Study::resolve(FIND_LR, &file, &data)?;
    warn(&data)?;
    shown.say(&announcement(&study, seeds));
    let control = begin(&flags.running)?;
    let Some(found) = study.find_rate(&data, limits, &control)? else {
        say(true, "interrupted before the rate was confirmed: nothing is kept");
        return Ok(signals::exit_code(&control));
    };
    deliver(&if json { to_json(&found)? } else { words(&found) + "\n" })?;
    Ok(if found.probes.iter().all(|probe| probe.loss.is_none()) { 4 } else { 0 })
}

/// Returns a line about what is going to be done.
fn announcement(study: &Study, seeds: u64) -> String {
    let optimizer = study.trials.first().map(|planned| planned.trial.recipe.optimizer.to_string());
    format!(
        "looking for the learning rate of {} with {} or more, by the loss of short trials on the validation split: a tenth \
         of the training samples, unless the data have one or --validation sets another share",
        optimizer.unwrap_or_default(),
        plural(seeds as usize, "seed")
    )
}

/// Formats the result, most important line first.
fn words(found: &RateRecord) -> String {
    let RateRecord { optimizer, seeds, tried, cost, .. } = found;
    let Bounds { low, high } = tried;
    let lead = match (found.rate, &found.cannot_tell) {
        (Some(rate), _) => format!("best learning rate: {}{}", rate, interval(found)),
        (None, why) => format!("cannot tell the best learning rate: {}", why.as_deref().unwrap_or_default()),
    };
    let good = found.good_rates.map(|Bounds { low, high }| {
        let [low, high] = [low, high].map(|rate| significant(rate, 2));
        format!("good rates: {low} to {high}, with a loss at most 10 % above the lowest")
    });
    let diverges = match found.diverges_from {
        Some(rate) => format!("diverges from: {}", rate),
        None => format!("does not diverge at any rate tried, up to {}", high),
    };
    let cost = format!(
        "cost: {} at {} to {} with {}, {} updates, {} s of training",
        plural(cost.probes, "probe"),
        low,
        high,
        plural(seeds.len(), "seed"),
        grouped(cost.updates),
        seconds(cost.train_seconds),
    );
    let next = found.rate.map(|_| format!("train with it: --optimizer {}", shell_word(optimizer)));
    let lines = [Some(lead), good, Some(diverges), Some(cost), next];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// Formats the interval of the best rate.
fn interval(found: &RateRecord) -> String {
    let Some(Bounds { low, high }) = found.interval else { return String::new() };
    let kind = match found.interval_kind {
        IntervalKind::Confidence => "95 % interval",
        IntervalKind::Range => "range",
    };
    format!(" ({kind} {} to {} over {})", low, high, plural(found.seeds.len(), "seed"))
}
