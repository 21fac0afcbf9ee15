//! Memory under the epoch rule does not grow with the data.
//!
//! `allocation_counter` counts the allocations of this thread. Sessions here have one thread, which runs every job of
//! the step, so that all are counted. The kernels keep one panel per thread permanently, which grows to the deepest
//! product the thread has computed.

mod common;

use allocation_counter::{AllocationInfo, measure};
use common::{ONE_THREAD, trial};
use schuss::data::{Dataset, Samples};
use schuss::record::MemoryRecord;
use schuss::session::Session;

/// The 10,000 digits of `small`, repeated `times` times: memory use is that of as many new ones.
fn repeated(small: &Dataset, times: usize) -> Dataset {
    let samples = common::resident(&small.train);
    let (pixels, classes) = (samples.values().pixels(), samples.classes());
    let train = Samples::images(pixels.repeat(times), classes.repeat(times), samples.features()).unwrap();
    Dataset { train: train.into(), ..small.clone() }
}

/// Allocations of a whole session of one epoch under the epoch rule on a fresh thread, and the memory it reports for
/// its buffers.
fn memory_of_an_epoch(data: &Dataset) -> (AllocationInfo, MemoryRecord) {
    let trial = trial("64-16-10", "epoch", "sgd:lr=0.1,momentum=0.9", 1);
    let mut record = MemoryRecord::default();
    let session = || {
        let mut session = Session::new(&trial, data, ONE_THREAD).unwrap();
        record = session.memory();
        assert_eq!(session.run().unwrap().updates, 1);
    };
    let info = std::thread::scope(|scope| scope.spawn(|| measure(session)).join()).unwrap();
    (info, record)
}

#[test]
fn the_epoch_rule_needs_the_same_memory_for_ten_thousand_and_for_a_million_samples() {
    let small = schuss::data::load("digits:train=10000,test=100,size=8").unwrap();
    let large = repeated(&small, 100);
    assert_eq!(large.train.len(), 1_000_000);
    let ((small_info, small_record), (large_info, large_record)) =
        (memory_of_an_epoch(&small), memory_of_an_epoch(&large));
    let (small_peak, large_peak) = (small_info.bytes_max, large_info.bytes_max);
    assert!(
        small_peak.abs_diff(large_peak) <= 4_096,
        "peak beyond the data: {small_peak} bytes for 10,000 samples, {large_peak} for 1,000,000"
    );
    assert!(large_peak < 1 << 20, "{large_peak} bytes for a network of 1,210 weights");
    assert_eq!(MemoryRecord { data: large_record.data, ..small_record }, large_record);
    println!("peak beyond the data: {small_peak} and {large_peak} bytes");
}
