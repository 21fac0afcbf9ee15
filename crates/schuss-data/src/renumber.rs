//! Labels by the numbers that a model has for their classes, which another data set may number otherwise.

use crate::{Access, Dataset, Labels, Result, Samples, Split, Store};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

impl Dataset {
    /// The same with its classes numbered as in `classes`; without labels if one of its own is not among them. Classes
    /// that have only numbers, 0 and up, are those of words in their order.
    ///
    /// # Errors
    /// None that is expected: labels stay as many as they were.
    pub fn in_classes(self, classes: &[String]) -> Result<Self> {
        if self.classes == classes || self.classes.is_empty() {
            return Ok(self);
        }
        let numbers = Numbers(by_name(&self.classes, classes).or_else(|| by_order(&self.classes, classes)));
        Ok(Self {
            train: numbers.of_split(self.train)?,
            validation: self.validation.map(|split| numbers.of_split(split)).transpose()?,
            test: numbers.of_split(self.test)?,
            classes: classes.to_vec(),
            ..self
        })
    }
}

fn by_name(own: &[String], classes: &[String]) -> Option<Arc<[u32]>> {
    let known: HashMap<&String, u32> = classes.iter().zip(0..).collect();
    own.iter().map(|class| known.get(class).copied()).collect()
}

fn by_order(own: &[String], classes: &[String]) -> Option<Arc<[u32]>> {
    let words = classes.iter().all(|class| class.parse::<i64>().is_err());
    let numbered = own.iter().zip(0_u32..).all(|(class, number)| *class == number.to_string());
    (words && numbered && own.len() <= classes.len()).then(|| (0..).take(own.len()).collect())
}

/// The new number of each class, unless one has none.
#[derive(Clone)]
struct Numbers(Option<Arc<[u32]>>);

impl Numbers {
    fn of_split(&self, split: Split) -> Result<Split> {
        Ok(match split {
            Split::Resident(samples) => Split::Resident(self.of_samples(samples)?),
            Split::Streamed(store) => Split::Streamed(Arc::new(Renumbered { store, numbers: self.clone() })),
        })
    }

    fn of_samples(&self, samples: Samples) -> Result<Samples> {
        let features = samples.features();
        let (values, labels) = samples.into_parts();
        Samples::new(values, self.of_labels(labels), features)
    }

    fn of_labels(&self, labels: Labels) -> Labels {
        match (labels, &self.0) {
            (Labels::Class(mut classes), Some(numbers)) => {
                for class in &mut classes {
                    *class = numbers.get(*class as usize).copied().unwrap_or(u32::MAX);
                }
                Labels::Class(classes)
            }
            (labels, _) => Labels::Absent(labels.len()),
        }
    }
}

/// A store whose labels get other numbers when they are read.
struct Renumbered {
    store: Arc<dyn Store>,
    numbers: Numbers,
}

impl Store for Renumbered {
    fn len(&self) -> u64 {
        self.store.len()
    }

    fn held(&self) -> usize {
        self.store.held()
    }

    fn access(&self) -> Access {
        self.store.access()
    }

    fn labels(&self) -> Option<Cow<'_, Labels>> {
        self.store.labels().map(|labels| Cow::Owned(self.numbers.of_labels(labels.into_owned())))
    }

    fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()> {
        self.store.read(indices, into)?;
        *into = self.numbers.of_samples(std::mem::take(into))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Shape, Values};

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn samples(classes: &[u32]) -> Samples {
        let values = Values::Bytes(vec![0; classes.len()]);
        Samples::new(values, Labels::Class(classes.to_vec()), 1).unwrap()
    }

    #[test]
    fn classes_without_names_are_those_of_words_in_their_order() {
        let (words, numbers) = (names(&["ant", "bee", "cat"]), names(&["0", "1"]));
        assert_eq!(by_order(&numbers, &words), Some([0, 1].into()));
        for (own, classes) in
            [(&numbers, &["1", "2"][..]), (&numbers, &["ant"]), (&names(&["1", "2"]), &["ant", "bee"])]
        {
            assert_eq!(by_order(own, &names(classes)), None, "{own:?} of {classes:?}");
        }
    }

    #[test]
    fn classes_get_the_numbers_that_a_model_has_for_their_names() {
        let given =
            Dataset::given("x", Shape::Flat(1), names(&["b", "d"]), [samples(&[0, 1]), samples(&[1, 1, 0])]);
        let streamed = Split::Streamed(Arc::new(samples(&[1, 0])));
        let data = Dataset { validation: Some(streamed), ..given };
        let same = data.clone().in_classes(&names(&["b", "d"])).unwrap();
        assert_eq!(same.test.read(&[0, 2]).unwrap().classes(), [1, 0]);
        let all = data.clone().in_classes(&names(&["a", "b", "c", "d"])).unwrap();
        assert_eq!(all.test.read(&[0, 1, 2]).unwrap().classes(), [3, 3, 1]);
        let validation = all.validation.unwrap();
        assert_eq!(validation.read(&[0, 1]).unwrap().classes(), [3, 1]);
        assert_eq!(validation.class_counts(4).unwrap(), [0, 1, 0, 1]);
        let other = data.in_classes(&names(&["a", "b"])).unwrap();
        assert_eq!(other.train.read(&[0, 1]).unwrap().labels(), &Labels::Absent(2), "nobody knows a `d`");
    }
}
