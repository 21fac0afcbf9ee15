//! What a tuning chooses, where the good rate is known, and what it costs.

mod common;

use common::{ONE_THREAD, random_data, trial};
use schuss::Trial;
use schuss::data::random::{Key, Purpose};
use schuss::data::{Dataset, Labels, Samples, Shape, Values};
use schuss::loss::Targets;
use schuss::recipe::{ChoiceKey, TargetScale, Workload};
use schuss::record::{
    IntervalKind, JudgedBy, RateRecord, Role, Status, TrialRecord, TunedRecipe, TuningRecord,
};
use schuss::session::{Control, Session};
use schuss::study::{Finished, Study, Tune};

const FEATURES: usize = 8;

/// Points whose features are independent with variances from 1 down to 1 / `condition`, and as targets their sum plus
/// noise: the mean squared error is a quadratic with curvatures from 2 to 2 / `condition`.
fn points(len: usize, condition: f32, noise: f32, seed: u64) -> Samples {
    let mut draws = Key { seed, purpose: Purpose::Digits, epoch: 0 }.draws(0);
    // sum of four uniform numbers, scaled to variance 1
    let mut draw = || (0..4).map(|_| draws.bits() as f32 / u32::MAX as f32 - 0.5).sum::<f32>() * 3_f32.sqrt();
    let (mut values, mut targets) = (vec![], vec![]);
    for _ in 0..len {
        let scale = |feature: usize| condition.powf(-0.5 * feature as f32 / (FEATURES - 1) as f32);
        let row: [f32; FEATURES] = std::array::from_fn(|feature| draw() * scale(feature));
        values.extend(row);
        targets.push(row.iter().sum::<f32>() + noise * draw());
    }
    Samples::new(Values::Floats(values), Labels::Real { values: targets, width: 1 }, FEATURES).unwrap()
}

fn data(condition: f32, noise: f32) -> Dataset {
    let split = |len, seed| points(len, condition, noise, seed);
    let given = Dataset::given("quadratic", Shape::Flat(FEATURES), vec![], split(400, 1), split(50, 2));
    Dataset { validation: Some(split(400, 3).into()), ..given }
}

fn regression(update: &str, optimizer: &str, epochs: u32) -> Trial {
    let mut trial = trial("8-1", update, optimizer, epochs);
    trial.targets = Targets::Real;
    trial.target_scale = Some(TargetScale::None);
    trial.recipe.loss = "mse".parse().unwrap();
    trial
}

fn tuned(trials: Vec<Trial>, keys: &str, data: &Dataset) -> Finished<()> {
    let study = Study::of(trials, data).unwrap().with_tuning(keys.parse().unwrap(), data).unwrap();
    study.run_with(data, ONE_THREAD, &Control::default(), &mut ()).unwrap()
}

fn record(finished: &Finished<()>) -> &TuningRecord {
    finished.summary.tuning.as_ref().unwrap()
}

/// Mean loss at the end over three seeds, at a rate of the optimizer.
fn loss(trial: &Trial, optimizer: &str, rate: f64, data: &Dataset) -> f64 {
    let of = |seed| {
        let mut trial = Trial { seed, ..trial.clone() };
        trial.recipe.optimizer = format!("{optimizer}:lr={rate}").parse().unwrap();
        let outcome = Session::new(&trial, data, ONE_THREAD).unwrap().run().unwrap();
        let loss = outcome.evaluation.filter(|_| outcome.status.is_end()).map(|evaluation| evaluation.loss);
        loss.unwrap_or(f64::INFINITY)
    };
    (1..=3).map(of).sum::<f64>() / 3.0
}

fn found(trial: Trial, seeds: usize, data: &Dataset) -> RateRecord {
    let tune = Tune { seeds, ..("lr".parse().unwrap()) };
    let study = Study::of([trial], data).unwrap().with_tuning(tune, data).unwrap();
    study.find_rate(data, ONE_THREAD, &Control::default()).unwrap().unwrap()
}

