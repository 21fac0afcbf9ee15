//! Tests of every element-wise rule against the equation in its documentation, parsed and evaluated as written.

use super::{First, Rule};
use crate::optim::Reference;
use crate::spec::About;
use crate::spec::Item;
use schuss_data::random::{Key, Purpose};
use std::collections::HashMap;
use std::iter::Peekable;
use std::str::Chars;

/// Every element-wise rule, with the flags for which its equation has variants.
const RULES: &[&str] = &[
    "sgd:lr=0.1,momentum=0.9,dampening=0.3,weight_decay=0.01",
    "sgd:lr=0.1,momentum=0.9,dampening=0.3,weight_decay=0.01,nesterov=true",
    "sgd:lr=0.1,momentum=0.9,dampening=0.3,weight_decay=0.01,classic=true",
    "sgd:lr=0.1,momentum=0.9,weight_decay=0.01,nesterov=true,classic=true",
    "adam:lr=0.1,beta1=0.8,beta2=0.99,eps=1e-3,weight_decay=0.01",
    "adam:lr=0.1,beta1=0.8,beta2=0.9,eps=1e-3,amsgrad=true",
    "adam:lr=0.1,beta1=0.8,beta2=0.99,eps=1e-2,amsgrad=true,eps_hat=true",
    "adamw:lr=0.1,beta1=0.8,beta2=0.99,eps=1e-3,weight_decay=0.1",
    "adamw:lr=0.1,beta1=0.8,beta2=0.9,eps=1e-2,weight_decay=0.1,amsgrad=true,eps_hat=true",
    "asgd:lr=0.1,lambd=0.01,alpha=0.6,t0=5,weight_decay=0.01",
    "rprop:lr=0.01,etaminus=0.4,etaplus=1.3,step_min=0.003,step_max=0.02",
    "adagrad:lr=0.1,lr_decay=0.1,weight_decay=0.01,initial_accumulator_value=0.1,eps=1e-3",
    "adagrad:lr=0.1,initial_accumulator_value=0.1,eps=1e-2,eps_inside=true",
    "adadelta:lr=0.7,rho=0.8,eps=1e-3,weight_decay=0.01",
    "rmsprop:lr=0.1,alpha=0.8,eps=1e-3,momentum=0.5,weight_decay=0.01",
    "rmsprop:lr=0.1,alpha=0.8,eps=1e-2,momentum=0.5,centered=true",
    "rmsprop:lr=0.1,alpha=0.8,eps=1e-2,momentum=0.5,eps_inside=true,classic=true",
    "adamax:lr=0.1,beta1=0.8,beta2=0.9,eps=1e-3,weight_decay=0.01",
    "adamax:lr=0.1,beta1=0.8,beta2=0.9,eps=1e-2,eps_outside=true",
    "nadam:lr=0.1,beta1=0.8,beta2=0.99,eps=1e-3,weight_decay=0.01,momentum_decay=0.02",
    "nadamw:lr=0.1,beta1=0.8,beta2=0.99,eps=1e-3,weight_decay=0.1",
    "radam:lr=0.1,beta1=0.8,beta2=0.99,eps=1e-3,weight_decay=0.01",
    "radam:lr=0.1,beta1=0.8,beta2=0.99,eps=1e-2,eps_hat=false",
    "lion:lr=0.1,beta1=0.8,beta2=0.9,weight_decay=0.1",
    "adan:lr=0.1,beta1=0.8,beta2=0.9,beta3=0.95,eps=1e-3,weight_decay=0.1",
    "ftrl:lr=0.1,initial_accumulator_value=0.2,l1=0.3,l2=0.1,l2_shrinkage=0.01,beta=0.5",
    "signsgd:lr=0.1,weight_decay=0.1",
    "signum:lr=0.1,momentum=0.8,weight_decay=0.1",
    "schedule-free-sgd:lr=0.3,momentum=0.8,weight_decay=0.01,warmup_steps=6,r=1.5,weight_lr_power=1.2",
    "schedule-free-adamw:lr=0.1,beta1=0.8,beta2=0.99,eps=1e-3,weight_decay=0.1,warmup_steps=6,r=1.5,\
         weight_lr_power=1.2",
    "adabelief:lr=0.1,beta1=0.8,beta2=0.99,eps=1e-3,eps_root=1e-4",
    "yogi:lr=0.1,beta1=0.8,beta2=0.9,eps=1e-3,initial_accumulator_value=0.01",
    "adopt:lr=0.1,beta1=0.8,beta2=0.9,eps=1e-3",
    "ademamix:lr=0.1,beta1=0.8,beta2=0.99,beta3=0.95,alpha=2,eps=1e-3,weight_decay=0.1",
    "madgrad:lr=0.1,momentum=0.8,weight_decay=0.01,eps=1e-3",
    "quickprop:lr=0.1,mu=0.9,weight_decay=0.01",
    "freeze",
];

