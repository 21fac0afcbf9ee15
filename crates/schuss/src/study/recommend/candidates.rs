//! Candidates: networks, update rules and optimizers that are worth a try on the data.

use crate::optim::Method;
use crate::recipe::{Budget, ChoiceKey, Choices, EvalEvery, Trial};
use crate::study::file::{StudyFile, TrialEntry};
use crate::study::plan::{Planned, Study};
use crate::study::tune::{Space, Tune, TuneKey, sobol};
use crate::{Error, Result};
use schuss_data::Dataset;

/// A recipe to try.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) planned: Planned,
    /// True for the baseline: a network without a hidden layer.
    pub(super) is_linear: bool,
}

/// Network of the baseline.
const LINEAR: &str = "linear:out";
/// Hidden layers to try, smallest network first.
const NETWORKS: [&str; 3] = ["in-32-out", "in-128-out", "in-256-128-out"];
/// The same for samples of many numbers, such as images.
const WIDE_NETWORKS: [&str; 3] = ["in-64-out", "in-256-out", "in-400-256-out"];
/// Fewest numbers of a sample with many.
const MANY: usize = 256;
/// Optimizers to try at many rates.
const OPTIMIZERS: [&str; 3] = ["adam", "adamw", "sgd:momentum=0.9"];
/// A solver, for as many samples as it can pass through at every update.
const SOLVER: [&str; 2] = ["epoch", "l-bfgs:line_search=strong-wolfe"];
/// Most samples for the solver.
const SOLVED: usize = 20_000;
/// Update rules and optimizers of the baseline.
const OF_LINEAR: [[&str; 2]; 4] = [
    ["batch:32", "adam:lr=0.001"],
    ["batch:32", "adam:lr=0.01"],
    ["batch:32", "sgd:lr=0.01,momentum=0.9"],
    ["batch:256", "adam:lr=0.01"],
];
/// Defaults of libraries and books: network, from the smallest, update rule and optimizer. Tried first.
const KNOWN: [(usize, [&str; 2]); 7] = [
    (1, ["batch:32", "adam:lr=0.001"]),
    (1, ["batch:200", "adam:lr=0.001"]),
    (0, ["batch:32", "adam:lr=0.01"]),
    (1, ["batch:32", "sgd:lr=0.01,momentum=0.9"]),
    (2, ["batch:128", "adam:lr=0.001"]),
    (1, ["sample", "sgd:lr=0.01"]),
    (0, SOLVER),
];
/// Epochs of candidates, whom the clock stops.
const ENDLESS: u32 = 1_000_000;

/// What candidates are made of.
pub(super) struct Menu<'a> {
    file: &'a StudyFile,
    data: &'a Dataset,
    /// Choices that were typed, which all candidates share.
    typed: Choices,
    /// Specs of networks, smallest first.
    networks: Vec<String>,
}

impl<'a> Menu<'a> {
    /// Returns the menu for some data; choices in `file` are made for all candidates.
    pub(super) fn new(file: &'a StudyFile, data: &'a Dataset) -> Self {
        let typed = file.shared();
        let usual = if data.shape.features() < MANY { NETWORKS } else { WIDE_NETWORKS };
        let networks = match typed.get(ChoiceKey::Model) {
            Some(model) => vec![model.to_owned()],
            None => usual.map(str::to_owned).to_vec(),
        };
        Self { file, data, typed, networks }
    }

    /// Returns the baseline and a candidate of every network, smallest first.
    ///
    /// # Errors
    /// Usage errors for what was typed.
    pub(super) fn samples(&self) -> Result<Vec<Candidate>> {
        let network = |network| self.entry(network, KNOWN[0].1);
        let entries = std::iter::once(self.entry(LINEAR, OF_LINEAR[0]));
        self.resolved(entries.chain(self.networks.iter().map(|text| network(text))).collect())
    }

    /// Keeps so many of the networks, the smallest ones.
    pub(super) fn keep(&mut self, networks: usize) {
        self.networks.truncate(networks);
    }

    /// Returns the baselines, and `count` other candidates, all different.
    ///
    /// # Errors
    /// Usage errors for what was typed.
    pub(super) fn candidates(&self, count: usize) -> Result<Vec<Candidate>> {
        let solver = self.solves().then_some(SOLVER);
        let linear = OF_LINEAR.into_iter().chain(solver).map(|how| self.entry(LINEAR, how));
        let known = KNOWN.into_iter().filter(|(_, how)| *how != SOLVER || solver.is_some());
        let known =
            known.map(|(network, how)| self.entry(&self.networks[network.min(self.networks.len() - 1)], how));
        let linear = distinct(self.resolved(linear.collect())?);
        let networks = self.resolved(known.collect())?.into_iter().chain(self.drawn(count)?);
        let networks = distinct(networks.filter(|candidate| !candidate.is_linear).collect());
        Ok(linear.into_iter().chain(networks.into_iter().take(count)).collect())
    }

    /// Returns candidates at Sobol points of networks, optimizers, rates and batch sizes: enough for `count` different ones,
    /// if there are as many.
    fn drawn(&self, count: usize) -> Result<Vec<Candidate>> {
        let optimizers = match self.typed.get(ChoiceKey::Optimizer) {
            Some(typed) => vec![typed],
            None => OPTIMIZERS.to_vec(),
        };
        let pairs =
            self.networks.iter().flat_map(|network| optimizers.iter().map(move |how| (network, *how)));
        let bases =
            self.resolved(pairs.map(|(network, how)| self.entry(network, [KNOWN[0].1[0], how])).collect())?;
        let spaces = bases.iter().map(|base| self.space(&base.planned.trial)).collect::<Result<Vec<_>>>()?;
        let at = |index: u32| -> Result<Candidate> {
            let pick =
                |axis: usize, of: usize| ((sobol::coordinate(index, axis) * of as f64) as usize).min(of - 1);
            let place = pick(2, self.networks.len()) * optimizers.len() + pick(3, optimizers.len());
            let (base, space) = (&bases[place], &spaces[place]);
            let Some(space) = space else { return Ok(base.clone()) };
            let trial = space.trial(&base.planned.trial, &space.sobol(index))?;
            Ok(Candidate::new(Planned { trial, ..base.planned.clone() }))
        };
        (1..=2 * count as u32).map(at).collect()
    }

