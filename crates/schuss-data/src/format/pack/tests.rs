use super::header::{Header, LONGEST};
use super::*;
use crate::random::{Draws, Key, Purpose};
use crate::stream::order::{EpochOrder, Order};
use crate::testing::{alone, peak_kib, skip};
use crate::{Access, Error, ImageShape, Labels, Place, Result, Ring, Samples, Shape, Store, Values};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;
use tempfile::TempDir;

const IMAGE: Shape = Shape::Image(ImageShape { channels: 1, height: 2, width: 3 });

/// Returns `len` images of 2 x 3 with one of three classes each; another `salt` gives other images.
fn images(len: usize, salt: u8) -> Samples {
    let bytes = (0..len * 6).map(|i| (i * 7) as u8 ^ salt).collect();
    Samples::new(Values::Bytes(bytes), Labels::Class((0..len).map(|i| i as u32 % 3).collect()), 6).unwrap()
}

/// Returns `len` samples of 4 numbers, each with `width` numbers, or nothing, as target.
fn floats(len: usize, width: usize) -> Samples {
    let values = (0..len * 4).map(|i| i as f32 / 8.0 - 3.0).collect();
    let labels = match width {
        0 => Labels::Absent(len),
        _ => Labels::Real { values: (0..len * width).map(|i| -(i as f32)).collect(), width },
    };
    Samples::new(Values::Floats(values), labels, 4).unwrap()
}

fn contents(shape: Shape, train: Samples, test: Option<Samples>) -> Contents {
    let classes = match train.labels() {
        Labels::Class(_) => ["zero", "one", "zwölf"].map(String::from).to_vec(),
        Labels::Real { .. } | Labels::Absent(_) => vec![],
    };
    Contents {
        shape,
        classes,
        about: "unit".into(),
        train: Arc::new(train),
        validation: None,
        test: test.map(|test| Arc::new(test) as Arc<dyn Store>),
        order: Order::Shuffled,
        seed: 1,
    }
}

fn tiny() -> Contents {
    contents(IMAGE, images(5, 0), Some(images(2, 9)))
}

fn written(contents: &Contents) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(contents, 2, &mut bytes).unwrap();
    bytes
}

/// Pack in a folder of its own.
struct OnDisk {
    _folder: TempDir,
    path: PathBuf,
}

impl OnDisk {
    fn new(bytes: &[u8]) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("data.schuss");
        fs::write(&path, bytes).unwrap();
        Self { _folder: folder, path }
    }

    fn open(&self) -> Pack {
        Pack::open(&self.path).unwrap()
    }
}

/// Opens a pack in memory.
fn in_memory(bytes: Vec<u8>) -> Result<Pack> {
    Pack::read(crate::file::OpenFile::of_bytes("data.schuss", bytes))
}

/// Reads all samples of all splits in order.
fn read_all(pack: &Pack) -> Result<Vec<Samples>> {
    let splits = [Some(pack.train()), pack.validation(), pack.test()];
    splits.into_iter().flatten().map(|part| read(&part, &(0..part.len()).collect::<Vec<_>>())).collect()
}

/// Reads all samples of a pack in memory, or returns the error.
fn unpacked(bytes: Vec<u8>) -> Result<Vec<Samples>> {
    read_all(&in_memory(bytes)?)
}

fn read(store: &dyn Store, indices: &[u64]) -> Result<Samples> {
    let mut into = Samples::default();
    store.read(indices, &mut into)?;
    Ok(into)
}

/// Returns the samples as the writer shuffles them.
fn shuffled(samples: &Samples) -> Samples {
    let order = EpochOrder::new(Order::Shuffled, samples.len(), 1, 0);
    let indices: Vec<u64> = (0..samples.len()).map(|position| order.index(position) as u64).collect();
    samples.select(&indices).unwrap()
}

