//! Tests of parsing, printing and chaining; the values of schedules are checked in `golden.rs`.

use super::{Constant, Cosine, Knobs, Plateaus, Schedule};

const BASE: Knobs = Knobs { lr: 0.1, momentum: 0.9, beta2: 0.999 };

/// One spec for each of [`Schedule::NAMES`], in canonical form.
const EXAMPLES: [&str; 17] = [
    "constant",
    "warmup:total_iters=500",
    "linear:start_factor=1,end_factor=0.1,total_iters=1000",
    "step:step_size=300",
    "multistep:milestones=300:450",
    "piecewise:boundaries=300:450,scales=0.1:0.5",
    "exponential:gamma=0.999",
    "inverse-time:decay_rate=0.01",
    "polynomial:total_iters=1000,power=0.9",
    "cosine",
    "cosine-restarts:t_0=100,t_mult=2",
    "one-cycle:max_lr=0.5",
    "cyclic:base_lr=0.01,max_lr=0.1,step_size_up=100,mode=exp-range,gamma=0.999",
    "noam:warmup_steps=100",
    "wsd:warmup_steps=0.1",
    "rex",
    "plateau:patience=2",
];

fn schedule(text: &str) -> Schedule {
    text.parse().unwrap()
}

fn at(text: &str, update: u64) -> Knobs {
    schedule(text).at(update, BASE, &Plateaus::default())
}

#[test]
fn texts_survive_a_round_trip_and_leave_defaults_out() {
    let others = [
        ("Constant:factor=1.0", "constant"),
        ("lr@cosine:t_max=1e4,eta-min=0", "cosine:t_max=10000"),
        ("warmup:500+cosine:5500", "warmup:total_iters=500+cosine:t_max=5500"),
        ("warmup:5e+2 + Cosine", "warmup:total_iters=500+cosine"),
        ("step:30,for=100+step:10,for=7", "step:step_size=30,for=100+step:step_size=10,for=7"),
        ("rex:for=100+constant", "rex:for=100+constant"),
        ("beta1@linear:end_factor=.5", "momentum@linear:end_factor=0.5"),
        ("cosine/Beta2@step:9/momentum@rex", "cosine/beta2@step:step_size=9/momentum@rex"),
        ("cyclic:1e-3,1,mode=EXP_RANGE", "cyclic:base_lr=0.001,max_lr=1,mode=exp-range"),
        ("wsd:decay=sqrt,stable_steps=0.5", "wsd:stable_steps=0.5,decay=one-minus-sqrt"),
        ("one-cycle:1,three_phase=true", "one-cycle:max_lr=1,three_phase=true"),
    ];
    for (text, canonical) in EXAMPLES.map(|text| (text, text)).into_iter().chain(others) {
        assert_eq!(schedule(text).to_string(), canonical);
        assert_eq!(schedule(canonical), schedule(text));
    }
    assert_eq!(
        schedule("cosine:t_max=100"),
        Schedule::from(Cosine { t_max: Some(100), ..Cosine::default() })
    );
}

#[test]
fn nonsense_is_refused_with_the_key_named_and_the_nearest_suggested() {
    for (text, part) in [
        ("", "no name"),
        ("cosin", "did you mean `cosine`?"),
        ("cosine-annealing-warm-restarts", "cosine-restarts"),
        ("cosine:tmaxx=3", "did you mean `t_max`?"),
        ("cosine:t_max=0", "t_max must be at least 1"),
        ("cosine:t_max=2.5", "t_max cannot be `2.5`"),
        ("cosine:t_max=-2", "t_max cannot be `-2`"),
        ("cosine:t_max=long", "t_max must be a finite number"),
        ("step", "step_size must be at least 1"),
        ("step:step_size=2.5", "step_size must be a whole number"),
        ("step:30,gamma=-1", "gamma must be"),
        ("multistep", "milestones must be given"),
        ("multistep:milestones=30:x", "milestones must be finite numbers separated by `:`"),
        ("multistep:milestones=30:6.5", "milestones cannot be `30:6.5`"),
        ("piecewise:boundaries=1:2,scales=1", "same length"),
        ("exponential", "gamma must be"),
        ("one-cycle", "max_lr must be"),
        ("one-cycle:1,anneal_strategy=cosine", "anneal_strategy cannot be `cosine`"),
        ("one-cycle:1,pct_start=1.5", "pct_start must be"),
        ("one-cycle:1,max_momentum=1", "max_momentum must be"),
        ("cyclic:0,1,step_size_down=0", "step_size_down must be"),
        ("wsd:decay_steps=10.5", "decay_steps must be"),
        ("wsd:decay_steps=0.9,warmup_steps=0.9", "more than the trial"),
        ("plateau:factor=1", "factor must be"),
        ("warmup", "total_iters must be at least 1"),
        ("warmup:10+", "total_iters must be a whole number, not `10+`"),
        ("cosine+constant", "`cosine` has no length"),
        ("step:9+constant", "has no length"),
        ("constant:for=x", "for must be a whole number"),
        ("constant:for=0", "for must be at least 1"),
        ("plateau:for=9+plateau", "twice"),
        ("cosine/lr@rex", "two schedules drive lr"),
        ("one-cycle:1/beta1@rex", "cycle_momentum=false"),
        ("momentm@rex", "did you mean `momentum`?"),
    ] {
        let error = text.parse::<Schedule>().unwrap_err();
        assert_eq!(error.exit_code(), 2, "{text}");
        assert!(error.to_string().contains(part), "{text}: {error}");
    }
}

