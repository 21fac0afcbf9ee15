use super::*;
use crate::ImageShape;
use crate::testing::{gzip, images, labels, skip, write_set};
use std::fs;
use tempfile::TempDir;

fn parsed(spec: &str) -> SourceKind {
    spec.parse::<DataSource>().unwrap_or_else(|error| panic!("{spec}: {error}")).0
}

#[test]
fn a_spec_is_a_name_or_a_path() {
    let digits = |train, seed| SourceKind::Digits(Digits { train, seed, ..Digits::default() });
    assert_eq!(parsed("mnist"), SourceKind::Published(&MNIST));
    assert_eq!(parsed("Fashion_MNIST"), SourceKind::Published(&published::FASHION_MNIST));
    assert_eq!(parsed("digits"), digits(60_000, 1));
    assert_eq!(parsed("digits:train=100,Seed=7"), digits(100, 7));
    for path in ["data/mnist", "./mnist", ".", "mnist.d", "path:mnist", "a:b/c"] {
        assert_eq!(parsed(path), SourceKind::Path(path.into()));
    }
}

#[test]
fn a_spec_says_itself_in_full() {
    let source: DataSource = "digits:seed=3".parse().unwrap();
    assert_eq!(source.to_string(), "digits:train=60000,test=10000,size=28,seed=3");
    assert_eq!("MNIST".parse::<DataSource>().unwrap().to_string(), "mnist");
}

#[test]
fn a_word_that_is_a_path_here_is_that_path() {
    assert_eq!("src".parse::<DataSource>().unwrap().to_string(), "src"); // tests run in the crate's folder
    assert!(
        "mnist".parse::<DataSource>().unwrap().0 == SourceKind::Published(&MNIST),
        "built-in names come first"
    );
}

#[test]
fn a_spec_that_means_nothing_is_a_usage_error_that_helps() {
    let cases = [
        ("mnits", "unknown data `mnits`", "did you mean `mnist`?"),
        ("cifar", "unknown data `cifar`", "one of: mnist fashion-mnist digits ./FOLDER"),
        ("mnist:train=5", "`mnist` has no keys", "--data mnist"),
        ("digits:trian=5", "unknown key `trian` for data `digits`", "did you mean `train`?"),
        ("digits:500", "`500` for data `digits` lacks a key", "digits:train=500"),
        ("digits:train=0", "at least one image", "digits:train=60000"),
        ("digits:train=-1", "`train=-1` for data `digits` is not a whole number", "digits:train=60000"),
        ("digits:size=28.5", "`size=28.5` for data `digits` is not a whole number", "size=28"),
        ("digits:size=7", "digits have a size of 8 to 256 pixels, not 7", "size=28"),
        ("digits:train=18446744073709551615,size=256", "at most 1,000,000,000,000 digits", "train=60000"),
        ("", "no data given", "--data digits"),
        ("path:", "no data given", "--data digits"),
    ];
    for (spec, what, advice) in cases {
        let error = spec.parse::<DataSource>().unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
        assert!(error.what.contains(what), "{error}");
        assert!(error.advice.as_ref().unwrap().contains(advice), "{error}");
    }
}

#[test]
fn digits_are_drawn_as_asked() {
    let data = load("digits:train=30,test=20,size=16,seed=2").unwrap();
    assert_eq!((data.train.len(), data.test.len(), data.shape.features()), (30, 20, 256));
}

#[test]
fn a_folder_is_read_in_every_layout_and_spelling() {
    let mut prints = Vec::new();
    for (inside, ending) in
        [("", ""), ("", ".gz"), ("MNIST/raw", ""), ("FashionMNIST/raw", ".gz"), ("raw", "")]
    {
        let folder = TempDir::new().unwrap();
        write_set(&folder.path().join(inside), ending);
        let data = load(&format!("path:{}", folder.path().display())).unwrap();
        assert_eq!(data.classes, ["0", "1", "2", "3"], "a test label beyond those of train counts");
        assert_eq!((data.train.len(), data.test.len(), data.shape.features()), (3, 2, 16));
        prints.push(data.fingerprint());
    }
    prints.dedup();
    assert_eq!(prints.len(), 1);
    let dotted = TempDir::new().unwrap();
    write_set(dotted.path(), "");
    for name in crate::format::folder::NAMES {
        let to = dotted.path().join(name.replace("-idx", ".idx"));
        fs::rename(dotted.path().join(name), to).unwrap();
    }
    let spec = dotted.path().display().to_string();
    let data = load(&spec).unwrap();
    assert_eq!((data.name, data.origin), (spec.clone(), format!("read from {spec}")));
}

#[test]
fn a_raw_file_is_preferred_to_a_packed_one() {
    let folder = TempDir::new().unwrap();
    write_set(folder.path(), ".gz");
    fs::write(folder.path().join("train-labels-idx1-ubyte"), labels(&[7, 7, 7])).unwrap();
    let data = load(folder.path().to_str().unwrap()).unwrap();
    assert_eq!(data.train.resident().unwrap().classes(), [7, 7, 7]);
}