#[test]
fn samples_of_every_kind_come_back_as_they_were_packed() {
    let flat = Shape::Flat(4);
    let cases = [
        (IMAGE, images(50, 0), Some(images(7, 3))),
        (flat, floats(33, 0), None),
        (flat, floats(33, 1), Some(floats(1, 1))),
        (flat, floats(40, 3), None),
    ];
    for (shape, train, test) in cases {
        let contents = contents(shape, train.clone(), test.clone());
        let bytes = written(&contents);
        assert_eq!(bytes.len() as u64, contents.bytes().unwrap());
        let file = OnDisk::new(&bytes);
        let pack = file.open();
        assert_eq!((pack.shape(), pack.classes(), pack.about()), (shape, &contents.classes[..], "unit"));
        assert_eq!(pack.validation().map(|part| part.len()), None);
        let expected: Vec<_> = [Some(shuffled(&train)), test].into_iter().flatten().collect();
        assert_eq!(read_all(&pack).unwrap(), expected);
        assert_eq!(pack.row_bytes(), (train.bytes() / train.len()) as u64);
    }
}

#[test]
fn any_samples_are_read_in_any_order() {
    let train = images(20_000, 0);
    let file = OnDisk::new(&written(&contents(IMAGE, train.clone(), None)));
    let (part, expected) = (file.open().train(), shuffled(&train));
    let mut into = Samples::default();
    for round in 0..200 {
        let mut draws = Key { seed: 3, purpose: Purpose::Digits, epoch: 0 }.draws(round);
        let mut below = |limit: u32| u64::from(draws.bits() % limit);
        let (count, spread) = (below(300), [10, 1_000, 20_000][below(3) as usize]);
        let base = below(20_001 - spread);
        let indices: Vec<u64> = (0..count).map(|_| base + below(spread)).collect();
        part.read(&indices, &mut into).unwrap();
        assert_eq!(into, expected.select(&indices).unwrap(), "round {round}");
    }
    let many: Vec<u64> = (0..150_000).map(|i| i * 7 % 20_000).collect();
    part.read(&many, &mut into).unwrap();
    assert_eq!(into, expected.select(&many).unwrap());
    assert_eq!(part.read(&[1, 20_000], &mut into).unwrap_err().exit_code(), 3);
}

#[test]
fn a_ring_reads_a_pack_as_it_reads_samples_in_memory() {
    let train = images(3_000, 0);
    let file = OnDisk::new(&written(&contents(IMAGE, train.clone(), None)));
    let stores: [Arc<dyn Store>; 2] = [Arc::new(file.open().train()), Arc::new(shuffled(&train))];
    let rows = stores.map(|store| {
        let window = crate::stream::ring::Window { chunk: 64, groups: false, depth: 3, loaders: 3 };
        let mut ring = Ring::new(store, Order::Shuffled, 9, window).unwrap();
        let mut rows = vec![];
        for (epoch, first) in
            (0..2).flat_map(|epoch| (0..3_000).step_by(100).map(move |first| (epoch, first)))
        {
            let batch = ring.rows(epoch, first, 100).unwrap();
            rows.extend(
                (0..100)
                    .map(|row| format!("{:?} {:?}", batch.row(row), batch.at(row).0.class(batch.at(row).1))),
            );
        }
        rows
    });
    assert_eq!(rows[0], rows[1]);
}

#[test]
fn what_is_packed_twice_has_the_same_bytes_and_what_differs_another_fingerprint() {
    let fingerprint = |contents: &Contents| in_memory(written(contents)).unwrap().fingerprint();
    assert_eq!(written(&tiny()), written(&tiny()));
    let first = fingerprint(&tiny());
    assert_eq!(first.len(), 32);
    let others = [
        contents(IMAGE, images(5, 1), Some(images(2, 9))),
        contents(IMAGE, images(5, 0), Some(images(2, 8))),
        contents(IMAGE, images(5, 0), None),
        Contents { about: "standard".into(), ..tiny() },
        Contents { seed: 2, ..tiny() },
    ];
    for (place, other) in others.iter().enumerate() {
        assert_ne!(fingerprint(other), first, "{place}");
    }
}

/// Layout of the first release: packs stay readable.
#[test]
fn a_pack_has_the_known_fingerprint() {
    let pack = in_memory(written(&tiny())).unwrap();
    assert_eq!(pack.fingerprint(), "094cd79d7353d48028fe73d339cdcb79");
}

