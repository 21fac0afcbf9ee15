//! `schuss list` and `schuss explain` cover every optimizer, loss, schedule, ...

mod common;

use common::Place;
use schuss::recipe::Table;

#[test]
fn list_prints_every_name_of_its_kind() {
    let place = Place::new();
    for table in Table::all() {
        let ran = place.run(&["list", table.kind]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let names: Vec<&str> = ran.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert!(table.names.iter().all(|name| names.contains(name)), "{}: {}", table.kind, ran.stdout);
    }
    place.run(&["list", "optimisers"]).refused(2, "optimizers");
}

#[test]
fn explain_knows_every_name_under_every_dialect() {
    let place = Place::new();
    for name in Table::all().iter().flat_map(|table| table.names) {
        let ran = place.run(&["explain", name, "--dialect", "keras"]);
        assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
        assert!(ran.stdout.starts_with(name), "{}", ran.stdout);
        assert!(!ran.stdout.contains(['`', '\x1b']), "{}", ran.stdout);
    }
}

#[test]
fn explain_prints_the_equation_as_executed_and_the_values_as_given() {
    let place = Place::new();
    let keras = place.run(&["explain", "adam", "--dialect", "keras"]).stdout;
    for part in
        ["d ← (√u + ε) / √(1 − β₂ᵗ)", "eps=1e-7", "Default: 1e-8", "keras.optimizers.Adam", "1412.6980"]
    {
        assert!(keras.contains(part), "{part} is not in {keras}");
    }
    assert!(!keras.contains("eps_hat:"), "{keras}");
    let given = place.run(&["explain", "sgd:momentum=0.8,nesterov=true", "--json"]).json();
    let value = |key: &str| {
        given[0]["keys"].as_array().unwrap().iter().find(|row| row["name"] == key).unwrap().clone()
    };
    assert_eq!((&value("momentum")["value"], &value("momentum")["default"]), (&"0.8".into(), &"0".into()));
    assert!(given[0]["equation"].as_array().unwrap().contains(&"u ← g + μ v".into()), "{given}");
}

#[test]
fn names_of_several_tables_are_explained_as_what_has_the_keys() {
    let place = Place::new();
    let both = place.run(&["explain", "cosine"]).stdout;
    assert!(both.contains("cosine (schedule)") && both.contains("cosine (loss)"), "{both}");
    let schedule = place.run(&["explain", "cosine:t_max=600"]).stdout;
    assert!(schedule.contains("t_max=600") && !schedule.contains("cosine (loss)"), "{schedule}");
}

#[test]
fn what_nothing_is_called_exits_with_2_and_names_the_nearest() {
    let place = Place::new();
    for (args, part) in [
        (&["explain", "adm"][..], "did you mean `adam`?"),
        (&["explain", "adam:epz=1"], "did you mean `eps`?"),
        (&["explain", "adam:eps=0"], "eps must be"),
        (&["explain", "adam", "--dialect", "kears"], "did you mean `keras`?"),
        (&["train", "--dialect", "kears"], "did you mean `keras`?"),
        (&["compare", "--trial", "dialekt=keras"], "did you mean `dialect`?"),
    ] {
        place.run(args).refused(2, part);
    }
}

#[test]
fn a_dialect_is_written_down_as_the_keys_it_stands_for() {
    let place = Place::new();
    let dry = place.small(&["train", "--dialect", "keras", "--optimizer", "adam", "--dry-run"]);
    assert_eq!(dry.code, 0, "{}", dry.stderr);
    assert!(dry.stdout.contains("adam:lr=0.001,eps=1e-7,eps_hat=true"), "{}", dry.stdout);
    let trials = ["--trial", "dialect=sklearn optimizer=sgd", "--trial", "dialect=burn optimizer=adam"];
    let several = place.small(&[&["compare", "--dry-run"], &trials[..]].concat());
    for part in ["sgd:lr=0.001,momentum=0.9,nesterov=true,classic=true", "adam:lr=0.001,eps=0.00001"] {
        assert!(several.stdout.contains(part), "{part} is not in {}{}", several.stdout, several.stderr);
    }
}
