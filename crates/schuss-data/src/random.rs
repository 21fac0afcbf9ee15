//! Random numbers as a pure function of (seed, purpose, epoch, position, element).
//!
//! Philox4x32-10: Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC11.
//! A counter-based generator has no state to carry, so any thread, batch or resumed run draws the same numbers.

/// Purpose of a random number; each has its own stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Purpose {
    /// Initial weights.
    Init = 1,
    /// Permutations of the training set.
    Order = 2,
    /// Drawing with replacement.
    Replacement = 3,
    /// Strokes, bends and noise of the built-in digits.
    Digits = 4,
    /// Gradient noise on error surfaces.
    Surface = 5,
    /// Inputs dropped by dropout.
    Dropout = 6,
    /// Noise on the inputs of training samples.
    Noise = 7,
    /// Noise on the inputs of evaluation samples.
    EvaluationNoise = 8,
    /// Noise on gradients.
    GradientNoise = 9,
    /// Targets drawn from a network's own output.
    DrawnTargets = 10,
    /// Samples held out for the validation split.
    Validation = 11,
    /// Samples held out for the test split.
    Test = 12,
    /// Seeds drawn again to see how often a recipe is the best.
    Bootstrap = 13,
    /// Groups of evaluated samples.
    LossGroups = 14,
    /// Order in which trials take turns; changes no result.
    Turns = 15,
    /// Folds of a cross-validation.
    Folds = 16,
    /// Direction from which the largest curvature is sought.
    Direction = 17,
}

/// Key of one stream of draws: everything but the position and the element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Seed of the trial or of the data set.
    pub seed: u64,
    /// Purpose of the draws.
    pub purpose: Purpose,
    /// Epoch, from 0; 0 if epochs do not apply.
    pub epoch: u32,
}

impl Key {
    /// Returns four 32-bit words: block `block` of the draws for `position` (below 2^56).
    pub fn block(&self, position: u64, block: u32) -> [u32; 4] {
        let high = (position >> 32) as u32 & 0x00ff_ffff;
        let counter = [block, position as u32, self.epoch, high | (self.purpose as u32) << 24];
        philox4x32_10(counter, [self.seed as u32, (self.seed >> 32) as u32])
    }

    /// Returns the draws for one position, element by element.
    pub fn draws(self, position: u64) -> Draws {
        Draws { key: self, position, element: 0, words: [0; 4] }
    }
}

/// Sequence of draws for one position.
#[derive(Clone, Debug)]
pub struct Draws {
    key: Key,
    position: u64,
    element: u32,
    words: [u32; 4],
}

impl Draws {
    /// Returns the next 32 random bits.
    pub fn bits(&mut self) -> u32 {
        let lane = self.element as usize % 4;
        if lane == 0 {
            self.words = self.key.block(self.position, self.element / 4);
        }
        self.element += 1;
        self.words[lane]
    }

    /// Returns a uniform draw from [0, 1), a multiple of 2^-24.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// Returns a uniform draw from [low, high).
    pub fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Returns a near-normal draw with mean 0 and variance 1: the centred sum of twelve uniform draws (Irwin-Hall), in
    /// ±6.
    pub fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.unit()).sum::<f32>() - 6.0
    }
}

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Returns the published function: ten rounds over a 128-bit counter with a 64-bit key.
pub fn philox4x32_10(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        let product = |which: usize, word: u32| u64::from(MULTIPLIERS[which]) * u64::from(word);
        let (a, b) = (product(0, counter[0]), product(1, counter[2]));
        counter = [
            (b >> 32) as u32 ^ counter[1] ^ key[0],
            b as u32,
            (a >> 32) as u32 ^ counter[3] ^ key[1],
            a as u32,
        ];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers shipped with the authors' Random123 library (kat_vectors, philox4x32 10).
    #[test]
    fn philox_gives_the_published_known_answers() {
        let zeros = philox4x32_10([0; 4], [0; 2]);
        assert_eq!(zeros, [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        let ones = philox4x32_10([u32::MAX; 4], [u32::MAX; 2]);
        assert_eq!(ones, [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi =
            philox4x32_10([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]);
        assert_eq!(pi, [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }

    #[test]
    fn draws_are_a_pure_function_of_their_key() {
        let key = Key { seed: 7, purpose: Purpose::Init, epoch: 0 };
        let twice = [0, 1].map(|_| {
            (0..9)
                .map({
                    let mut d = key.draws(3);
                    move |_| d.bits()
                })
                .collect::<Vec<_>>()
        });
        assert_eq!(twice[0], twice[1]);
        assert_ne!(key.block(3, 0), key.block(4, 0));
        assert_ne!(key.block(3, 0), Key { purpose: Purpose::Order, ..key }.block(3, 0));
        assert_ne!(key.block(3, 0), Key { epoch: 1, ..key }.block(3, 0));
    }

    #[test]
    fn normal_draws_have_mean_zero_and_variance_one() {
        let mut draws = Key { seed: 1, purpose: Purpose::Digits, epoch: 0 }.draws(0);
        let sample: Vec<f64> = (0..20_000).map(|_| f64::from(draws.normal())).collect();
        let mean = sample.iter().sum::<f64>() / 20_000.0;
        let variance = sample.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04, "mean {mean}, variance {variance}");
    }
}