#[test]
fn samples_that_come_in_blocks_are_packed_in_an_order_of_such_blocks() {
    assert_eq!(shuffling(Access::Random, 100, 0), Order::Shuffled);
    let blocks = |row, memory| shuffling(Access::Blocks(1_000), row, memory).to_string();
    assert_eq!(blocks(100, 1 << 30), "blocks:64,size=1000");
    assert_eq!(blocks(100, 1_000_000), "blocks:10,size=1000");
    assert_eq!(blocks(100, 10), "blocks:1,size=1000");
}

/// Writer that fails after a number of bytes.
struct Full(usize);

impl io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_a_failure_wherever_it_strikes() {
    let length = written(&tiny()).len();
    for room in 0..length {
        let error = write(&tiny(), 1, &mut Full(room)).unwrap_err();
        assert!(error.exit_code() == 1 && error.what.starts_with("the pack cannot be written: "), "{error}");
    }
    write(&tiny(), 1, &mut Full(length)).unwrap();
}

#[test]
fn data_that_no_reader_would_take_are_not_packed() {
    let wrong = |contents: &Contents| write(contents, 1, &mut io::sink()).unwrap_err().what;
    let class = Samples::new(Values::Bytes(vec![0; 12]), Labels::Class(vec![0, 3]), 6).unwrap();
    let said = wrong(&contents(IMAGE, images(3, 0), Some(class)));
    assert_eq!(said, "sample 1 of the test split holds a class index out of range");
    let values = Values::Floats(vec![0.0, 0.0, f32::NAN, 0.0]);
    let nan = Samples::new(values, Labels::Absent(1), 4).unwrap();
    let said = wrong(&contents(Shape::Flat(4), nan, None));
    assert_eq!(said, "sample 0 of the training split holds a number that is not finite");
    let said = wrong(&contents(IMAGE, images(3, 0), Some(floats(2, 1))));
    assert_eq!(said, "samples hold 4 numbers, but their shape says 6");
    let said = wrong(&contents(Shape::Flat(4), floats(2, 2), Some(floats(2, 1))));
    assert_eq!(said, "the splits differ in the kind of their values or labels");
    assert_eq!(wrong(&contents(IMAGE, images(0, 0), None)), "the data set holds no samples to train on");
    let none = Contents { classes: vec![], ..tiny() };
    assert_eq!(wrong(&none), "the data set names no classes");
    let long = Contents { about: "x".repeat(LONGEST as usize), ..tiny() };
    assert!(wrong(&long).contains("16 MiB"));
}

#[test]
fn what_is_no_pack_or_of_another_format_is_refused_in_one_sentence_that_names_the_file() {
    let good = written(&tiny());
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let length = good.len();
    let cases = [
        (vec![], "is not a schuss pack: wrong magic bytes".to_owned()),
        (b"PAR1 and so on".to_vec(), "is not a schuss pack: wrong magic bytes".into()),
        (good[..13].to_vec(), "ends within its header".into()),
        (good[..40].to_vec(), "ends within its header".into()),
        (changed(8, 2), "is a pack of format 2; this version of schuss reads format 1".into()),
        (changed(30, 1), "is damaged: its header does not match its checksum".into()),
        (
            [&good[..], &[0]].concat(),
            format!("is {} bytes long, but its header promises {length}", length + 1),
        ),
        (changed(length - 1, 0), "is damaged: its fingerprint does not match its checksum".into()),
        (changed(length - 30, 0), "is damaged: record 6 does not match its checksum".into()),
    ];
    for (bytes, sentence) in cases {
        let error = unpacked(bytes).unwrap_err();
        assert_eq!((error.exit_code(), error.what.as_str()), (3, &*format!("data.schuss {sentence}")));
        assert!(error.place.unwrap().to_string().contains("data.schuss (") && error.advice.is_some());
    }
}

#[test]
fn every_truncation_and_every_flipped_bit_is_detected() {
    let good = written(&tiny());
    let refused = |bytes: Vec<u8>| unpacked(bytes).is_err_and(|error| error.exit_code() == 3);
    for length in 0..good.len() {
        assert!(refused(good[..length].to_vec()), "cut to {length} bytes");
    }
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(refused(bad), "bit {bit} flipped");
    }
}