    /// Returns the box of a recipe's rate and batch size, as far as they were not typed; `None` if both were.
    fn space(&self, trial: &Trial) -> Result<Option<Space>> {
        let optimizer = &trial.recipe.optimizer;
        let is_fixed = self.typed.get(ChoiceKey::Optimizer).is_some_and(Method::gives_rate)
            || trial.recipe.schedule.replaces(TuneKey::Lr.name());
        let rate =
            (!is_fixed && optimizer.number(TuneKey::Lr.name()).is_some()).then_some(TuneKey::Lr.name());
        let batch = self.typed.get(ChoiceKey::Update).is_none().then_some(TuneKey::Batch.name());
        let keys: Vec<&str> = rate.into_iter().chain(batch).collect();
        if keys.is_empty() {
            return Ok(None);
        }
        let tune: Tune = keys.join(",").parse()?;
        Space::new(&tune, trial, self.data).map(Some)
    }

    /// Returns true if a solver is among the candidates.
    fn solves(&self) -> bool {
        let is_open = |key| self.typed.get(key).is_none();
        let is_small = self.data.train.resident().is_some() && self.data.train.len() <= SOLVED;
        is_small && is_open(ChoiceKey::Optimizer) && is_open(ChoiceKey::Update)
    }

    /// Returns the choices of a candidate, except those that were typed; the baseline has its own network.
    fn entry(&self, network: &str, [update, optimizer]: [&str; 2]) -> TrialEntry {
        let mut choices = Choices::default();
        for (key, text) in [(ChoiceKey::Update, update), (ChoiceKey::Optimizer, optimizer)] {
            if self.typed.get(key).is_none() {
                choices = choices.with(key, text);
            }
        }
        if self.typed.get(ChoiceKey::Model) != Some(network) {
            choices = choices.with(ChoiceKey::Model, network);
        }
        TrialEntry { choices, ..TrialEntry::default() }
    }

    fn resolved(&self, trials: Vec<TrialEntry>) -> Result<Vec<Candidate>> {
        let file = StudyFile { trials, ..self.file.clone() };
        let study = Study::resolve(NAME, &file, self.data)?;
        Ok(study.trials.into_iter().map(Candidate::new).collect())
    }
}

/// Leaves out candidates that are the same as an earlier one.
fn distinct(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut ids: Vec<String> = vec![];
    let mut is_new = |candidate: &Candidate| {
        let id = candidate.planned.trial.config_id();
        let is_new = !ids.contains(&id);
        ids.push(id);
        is_new
    };
    candidates.into_iter().filter(|candidate| is_new(candidate)).collect()
}

/// Name of the study.
pub(super) const NAME: &str = "recommend";

impl Candidate {
    fn new(planned: Planned) -> Self {
        let is_linear = planned.trial.model.layers().len() == 1;
        let budget = Budget { epochs: ENDLESS, eval_every: Some(EvalEvery::Auto), ..planned.trial.budget };
        let trial = Trial { budget, ..planned.trial };
        let trial = Trial { name: name(&trial, is_linear), ..trial };
        Self { planned: Planned { trial, ..planned }, is_linear }
    }
}

/// Returns the name of a recipe: its network, update rule, optimizer, and schedule if it has one.
pub(super) fn name(trial: &Trial, is_linear: bool) -> String {
    let network = if is_linear { "linear".to_owned() } else { trial.model.to_string() };
    let recipe = &trial.recipe;
    let schedule = recipe.schedule.to_string();
    let schedule = schedule.split(':').next().filter(|_| !recipe.schedule.is_constant());
    let schedule = schedule.map_or_else(String::new, |name| format!(" {name}"));
    format!("{network} {} {}{schedule}", recipe.update, recipe.optimizer)
}

/// Checks that there is something to learn and to judge by.
///
/// # Errors
/// Data errors: no labels, a single class, too few samples.
pub(super) fn check(data: &Dataset) -> Result<()> {
    use schuss_data::{Place, TargetKind};
    const FEWEST: [usize; 2] = [10, 2];
    let refuse =
        |what: String, advice: &str| Err(Error::data(what).at(Place::data(&data.name)).advise(advice));
    let [train, judged] = [data.train.len(), data.evaluated().len()];
    match data.target_kind() {
        TargetKind::Nothing => {
            return refuse(
                "the data have no labels, so there is nothing to learn".to_owned(),
                "--label NAME",
            );
        }
        TargetKind::Class(classes) => {
            let counts = data.train.class_counts(classes)?;
            if counts.iter().filter(|count| **count > 0).count() < 2 {
                let what = "all training samples are of one class: there is nothing to learn";
                return refuse(what.to_owned(), "data with two classes or more, or another --label");
            }
        }
        TargetKind::Real(_) => {}
    }
    if train < FEWEST[0] || judged < FEWEST[1] {
        let what =
            format!("{train} samples to train on and {judged} to judge by are too few to compare recipes");
        return refuse(what, "more rows, or a larger --validation");
    }
    Ok(())
}
