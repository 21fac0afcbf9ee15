//! Samples in memory, read like any others.

use crate::{Access, Error, Labels, Result, Samples, Store, Values};

impl Store for Samples {
    fn len(&self) -> u64 {
        Self::len(self) as u64
    }

    fn access(&self) -> Access {
        Access::Random
    }

    fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()> {
        if let Some(index) = indices.iter().find(|&&index| index >= Store::len(self)) {
            return Err(Error::data(format!(
                "there is no sample {index}: only {} are there",
                Self::len(self)
            )));
        }
        let (values, labels) = std::mem::take(into).into_parts();
        let values = match self.values() {
            Values::Bytes(from) => Values::Bytes(gather(from, self.features(), indices, values.into_bytes())),
            Values::Floats(from) => {
                Values::Floats(gather(from, self.features(), indices, values.into_floats()))
            }
        };
        let labels = match self.labels() {
            Labels::Class(from) => Labels::Class(gather(from, 1, indices, labels.into_classes())),
            Labels::Real { values: from, width } => {
                let values = gather(from, *width, indices, labels.into_reals());
                Labels::Real { values, width: *width }
            }
            Labels::Absent(_) => Labels::Absent(indices.len()),
        };
        *into = Self::new(values, labels, self.features())?;
        Ok(())
    }
}

/// The rows of `width` numbers at `indices`, in the memory of `into`.
fn gather<T: Copy>(from: &[T], width: usize, indices: &[u64], mut into: Vec<T>) -> Vec<T> {
    into.clear();
    into.reserve(indices.len() * width);
    for &index in indices {
        into.extend_from_slice(&from[index as usize * width..][..width]);
    }
    into
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> [(Samples, Samples); 3] {
        let bytes = Values::Bytes(vec![1, 2, 3, 4, 5, 6]);
        let floats = |floats: &[f32]| Values::Floats(floats.to_vec());
        let real = |values: &[f32]| Labels::Real { values: values.to_vec(), width: 1 };
        let samples = |values, labels| Samples::new(values, labels, 2).unwrap();
        [
            (
                samples(bytes, Labels::Class(vec![7, 8, 9])),
                samples(Values::Bytes(vec![5, 6, 1, 2, 5, 6]), Labels::Class(vec![9, 7, 9])),
            ),
            (
                samples(floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), real(&[0.5, 1.5, 2.5])),
                samples(floats(&[5.0, 6.0, 1.0, 2.0, 5.0, 6.0]), real(&[2.5, 0.5, 2.5])),
            ),
            (
                samples(floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), Labels::Absent(3)),
                samples(floats(&[5.0, 6.0, 1.0, 2.0, 5.0, 6.0]), Labels::Absent(3)),
            ),
        ]
    }

    #[test]
    fn samples_come_in_the_order_asked_for_whatever_was_there_before() {
        let mut into = Samples::default();
        for (from, expected) in three() {
            from.read(&[2, 0, 2], &mut into).unwrap();
            assert_eq!(into, expected);
            from.read(&[], &mut into).unwrap();
            assert!(into.is_empty() && into.features() == 2);
        }
    }

    #[test]
    fn a_sample_beyond_the_last_is_refused() {
        let [(from, _), ..] = three();
        assert_eq!(from.read(&[0, 3], &mut Samples::default()).unwrap_err().exit_code(), 3);
    }

    #[test]
    fn samples_are_put_into_memory_that_is_there() {
        let [(from, _), ..] = three();
        let mut into = Samples::default();
        let address = |samples: &Samples| match samples.values() {
            Values::Bytes(bytes) => bytes.as_ptr(),
            Values::Floats(_) => std::ptr::null(),
        };
        from.read(&[0, 1, 2], &mut into).unwrap();
        let before = address(&into);
        from.read(&[1, 2], &mut into).unwrap();
        assert_eq!(address(&into), before);
    }
}