#[test]
fn records_that_stand_in_each_others_place_are_detected() {
    let mut bytes = written(&tiny());
    let begin = tiny().header().unwrap().encode().unwrap().len();
    let (first, second) = bytes[begin..].split_at_mut(18);
    first.swap_with_slice(&mut second[..18]);
    assert!(unpacked(bytes).unwrap_err().what.contains("record 0"));
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_an_error() {
    let file = OnDisk::new(&written(&contents(IMAGE, images(5_000, 0), None)));
    let part = file.open().train();
    fs::OpenOptions::new().write(true).open(&file.path).unwrap().set_len(4_096).unwrap();
    assert!(read(&part, &[10]).is_ok());
    assert_eq!(read(&part, &[10, 4_000]).unwrap_err().exit_code(), 3);
}

/// Returns headers that claim too much, each with a valid checksum.
fn boasts() -> Vec<Header> {
    let honest = || tiny().header().unwrap();
    let huge = usize::MAX / 8;
    let image = |channels, height, width| Shape::Image(ImageShape { channels, height, width });
    vec![
        Header { counts: [1 << 60, 0, 0], ..honest() },
        Header { counts: [u64::MAX, u64::MAX, u64::MAX], ..honest() },
        Header { counts: [0, 0, u64::MAX], ..honest() },
        Header { shape: Shape::Flat(huge), ..honest() },
        Header { shape: Shape::Flat(usize::MAX), floats: true, ..honest() },
        Header { shape: Shape::Flat(0), ..honest() },
        Header { shape: image(huge, huge, huge), ..honest() },
        Header { shape: image(1 << 20, 1 << 20, 1 << 20), ..honest() },
        Header { labelled: Labelled::Real(usize::MAX), ..honest() },
        Header { labelled: Labelled::Real(0), ..honest() },
        Header { classes: vec![], ..honest() },
    ]
}

#[test]
fn a_header_that_promises_the_moon_costs_neither_time_nor_memory() {
    if !cfg!(target_os = "linux") {
        return skip("reads peak memory from /proc");
    }
    let mut program = Command::new(std::env::current_exe().unwrap());
    alone(&mut program, "format::pack::tests::promises_of_the_moon_are_refused_at_once");
    let output = program.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
#[ignore = "run alone, for its peak memory, by a_header_that_promises_the_moon_costs_neither_time_nor_memory"]
fn promises_of_the_moon_are_refused_at_once() {
    let files: Vec<OnDisk> = boasts()
        .iter()
        .map(|header| OnDisk::new(&[header.encode().unwrap(), vec![0; 200]].concat()))
        .chain([OnDisk::new(&[&MAGIC[..], &1_u32.to_le_bytes(), &u32::MAX.to_le_bytes(), &[0; 99]].concat())])
        .collect();
    for (place, file) in files.iter().enumerate() {
        let before = peak_kib();
        let timed = |_| {
            let start = Instant::now();
            assert_eq!(Pack::open(&file.path).err().map(|error| error.exit_code()), Some(3), "boast {place}");
            start.elapsed()
        };
        let (fastest, grown) = ((0..5).map(timed).min().unwrap(), peak_kib() - before);
        assert!(fastest.as_millis() < 10 && grown < 1_024, "boast {place} took {fastest:?} and {grown} KiB");
    }
}

/// Reads samples from a mutated pack whose checksums were fixed, so that the code they guard is reached.
#[test]
fn a_hundred_thousand_mutations_are_survived() {
    let good = [tiny(), contents(Shape::Flat(4), floats(4, 2), Some(floats(1, 2)))];
    let good = good.map(|contents| (written(&contents), contents.header().unwrap()));
    let mut read = 0;
    for round in 0..100_000 {
        let mut draws = Key { seed: 21, purpose: Purpose::Digits, epoch: 0 }.draws(round);
        let (bytes, header) = &good[draws.bits() as usize % 2];
        let mut bad = bytes.clone();
        (0..=draws.bits() % 3).for_each(|_| mutate(&mut bad, &mut draws));
        if !draws.bits().is_multiple_of(4) {
            mend(&mut bad, header);
        }
        match unpacked(bad) {
            Ok(splits) => read += splits.len(),
            Err(error) => assert!([1, 3].contains(&error.exit_code()), "round {round}: {error}"),
        }
    }
    assert!(read > 1_000, "hardly any mutation got past the checksums: {read}");
}

/// Flips a bit, changes a byte or a number of 4 or 8 bytes, or loses, doubles or cuts off a part.
fn mutate(bytes: &mut Vec<u8>, draws: &mut Draws) {
    let mut below = |limit: usize| draws.bits() as usize % limit.max(1);
    // Half of the mutations hit the header.
    let from = if below(2) == 0 { below(bytes.len().min(100)) } else { below(bytes.len()) };
    if bytes.is_empty() {
        return bytes.push(below(256) as u8);
    }
    let to = bytes.len().min(from + 1 + below(16));
    let number = [0, 1, 2, 5, 7, 255, 1 << 31, 1 << 40, u64::MAX >> 1, u64::MAX][below(10)];
    match below(7) {
        0 => bytes[from] ^= 1 << below(8),
        1 => bytes[from] = below(256) as u8,
        2 => drop(bytes.drain(from..to)),
        3 => bytes.extend_from_within(from..to),
        4 => bytes.truncate(from.max(1)),
        width => {
            let place = from / 4 * 4;
            let width = 4 * (width - 4);
            let to = bytes.len().min(place + width);
            bytes[place..to].copy_from_slice(&number.to_le_bytes()[..to - place]);
        }
    }
}

/// Recomputes the checksums of header, records and fingerprint, at their places in a valid pack.
fn mend(bytes: &mut [u8], header: &Header) {
    let begin = header.encode().unwrap().len();
    let stride = header.stride().unwrap() as usize;
    let seal = |bytes: &mut [u8], number| {
        if let Some((body, sum)) = bytes.split_last_chunk_mut::<CHECKSUM>() {
            *sum = checksum(body, number).to_le_bytes();
        }
    };
    let Some((head, rest)) = bytes.split_at_mut_checked(begin) else { return };
    seal(head, 0);
    let records = rest.len().saturating_sub(TRAILER);
    rest[..records].chunks_mut(stride).zip(0..).for_each(|(record, number)| seal(record, number));
    seal(&mut rest[records..], 0);
}

#[test]
fn errors_of_a_store_end_the_packing() {
    struct Broken;
    impl Store for Broken {
        fn len(&self) -> u64 {
            9
        }
        fn access(&self) -> Access {
            Access::Random
        }
        fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()> {
            images(9, 0).copy_to(&[], into)?;
            if indices.is_empty() { Ok(()) } else { Err(Error::data("gone").at(Place::data("a shard"))) }
        }
    }
    let broken = Contents { train: Arc::new(Broken), ..tiny() };
    assert_eq!(
        write(&broken, 1, &mut io::sink()).unwrap_err(),
        Error::data("gone").at(Place::data("a shard"))
    );
}

#[test]
fn a_pack_that_is_not_there_or_a_folder_is_refused() {
    let folder = TempDir::new().unwrap();
    for (path, what) in [(folder.path(), "is a folder"), (Path::new("nowhere/x.schuss"), "does not exist")] {
        let error = Pack::open(path).err().unwrap();
        assert!(error.exit_code() == 3 && error.what.contains(what), "{error}");
    }
}

#[test]
fn more_classes_than_any_pack_has_are_refused_before_they_are_listed() {
    let mut header = tiny_header_of_classes(4_000_000);
    let sum = xxhash_rust::xxh3::xxh3_64(&header).to_le_bytes();
    header.extend(sum);
    let mut refused = String::new();
    let taken = allocation_counter::measure(|| refused = Header::parse(&header).unwrap_err());
    assert_eq!(refused, "names 4000000 classes, more than any pack has");
    assert!(taken.bytes_max < 1 << 20, "{} bytes", taken.bytes_max);
}

/// Returns a header without its checksum that names `count` classes, each with an empty name.
fn tiny_header_of_classes(count: u32) -> Vec<u8> {
    let whole = Header {
        shape: Shape::Flat(1),
        floats: false,
        labelled: Labelled::Class,
        counts: [1, 0, 0],
        classes: vec![],
        about: String::new(),
    };
    let mut bytes = whole.encode().unwrap();
    bytes.truncate(bytes.len() - 8 - 4 - 4); // up to the number of classes
    bytes.extend(count.to_le_bytes());
    bytes.extend(vec![0; 4 * count as usize + 4]);
    bytes
}
