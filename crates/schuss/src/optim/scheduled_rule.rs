//! An update rule with its schedule.

use super::rule::Rule;
use crate::schedule::{Knobs, Plateaus, Schedule};
use crate::state::{State, StateCodec};
use std::io;

/// A rule whose hyper-parameters follow a schedule.
#[derive(Clone, Debug)]
pub(crate) struct ScheduledRule {
    rule: Rule,
    schedule: Schedule,
    plateaus: Plateaus,
}

impl ScheduledRule {
    pub(crate) fn new(rule: Rule, schedule: Schedule) -> Self {
        Self { rule, schedule, plateaus: Plateaus::default() }
    }

    /// Returns the rule as typed.
    pub(crate) fn typed(&self) -> &Rule {
        &self.rule
    }

    /// Returns the rule for update `t`, from 1.
    pub(crate) fn at(&self, t: u64) -> Rule {
        let mut rule = self.rule.clone();
        if self.schedule.is_constant() {
            return rule;
        }
        let knob = |knob: Option<&mut f64>| knob.map_or(0.0, |value| *value);
        let typed = Knobs { lr: knob(rule.lr()), momentum: knob(rule.momentum()), beta2: knob(rule.beta2()) };
        let now = self.schedule.at(t - 1, typed, &self.plateaus);
        let turn = |knob: Option<&mut f64>, value| {
            if let Some(knob) = knob {
                *knob = value;
            }
        };
        turn(rule.lr(), now.lr);
        turn(rule.momentum(), now.momentum);
        turn(rule.beta2(), now.beta2);
        rule
    }

    /// Passes the evaluation loss at the end of an epoch to schedules that wait for a plateau.
    pub(crate) fn observe(&mut self, eval_loss: f64) {
        self.plateaus.observe(&self.schedule, eval_loss);
    }
}

impl State for ScheduledRule {
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        codec.json(&mut self.plateaus)
    }
}
