//! Digits drawn on demand, in any number.

use super::{Digits, TEST, TRAIN, draw};
use crate::{Access, Error, Labels, Result, Samples, Store, Values};

/// Split of the built-in digits, drawn anew whenever it is read.
#[derive(Clone, Copy, Debug)]
pub struct Drawn {
    seed: u64,
    stream: u32,
    size: usize,
    len: u64,
}

impl Drawn {
    /// Returns the training split.
    pub fn train(spec: &Digits) -> Self {
        Self { seed: spec.seed, stream: TRAIN, size: spec.size, len: spec.train as u64 }
    }

    /// Returns the test split.
    pub fn test(spec: &Digits) -> Self {
        Self { stream: TEST, len: spec.test as u64, ..Self::train(spec) }
    }
}

impl Store for Drawn {
    fn len(&self) -> u64 {
        self.len
    }

    fn access(&self) -> Access {
        Access::Random
    }

    fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()> {
        if let Some(beyond) = indices.iter().find(|&&index| index >= self.len) {
            return Err(Error::data(format!("digit {beyond} is out of range for {} digits", self.len)));
        }
        let features = self.size * self.size;
        let (values, labels) = std::mem::take(into).into_parts();
        let (mut pixels, mut classes) = (values.into_bytes(), labels.into_classes());
        pixels.resize(indices.len() * features, 0);
        classes.clear();
        let images = pixels.chunks_exact_mut(features);
        classes.extend(
            images
                .zip(indices)
                .map(|(image, &index)| draw(self.seed, self.stream, index as usize, self.size, image)),
        );
        *into = Samples::new(Values::Bytes(pixels), Labels::Class(classes), features)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digits::generate;

    #[test]
    fn drawn_digits_are_those_of_the_data_set_in_any_order() {
        let spec = Digits { train: 40, test: 10, size: 20, seed: 3 };
        let data = generate(&spec);
        let mut into = Samples::default();
        for (store, split) in [(Drawn::train(&spec), &data.train), (Drawn::test(&spec), &data.test)] {
            for indices in [&[7, 0, 7, 9][..], &[], &[3]] {
                store.read(indices, &mut into).unwrap();
                let pixels: Vec<u8> = indices
                    .iter()
                    .flat_map(|&index| split.resident().unwrap().pixels(index as usize).to_vec())
                    .collect();
                assert_eq!(into.values(), &Values::Bytes(pixels));
                let classes: Vec<u32> = indices
                    .iter()
                    .map(|&index| split.resident().unwrap().classes()[index as usize])
                    .collect();
                assert_eq!(into.classes(), classes);
            }
            assert_eq!(store.read(&[store.len()], &mut into).unwrap_err().exit_code(), 3);
        }
    }

    #[test]
    fn a_hundred_billion_digits_take_no_memory() {
        let spec = Digits { train: 100_000_000_000, ..Digits::default() };
        let mut into = Samples::default();
        Drawn::train(&spec).read(&[99_999_999_999, 0], &mut into).unwrap();
        assert_eq!((into.len(), into.bytes()), (2, 2 * 788));
    }
}