/// Checks that the loss at the rates chosen and found is at most 10 % above that at the best of a grid that is fine near
/// them.
#[track_caller]
fn check_choice(trial: &Trial, optimizer: &str, data: &Dataset) {
    let finished = tuned(vec![trial.clone()], "lr", data);
    let TunedRecipe { chosen, inside, probes, .. } = &record(&finished).recipes[0];
    let found = found(trial.clone(), 3, data);
    let loss = |rate: f64| loss(trial, optimizer, rate, data);
    let wide = (0..24).map(|step| 10_f64.powf(-4.0 + 0.25 * f64::from(step)));
    let near = |step: f64| (-10..=10).map(move |steps| chosen["lr"] * 10_f64.powf(step * f64::from(steps)));
    let best = wide.chain(near(0.05)).chain(near(0.002)).map(loss).fold(f64::INFINITY, f64::min);
    let at_chosen = loss(chosen["lr"]);
    assert!(*inside && probes.len() <= 40, "{} points", probes.len());
    assert!(at_chosen <= 1.1 * best, "{optimizer} {chosen:?}: {at_chosen} instead of {best}; {probes:?}");
    let at_found = found.rate.map(loss).unwrap_or_else(|| panic!("{found:?}"));
    assert!(at_found <= 1.1 * best, "{optimizer}: {at_found} instead of {best}; {found:?}");
}

#[test]
fn on_a_noise_free_quadratic_the_rate_chosen_has_a_loss_within_10_percent_of_the_best() {
    // all samples per update, and targets that the network can express: no noise, and no floor under the loss
    let curved = data(1e4, 0.0);
    check_choice(&regression("epoch", "sgd", 200), "sgd", &curved);
    check_choice(&regression("epoch", "sgd", 50), "sgd", &curved);
}

#[test]
fn at_the_kink_between_too_slow_and_too_fast_the_rate_chosen_has_a_loss_within_10_percent_of_the_best() {
    // within 1 % of 2 / (lowest + highest curvature), where the loss of 50 updates changes 10 % per 1 %
    check_choice(&regression("epoch", "sgd", 50), "sgd", &data(10.0, 0.0));
}

#[test]
fn on_a_noisy_quadratic_the_rate_chosen_has_a_loss_within_10_percent_of_the_best() {
    let data = data(1e4, 0.3);
    for optimizer in ["sgd", "adam"] {
        check_choice(&regression("batch:10", optimizer, 5), optimizer, &data);
    }
}

/// Updates to the target per trial that reached it, over six seeds, at a rate of plain gradient descent.
fn updates_to_target(trial: &Trial, rate: f64, data: &Dataset) -> f64 {
    let of = |seed| {
        let mut trial = Trial { seed, ..trial.clone() };
        trial.recipe.optimizer = format!("sgd:lr={rate}").parse().unwrap();
        let outcome = Session::new(&trial, data, ONE_THREAD).unwrap().run().unwrap();
        (outcome.target.and_then(|target| target.updates), outcome.updates)
    };
    let all: Vec<_> = (1..=6).map(of).collect();
    let hits = all.iter().filter(|(reached, _)| reached.is_some()).count();
    all.iter().map(|(reached, updates)| reached.unwrap_or(*updates) as f64).sum::<f64>() / hits as f64
}

