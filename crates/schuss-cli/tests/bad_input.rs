//! Invalid input: one clear sentence, the documented exit code, no panic, nothing half-written.

mod common;

use common::{Place, SMALL};
use std::fs;

#[test]
fn what_is_typed_wrong_exits_with_2_names_it_and_writes_nothing() {
    let place = Place::new();
    for (args, part) in [
        (&["train", "--optimizer", "sgd:momentm=0.9"][..], "did you mean `momentum`?"),
        (&["train", "--optimizer", "adm"], "did you mean `adam`?"),
        (&["train", "--optimizer", "sgd:lr=-0.1"], "lr must be"),
        (&["train", "--optimizer", "sgd:lr=nan"], "finite"),
        (&["train", "--optimizer", "adam:lr=inf"], "finite"),
        (&["train", "--update", "batch:0"], "at least 1"),
        (&["train", "--update", "bach:10"], "unknown update rule"),
        (&["train", "--order", "shuffeld"], "unknown order"),
        (&["train", "--loss", "cross-entropi"], "did you mean `cross-entropy`?"),
        (&["train", "--model", "100-10", "--data", "digits:train=10,test=10"], "a sample has 784"),
        (&["train", "--model", "64-5", "--data", "digits:train=10,test=10,size=8"], "has 5 outputs"),
        (&["train", "--model", "784-99999999-99999999-10"], "units"),
        (&["train", "--target", "f1>=0.9"], "unknown metric"),
        (&["train", "--target", "eval_accuracy"], "not a condition"),
        (&["train", "--threads", "0"], "threads"),
        (&["train", "--device", "tpu"], "unknown device `tpu`"),
        (&["train", "--device", "cuda"], "--device gpu"),
        (&["train", "--data", "nmist"], "did you mean `mnist`?"),
        (&["train", "--data", "digits:trian=10"], "did you mean `train`?"),
        (&["train", "--data", "digits:train=0"], "train"),
        (&["train", "--epochs", "-1"], "`-1` is not a non-negative integer"),
        (&["train", "--epocs", "1"], "did you mean --epochs?"),
        (&["compare", "--data", "digits:train=10,20"], "has no key"),
        (&["train", "--optimizer", "sgd", "--optimizer", "adam"], "schuss compare"),
        (&["compare", "--tune", "rate"], "unknown choice to tune"),
        (&["compare", "--eval-every", "never"], "a positive integer or one of: auto epoch"),
        (&["find-lr", "--output", "x"], "schuss find-lr has no flag `--output`"),
        (
            &["compare", "--optimizer", "adam", "--tune", "momentum", "--data", "digits:train=40,test=10"],
            "has no key `momentum`",
        ),
        (
            &["compare", "--optimizer", "cg", "--tune", "lr", "--data", "digits:train=40,test=10"],
            "no learning rate",
        ),
        (&["compare", "lecture-26"], "lecture-25"),
        (&["compare", "--trial", "updat=sample"], "did you mean `update`?"),
        (&["compare", "--trial", "sample"], "has no `=`"),
        (&["compare", "no-such-study.toml"], "no-such-study.toml"),
    ] {
        place.run(args).refused(2, part);
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn an_environment_variable_of_ours_that_means_nothing_is_refused_with_those_that_do() {
    let place = Place::new();
    let run = |name: &str, value: &str| {
        common::Ran::of(&place.command(&["list", "losses"]).env(name, value).output().unwrap())
    };
    run("SCHUSS_ISA", "avx1024").refused(2, "SCHUSS_ISA=portable");
    run("SCHUSS_AMX", "on").refused(2, "SCHUSS_AMX=off");
    run("SCHUSS_THREADS", "2").refused(2, "one of SCHUSS_DATA, SCHUSS_ISA, SCHUSS_AMX");
    for (name, value) in [("SCHUSS_ISA", "portable"), ("SCHUSS_AMX", "off"), ("SCHUSS_DATA", "./data")] {
        assert_eq!(run(name, value).code, 0, "{name}={value}");
    }
}

#[test]
fn files_that_are_longer_than_any_of_their_kind_are_refused_unread() {
    let place = Place::new();
    fs::write(place.join("long.toml"), "# ".repeat(3 << 20)).unwrap();
    place.run(&["compare", "./long.toml"]).refused(2, "larger than 4 MiB");
    let claims = [&(100_u64 << 20).to_le_bytes()[..], &vec![b' '; 101 << 20]].concat();
    fs::write(place.join("claims.safetensors"), claims).unwrap();
    place.run(&["eval", "claims.safetensors", "digits"]).refused(3, "claims a header of 104857600 bytes");
}

#[test]
fn a_study_file_that_is_wrong_is_refused_with_file_and_line() {
    let place = Place::new();
    for (text, part) in [
        ("title = \"x\"\n[recipe]\noptimiser = \"sgd\"\n", "line 3"),
        ("title = 3\n", "line 1"),
        ("[[trial]]\noptimizr = \"sgd\"\n", "did you mean `optimizer`?"),
        ("[axes]\nupdates = [\"epoch\"]\n", "did you mean `update`?"),
        ("seeds = []\n", "at least one seed"),
        ("not toml at all [", "line 1"),
    ] {
        fs::write(place.join("bad.toml"), text).unwrap();
        place.run(&["compare", "./bad.toml", "--data", "digits:train=400,test=100,size=8"]).refused(2, part);
    }
}

#[test]
fn a_wrong_choice_is_reported_where_it_was_typed() {
    let place = Place::new();
    for (text, part) in [
        ("[recipe]\n\noptimizer = \"adm\"\n", "in    ./bad.toml, line 3, key optimizer in [recipe]"),
        ("[budget]\nepochs = \"ten\"\n", "in    ./bad.toml, line 2, key epochs in [budget]"),
        (
            "[axes]\nupdate = [\n  \"epoch\",\n  \"bach:10\",\n]\n",
            "in    ./bad.toml, line 4, key update in [axes]",
        ),
        ("[axes]\noptimizer = [\"sgd:lr={\"]\n", "in    ./bad.toml, line 2, key optimizer in [axes]"),
        ("[axes]\nupdate = []\n", "in    ./bad.toml, line 2, key update in [axes]"),
        (
            "[[trial]]\noptimizer = \"sgd\"\n[[trial]]\noptimizer = \"sgd:momentm=1\"\n",
            "in    ./bad.toml, line 4, key optimizer in [[trial]] 2",
        ),
        ("[[trial]]\noptimizr = \"sgd\"\n", "in    ./bad.toml, line 2, key optimizr in [[trial]] 1"),
        ("[observe]\nloses = true\n", "in    ./bad.toml, line 2, key loses in [observe]"),
        ("titel = \"x\"\n", "in    ./bad.toml, line 1, key titel"),
        ("\nseeds = [1, 1]\n", "in    ./bad.toml, line 2, key seeds"),
        ("surfaces = [\"bowel\"]\n", "in    ./bad.toml, line 1, key surfaces"),
        ("[workload]\nmissing = \"gone\"\n", "in    ./bad.toml, line 2, key missing in [workload]"),
        ("[workload]\nvalidation = 2\n", "in    ./bad.toml, line 2, key validation in [workload]"),
        ("[recipe]\nlabel = \"a\"\n", "`label` belongs to [workload]"),
        ("[workload]\nepochs = 3\n", "`epochs` belongs to [recipe] or [[trial]]"),
        ("[recipe]\nmodel = \"64-5\"\n", "in    ./bad.toml, line 2, key model in [recipe]"),
        ("[recipe]\ntargets = \"real\"\n", "in    ./bad.toml, line 2, key targets in [recipe]"),
        ("[recipe]\nstats = 9\n", "in    ./bad.toml, line 2, key stats in [recipe]"),
    ] {
        fs::write(place.join("bad.toml"), text).unwrap();
        let ran = place.run(&["compare", "./bad.toml", "--data", "digits:train=40,test=10,size=8"]);
        ran.refused(2, part);
        assert!(!ran.stderr.contains("in    --"), "{text}: {}", ran.stderr);
    }
    for (args, part) in [
        (&["--optimizer", "adm"][..], "in    --optimizer\n"),
        (&["--optimizer", "sgd:lr=-1"], "in    --optimizer: optimizer `sgd`\n"),
        (&["--epochs", "ten"], "in    --epochs\n"),
        (&["--trial", "optimizer=adm"], "in    --trial, key optimizer\n"),
        (&["--trial", "epochs=ten"], "in    --trial, key epochs\n"),
    ] {
        place.small(&[&["compare"], args].concat()).refused(2, part);
    }
}

#[test]
fn choices_without_effect_on_the_trial_are_refused_and_shared_ones_left_out() {
    let place = Place::new();
    for (args, part) in [
        (&["--stats", "10"][..], "--stats has no effect on model `64-12-10`, it is for batch-norm"),
        (&["--target-scale", "standard"], "--target-scale has no effect on classes"),
        (&["--beyond-target"], "--beyond-target has no effect without a target"),
        (
            &["--optimizer", "cg", "--update", "epoch", "--schedule", "cosine"],
            "--schedule has no effect on optimizer",
        ),
        (&["--init-from", "w", "--init", "zeros"], "--init has no effect on weights loaded from w"),
        (&["--label", "none"], "--label has no effect on digits"),
    ] {
        let ran = place.small(&[&["train"], args].concat());
        ran.refused(2, part);
        assert!(ran.stderr.contains("try   leave it out"), "{}", ran.stderr);
    }
    let args = ["--data", SMALL[1], "--epochs", "1", "--stats", "10", "--seed", "1", "--json"];
    let layers = "linear:12,batch-norm,relu,linear:10";
    let both =
        place.run(&[&["compare", "--model", "64-12-10", "--model", layers], &args[..]].concat()).json();
    let stats = |index: usize| both["trials"][index]["recipe"]["stats"].clone();
    assert_eq!((stats(0), stats(1)), (serde_json::Value::Null, 10.into()));
    let alone = place.run(&[&["train", "--model", "64-12-10"], &args[..4], &["--json"]].concat()).json();
    assert_eq!(both["trials"][0]["config_id"], alone["trials"][0]["config_id"], "it identifies no trial");
}

#[test]
fn what_is_wrong_with_data_exits_with_3_and_names_the_file() {
    let place = Place::new();
    let (digits, labels) = (two_digits(), two_labels([0, 1]));
    let write = |images: &[u8], labels: &[u8]| write_set(&place, images, labels);
    write(&digits, &labels);
    assert_eq!(
        place.run(&["train", "--data", "./set", "--max-updates", "1"]).code,
        0,
        "the set itself is sound"
    );
    let mut absurd = digits.clone();
    absurd[4..16].fill(0xff);
    for (images, labels, part) in [
        (&digits[..20], &labels[..], "ends after"),
        (&[], &labels, "empty"),
        (&digits[1..], &labels, "train-images-idx3-ubyte"),
        (&absurd, &labels, "train-images-idx3-ubyte"),
        (&[0x1f, 0x8b, 8, 0, 1, 2, 3], &labels, "train-images-idx3-ubyte"),
        (&digits, &[0, 0, 8, 1, 0, 0, 0, 1, 0], "train-"),
    ] {
        write(images, labels);
        place.run(&["train", "--data", "./set"]).refused(3, part);
    }
    place.run(&["train", "--data", "./nowhere"]).refused(3, "nowhere");
    place
        .command(&["train", "--data", "mnist"])
        .env_remove("SCHUSS_DATA")
        .output()
        .map(|output| {
            common::Ran::of(&output).refused(3, "--data digits");
        })
        .unwrap();
}

#[test]
fn what_is_wrong_with_little_or_broken_data_says_where_and_what_to_do() {
    let place = Place::new();
    fs::create_dir_all(place.join("pictures/cat")).unwrap();
    fs::write(place.join("pictures/cat/1.png"), "no picture").unwrap();
    fs::write(place.join("one.csv"), "a,b\n1,x\n").unwrap();
    fs::write(place.join("bare.csv"), "a,b\n").unwrap();
    for (data, size, code, parts) in [
        ("./one.csv", "8", 3, ["1 sample cannot be split in two", "in    ./one.csv"]),
        ("./bare.csv", "8", 3, ["a header but no rows", "try   add rows"]),
        ("./pictures", "8", 3, ["in    ./pictures/cat/1.png", "try   save it again"]),
        ("./pictures", "0", 2, ["1 to 4096 pixels", "in    --size"]),
        ("./pictures", "5000", 2, ["1 to 4096 pixels", "in    --size"]),
    ] {
        let ran = place.run(&["data", "show", data, "--size", size]);
        parts.iter().for_each(|part| ran.refused(code, part));
    }
}

/// Returns an IDX file of two images of 2 x 2 pixels.
fn two_digits() -> Vec<u8> {
    [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2].into_iter().chain([7; 8]).collect()
}

/// Returns the IDX file of their labels.
fn two_labels([first, second]: [u8; 2]) -> [u8; 10] {
    [0, 0, 8, 1, 0, 0, 0, 2, first, second]
}

/// Writes the folder `set` with these training images and labels, and two test images of classes 0 and 1.
fn write_set(place: &Place, images: &[u8], labels: &[u8]) {
    let _ = fs::remove_dir_all(place.join("set"));
    fs::create_dir(place.join("set")).unwrap();
    for (name, bytes) in [
        ("train-images-idx3-ubyte", images),
        ("train-labels-idx1-ubyte", labels),
        ("t10k-images-idx3-ubyte", &two_digits()),
        ("t10k-labels-idx1-ubyte", &two_labels([0, 1])),
    ] {
        fs::write(place.join("set").join(name), bytes).unwrap();
    }
}

#[test]
fn classes_that_training_never_sees_are_warned_of_with_their_counts() {
    let place = Place::new();
    write_set(&place, &two_digits(), &two_labels([0, 0]));
    let warning = "the test split has samples of classes that training never sees: `1` (1)";
    for args in [
        &["train", "--data", "./set", "--max-updates", "1"][..],
        &["data", "pack", "./set", "set.schuss"],
        &["data", "show", "./set"],
        &["data", "show", "set.schuss"],
    ] {
        let ran = place.run(args);
        assert!(ran.code == 0 && (ran.stderr + &ran.stdout).contains(warning), "{args:?}");
    }
}

#[test]
fn weights_that_do_not_fit_are_refused_with_their_shapes() {
    let place = Place::new();
    place.small(&["train", "--max-updates", "1", "--out", "first"]);
    let model = fs::read_dir(place.join("first/trials"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path()
        .join("model.safetensors");
    let model = model.to_str().unwrap();
    let data = ["--data", "digits:train=400,test=100,size=8", "--model", "64-13-10"];
    place.run(&[&["train", "--init-from", model], &data[..]].concat()).refused(2, "0.weight");
    fs::write(place.join("broken"), b"rubbish").unwrap();
    place.small(&["train", "--init-from", "broken"]).refused(3, "safetensors");
    place.small(&["train", "--init-from", "absent"]).refused(3, "absent");
}

#[test]
fn output_that_cannot_be_written_exits_with_1() {
    let place = Place::new();
    place.small(&["train", "--out", "/proc/run"]).refused(1, "/proc/run");
    fs::write(place.join("file"), "").unwrap();
    place.small(&["train", "--out", "file/run"]).refused(1, "file/run");
}

#[test]
fn choices_that_say_nothing_or_the_same_twice_are_refused() {
    let place = Place::new();
    fs::write(place.join("empty.toml"), "[axes]\nupdate = []\n").unwrap();
    for (args, part) in [
        (&["train", "--require-target"][..], "needs a --target"),
        (&["compare", "--seed", "1,1"], "duplicate seed 1"),
        (&["compare", "--trial", "update=sample update=epoch"], "duplicate key `update`"),
        (&["compare", "--trial", "max-updates=0"], "at least 1"),
        (&["compare", "./empty.toml"], "has no value"),
    ] {
        place.small(args).refused(2, part);
    }
    assert!(!place.join("runs").exists());
}

#[test]
#[cfg(not(feature = "gpu"))]
fn a_build_without_graphics_cards_says_how_to_get_one_that_has_them() {
    let place = Place::new();
    for command in ["train", "compare", "find-lr"] {
        place.small(&[command, "--device", "gpu"]).refused(2, "--features gpu");
    }
    assert!(!place.join("runs").exists());
}

#[test]
#[cfg(unix)]
fn a_device_is_neither_a_model_nor_a_study() {
    let place = Place::new();
    place.small(&["train", "--init-from", "/dev/zero"]).refused(3, "not a regular file");
    place.run(&["eval", "/dev/zero", "digits:train=10,test=10"]).refused(3, "regular file");
    place.run(&["compare", "/dev/zero"]).refused(2, "not a regular file");
}

#[test]
fn options_without_effect_on_the_data_are_refused_by_name() {
    let place = Place::new();
    for (flag, value, kind) in [
        ("--label", "kind", "tables"),
        ("--size", "14", "image files"),
        ("--header", "yes", "tables"),
        ("--delimiter", ";", "tables"),
        ("--columns", "a", "tables"),
        ("--drop", "a", "tables"),
        ("--missing", "mean", "tables"),
        ("--missing-values", "NA", "tables"),
        ("--unknown", "refuse", "tables"),
    ] {
        let refused =
            place.run(&["train", "--data", "digits:train=50,test=20", "--epochs", "1", flag, value]);
        let words = format!("{flag} has no effect on digits:train=50,test=20");
        assert!(refused.code == 2 && refused.stderr.contains(&words), "{flag}: {}", refused.stderr);
        assert!(refused.stderr.contains(&format!("it is for {kind}")), "{flag}: {}", refused.stderr);
    }
    std::fs::write(place.join("t.csv"), "a,b\n1,0\n2,1\n3,0\n4,1\n5,0\n6,1\n").unwrap();
    let table = place.run(&["train", "--data", "t.csv", "--size", "14"]);
    assert!(table.code == 2 && table.stderr.contains("--size has no effect"), "{}", table.stderr);
    assert_eq!(
        place.run(&["data", "show", "digits:train=50,test=20"]).code,
        0,
        "missing cells are no matter"
    );
    let packed = place.run(&["data", "pack", "t.csv", "t.schuss"]);
    assert_eq!(packed.code, 0, "{}", packed.stderr);
    for (flag, value) in [("--header", "yes"), ("--columns", "a"), ("--decimal", "point")] {
        let ran = place.run(&["train", "--data", "t.schuss", flag, value]);
        ran.refused(2, &format!("{} has no effect on t.schuss", &flag[2..]));
    }
}

/// File of ten row groups.
#[cfg(feature = "full")]
const COLUMNAR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../schuss-data/tests/files/ordered.parquet");

#[test]
#[cfg(feature = "full")]
fn options_for_text_have_no_effect_on_columns() {
    for (flag, value) in [("--header", "yes"), ("--delimiter", ";"), ("--comment", "#")] {
        Place::new().run(&["data", "show", COLUMNAR, flag, value]).refused(2, "it is for text tables");
    }
}