#[test]
fn a_path_without_the_four_files_is_a_data_error_that_says_why() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    write_set(path, "");
    let refused = |path: &Path, what: &str| {
        let error = load(&format!("path:{}", path.display())).unwrap_err();
        assert_eq!(error.exit_code(), 3, "{error}");
        assert!(error.what.contains(what) && error.place.is_some() && error.advice.is_some(), "{error}");
    };
    refused(&path.join("absent"), "the data cannot be opened: no such file or folder");
    refused(&path.join("t10k-labels-idx1-ubyte"), "");
    #[cfg(unix)]
    refused(Path::new("/dev/zero"), "the data are neither a file nor a folder");
    fs::write(path.join("t10k-images-idx3-ubyte"), images(2, 5)).unwrap();
    refused(path, "train-images-idx3-ubyte holds images of 4 x 4 pixels but t10k-images-idx3-ubyte of 5 x 5");
    fs::remove_file(path.join("t10k-labels-idx1-ubyte")).unwrap();
    refused(path, "the data folder holds no t10k-labels-idx1-ubyte, raw or .gz");
}

#[test]
fn of_a_set_without_test_files_a_fifth_is_held_out() {
    let folder = TempDir::new().unwrap();
    let numbers: Vec<u8> = (0..50).map(|sample| sample % 5).collect();
    fs::write(folder.path().join(folder::NAMES[0]), images(50, 4)).unwrap();
    fs::write(folder.path().join(folder::NAMES[1]), labels(&numbers)).unwrap();
    let data = load(&format!("path:{}", folder.path().display())).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (40, 10));
    assert_eq!(data.test.class_counts(5).unwrap(), [2; 5]);
    assert!(data.held_out.is_some());
}

/// Returns an environment of the given variables.
fn environment<'a>(variables: &'a [(&str, &Path)]) -> impl Fn(&str) -> Option<OsString> + 'a {
    |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
}

#[test]
#[cfg(target_os = "linux")]
fn a_named_set_is_looked_for_in_order() {
    let (data, cache, home) = (Path::new("/d"), Path::new("/c"), Path::new("/h"));
    let all = [("SCHUSS_DATA", data), ("XDG_CACHE_HOME", cache), ("HOME", home)];
    let cases = [
        (&all[..], vec!["/d/mnist", "/c/schuss/mnist"]),
        (&all[2..], vec!["/h/.cache/schuss/mnist"]),
        (&[("XDG_CACHE_HOME", Path::new("relative")), ("HOME", home)], vec!["/h/.cache/schuss/mnist"]),
        (&[], vec![]),
    ];
    for (variables, expected) in cases {
        let expected: Vec<PathBuf> = expected.into_iter().map(PathBuf::from).collect();
        assert_eq!(places(&MNIST, &environment(variables)), expected);
    }
    let debian = places(&published::FASHION_MNIST, &environment(&[]));
    assert_eq!(debian, [PathBuf::from("/usr/share/datasets/fashion-mnist")]);
}

#[test]
fn a_named_set_that_is_nowhere_is_answered_with_where_it_was_looked_for() {
    let folder = TempDir::new().unwrap();
    write_set(&folder.path().join("mnist"), ".gz");
    fs::remove_file(folder.path().join("mnist/t10k-labels-idx1-ubyte.gz")).unwrap();
    let error = search(&MNIST, &environment(&[("SCHUSS_DATA", folder.path())])).unwrap_err();
    let place = folder.path().join("mnist");
    assert_eq!(error.exit_code(), 3);
    assert_eq!(error.what, "MNIST is not on this machine");
    assert_eq!(
        error.place.unwrap().to_string(),
        format!("none of: {} (no t10k-labels-idx1-ubyte)", place.display())
    );
    let advice = error.advice.unwrap();
    assert!(advice.contains("schuss data fetch mnist") && advice.contains("--data digits"), "{advice}");
}

#[test]
fn classes_have_their_published_names_as_long_as_labels_fit() {
    let folder = TempDir::new().unwrap();
    write_set(folder.path(), "");
    let source = DataSource(SourceKind::Published(&published::FASHION_MNIST));
    let classes = || {
        let files = Files::find(folder.path()).unwrap();
        let known = &published::FASHION_MNIST.classes;
        source.assemble(String::new(), &files, known, &Request::default()).unwrap().classes
    };
    assert_eq!(classes()[9], "ankle boot");
    let letters = gzip(&labels(&[25, 1]));
    fs::write(folder.path().join("t10k-labels-idx1-ubyte"), letters).unwrap();
    assert_eq!((classes().len(), &*classes()[25]), (26, "25"));
}

#[test]
fn mnist_is_the_mnist_of_the_papers() {
    if find("mnist").is_none() {
        return skip("needs MNIST: set SCHUSS_DATA to the folder above mnist/");
    }
    let data = load("mnist").unwrap();
    assert_eq!((data.train.len(), data.test.len()), (60_000, 10_000));
    assert_eq!(data.shape, ImageShape { channels: 1, height: 28, width: 28 }.into());
    assert_eq!(
        data.train.class_counts(10).unwrap(),
        [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    );
    let pixels = data.train.resident().unwrap().values().pixels();
    let sum: u64 = pixels.iter().map(|&pixel| u64::from(pixel)).sum();
    let mean = sum as f64 / (255 * pixels.len()) as f64;
    assert!((mean - 0.1307).abs() < 5e-5, "mean {mean}, as in everyone's Normalize((0.1307,), (0.3081,))");
}
