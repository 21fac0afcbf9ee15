use super::*;
use crate::random::{Key, Purpose};
use crate::stream::order::EpochOrder;
use crate::{Access, Labels, Values};
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// Store whose values encode the sample index; can be made to misbehave.
#[derive(Default)]
struct Numbers {
    len: u64,
    /// Samples per block, if stored in blocks.
    block: Option<u64>,
    /// Sample that cannot be read.
    damaged: Option<u64>,
    /// Sample whose read panics.
    deadly: Option<u64>,
    repaired: AtomicBool,
    /// Number of reads, or of blocks read.
    reads: AtomicUsize,
}

impl Store for Numbers {
    fn len(&self) -> u64 {
        self.len
    }

    fn access(&self) -> Access {
        self.block.map_or(Access::Random, Access::Blocks)
    }

    fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()> {
        let blocks = self.block.map_or(1, |block| {
            let blocks: HashSet<u64> = indices.iter().map(|index| index / block).collect();
            blocks.len()
        });
        self.reads.fetch_add(blocks, Ordering::Relaxed);
        let sick = |index: Option<u64>| {
            index.is_some_and(|index| indices.contains(&index)) && !self.repaired.load(Ordering::Relaxed)
        };
        assert!(!sick(self.deadly), "a deadly sample");
        if sick(self.damaged) {
            return Err(Error::data("sample is damaged"));
        }
        let (values, labels) = std::mem::take(into).into_parts();
        let (mut values, mut labels) = (values.into_floats(), labels.into_classes());
        values.clear();
        labels.clear();
        values.extend(indices.iter().flat_map(|&index| [index as f32, -(index as f32)]));
        labels.extend(indices.iter().map(|&index| index as u32));
        *into = Samples::new(Values::Floats(values), Labels::Class(labels), 2)?;
        Ok(())
    }
}

fn orders() -> [Order; 5] {
    ["shuffled", "fixed", "sequential", "replacement", "blocks:3,size=4"].map(|order| order.parse().unwrap())
}

fn numbers(len: u64) -> Arc<Numbers> {
    Arc::new(Numbers { len, ..Numbers::default() })
}

fn ring(store: Arc<Numbers>, order: Order, [chunk, depth, loaders]: [usize; 3]) -> Ring {
    Ring::new(store, order, 5, Window { chunk, groups: false, depth, loaders }).unwrap()
}

/// Returns the sample indices of a batch, checking that features, labels and indices agree.
fn indices(batch: Batch<'_>) -> Vec<usize> {
    let index = |row| {
        let (samples, at) = batch.at(row);
        let Labels::Class(classes) = samples.labels() else { panic!("labels of another kind") };
        let index = classes[at] as f32;
        assert_eq!(batch.row(row), Row::Floats(&[index, -index]));
        classes[at] as usize
    };
    (0..batch.len()).map(index).collect()
}

fn expected(order: Order, len: u64, epoch: u32, positions: std::ops::Range<usize>) -> Vec<usize> {
    let order = EpochOrder::new(order, len as usize, 5, epoch);
    positions.map(|position| order.index(position)).collect()
}

#[test]
fn successive_batches_are_those_of_the_order_for_every_chunk_depth_and_number_of_loaders() {
    for order in orders() {
        for shape in [[1, 7, 1], [4, 2, 2], [7, 1, 1], [10, 3, 3], [33, 1, 2], [100, 2, 1]] {
            let mut ring = ring(numbers(33), order, shape);
            for (epoch, first) in (0..3).flat_map(|epoch| (0..33).step_by(7).map(move |first| (epoch, first)))
            {
                let rows = 7.min(33 - first);
                let got = indices(ring.rows(epoch, first, rows).unwrap());
                assert_eq!(
                    got,
                    expected(order, 33, epoch, first..first + rows),
                    "{order} {shape:?} {epoch} {first}"
                );
            }
        }
    }
}

