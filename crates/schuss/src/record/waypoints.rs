//! Weights along a path, in bounded memory.

/// Some weights of a path, at equal distances, and the last.
///
/// Every `step`-th of those seen is kept, where `step` is the smallest power of 2 with which at most
/// [`MOST`](Self::MOST) are.
#[derive(Clone, Debug, PartialEq)]
pub struct Waypoints {
    seen: usize,
    step: usize,
    kept: Vec<Vec<f32>>,
    /// The last weights, if they are not among those kept.
    last: Option<Vec<f32>>,
}

impl Default for Waypoints {
    fn default() -> Self {
        Self { seen: 0, step: 1, kept: vec![], last: None }
    }
}

impl Waypoints {
    /// Most weights at equal distances.
    pub const MOST: usize = 12;

    /// Most weights in memory at a time: when one too many has just been added, and the last.
    pub(crate) const HELD: usize = Self::MOST + 2;

    /// Returns the waypoints of a path of `len` weights, which `read` returns by index.
    ///
    /// # Errors
    /// Any error of `read`.
    pub(crate) fn read<E>(len: usize, mut read: impl FnMut(usize) -> Result<Vec<f32>, E>) -> Result<Self, E> {
        let step = len.div_ceil(Self::MOST).next_power_of_two();
        let kept = (0..len).step_by(step).map(&mut read).collect::<Result<_, E>>()?;
        let last = len.checked_sub(1).filter(|last| last % step != 0).map(read).transpose()?;
        Ok(Self { seen: len, step, kept, last })
    }

    /// Adds weights to the end of the path.
    pub fn push(&mut self, weights: &[f32]) {
        let is_kept = self.seen.is_multiple_of(self.step);
        self.seen += 1;
        self.last = None;
        if is_kept {
            self.kept.push(weights.to_vec());
        } else {
            self.last = Some(weights.to_vec());
        }
        if self.kept.len() > Self::MOST {
            self.step *= 2;
            let mut index = 0;
            self.kept.retain(|_| {
                index += 1;
                index % 2 == 1
            });
        }
    }

    /// Returns true if the path has no weights.
    pub fn is_empty(&self) -> bool {
        self.seen == 0
    }

    /// Returns the weights at equal distances, in order, and the last.
    pub fn points(&self) -> Vec<&[f32]> {
        self.kept.iter().chain(&self.last).map(Vec::as_slice).collect()
    }

    /// Returns the places of these points on the path: 0, 4, 8, 9.
    pub fn places(&self) -> Vec<u64> {
        let kept = (0..self.kept.len()).map(|index| index * self.step);
        kept.chain(self.last.iter().map(|_| self.seen - 1)).map(|place| place as u64).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waypoints_are_at_most_13_at_equal_distances_whether_pushed_or_read() {
        let mut pushed = Waypoints::default();
        for len in 0..200_usize {
            let read = Waypoints::read(len, |index| Ok::<_, ()>(vec![index as f32])).unwrap();
            assert_eq!(pushed, read, "{len}");
            let found: Vec<f32> = read.points().concat();
            assert!(found.len() <= Waypoints::MOST + 1 && found.len() >= len.min(7), "{len}: {found:?}");
            assert_eq!(found, read.places().iter().map(|place| *place as f32).collect::<Vec<_>>());
            assert_eq!(found.last().copied(), len.checked_sub(1).map(|last| last as f32));
            let equal = found.windows(2).take(found.len().saturating_sub(2));
            assert!(equal.clone().all(|pair| pair[1] - pair[0] == found[1] - found[0]), "{len}: {found:?}");
            pushed.push(&[len as f32]);
        }
    }
}
