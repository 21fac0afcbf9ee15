//! Test that every loss keeps its bits, which are part of every trajectory, when its code is rearranged.

use super::{Loss, Target};
use schuss_kernels::naive::Sample;
use xxhash_rust::xxh3::Xxh3;

/// Losses with the hash of their values and gradients for classes and, if they take them, for numbers as targets.
const KNOWN: &[(&str, &[u64])] = &[
    ("cross-entropy", &[0xcc06_48fc_90b0_7dd9]),
    ("cross-entropy:label_smoothing=0.1", &[0x27b4_52cc_fc95_2b37]),
    ("cross-entropy:class_weights=1:2:0.5:3:1:0:4", &[0xf568_6d1e_4448_909d]),
    ("nll", &[0x1135_c74a_d9af_5daf]),
    ("nll:class_weights=1:2:0.5:3:1:0:4", &[0x1b5a_b7a7_a965_d507]),
    ("bce", &[0xdb30_94ff_c17f_8ad3, 0x38fe_7b48_d723_e043]),
    ("bce:logits=false", &[0xfe66_b827_375b_b93c, 0xb0d8_3e23_0840_5a87]),
    ("bce:pos_weight=3", &[0xa8f0_e17e_9d03_469d, 0xab6b_95a8_493f_d9a0]),
    ("bce:pos_weight=1:2:0.5:3:1:1:2", &[0xdea8_4329_2ecd_cacb, 0xd872_0470_ee36_33e9]),
    ("multi-margin", &[0xd0b2_6f58_0c00_9ef6]),
    ("multi-margin:p=2,margin=0.5", &[0xdd8d_e563_9a86_67d3]),
    ("multi-margin:class_weights=1:2:0.5:3:1:0:4", &[0x5984_d84e_77d8_6737]),
    ("mse", &[0x7332_d1f2_6e52_8ae3, 0x7e3e_914d_f9d3_ad56]),
    ("l1", &[0xa0ce_007d_e8f7_4f95, 0x29db_8a34_9cf7_4623]),
    ("huber", &[0xf59d_468e_3b1a_b584, 0x717a_8959_bd22_688d]),
    ("huber:delta=0.7", &[0x21f2_df04_a5f3_60ae, 0x9af3_7bbe_3e0b_3000]),
    ("smooth-l1", &[0xf59d_468e_3b1a_b584, 0x717a_8959_bd22_688d]),
    ("smooth-l1:beta=2", &[0x168a_a1b5_8d23_175a, 0x57c8_2a16_fd53_a1bc]),
    ("smooth-l1:beta=0", &[0xa0ce_007d_e8f7_4f95, 0x29db_8a34_9cf7_4623]),
    ("hinge", &[0x264d_e5d6_438d_7994]),
    ("squared-hinge", &[0x5f9f_83d7_2690_775b]),
    ("hinge-embedding", &[0x4f46_b23d_7098_422e]),
    ("hinge-embedding:margin=0.3", &[0x4c8f_072c_db2b_6a6e]),
    ("focal", &[0xaa5b_855d_ee3d_cb47]),
    ("focal:alpha=-1,gamma=1.5", &[0xc224_799f_f63b_d414]),
    ("kl", &[0x1135_c74a_d9af_5daf, 0x5fed_7cc1_7224_93f6]),
    ("poisson", &[0xc3c2_b20c_2ff9_ffaf, 0xbe95_9e66_dad4_7682]),
    ("poisson:full=true", &[0xc3c2_b20c_2ff9_ffaf, 0x7302_a61e_0f46_ff16]),
    ("poisson:log_input=false", &[0xa755_2ce1_c3b8_551a, 0x5c5a_20e7_45c0_6ba1]),
    ("cosine", &[0x1d5e_9df9_e20c_7a4a, 0x400a_c2fc_1bed_9da9]),
];

const OUTPUTS: usize = 7;
const ROWS: usize = 200;

/// Returns rows of outputs, some of them far from zero, all equal or probabilities.
fn outputs() -> Vec<f32> {
    let mut z = Sample::new(1).vector(ROWS * OUTPUTS, 3.0);
    z[..OUTPUTS].copy_from_slice(&[1e4, -1e4, 0.0, -0.0, 1e-30, 50.0, -50.0]);
    z[OUTPUTS..2 * OUTPUTS].fill(0.25);
    z[2 * OUTPUTS..3 * OUTPUTS].copy_from_slice(&[0.0, 1.0, 0.5, 0.5, 1e-9, 2.0, 1.5]);
    z[ROWS * OUTPUTS / 2..].iter_mut().for_each(|z| *z = 0.5 + *z / 6.0);
    z
}

/// Returns rows of targets between 0 and 2, some of them equal to the outputs.
fn targets(z: &[f32]) -> Vec<f32> {
    let mut t: Vec<f32> = Sample::new(2).vector(ROWS * OUTPUTS, 1.0).iter().map(|t| t + 1.0).collect();
    t.iter_mut().zip(z).step_by(5).for_each(|(t, z)| *t = z.abs().min(2.0));
    t.iter_mut().step_by(11).for_each(|t| *t = 0.0);
    t
}

fn bits_of(x: f64) -> u64 {
    if x.is_nan() { f64::NAN.to_bits() } else { x.to_bits() }
}

/// Returns the hash of values and gradients of all rows.
fn hash(loss: &Loss, of_classes: bool) -> u64 {
    let (z, mut delta, mut hash) = (outputs(), [0.0; OUTPUTS], Xxh3::new());
    let t = targets(&z);
    for (row, (z, t)) in z.chunks(OUTPUTS).zip(t.chunks(OUTPUTS)).enumerate() {
        let target = if of_classes { Target::Class(row * 3 % OUTPUTS) } else { Target::Row(t) };
        let value = loss.row(z, target, &mut delta);
        hash.update(&bits_of(value).to_le_bytes());
        let slopes = delta.iter().filter(|_| !value.is_nan()).map(|&slope| bits_of(slope.into()));
        slopes.for_each(|slope| hash.update(&slope.to_le_bytes()));
    }
    hash.digest()
}

#[test]
fn every_loss_has_the_bits_it_always_had() {
    for (spec, known) in KNOWN {
        let loss: Loss = spec.parse().unwrap();
        let numbers = loss.takes_rows().then(|| hash(&loss, false));
        let found: Vec<u64> = [hash(&loss, true)].into_iter().chain(numbers).collect();
        assert_eq!(found, *known, "{spec}");
    }
}

#[test]
fn every_loss_is_known_by_its_bits() {
    let known = |name: &&&str| KNOWN.iter().any(|(spec, _)| spec.split(':').next() == Some(name));
    let missing: Vec<_> = Loss::NAMES.iter().filter(|name| !known(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