/// Symbols of the keys in equations.
const SYMBOLS: &[(&str, &str)] = &[
    ("lr", "η"),
    ("weight_decay", "λ"),
    ("momentum", "μ"),
    ("dampening", "τ"),
    ("beta1", "β₁"),
    ("beta2", "β₂"),
    ("beta3", "β₃"),
    ("eps", "ε"),
    ("eps_root", "ε₀"),
    ("lambd", "κ"),
    ("alpha", "α"),
    ("t0", "t₀"),
    ("etaminus", "η₋"),
    ("etaplus", "η₊"),
    ("step_min", "d₋"),
    ("step_max", "d₊"),
    ("lr_decay", "γ"),
    ("rho", "ρ"),
    ("momentum_decay", "ψ"),
    ("l1", "λ₁"),
    ("l2", "λ₂"),
    ("l2_shrinkage", "λ₃"),
    ("beta", "β"),
    ("mu", "μ"),
    ("warmup_steps", "k"),
    ("r", "r"),
    ("weight_lr_power", "a"),
];

/// Values by name.
type Values = HashMap<String, f64>;

/// Returns the statements `name ← expression` of an equation, in order.
fn statements(equation: &[String]) -> Vec<(&str, &str)> {
    let parts = equation.iter().flat_map(|line| line.split("  ").map(str::trim));
    parts.filter_map(|part| part.split_once(" ← ")).filter(|(name, _)| name.chars().all(in_name)).collect()
}

fn in_name(c: char) -> bool {
    c.is_alphanumeric() && !"ᵗ²".contains(c) || "∞′₊₋".contains(c)
}

/// An expression, parsed and evaluated from left to right.
struct Expression<'a> {
    rest: Peekable<Chars<'a>>,
    values: &'a Values,
}

impl Expression<'_> {
    /// Returns the value of an expression.
    fn value(text: &str, values: &Values) -> f64 {
        let mut expression = Expression { rest: text.chars().peekable(), values };
        let value = expression.sum();
        assert_eq!(expression.rest.next(), None, "not read to the end: {text}");
        value
    }

    /// Consumes the next character other than a space if it is `wanted`. Returns true if it was.
    fn takes(&mut self, wanted: char) -> bool {
        while self.rest.next_if_eq(&' ').is_some() {}
        self.rest.next_if_eq(&wanted).is_some()
    }

    fn expect(&mut self, wanted: char) {
        assert!(self.takes(wanted), "{wanted} is missing before {:?}", self.rest.clone().collect::<String>());
    }

    fn sum(&mut self) -> f64 {
        let mut sum = self.product();
        loop {
            if self.takes('+') {
                sum += self.product();
            } else if self.takes('−') {
                sum -= self.product();
            } else {
                return sum;
            }
        }
    }

    fn product(&mut self) -> f64 {
        let mut product = self.factor();
        loop {
            if self.takes('/') {
                product /= self.factor();
            } else if self.takes('·') || self.rest.peek().is_some_and(|&c| in_name(c) || "(√∛".contains(c))
            {
                product *= self.factor();
            } else {
                return product;
            }
        }
    }

    fn factor(&mut self) -> f64 {
        if self.takes('−') {
            return -self.factor();
        } else if self.takes('√') {
            return self.factor().sqrt();
        } else if self.takes('∛') {
            return self.factor().cbrt();
        }
        let base = self.base();
        match self.rest.next_if(|c| "²ᵗ^".contains(*c)) {
            Some('²') => base * base,
            Some('ᵗ') => base.powf(self.values["t"]),
            Some(_) => base.powf(self.base()),
            None => base,
        }
    }

    fn base(&mut self) -> f64 {
        if self.takes('(') {
            let value = self.sum();
            self.expect(')');
            value
        } else if self.takes('|') {
            let value = self.sum();
            self.expect('|');
            value.abs()
        } else if self.rest.peek().is_some_and(char::is_ascii_digit) {
            self.number()
        } else {
            self.name()
        }
    }

    fn number(&mut self) -> f64 {
        let mut text = String::new();
        while let Some(c) =
            self.rest.next_if(|&c| c.is_ascii_digit() || ".e".contains(c) || text.ends_with('e'))
        {
            text.push(c);
        }
        text.parse().unwrap()
    }

    /// Evaluates a variable, or a function directly before its parenthesis.
    fn name(&mut self) -> f64 {
        let mut name = String::new();
        while let Some(c) = self.rest.next_if(|&c| in_name(c)) {
            name.push(c);
        }
        match name.as_str() {
            "sign" => sign(self.base()),
            "max" => self.pair(f64::max),
            "min" => self.pair(f64::min),
            _ => *self.values.get(&name).unwrap_or_else(|| panic!("`{name}` has no value")),
        }
    }

    fn pair(&mut self, function: fn(f64, f64) -> f64) -> f64 {
        self.expect('(');
        let left = self.sum();
        self.expect(',');
        let right = self.sum();
        self.expect(')');
        function(left, right)
    }
}