#[test]
fn with_a_target_the_rate_chosen_is_the_one_that_reaches_it_first() {
    let data = data(1e2, 1.0);
    let mut trial = regression("batch:10", "sgd", 20);
    let by_loss = record(&tuned(vec![trial.clone()], "lr", &data)).recipes[0].clone();
    trial.budget.target = Some("eval_loss<=1.5".parse().unwrap());
    trial.budget.eval_every = Some("1".parse().unwrap());
    let by_target = record(&tuned(vec![trial.clone()], "lr", &data)).recipes[0].clone();
    assert_eq!((by_loss.judged_by, by_target.judged_by), (JudgedBy::Loss, JudgedBy::Target));
    let updates = |rate: f64| updates_to_target(&trial, rate, &data);
    let fewest =
        (0..24).map(|step| updates(10_f64.powf(-2.0 + 0.1 * f64::from(step)))).fold(f64::INFINITY, f64::min);
    let [chosen, lowest] = [&by_target, &by_loss].map(|recipe| updates(recipe.chosen["lr"]));
    assert!(chosen <= 1.15 * fewest, "{chosen} instead of {fewest}; {by_target:?}");
    assert!(lowest > 2.0 * chosen, "the rate with the lowest loss takes {lowest}, not {chosen}");
}

#[test]
fn a_rate_that_is_found_has_an_interval_over_its_seeds_and_the_rate_it_diverges_from() {
    let data = data(1e4, 0.3);
    let found = found(regression("batch:10", "sgd", 5), 2, &data);
    let (rate, interval) = (found.rate.unwrap(), found.interval.unwrap());
    assert!(interval.low <= rate && rate <= interval.high && interval.low < interval.high, "{found:?}");
    assert_eq!((found.interval_kind, found.seeds.len()), (IntervalKind::Confidence, 6), "trials of a moment");
    let good = found.good_rates.unwrap();
    assert!(good.low <= rate && rate <= good.high);
    // the largest curvature is 2, and a batch of 10 can have a larger one
    let diverges = found.diverges_from.unwrap();
    assert!(rate < diverges && diverges < 3.0, "{diverges}");
    assert!(found.seeds.iter().all(|seed| *seed > 1_000_000));
    assert_eq!(found.optimizer, format!("sgd:lr={rate}"));
    assert!(
        found.probes.iter().any(|probe| probe.losses.len() == 2),
        "the range test has the seeds asked for"
    );
}

#[test]
fn where_no_rate_can_be_told_it_says_why() {
    let told = |data: &Dataset, trial: Trial, part: &str| {
        let found = found(trial, 3, data);
        let why = found.cannot_tell.clone().unwrap_or_else(|| panic!("{found:?}"));
        assert!(why.contains(part) && found.rate.is_none() && found.interval.is_none(), "{why}");
    };
    // curvatures of 1e36: no rate that is tried is small enough
    let huge = || {
        let values = Values::Floats((0..20 * FEATURES).map(|i| 1e18 * (i % 7) as f32).collect());
        Samples::new(values, Labels::Real { values: vec![1.0; 20], width: 1 }, FEATURES).unwrap()
    };
    let given = Dataset::given("huge", Shape::Flat(FEATURES), vec![], huge(), huge());
    let huge = Dataset { validation: Some(huge().into()), ..given };
    told(&huge, regression("batch:5", "sgd", 2), "every rate tried diverges");
    // labels that have nothing to do with the samples
    let random = random_data(FEATURES, 2, 200, 50, 1);
    let random = Dataset { validation: Some(random_data(FEATURES, 2, 400, 50, 3).train), ..random };
    told(&random, trial("8-2", "batch:10", "sgd", 3), "learns nothing at any rate");
    // nothing to learn a rate from: the gradient is 0
    let zeros = || {
        let labels = Labels::Real { values: vec![1.0; 20], width: 1 };
        Samples::new(Values::Floats(vec![0.0; 20 * FEATURES]), labels, FEATURES).unwrap()
    };
    let given = Dataset::given("zeros", Shape::Flat(FEATURES), vec![], zeros(), zeros());
    let zeros = Dataset { validation: Some(zeros().into()), ..given };
    told(&zeros, regression("epoch", "weights@sgd/freeze", 2), "learns nothing at any rate");
}

#[test]
fn a_rate_is_found_for_one_recipe_alone() {
    let data = data(10.0, 0.3);
    let trials = ["sgd", "adam"].map(|optimizer| regression("batch:20", optimizer, 1));
    let study = Study::of(trials, &data).unwrap().with_tuning("lr".parse().unwrap(), &data).unwrap();
    let error = study.find_rate(&data, ONE_THREAD, &Control::default()).unwrap_err();
    assert!(error.exit_code() == 2 && error.to_string().contains("one recipe"), "{error}");
}