#[test]
fn every_schedule_is_finite_at_every_update_resolved_or_not() {
    assert_eq!(EXAMPLES.len(), Schedule::NAMES.len());
    for (text, name) in EXAMPLES.iter().zip(Schedule::NAMES) {
        assert!(text.starts_with(name), "{text} is no example of {name}");
        for schedule in [schedule(text), schedule(text).resolve(1000), schedule(text).resolve(0)] {
            for update in (0..1100).chain([u64::from(u32::MAX), u64::MAX]) {
                let Knobs { lr, momentum, .. } = schedule.at(update, BASE, &Plateaus::default());
                assert!((0.0..=0.5).contains(&lr), "{schedule}: lr {lr} at update {update}");
                assert!(
                    (0.8..=0.95).contains(&momentum),
                    "{schedule}: momentum {momentum} at update {update}"
                );
            }
        }
    }
}

#[test]
fn resolving_fills_in_what_is_left_of_the_trial_and_nothing_twice() {
    for (text, resolved) in [
        ("constant", "constant"),
        ("cosine", "cosine:t_max=6000"),
        ("cosine:for=50", "cosine:t_max=50,for=50"),
        ("warmup:500+cosine", "warmup:total_iters=500+cosine:t_max=5500"),
        (
            "rex:for=1000+cosine:t_max=2000+rex",
            "rex:total_steps=1000,for=1000+cosine:t_max=2000+rex:total_steps=3000",
        ),
        ("warmup:7000+rex", "warmup:total_iters=7000+rex:total_steps=1"),
        ("one-cycle:1/beta2@cosine", "one-cycle:max_lr=1,total_steps=6000/beta2@cosine:t_max=6000"),
        ("wsd:warmup_steps=0.1", "wsd:warmup_steps=600,stable_steps=4200,decay_steps=1200"),
        ("wsd:warmup_steps=100,decay_steps=400", "wsd:warmup_steps=100,stable_steps=5500,decay_steps=400"),
    ] {
        let found = schedule(text).resolve(6000);
        assert_eq!(found.to_string(), resolved);
        assert_eq!(found.resolve(9), found, "{text} resolved again");
    }
}

#[test]
fn items_of_a_chain_follow_one_another_and_each_counts_from_0() {
    let text = "warmup:10+step:step_size=2,gamma=0.5,for=4+constant:factor=0.3,for=20";
    let rates: Vec<f64> = (0..16).map(|update| at(text, update).lr / BASE.lr).collect();
    assert_eq!(rates[0], 0.0);
    assert!((rates[5] - 0.5).abs() < 1e-15);
    assert_eq!(rates[10..14], [1.0, 1.0, 0.5, 0.5]);
    assert!(rates[14..].iter().all(|rate| (rate - 0.3).abs() < 1e-15));
}

#[test]
fn the_last_item_stays_where_it_is_after_the_updates_it_is_for() {
    assert_eq!(at("cosine:t_max=100,for=30", 31), at("cosine:t_max=100", 30));
    assert_eq!(at("cosine:t_max=100,for=30", 500), at("cosine:t_max=100", 30));
}

#[test]
fn each_knob_goes_its_own_way_from_the_optimizers_value() {
    let text = "cosine:t_max=100/beta1@linear:start_factor=1,end_factor=0.5,total_iters=10/beta2@constant:factor=0.5";
    let Knobs { lr, momentum, beta2 } = at(text, 100);
    assert!(lr == 0.0 && (momentum - 0.45).abs() < 1e-15 && (beta2 - 0.4995).abs() < 1e-15);
    let Knobs { lr, momentum, beta2 } = at("momentum@one-cycle:0.8,100", 0);
    assert!(lr == 0.1 && (momentum - 0.032).abs() < 1e-15 && beta2 == 0.999);
}

#[test]
fn momentum_is_cycled_with_the_learning_rate_unless_that_is_not_wanted() {
    assert_eq!(at("one-cycle:1,100", 0).momentum, 0.95);
    assert_eq!(at("one-cycle:1,100,cycle_momentum=false", 0).momentum, BASE.momentum);
    assert_eq!(at("warmup:5+cyclic:0.1,1", 0).momentum, BASE.momentum);
}

#[test]
fn only_the_optimizers_own_values_are_constant() {
    assert!(Schedule::default().is_constant() && Schedule::from(Constant::default()).is_constant());
    assert!(schedule("constant/beta1@constant:for=3+constant").is_constant());
    for text in ["constant:factor=0.5", "warmup:3", "constant/beta1@rex"] {
        assert!(!schedule(text).is_constant(), "{text}");
    }
}

#[test]
fn plateaus_of_several_knobs_count_for_themselves_and_survive_a_checkpoint() {
    let schedule = schedule("plateau:factor=0.5,patience=1/beta1@plateau:factor=0.1,patience=3");
    let mut plateaus = Plateaus::default();
    for epoch in 0..5 {
        let saved = serde_json::to_string(&plateaus).unwrap();
        assert_eq!(serde_json::from_str::<Plateaus>(&saved).unwrap(), plateaus, "after {epoch} epochs");
        plateaus.observe(&schedule, if epoch == 3 { f64::NAN } else { 1.0 });
    }
    let Knobs { lr, momentum, beta2 } = schedule.at(7, BASE, &plateaus);
    assert!((lr - 0.025).abs() < 1e-15 && (momentum - 0.09).abs() < 1e-15 && beta2 == BASE.beta2);
}
