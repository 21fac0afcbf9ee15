//! Constants of a number format used by the functions of [`Math`](super::Math).

/// Limits of a floating-point format, and as many polynomial terms as its precision requires, highest power
/// first.
pub trait Format {
    /// 1.5 times 2^(digits − 1): adding it rounds to an integer that then stands in the low bits.
    const MAGIC: f64;
    /// Largest finite number.
    const MAX: f64;
    /// Smallest x for which e^x is a normal number.
    const LOWEST: f64;
    /// Largest x for which e^x is finite.
    const HIGHEST: f64;
    /// Leading bits of ln 2, few enough that their product with an exponent is exact.
    const LN_2_HIGH: f64;
    /// Remainder of ln 2.
    const LN_2_LOW: f64;
    /// (e^r − 1) / r in r, for |r| <= ln 2 / 2.
    const EXPONENTIAL: &'static [f64];
    /// artanh s / s in s², for |s| <= 0.172.
    const ARTANH: &'static [f64];
    /// erf x / x − 1 in x², for |x| <= 1. Like [`Format::ERFC`] a minimax polynomial for the relative error
    /// of erf, fitted with 60 digits.
    const ERF: &'static [f64];
    /// −ln (1 − erf x) in x, from 1 to [`Format::ERF_IS_ONE`].
    const ERFC: &'static [f64];
    /// Smallest x for which erf x rounds to 1.
    const ERF_IS_ONE: f64;
    /// Number of Halley steps from three correct digits of a cube root to all digits.
    const HALLEY_STEPS: usize;
}

impl Format for f32 {
    const MAGIC: f64 = 12_582_912.0;
    const MAX: f64 = f32::MAX as f64;
    const LOWEST: f64 = -87.33;
    const HIGHEST: f64 = 88.722_831_726_074_22;
    const LN_2_HIGH: f64 = 0.693_359_375;
    const LN_2_LOW: f64 = -2.121_944_400_546_905_8e-4;
    const EXPONENTIAL: &'static [f64] = last::<7>(&INVERSE_FACTORIALS);
    const ARTANH: &'static [f64] = last::<5>(&INVERSE_ODD_NUMBERS);
    const ERF: &'static [f64] = &[
        7.853_841_684_66e-5,
        -8.010_187_654_38e-4,
        5.188_327_004_26e-3,
        -2.685_381_157_55e-2,
        0.112_835_851_4,
        -0.376_126_258_235,
        0.128_379_165_727,
    ];
    const ERFC: &'static [f64] = &[
        -1.863_927_923_35e-4,
        2.947_780_242_46e-3,
        -2.183_850_378_29e-2,
        0.103_107_571_618,
        0.638_144_007_592,
        1.127_089_620_1,
        3.414_327_384_98e-4,
    ];
    const ERF_IS_ONE: f64 = 4.0;
    const HALLEY_STEPS: usize = 1;
}

impl Format for f64 {
    const MAGIC: f64 = 6_755_399_441_055_744.0;
    const MAX: f64 = f64::MAX;
    const LOWEST: f64 = -708.39;
    const HIGHEST: f64 = 709.782_712_893_384;
    const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    const EXPONENTIAL: &'static [f64] = &INVERSE_FACTORIALS;
    const ARTANH: &'static [f64] = &INVERSE_ODD_NUMBERS;
    const ERF: &'static [f64] = &[
        5.945_254_126_091_713e-11,
        -1.136_566_137_260_895_1e-9,
        1.465_787_863_491_649_2e-8,
        -1.635_002_504_045_733_3e-7,
        1.646_097_279_961_497_4e-6,
        -1.492_559_350_579_286e-5,
        1.205_533_103_685_350_7e-4,
        -8.548_326_978_740_929e-4,
        5.223_977_624_780_844_6e-3,
        -2.686_617_064_507_289_3e-2,
        0.112_837_916_709_548_57,
        -0.376_126_389_031_837_5,
        0.128_379_167_095_512_6,
    ];
    const ERFC: &'static [f64] = &[
        -1.049_681_916_813_938_5e-12,
        4.796_266_098_694_485_4e-11,
        -1.025_740_342_750_924_5e-9,
        1.362_711_964_815_98e-8,
        -1.257_079_624_730_447e-7,
        8.505_904_038_566_974e-7,
        -4.327_110_540_562_907e-6,
        1.651_417_744_651_445e-5,
        -4.503_806_263_975_980_5e-5,
        7.036_823_288_614_468e-5,
        4.481_951_932_617_168e-5,
        -6.411_684_159_374_503e-4,
        1.768_995_703_975_963e-3,
        -2.804_840_825_793_909e-4,
        -1.907_815_892_763_005_7e-2,
        0.102_747_254_129_026_9,
        0.636_628_488_220_115_3,
        1.128_377_329_413_793,
        1.796_052_717_198_598_7e-7,
    ];
    const ERF_IS_ONE: f64 = 6.0;
    const HALLEY_STEPS: usize = 2;
}

/// 1/13!, ..., 1/2!, 1/1!.
const INVERSE_FACTORIALS: [f64; 13] = {
    let mut terms = [1.0; 13];
    let mut factorial = 1.0;
    let mut k = 1;
    while k < 13 {
        factorial *= (k + 1) as f64;
        terms[12 - k] = 1.0 / factorial;
        k += 1;
    }
    terms
};

/// 1/21, 1/19, ..., 1/3, 1.
const INVERSE_ODD_NUMBERS: [f64; 11] = {
    let mut terms = [1.0; 11];
    let mut k = 1;
    while k < 11 {
        terms[10 - k] = 1.0 / (2 * k + 1) as f64;
        k += 1;
    }
    terms
};

/// Returns the last `N` terms of a series: those of the lowest powers.
const fn last<const N: usize>(terms: &[f64]) -> &[f64] {
    terms.split_at(terms.len() - N).1
}