#[test]
fn any_requests_in_any_sequence_are_answered_as_by_the_order() {
    for round in 0..200 {
        let mut draws = Key { seed: 1, purpose: Purpose::Digits, epoch: 0 }.draws(round);
        let mut below = |limit: usize| draws.bits() as usize % limit;
        let (len, order) = (1 + below(60), orders()[below(5)]);
        let shape = [1 + below(12), 1 + below(5), 1 + below(3)];
        let block = Some(below(20) as u64).filter(|&block| block > 0);
        let store = Arc::new(Numbers { len: len as u64, block, ..Numbers::default() });
        let window = Window { chunk: shape[0], groups: below(2) == 0, depth: shape[1], loaders: shape[2] };
        let groups = window.groups && matches!(order, Order::Blocks(_));
        let mut ring = Ring::new(store, order, 5, window).unwrap();
        for _ in 0..60 {
            let [epoch, first] = [below(4), below(len)];
            // Groups of this order hold at least five samples, except the last.
            let most = if groups { 5 } else { shape[0].min(len) * shape[1] };
            let rows = below((len - first + 1).min(most + 1));
            let got = indices(ring.rows(epoch as u32, first, rows).unwrap());
            let right = expected(order, len as u64, epoch as u32, first..first + rows);
            assert_eq!(
                got, right,
                "round {round}: {order}, {len} samples, {shape:?}, {epoch} {first} {rows}"
            );
        }
    }
}

#[test]
fn an_update_may_be_looked_at_again_and_a_run_begun_in_the_middle() {
    let mut ring = ring(numbers(1_000), Order::Shuffled, [16, 4, 2]);
    for first in [512, 512, 480, 960, 0, 512] {
        let got = indices(ring.rows(3, first, 40).unwrap());
        assert_eq!(got, expected(Order::Shuffled, 1_000, 3, first..first + 40));
    }
}

/// Each chunk is read once per epoch, and reading continues across the end of an epoch into the next.
#[test]
fn where_epochs_are_alike_reading_goes_on_from_the_end_to_the_beginning() {
    let store = numbers(64);
    let mut ring = ring(Arc::clone(&store), Order::Sequential, [8, 2, 1]);
    for first in (0..10).flat_map(|_| (0..64).step_by(8)) {
        let got = indices(ring.rows(0, first, 8).unwrap());
        assert_eq!(got, (first..first + 8).collect::<Vec<_>>());
    }
    drop(ring);
    assert!(store.reads.load(Ordering::Relaxed) <= 80 + 2);
}

#[test]
fn an_error_is_told_when_its_chunk_is_reached_and_asking_again_reads_again() {
    let store = Arc::new(Numbers { len: 100, damaged: Some(57), ..Numbers::default() });
    let mut ring = ring(Arc::clone(&store), Order::Sequential, [10, 3, 2]);
    for first in [0, 10, 20, 30, 40] {
        assert!(ring.rows(0, first, 10).is_ok());
    }
    for _ in 0..3 {
        assert_eq!(ring.rows(0, 45, 10).map(indices).unwrap_err(), Error::data("sample is damaged"));
    }
    store.repaired.store(true, Ordering::Relaxed);
    let repaired = (0..4).find_map(|_| ring.rows(0, 45, 10).map(indices).ok()).unwrap();
    assert_eq!(repaired, (45..55).collect::<Vec<_>>());
}

#[test]
fn a_panic_in_a_store_becomes_an_error() {
    let store = Arc::new(Numbers { len: 100, deadly: Some(31), ..Numbers::default() });
    let mut ring = ring(store, Order::Sequential, [10, 2, 2]);
    assert!(ring.rows(0, 20, 10).is_ok());
    let error = ring.rows(0, 30, 10).map(indices).unwrap_err();
    assert_eq!(error.what, "reading the data failed: a deadly sample");
    assert!(ring.rows(0, 0, 10).is_ok(), "the loaders survive");
}

#[test]
fn positions_beyond_the_end_and_batches_beyond_the_window_are_refused() {
    let mut some = ring(numbers(100), Order::Shuffled, [10, 2, 1]);
    for (first, rows) in [(101, 0), (95, 6), (usize::MAX, 2), (5, 26)] {
        assert_eq!(some.rows(0, first, rows).map(indices).unwrap_err().exit_code(), 2);
    }
    let mut none = ring(numbers(0), Order::Shuffled, [10, 2, 1]);
    assert!(none.rows(0, 0, 0).unwrap().is_empty());
    assert!(none.rows(0, 0, 1).is_err());
}

/// Signals when a read begins, and ends it only on request.
struct Gate {
    inner: Arc<Numbers>,
    entered: Mutex<Sender<()>>,
    open: Mutex<Receiver<()>>,
}

impl Store for Gate {
    fn len(&self) -> u64 {
        self.inner.len
    }

    fn access(&self) -> Access {
        Access::Random
    }

    fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()> {
        self.entered.lock().unwrap().send(()).unwrap();
        let _ = self.open.lock().unwrap().recv(); // stays open once the other end is gone
        self.inner.read(indices, into)
    }
}