#[test]
fn every_recipe_gets_the_same_number_of_probes_of_the_same_length_with_seeds_of_their_own() {
    let data = data(1e4, 0.3);
    let trials = ["sgd", "adam", "rmsprop"].map(|optimizer| regression("batch:20", optimizer, 3));
    let finished = tuned(trials.to_vec(), "lr", &data);
    let recipes = &record(&finished).recipes;
    let lengths = |recipe: &TunedRecipe| recipe.probes.iter().map(|probe| probe.updates).collect::<Vec<_>>();
    assert!(lengths(&recipes[0]).len() >= 14);
    assert!(recipes.iter().all(|recipe| lengths(recipe) == lengths(&recipes[0])), "{recipes:?}");
    let probes = &finished.summary.trials.probes;
    assert!(probes.iter().all(|probe| probe.role == Role::Probe && probe.seed > 1_000_000));
    assert!(probes.iter().all(|probe| probe.epochs.len() == 2 && probe.test.as_ref().is_none()));
    assert!(finished.summary.trials.iter().all(|trial| trial.role == Role::Race && trial.seed == 1));
}

#[test]
fn longer_trials_are_probed_at_a_sixteenth_and_the_best_at_a_quarter_of_their_updates() {
    let mut workload = Workload::of("digits:train=1000,test=100");
    workload.choices.set(ChoiceKey::Validation, "0.1").unwrap();
    let data = workload.load(None, None).unwrap();
    let finished = tuned(vec![trial("784-32-10", "batch:100", "sgd", 80)], "lr", &data);
    let TunedRecipe { probes, chosen, .. } = &record(&finished).recipes[0];
    let (short, long): (Vec<_>, Vec<_>) = probes.iter().partition(|probe| probe.updates == 720 / 16);
    assert!((9..=17).contains(&short.len()) && (5..=13).contains(&long.len()), "{probes:?}");
    assert!(long.iter().all(|probe| probe.updates == 720 / 4 && probe.losses.len() == 1));
    assert!(long.iter().any(|probe| probe.values == *chosen));
    let mut best: Vec<f64> = short.iter().filter_map(|probe| probe.loss).collect();
    best.sort_by(f64::total_cmp);
    let carried =
        long[..3].iter().map(|probe| short.iter().find(|other| other.values == probe.values).unwrap());
    assert_eq!(carried.map(|probe| probe.loss.unwrap()).collect::<Vec<_>>(), best[..3]);
}

#[test]
fn the_race_runs_every_recipe_at_its_best_and_at_the_rate_that_suits_most() {
    let data = data(1e4, 0.3);
    let trials = ["sgd", "adam", "rmsprop"].map(|optimizer| regression("batch:20", optimizer, 3));
    let finished = tuned(trials.to_vec(), "lr", &data);
    let tuning = record(&finished);
    let same = tuning.same_rate.unwrap();
    assert!(tuning.recipes.iter().any(|recipe| recipe.chosen["lr"] == same), "it is the best of one of them");
    let trials = &finished.summary.trials;
    assert_eq!(trials.iter().filter(|trial| tuning.is_at_best(trial)).count(), 3);
    assert_eq!(trials.iter().filter(|trial| tuning.is_at_same_rate(trial)).count(), 3);
    for recipe in &tuning.recipes {
        let optimizer = |name: &str| {
            trials.iter().find(|trial| trial.name == name).unwrap().recipe.get("optimizer").unwrap()
        };
        assert!(optimizer(&recipe.at_best).ends_with(&format!("lr={}", recipe.chosen["lr"])));
        let at_same_rate = recipe.at_same_rate.as_ref().unwrap();
        assert!(optimizer(at_same_rate).ends_with(&format!("lr={same}")));
    }
    assert_eq!(finished.summary.groups.len(), trials.len(), "probes are in no group");
}