/// Returns the sign of `x`: 0 at zero, unlike `signum`.
fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

/// Returns the initial values of a weight's equation: keys, slots, scalars and the weight itself.
fn first_values(about: &About, rule: &Rule, weight: f64) -> Values {
    let mut values = Values::from([("w".to_owned(), weight)]);
    for key in &about.keys {
        let symbol = SYMBOLS.iter().find(|(name, _)| *name == key.name);
        values.extend(symbol.map(|(_, symbol)| (symbol.to_string(), key.value.parse().unwrap())));
    }
    values.extend(rule.scalars().into_iter().map(|(name, first)| (name.to_owned(), first)));
    values.extend(rule.slots().iter().map(|slot| {
        let first = if let First::Value(value) = slot.first { value } else { weight };
        (slot.name.to_owned(), first)
    }));
    values
}

/// Does one update of a weight by the equation.
fn carry_out(statements: &[(&str, &str)], update: f64, gradient: f64, values: &mut Values) {
    values.extend([("t".to_owned(), update), ("g".to_owned(), gradient)]);
    for (name, expression) in statements {
        let value = Expression::value(expression, values);
        values.insert((*name).to_owned(), value);
    }
}

#[test]
fn expressions_have_the_values_of_arithmetic() {
    let values =
        Values::from([("t", 3.0), ("β₁", 0.5), ("w", -2.0)].map(|(name, value)| (name.to_owned(), value)));
    for (text, value) in [
        ("1 − 2 − 3", -4.0),
        ("6 / 2 t", 9.0),
        ("1 − β₁ᵗ", 0.875),
        ("−w² (t + 1)", -16.0),
        ("√(t + 1) · |w|", 4.0),
        ("√√16 + ∛8", 4.0),
        ("2^(t − 1) − 1e-1", 3.9),
        ("max(sign(w), −0.5) − min(w, 0)", 1.5),
    ] {
        assert!((Expression::value(text, &values) - value).abs() < 1e-15, "{text}");
    }
}

#[test]
fn every_rule_that_goes_weight_by_weight_does_what_its_equation_says() {
    for spec in RULES {
        let about = Rule::about(&Item::parse(spec).unwrap(), "").unwrap().unwrap();
        let (rule, equation) = (spec.parse::<Rule>().unwrap(), about.equation());
        let statements = statements(&equation);
        let mut random = Key { seed: 1, purpose: Purpose::Init, epoch: 0 }.draws(0);
        let mut weights: [f64; 6] = std::array::from_fn(|_| f64::from(random.normal()));
        let mut twins = weights.map(|weight| first_values(&about, &rule, weight));
        let mut reference = Reference::new(rule, &weights);
        for update in 1..=20 {
            let gradient: [f64; 6] = std::array::from_fn(|_| f64::from(random.normal()));
            reference.step(&gradient, &mut weights);
            for ((twin, weight), gradient) in twins.iter_mut().zip(weights).zip(gradient) {
                carry_out(&statements, f64::from(update), gradient, twin);
                let gap = (twin["w"] - weight).abs();
                assert!(gap <= 1e-12 * weight.abs().max(1.0), "{spec}: {} is {weight}", twin["w"]);
            }
        }
    }
}

#[test]
fn every_rule_that_goes_weight_by_weight_has_its_equation_carried_out() {
    let by_element = |name: &&&str| name.parse::<Rule>().unwrap().is_by_element();
    let expected: Vec<&str> = Rule::NAMES.iter().filter(by_element).copied().collect();
    let mut tested: Vec<&str> = RULES.iter().map(|spec| spec.split(':').next().unwrap()).collect();
    tested.dedup();
    assert_eq!(tested, expected);
}
