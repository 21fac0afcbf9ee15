//! Renumbering of labels to the class indices of a model, which may differ from those of the data set.

use crate::split::relabel::{Map, mapped};
use crate::{Dataset, Labels, Result};
use std::collections::HashMap;
use std::sync::Arc;

impl Dataset {
    /// Renumbers the classes as in `classes`; drops all labels if any class of its own is missing there. Classes named
    /// only by the numbers 0, 1, ... are matched in order to classes named by words.
    ///
    /// # Errors
    /// None expected: the number of labels stays the same.
    pub fn in_classes(self, classes: &[String]) -> Result<Self> {
        if self.classes == classes || self.classes.is_empty() {
            return Ok(self);
        }
        let map = map(by_name(&self.classes, classes).or_else(|| by_order(&self.classes, classes)));
        Ok(Self {
            train: mapped(self.train, &map)?,
            validation: self.validation.map(|split| mapped(split, &map)).transpose()?,
            test: mapped(self.test, &map)?,
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

/// Returns a map from each class to its new index, or to no labels at all without `numbers`.
fn map(numbers: Option<Arc<[u32]>>) -> Map {
    Arc::new(move |labels| match (labels, &numbers) {
        (Labels::Class(mut classes), Some(numbers)) => {
            for class in &mut classes {
                *class = numbers.get(*class as usize).copied().unwrap_or(u32::MAX);
            }
            Labels::Class(classes)
        }
        (labels, _) => Labels::Absent(labels.len()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Samples, Shape, Split, Values};

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
            Dataset::given("x", Shape::Flat(1), names(&["b", "d"]), samples(&[0, 1]), samples(&[1, 1, 0]));
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