#[test]
fn the_rate_chosen_is_one_of_the_good_rates() {
    let mut workload = Workload::of("digits:train=300,test=100");
    workload.choices.set(ChoiceKey::Validation, "0.1").unwrap();
    let data = workload.load(None, None).unwrap();
    let trials = ["sgd", "adam", "rmsprop"].map(|optimizer| trial("784-16-10", "batch:100", optimizer, 2));
    let finished = tuned(trials.to_vec(), "lr", &data);
    for TunedRecipe { name, chosen, good_rates, .. } in &record(&finished).recipes {
        let good = good_rates.unwrap();
        assert!((good.low..=good.high).contains(&chosen["lr"]), "{name}: {chosen:?} {good:?}");
    }
}

#[test]
fn probes_do_not_stop_early_so_that_all_are_as_long_as_the_record_says() {
    let mut workload = Workload::of("digits:train=300,test=100");
    workload.choices.set(ChoiceKey::Validation, "0.1").unwrap();
    let data = workload.load(None, None).unwrap();
    let mut trial = trial("784-16-10", "batch:100", "sgd", 20);
    trial.budget.early_stop = Some("up:1".parse().unwrap());
    let finished = tuned(vec![trial], "lr", &data);
    let probes = &finished.summary.trials.probes;
    let as_long = |probe: &TrialRecord| probe.updates == probe.budget.updates;
    assert!(probes.iter().all(|probe| probe.status == Status::Diverged || as_long(probe)));
}

#[test]
fn several_choices_are_tuned_together() {
    let data = data(1e4, 0.3);
    let finished =
        tuned(vec![regression("batch:20", "sgd:momentum=0.9", 2)], "lr,momentum,weight_decay,batch", &data);
    let chosen = &record(&finished).recipes[0].chosen;
    assert_eq!(chosen.keys().collect::<Vec<_>>(), ["batch", "lr", "momentum", "weight_decay"]);
    assert!(record(&finished).same_rate.is_none(), "one recipe has no rate in common with others");
    assert_eq!(finished.summary.trials.len(), 1);
}

#[test]
fn a_recipe_without_the_choice_recipes_that_differ_in_nothing_else_and_data_without_validation_are_refused() {
    let data = data(1e4, 0.3);
    let refused = |optimizers: &[&str], update: &str, keys: &str, part: &str| {
        let trials = optimizers.iter().map(|optimizer| regression(update, optimizer, 1));
        let study = Study::of(trials, &data).unwrap();
        let error = keys.parse().and_then(|tune| study.with_tuning(tune, &data)).unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains(part), "{error}");
    };
    refused(&["sgd", "adam"], "batch:10", "lr,momentum", "`adam:lr=0.001` has no key `momentum`");
    refused(&["cg"], "epoch", "lr", "has no learning rate to tune");
    refused(&["sgd"], "epoch", "batch", "there is no batch to tune");
    refused(&["adam:lr=0.1", "adam:lr=0.01"], "batch:10", "lr", "differ only in what --tune chooses");
    refused(&["sgd"], "batch:10", "rate", "unknown choice to tune");
    refused(&["sgd"], "batch:10", "lr,lr", "duplicate");
    let counts = || Tune { counts: true, ..("lr".parse().unwrap()) };
    let study = Study::of([regression("batch:10", "sgd", 1)], &data).unwrap();
    let error = study.with_tuning(counts(), &data).unwrap_err();
    assert!(error.exit_code() == 2 && error.to_string().contains("there is none"), "{error}");
    let without = Dataset { validation: None, ..data.clone() };
    let study = Study::of([regression("batch:10", "sgd", 1)], &without).unwrap();
    let error = study.with_tuning("lr".parse().unwrap(), &without).unwrap_err();
    assert!(error.exit_code() == 2 && error.to_string().contains("--validation"), "{error}");
}