#[test]
fn no_more_is_read_ahead_than_the_window_holds() {
    let ((entered, begun), (open, opened)) = (channel(), channel());
    let inner = numbers(1_000);
    let store = Arc::new(Gate { inner, entered: Mutex::new(entered), open: Mutex::new(opened) });
    let window = Window { chunk: 10, groups: false, depth: 3, loaders: 1 };
    let mut ring = Ring::new(store, Order::Sequential, 0, window).unwrap();
    (0..4).for_each(|_| open.send(()).unwrap());
    ring.rows(0, 0, 10).unwrap();
    for _ in 0..4 {
        begun.recv().unwrap();
    }
    assert!(begun.try_recv().is_err(), "a fifth chunk is read although four fill the window");
    ring.rows(0, 10, 10).unwrap();
    begun.recv().unwrap();
    open.send(()).unwrap();
}

#[test]
fn dropping_a_ring_ends_loaders_that_wait_for_room_or_are_at_a_chunk() {
    let mut full = ring(numbers(1_000), Order::Shuffled, [10, 3, 4]);
    full.rows(0, 0, 10).unwrap();
    drop(full);
    drop(ring(numbers(1_000), Order::Shuffled, [10, 3, 4]));

    let ((entered, begun), (open, opened)) = (channel(), channel());
    let store = Arc::new(Gate { inner: numbers(50), entered: Mutex::new(entered), open: Mutex::new(opened) });
    let watched = Arc::downgrade(&store);
    let window = Window { chunk: 10, groups: false, depth: 3, loaders: 1 };
    let mut ring = Ring::new(store, Order::Sequential, 0, window).unwrap();
    open.send(()).unwrap();
    ring.rows(0, 0, 10).unwrap();
    (0..2).for_each(|_| begun.recv().unwrap());
    let dropping = std::thread::spawn(move || drop(ring));
    drop(open);
    dropping.join().unwrap();
    assert!(watched.upgrade().is_none(), "a loader still holds the store");
}

#[test]
fn buffers_are_used_again_and_again() {
    let mut ring = ring(numbers(4_000), Order::Shuffled, [50, 3, 2]);
    let mut seen = HashSet::new();
    for first in (0..4_000).step_by(50) {
        let Row::Floats(row) = ring.rows(0, first, 50).unwrap().row(0) else {
            panic!("rows of another kind")
        };
        seen.insert(row.as_ptr());
    }
    assert!(seen.len() <= 4, "{} buffers in memory for 4 chunks", seen.len());
    let window = Window { chunk: 50, groups: false, depth: 3, loaders: 2 };
    let demand = Demand { order: Order::Shuffled, access: Access::Random, len: 4_000, row: 12, rows: 50 };
    assert_eq!(window.bytes(&demand), 50 * (4 * 12 + 2 * 8));
}

#[test]
fn the_time_spent_waiting_is_counted() {
    let mut ring = ring(numbers(1_000), Order::Shuffled, [100, 1, 1]);
    assert_eq!(ring.waited(), Duration::ZERO);
    for first in (0..1_000).step_by(100) {
        ring.rows(0, first, 100).unwrap();
    }
    assert!(ring.waited() > Duration::ZERO);
}

#[test]
fn a_store_of_blocks_reads_each_once_an_epoch_in_an_order_of_such_blocks() {
    // a loader may have begun the first group of the next epoch: 4 blocks of 10 samples, or 3 of 20
    for (order, ahead) in [("blocks:4,size=10", 4), ("blocks:3,size=20", 6)] {
        let store = Arc::new(Numbers { len: 300, block: Some(10), ..Numbers::default() });
        let window = Window { chunk: 7, groups: true, depth: 1, loaders: 1 };
        let mut ring = Ring::new(store.clone(), order.parse().unwrap(), 5, window).unwrap();
        for first in (0..300).step_by(5) {
            ring.rows(0, first, 5).unwrap();
        }
        drop(ring);
        let read = store.reads.load(Ordering::Relaxed);
        assert!((30..=30 + ahead).contains(&read), "{order}: {read} reads of 30 blocks");
    }
}

/// Requests three epochs in batches of `rows` samples, as a trial does.
fn read_along(mut ring: Ring, order: Order, rows: usize) {
    for (epoch, first) in (0..3).flat_map(|epoch| (0..600).step_by(rows).map(move |first| (epoch, first))) {
        let rows = rows.min(600 - first);
        let got = indices(ring.rows(epoch, first, rows).unwrap());
        assert_eq!(got, expected(order, 600, epoch, first..first + rows), "{order} {epoch} {first}");
        if first.is_multiple_of(7) {
            std::thread::yield_now();
        }
    }
}

