//! Documentation of a choice at run time.

use serde::Serialize;

/// Documentation of a choice, and its keys with their values.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct About {
    /// Name in specs.
    pub name: &'static str,
    /// Kind of choice: `optimizer`, `schedule`, ...
    pub noun: &'static str,
    /// One-line summary.
    pub line: &'static str,
    /// Documentation in Markdown: summary, equation as a `text` code block, source, the library whose keys and defaults
    /// it has, and differences from other libraries.
    pub text: &'static str,
    /// Keys.
    pub keys: Vec<Key>,
}

/// A key of a choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Key {
    /// Name in specs.
    pub name: String,
    /// Default as spec text; empty if there is none.
    pub default: String,
    /// Current value as spec text.
    pub value: String,
    /// Description.
    pub doc: &'static str,
}

impl About {
    /// Returns the lines of the equation as executed with these values: if the documentation has `key: x ← ...` beside
    /// the statement for x, the variant replaces the statement when the key is true.
    pub fn equation(&self) -> Vec<String> {
        let lines = self.text.lines().skip_while(|line| *line != "```text").skip(1);
        lines.take_while(|line| *line != "```").map(|line| self.executed(line)).collect()
    }

    fn executed(&self, line: &str) -> String {
        let parts = line.split("  ").map(str::trim).filter(|part| !part.is_empty());
        let (variants, mut statements): (Vec<&str>, Vec<&str>) =
            parts.partition(|part| self.variant(part).is_some());
        if variants.is_empty() {
            return line.to_owned();
        }
        for (key, variant) in variants.into_iter().filter_map(|part| self.variant(part)) {
            let same = |statement: &&mut &str| variable(statement) == variable(variant);
            statements.iter_mut().filter(same).filter(|_| key.value == "true").for_each(|old| *old = variant);
        }
        statements.join("        ")
    }

    /// Parses `key: statement`.
    fn variant<'a>(&self, part: &'a str) -> Option<(&Key, &'a str)> {
        let (name, statement) = part.split_once(": ")?;
        Some((self.keys.iter().find(|key| key.name == name)?, statement))
    }
}

/// Returns the variable that a statement assigns to.
fn variable(statement: &str) -> Option<&str> {
    Some(statement.split_once(" ← ")?.0)
}
