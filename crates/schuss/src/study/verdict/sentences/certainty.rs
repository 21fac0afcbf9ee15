//! How sure the order is.

use super::super::design::LEVEL;
use super::super::fisher::{self, Counts};
use super::super::median;
use super::super::seeds_needed::ADVISED;
use super::remarks::is_cut;
use super::{Words, amount, called, list, named};
use crate::record::numbers::{plain, plural, significant};
use crate::record::{Measure, PairOutcome, PairVerdict, Status, Test, Timing};

impl Words<'_> {
    /// Returns whether the leader is sure, and what the number of seeds allows to say.
    pub(super) fn certainty(&self) -> Vec<String> {
        let trials = || self.verdict.recipes.iter().map(|recipe| recipe.trials);
        let (fewest, most) = (trials().min().unwrap_or(0), trials().max().unwrap_or(0));
        let mut trials = self.recipes.iter().flat_map(|recipe| &recipe.trials);
        let has_figures = trials.any(|trial| trial.status != Status::Diverged && !is_cut(trial));
        match (self.is_alone(), most) {
            (true, 1) if has_figures => {
                vec!["One recipe, one seed: another seed gives other figures.".to_owned()]
            }
            (true, _) => vec![],
            (false, _) if !self.ranks_something() => self.looks().into_iter().collect(),
            (false, 1) if self.verdict.spending.is_none() => vec![format!(
                "With one seed per recipe this decides nothing: another seed may reverse the order; {ADVISED} seeds are \
                 advised (--seeds {ADVISED})."
            )],
            (false, _) if self.verdict.leader.is_none() => self.looks().into_iter().collect(),
            (false, _) => {
                let order = [
                    self.sure(),
                    self.open(),
                    self.against(),
                    self.constant(),
                    self.single(),
                    self.few(fewest),
                ];
                let allowed_for = [self.looks(), self.adjusted(), self.overlapping()];
                order.into_iter().chain(allowed_for).flatten().collect()
            }
        }
    }

    /// Returns true if there is a leader, at the target or at the end of the budget.
    fn ranks_something(&self) -> bool {
        let mut all = std::iter::once(self.verdict).chain(&self.verdict.quality);
        all.any(|verdict| verdict.leader.is_some())
    }

    /// Returns the pairs of the leader, as seen from it.
    fn of_leader(&self) -> Vec<PairVerdict> {
        let Some(leader) = &self.verdict.leader else { return vec![] };
        let others = self.verdict.recipes.iter().filter(|recipe| recipe.name != *leader);
        others.filter_map(|other| self.verdict.pair(leader, &other.name)).collect()
    }

    fn sure(&self) -> Option<String> {
        let leader = called(self.verdict.leader.as_ref().filter(|_| self.verdict.sure)?);
        let ties = named(&self.verdict.ties.iter().map(|tie| called(tie)).collect::<Vec<_>>());
        let within = format!("within {} %", plain(100.0 * self.verdict.tie));
        let equal = format!(
            "{ties} {} equal to it {within}",
            if self.verdict.ties.len() == 1 { "is" } else { "are" }
        );
        let highest = self.of_leader().iter().filter_map(|pair| pair.p).fold(0.0, f64::max);
        Some(match self.verdict.recipes.len() - 1 - self.verdict.ties.len() {
            0 => format!("{leader} leads, but {equal}: that is sure at the 95 % level."),
            _ if self.verdict.ties.is_empty() => {
                format!("That is sure at the 95 % level (p {}).", p_words(highest))
            }
            _ => format!("That is sure at the 95 % level; {equal}."),
        })
    }

    /// Returns the recipes that are not told apart from the leader.
    fn open(&self) -> Option<String> {
        let open = self.of_leader().into_iter().filter(|pair| pair.outcome == PairOutcome::Undecided);
        let open = open.map(|pair| format!("{} ({})", called(&pair.b), self.how_open(&pair)));
        let open: Vec<String> = open.chain(self.not_compared()).collect();
        let leader = called(self.verdict.leader.as_ref().filter(|_| !open.is_empty())?);
        Some(format!("That is not sure: {leader} is not told apart from {}.", named(&open)))
    }

    /// Returns the recipes that took part in no look with the leader.
    fn not_compared(&self) -> Vec<String> {
        let Some(leader) = &self.verdict.leader else { return vec![] };
        let others = self.verdict.recipes.iter().filter(|recipe| recipe.name != *leader);
        let others = others.filter(|recipe| self.verdict.pair(leader, &recipe.name).is_none());
        others.map(|recipe| format!("{} (not compared)", called(&recipe.name))).collect()
    }

    /// Returns how far an undecided pair is from a decision.
    fn how_open(&self, pair: &PairVerdict) -> String {
        let p = pair.p.map_or_else(|| self.untested(pair), |p| format!("p {}", p_words(p)));
        match pair.seeds_needed {
            Some(more) => format!("{p}; about {} would decide it", plural(more, "more seed")),
            None if pair.p.is_some() => format!("{p}; more seeds would hardly decide it"),
            None => p,
        }
    }

    /// Returns the reason why there is no test of a pair.
    fn untested(&self, pair: &PairVerdict) -> String {
        let trials = |name: &String| {
            let recipe = self.recipes.iter().find(|recipe| recipe.name == name);
            recipe.map_or(&[][..], |recipe| &recipe.trials)
        };
        let has = |seed: u64| trials(&pair.b).iter().any(|trial| trial.seed == seed);
        match trials(&pair.a).iter().filter(|trial| has(trial.seed)).count() {
            0 => "no seed in common",
            1 => "one seed in common",
            _ => "trials were interrupted",
        }
        .to_owned()
    }

    /// Returns the recipes that differ from the leader by the same with every seed.
    fn constant(&self) -> Option<String> {
        let constant = self.of_leader().into_iter().filter(|pair| pair.test == Some(Test::Signs));
        let differ = constant.filter(|pair| pair.wins + pair.losses > 0);
        let names: Vec<String> = differ.map(|pair| called(&pair.b)).collect();
        let what = if self.verdict.by.is_time() { "ratio" } else { "difference" };
        (!names.is_empty()).then(|| {
            format!(
                "The {what} to {} is the same with every seed, which does not show how far it varies: the signs are \
                 tested alone.",
                named(&names)
            )
        })
    }

    /// Returns the recipes with one seed, where others have more.
    fn single(&self) -> Option<String> {
        let single = self.verdict.recipes.iter().filter(|recipe| recipe.trials == 1);
        let names: Vec<String> = single.map(|recipe| called(&recipe.name)).collect();
        let has = if names.len() == 1 { "has" } else { "have" };
        (!names.is_empty()).then(|| {
            format!(
                "{} {has} one seed, which decides nothing: {ADVISED} are advised (--seeds {ADVISED}).",
                named(&names)
            )
        })
    }

    /// Returns the recipes that are decided to be better than the leader, where a few large values hide it.
    fn against(&self) -> Option<String> {
        let is_better = |pair: &PairVerdict| matches!(pair.outcome, PairOutcome::Slower | PairOutcome::Worse);
        let better: Vec<String> =
            self.of_leader().into_iter().filter(is_better).map(|pair| called(&pair.b)).collect();
        (!better.is_empty()).then(|| format!("That is not sure: seed by seed, {} did better.", list(&better)))
    }

    /// Returns what so few seeds cannot show, if their number was fixed and they are independent.
    fn few(&self, fewest: usize) -> Option<String> {
        if fewest == 1 || self.verdict.spending.is_some() || self.summary.data.resampled.is_some() {
            return None;
        }
        let pairs = self.verdict.recipes.len() * (self.verdict.recipes.len() - 1) / 2;
        let best = |n: usize| {
            let [all, none] = [Counts { reached: n, missed: 0 }, Counts { reached: 0, missed: n }];
            fisher::p_value(all, none) * pairs as f64
        };
        let misses_decide = self.verdict.pairs.iter().any(|pair| pair.test == Some(Test::Fisher));
        let level = 1.0 - self.verdict.level;
        if misses_decide && best(fewest) > level {
            let enough = (fewest..).find(|n| best(*n) <= level).unwrap_or(fewest);
            return Some(format!(
                "{} are too few to tell recipes apart by their misses at the 95 % level: that takes {enough}.",
                plural(fewest, "seed")
            ));
        }
        let for_interval = median::fewest(1.0 - LEVEL);
        (fewest < for_interval).then(|| {
            format!(
                "With {} a median has no 95 % interval, only a range, and the exact sign-flip test cannot reach the level; \
                 both need {for_interval}.",
                plural(fewest, "seed")
            )
        })
    }

    /// Returns whether another target or budget would change the leader, and how exact times are.
    pub(super) fn firmness(&self) -> Vec<String> {
        if self.is_alone() || !self.ranks_something() {
            return vec![];
        }
        let seeds = self.verdict.recipes.iter().any(|recipe| recipe.trials > 1);
        let varies = seeds.then(|| format!("A seed varies {}.", self.verdict.seed_varies));
        [self.firm(), self.resolution(), self.noise(), varies].into_iter().flatten().collect()
    }

    fn firm(&self) -> Option<String> {
        let leader = self.verdict.leader.as_ref()?;
        let firm = &self.verdict.firm;
        let moved = [
            (&firm.target_minus_5, "the target's bound 5 % lower"),
            (&firm.target_plus_5, "the target's bound 5 % higher"),
            (&firm.budget_minus_5, "5 % less budget"),
            (&firm.budget_plus_5, "5 % more budget"),
        ];
        let known: Vec<_> = moved.iter().filter_map(|(name, what)| Some((name.as_ref()?, *what))).collect();
        let others = known.iter().filter(|(name, _)| *name != leader);
        let others: Vec<String> =
            others.map(|(name, what)| format!("{} with {what}", called(name))).collect();
        let same: Vec<String> = known.iter().map(|(_, what)| (*what).to_owned()).collect();
        match (known.is_empty(), others.is_empty()) {
            (true, _) => None,
            (_, true) => Some(format!(
                "{} would also lead with {}.",
                called(leader),
                list(&same).replace(" and ", " or ")
            )),
            (_, false) => {
                Some(format!("Another recipe would lead under slightly other conditions: {}.", list(&others)))
            }
        }
    }

    fn resolution(&self) -> Option<String> {
        let (by, step) = (self.verdict.by, self.verdict.resolution?);
        let first = self.verdict.ranked().first()?.median?;
        let coarse = if step > 0.1 * first { ": a finer grid tells more (--eval-every)" } else { "" };
        Some(format!("Times are exact to one step of the evaluation grid, {}{coarse}.", amount(by, step)))
    }

    /// Returns the noise of the machine, and where it stands.
    fn noise(&self) -> Option<String> {
        let noise = self.verdict.noise.filter(|_| self.verdict.by == Measure::TrainSeconds)?;
        let mut trials = self.recipes.iter().flat_map(|recipe| &recipe.trials);
        let stands = if trials.any(|trial| trial.timing == Timing::Calibrated) {
            "intervals of calibrated times are wider by it"
        } else {
            "times contain it"
        };
        Some(format!(
            "The noise of the machine is {} % from one slice of a trial to another; {stands}.",
            significant(100.0 * noise, 2)
        ))
    }
}

/// Formats a p-value with its sign: `= 0.034`, `< 0.001`.
fn p_words(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("= {}", significant(p, 2)) }
}