#[test]
fn what_several_ask_for_is_read_once_whatever_their_paces() {
    for order in orders() {
        let store = numbers(600);
        let first = ring(Arc::clone(&store), order, [20, 3, 2]);
        let others = [first.beside(), first.beside()];
        std::thread::scope(|scope| {
            for (ring, rows) in others.into_iter().chain([first]).zip([7, 60, 25]) {
                scope.spawn(move || read_along(ring, order, rows));
            }
        });
        let (reads, ahead) = (store.reads.load(Ordering::Relaxed), 4);
        assert!((90..=90 + ahead).contains(&reads), "{order}: {reads} reads of 90 chunks");
    }
}

#[test]
fn whoever_goes_back_or_far_ahead_goes_on_alone_and_the_others_as_if_nothing_had_been() {
    let store = numbers(600);
    let mut calm = ring(Arc::clone(&store), Order::Shuffled, [20, 3, 2]);
    let mut wild = calm.beside();
    let mut late = calm.beside();
    for (epoch, first) in [(0, 40), (0, 40), (0, 0), (2, 500), (1, 300), (1, 340)] {
        let got = indices(wild.rows(epoch, first, 20).unwrap());
        assert_eq!(got, expected(Order::Shuffled, 600, epoch, first..first + 20));
    }
    let got = indices(late.rows(2, 100, 20).unwrap());
    assert_eq!(got, expected(Order::Shuffled, 600, 2, 100..120));
    drop(late);
    for first in (40..600).step_by(20) {
        let got = indices(calm.rows(0, first, 20).unwrap());
        assert_eq!(got, expected(Order::Shuffled, 600, 0, first..first + 20));
    }
}

#[test]
fn nobody_waits_for_one_that_has_left_or_has_met_an_error() {
    let store = Arc::new(Numbers { len: 600, damaged: Some(100), ..Numbers::default() });
    let mut some = ring(Arc::clone(&store), Order::Sequential, [20, 3, 1]);
    let (mut left, mut failed, idle) = (some.beside(), some.beside(), some.beside());
    left.rows(0, 0, 20).unwrap();
    left.leave();
    drop(idle);
    for first in (0..100).step_by(20) {
        failed.rows(0, first, 20).unwrap();
        some.rows(0, first, 20).unwrap();
    }
    assert!(failed.rows(0, 100, 20).is_err());
    store.repaired.store(true, Ordering::Relaxed);
    assert!(some.rows(0, 100, 20).is_err(), "the chunk was read once, for both");
    for ring in [&mut some, &mut left, &mut failed] {
        for first in (100..600).step_by(20) {
            assert_eq!(indices(ring.rows(0, first, 20).unwrap()), (first..first + 20).collect::<Vec<_>>());
        }
    }
}

/// Time spent waiting for a chunk that cannot be read because another member is behind does not count as
/// waiting for data.
#[test]
fn waiting_for_others_is_not_waiting_for_data() {
    let mut fast = ring(numbers(600), Order::Sequential, [20, 1, 1]);
    let mut slow = fast.beside();
    slow.rows(0, 0, 20).unwrap();
    fast.rows(0, 20, 20).unwrap();
    let pause = Duration::from_millis(300);
    let fast = std::thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            fast.rows(0, 40, 20).unwrap();
            fast
        });
        std::thread::sleep(pause);
        slow.leave();
        waiting.join().unwrap()
    });
    assert!(fast.waited() < pause, "{:?}", fast.waited());
}

#[test]
fn a_ring_at_rest_reads_nothing_and_goes_on_with_what_it_has() {
    let store = numbers(400);
    let mut ring = ring(Arc::clone(&store), Order::Shuffled, [10, 8, 3]);
    let order = EpochOrder::new(Order::Shuffled, 400, 5, 0);
    for first in (0..400).step_by(20) {
        let found = indices(ring.rows(0, first, 20).unwrap());
        assert_eq!(found, (first..first + 20).map(|position| order.index(position)).collect::<Vec<_>>());
        ring.rest();
        let reads = store.reads.load(Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(store.reads.load(Ordering::Relaxed), reads);
    }
    assert!(store.reads.load(Ordering::Relaxed) <= 40 + 11, "no chunk is read twice");
}
