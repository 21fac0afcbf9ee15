//! Nonsensical values are refused, with the key named.

use schuss::optim::{Method, Rule, Transform, Wrapper};

/// Numbers that a key accepts although most similar keys do not, and why.
const TAKEN: [(&str, &str, &str); 4] = [
    ("adafactor", "beta2_decay", "an exponent, negative by definition"),
    ("momo", "f_star", "a lowest loss may be negative"),
    ("polyak-sgd", "f_min", "a lowest loss may be negative"),
    ("sgd", "dampening", "PyTorch takes any"),
];

/// Decay rates: at 1 the average would never change.
const MEMORIES: [&str; 9] = [
    "beta1",
    "beta2",
    "beta3",
    "shampoo_beta",
    "rho",
    "alpha of rmsprop",
    "momentum of signum",
    "decay of ema",
    "decay of k-fac",
];

/// Keys of an item, taken from the error for an unknown key.
fn keys(name: &str, prefix: &str, suffix: &str) -> Vec<String> {
    let error = format!("{prefix}{name}:no_such_key=1{suffix}").parse::<Method>().unwrap_err().to_string();
    let list =
        error.rsplit("known:").next().and_then(|list| list.rsplit("one of:").next()).unwrap_or_default();
    list.split_whitespace().map(|key| key.trim_matches(',').to_owned()).collect()
}

/// Every item with the prefix and suffix it needs.
fn items() -> Vec<(&'static str, &'static str, &'static str)> {
    let rules = Rule::NAMES.iter().map(|name| (*name, "", ""));
    let before = Transform::NAMES.iter().chain(&["sam"]).map(|name| (*name, "", "+sgd"));
    let after = Wrapper::NAMES.iter().map(|name| (*name, "sgd+", ""));
    rules.chain(before).chain(after).collect()
}

/// Returns true if a key takes a number.
fn is_numeric(name: &str, key: &str, prefix: &str, suffix: &str) -> bool {
    let error = format!("{prefix}{name}:{key}=nan{suffix}").parse::<Method>().unwrap_err().to_string();
    !error.contains("true or false") && !error.contains("adjust")
}

fn is_memory(name: &str, key: &str) -> bool {
    MEMORIES.iter().any(|memory| *memory == key || *memory == format!("{key} of {name}")) && name != "sam"
}

#[test]
fn numbers_that_make_no_sense_are_refused_with_the_key_named() {
    let mut seen = 0;
    for (name, prefix, suffix) in items() {
        for key in keys(name, prefix, suffix) {
            if !is_numeric(name, &key, prefix, suffix) {
                continue;
            }
            seen += 1;
            let negative = !TAKEN.iter().any(|(taker, taken, _)| (*taker, *taken) == (name, key.as_str()));
            let values = [
                ("nan", true),
                ("inf", true),
                ("-inf", true),
                ("ten", true),
                ("-1", negative),
                ("1", is_memory(name, &key)),
            ];
            for (value, _) in values.into_iter().filter(|(_, refused)| *refused) {
                let text = format!("{prefix}{name}:{key}={value}{suffix}");
                let Err(error) = text.parse::<Method>() else { panic!("{text} is taken") };
                assert_eq!(error.exit_code(), 2, "{text}");
                assert!(error.to_string().contains(&key), "{text}: {error}");
            }
        }
    }
    assert!(seen > 150, "only {seen} keys found");
}
