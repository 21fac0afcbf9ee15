//! The record of what is done to a lane.

use std::cell::RefCell;
use std::fmt;

/// Number of a value on the tape; the text calls value 3 `v3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value(u32);

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

/// Operation that makes a value of others.
#[derive(Clone, Copy)]
pub(super) enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Neg,
    MulAdd,
    Sqrt,
    Abs,
    Larger,
    Smaller,
    WithSign,
    WherePositive,
    Flushed,
    Round,
    ScaleByPower,
    Mantissa,
    Power,
}

impl Op {
    fn text(self, [a, b, c]: [Value; 3]) -> String {
        match self {
            Self::Add => format!("{a} + {b}"),
            Self::Sub => format!("{a} - {b}"),
            Self::Mul => format!("{a} * {b}"),
            Self::Div => format!("{a} / {b}"),
            Self::Neg => format!("-{a}"),
            Self::MulAdd => format!("fma({a}, {b}, {c})"),
            Self::Sqrt => format!("sqrt({a})"),
            Self::Abs => format!("abs({a})"),
            Self::Larger => format!("larger({a}, {b})"),
            Self::Smaller => format!("smaller({a}, {b})"),
            Self::WithSign => format!("with_sign({a}, {b})"),
            Self::WherePositive => format!("where_positive({a}, {b}, {c})"),
            Self::Flushed => format!("flushed({a})"),
            Self::Round => format!("round({a})"),
            Self::ScaleByPower => format!("scale_by_power({a}, {b})"),
            Self::Mantissa => format!("mantissa_of({a})"),
            Self::Power => format!("f32(power_of({a}))"),
        }
    }
}

/// Treatment of numbers that are no results of operations.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// They may be others in the next update: the text reads them as knobs.
    Knobs,
    /// They stand in the text.
    Literals,
}

/// Operations in order, as a hash and, if wanted, as WGSL.
pub(super) struct Tape {
    numbers: Numbers,
    values: u32,
    shape: u64,
    text: Option<String>,
    /// Place of the first knob in the shader's row.
    first: usize,
    knobs: Vec<f32>,
}

thread_local! {
    static TAPE: RefCell<Tape> = RefCell::new(Tape::new(Numbers::Literals, 0));
}

/// Runs `act`, whose operations go to `tape`. Returns the tape and what `act` returned.
pub(super) fn record<T>(tape: Tape, act: impl FnOnce() -> T) -> (Tape, T) {
    let before = TAPE.replace(tape);
    let result = act();
    (TAPE.replace(before), result)
}

/// Runs `act` on the tape of this thread.
pub(super) fn with<T>(act: impl FnOnce(&mut Tape) -> T) -> T {
    TAPE.with_borrow_mut(act)
}

/// Seed and factor of the hash of operations: FNV-1a's, for words instead of bytes.
const SEED: u64 = 0xcbf2_9ce4_8422_2325;
const FACTOR: u64 = 0x0000_0100_0000_01b3;

impl Tape {
    /// Creates an empty tape that writes text.
    pub(super) fn new(numbers: Numbers, first: usize) -> Self {
        Self { numbers, values: 0, shape: SEED, text: Some(String::new()), first, knobs: vec![] }
    }

    /// Creates a tape that only adds knobs to those in `knobs`.
    pub(super) fn of_knobs(knobs: Vec<f32>) -> Self {
        Self { text: None, knobs, ..Self::new(Numbers::Knobs, 0) }
    }

    /// Returns the hash of all operations.
    pub(super) fn shape(&self) -> u64 {
        self.shape
    }

    /// Returns text and knobs.
    pub(super) fn into_parts(self) -> (String, Vec<f32>) {
        (self.text.unwrap_or_default(), self.knobs)
    }

    /// Records an operation; the operands that it does not have are any values.
    pub(super) fn operation(&mut self, op: Op, operands: [Value; 3]) -> Value {
        self.mix(op as u64);
        operands.iter().for_each(|operand| self.mix(u64::from(operand.0)));
        self.define(|| op.text(operands))
    }

    /// Records a number.
    pub(super) fn number(&mut self, x: f32) -> Value {
        match self.numbers {
            Numbers::Knobs => {
                let index = self.knob(x);
                self.define(|| format!("knob({index}u)"))
            }
            Numbers::Literals => {
                self.mix(u64::from(x.to_bits()));
                self.define(|| literal(x))
            }
        }
    }

    /// Adds a knob and returns its place.
    pub(super) fn knob(&mut self, x: f32) -> usize {
        self.mix(u64::MAX);
        self.knobs.push(x);
        self.first + self.knobs.len() - 1
    }

    /// Records a value given by WGSL, which must not depend on numbers that change.
    pub(super) fn expression(&mut self, text: &str) -> Value {
        self.mix_text(text);
        self.define(|| text.to_owned())
    }

    /// Adds a line of WGSL.
    pub(super) fn line(&mut self, line: &str) {
        self.mix_text(line);
        self.declare(line);
    }

    /// Adds lines of WGSL that are no operations: heads and ends of functions.
    pub(super) fn declare(&mut self, lines: &str) {
        if let Some(text) = &mut self.text {
            text.push_str(lines);
            text.push('\n');
        }
    }

    /// Defines the next value.
    fn define(&mut self, expression: impl FnOnce() -> String) -> Value {
        let value = Value(self.values);
        self.values += 1;
        if self.text.is_some() {
            self.declare(&format!("    let {value} = {};", expression()));
        }
        value
    }

    fn mix_text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.mix(u64::from(byte)));
    }

    fn mix(&mut self, word: u64) {
        self.shape = (self.shape ^ word).wrapping_mul(FACTOR).rotate_left(17);
    }
}

/// Returns a number in WGSL, which has no literals for those that are not finite.
fn literal(x: f32) -> String {
    if x.is_finite() { format!("{x:?}f") } else { format!("from_bits({:#x}u)", x.to_bits()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_wgsl_are_read_back_as_they_are() {
        for (x, text) in [(1.0, "1.0f"), (-0.1, "-0.1f"), (1e30, "1e30f"), (1.5e-7, "1.5e-7f")] {
            assert_eq!(literal(x), text);
        }
        assert_eq!(literal(f32::INFINITY), "from_bits(0x7f800000u)");
        assert_eq!(literal(f32::NEG_INFINITY), "from_bits(0xff800000u)");
    }
}
