//! Properties of every report.

mod sample;

use sample::{ADAM, MOMENTUM, SGD, Sketch, autoencoders, lecture_24, lecture_25, summary, surfaces, trial};
use schuss::record::{
    Best, Bounds, Exhibit, JudgedBy, Overfitting, ProbePoint, Status, Summary, Trace, TrialRecord, Trials,
    TunedRecipe, TuningCost, TuningRecord, Verdict,
};
use schuss::study::Tie;
use schuss_report::table::{self, Extent};
use schuss_report::{Formats, charts, html, verdict};
use std::{collections::BTreeMap, path::Path};

/// Returns all files of a report.
fn files(summary: &Summary, traces: &[Trace]) -> BTreeMap<String, Vec<u8>> {
    let formats = if cfg!(feature = "png") { Formats::SvgAndPng } else { Formats::Svg };
    let mut files = charts(summary, traces, formats).unwrap();
    files.push(("report.html".into(), html::page(summary, traces).into_bytes()));
    let count = files.len();
    let files = BTreeMap::from_iter(files);
    assert_eq!(files.len(), count, "no name twice");
    files
}

/// Checks that a page is complete, small, loads nothing external, and contains no NaN or infinity.
#[track_caller]
fn check_page(page: &str) {
    assert!(page.len() <= html::LARGEST, "{} bytes", page.len());
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    let lower = page.to_lowercase().replace(" src=\"data:image/png;base64,", "");
    for forbidden in [
        "://", "http:", "https:", "xmlns", " src=", "href=", "@import", "url(", ">nan", "nan<", ">inf",
        "\"nan", "infinity",
    ] {
        assert!(!lower.contains(forbidden), "{forbidden} in {}", around(&lower, forbidden));
    }
    for tag in ["svg", "figure", "table", "section", "div", "g"] {
        let (opened, closed) = (
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count(),
            page.matches(&format!("</{tag}>")).count(),
        );
        assert_eq!(opened, closed, "<{tag}>");
    }
}

fn around(text: &str, part: &str) -> String {
    let at = text.find(part).unwrap_or(0);
    text.chars().skip(text[..at].chars().count().saturating_sub(80)).take(200).collect()
}

#[test]
fn samples_of_every_kind_are_written_where_people_can_look_at_them() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (lecture_23, traces) = (
        Summary {
            surfaces: surfaces(),
            trials: Trials::default(),
            groups: vec![],
            verdict: None,
            ..lecture_25(1).0
        },
        vec![],
    );
    let many: Vec<_> = (1..=40).map(|seed| trial(&MOMENTUM, seed, 10)).collect();
    let (mut many, many_traces): (Vec<_>, Vec<_>) = many.into_iter().unzip();
    many.iter_mut().enumerate().for_each(|(i, trial)| trial.name = format!("recipe {i}"));
    let runs = [
        ("lecture-25", lecture_25(1)),
        ("lecture-25-seeds", lecture_25(10)),
        ("lecture-24", lecture_24()),
        ("lecture-23", (lecture_23, traces)),
        ("autoencoder", autoencoders(1)),
        ("many", (summary(many), many_traces)),
    ];
    for (name, (summary, traces)) in runs {
        let (folder, files) = (folder.join(name), files(&summary, &traces));
        std::fs::create_dir_all(&folder).unwrap();
        files.iter().for_each(|(file, bytes)| std::fs::write(folder.join(file), bytes).unwrap());
        let page = &files["report.html"];
        check_page(str::from_utf8(page).unwrap());
        println!(
            "{}: {} bytes, {} files\n{}\n{}",
            folder.display(),
            page.len(),
            files.len(),
            verdict(&summary).join("\n"),
            table::render(&summary, 100, Extent::All)
        );
    }
}

/// Adds the point from which a trial over-fits, at the end of `epoch`.
fn overfit_from(trial: &mut TrialRecord, epoch: usize) {
    let row = &trial.epochs[epoch];
    let lowest = Best { epoch: row.epoch, updates: row.updates, eval_loss: row.eval_loss.unwrap() };
    trial.overfitted = true;
    trial.overfitting = Some(Overfitting { lowest, generalisation_loss: 7.0 });
}

#[test]
fn the_point_of_over_fitting_is_marked_on_the_curve_of_the_evaluation_loss() {
    let mark = |epochs: &[usize], seeds: u64| {
        let (mut summary, traces) = lecture_25(seeds);
        for (trial, &epoch) in summary.trials.iter_mut().filter(|trial| trial.name == "Adam").zip(epochs) {
            overfit_from(trial, epoch);
        }
        let files = files(&summary, &traces);
        let chart = |name: &str| String::from_utf8(files[name].clone()).unwrap();
        assert!(!chart("train-loss-epochs.svg").contains(">epoch "));
        let chart = chart("eval-loss-epochs.svg");
        let marked = chart.split(">epoch ").nth(1).map(|rest| rest.split('<').next().unwrap().to_owned());
        let page = String::from_utf8(files["report.html"].clone()).unwrap();
        assert_eq!(
            marked.is_some(),
            page.contains("over-fitting (the median") || page.contains("over-fitting.")
        );
        marked
    };
    assert_eq!(mark(&[], 1), None);
    assert_eq!(mark(&[6], 1).as_deref(), Some("6"));
    assert_eq!(mark(&[7, 5], 3).as_deref(), Some("5"), "two of three seeds");
    assert_eq!(mark(&[5], 3), None, "one of three");
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let (summary, traces) = lecture_24();
    assert!(files(&summary, &traces) == files(&summary, &traces));
}

#[test]
fn tables_fit_a_terminal_of_100_columns() {
    for (summary, _) in [lecture_25(1), lecture_25(3), lecture_24(), autoencoders(1), autoencoders(3)] {
        for line in table::render(&summary, 100, Extent::All).lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}

#[test]
fn tables_say_where_a_trial_diverged_and_that_a_target_was_missed() {
    let text = table::render(&lecture_24().0, 100, Extent::All);
    let words: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("diverged"), "{text}");
    assert!(text.contains("1,532"), "{text}");
    assert!(words.contains("not reached"), "{text}");
    assert!(text.contains("2.269"), "the lecture's loss: {text}");
}

#[test]
fn where_there_are_no_classes_nothing_speaks_of_accuracy() {
    for seeds in [1, 3] {
        let (summary, traces) = autoencoders(seeds);
        let files = files(&summary, &traces);
        let page = str::from_utf8(&files["report.html"]).unwrap();
        check_page(page);
        let texts = [page.to_owned(), table::render(&summary, 100, Extent::All), verdict(&summary).join(" ")];
        for text in &texts {
            assert!(!text.to_lowercase().contains("accura"), "{}", around(text, "accura"));
            assert!(text.contains("SSIM"), "{text}");
        }
        assert!(files.keys().all(|name| !name.starts_with("accuracy")));
        assert!(files.contains_key("similarity-epochs.svg"));
        assert_eq!(page.matches("<img ").count(), 2 * seeds as usize);
        assert_eq!(page.matches("<span>with noise</span>").count(), seeds as usize);
    }
}

#[test]
fn classifiers_and_autoencoders_side_by_side_have_all_columns_and_charts() {
    let ((mut summary, mut traces), (autoencoders, more)) = (lecture_25(1), autoencoders(1));
    summary.trials.extend(autoencoders.trials);
    traces.extend(more);
    let (page, table) = (html::page(&summary, &traces), table::render(&summary, 100, Extent::All));
    check_page(&page);
    assert!(page.contains("Test accuracy against epochs") && page.contains("Structural similarity against"));
    assert!(table.contains("accuracy") && table.contains("SSIM") && page.contains("gaussian:std=0.3"));
}

#[test]
fn words_of_users_cannot_become_markup() {
    let (mut summary, traces) = lecture_25(1);
    let hostile = "</title></svg><script>alert(\"x\")</script>'\"&\u{1b}[31m";
    summary.study.title = hostile.into();
    summary.study.name = hostile.into();
    summary.study.notes = vec![hostile.into()];
    summary.command = hostile.into();
    summary.warnings = vec![hostile.into()];
    summary.data.origin = hostile.into();
    summary.data.eval_split = hostile.into();
    summary.workload.model = hostile.into();
    summary.surfaces = surfaces();
    for surface in &mut summary.surfaces {
        (surface.title, surface.equation, surface.lesson) = (hostile.into(), hostile.into(), hostile.into());
        surface.paths.iter_mut().for_each(|path| path.start = hostile.into());
    }
    summary.exhibits = vec![Exhibit {
        title: hostile.into(),
        text: hostile.into(),
        header: vec![hostile.into(); 3],
        rows: vec![vec![hostile.into(); 2], vec![hostile.into(); 4]],
    }];
    for (i, trial) in summary.trials.iter_mut().enumerate() {
        trial.name = format!("{hostile}{i}");
        trial.recipe.set("optimizer", hostile);
        trial.target.as_mut().unwrap().metric = hostile.into();
    }
    summary.verdict = None;
    for (path, bytes) in files(&summary, &traces) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("<script>alert"), "{path}");
        assert!(!text.contains('\u{1b}') || path.ends_with("png"), "{path}");
        assert!(path.chars().all(|c| c.is_ascii_alphanumeric() || "/-.".contains(c)), "{path}");
    }
    assert!(!table::render(&summary, 100, Extent::All).contains('\u{1b}'));
}

#[test]
fn a_recipe_that_learned_with_some_seeds_is_said_to_have_failed_with_the_others() {
    let (mut summary, _) = lecture_25(3);
    let name = summary.trials[0].name.clone();
    let mut runs = summary.trials.iter_mut().filter(|trial| trial.name == name);
    runs.next().unwrap().learned = Some(false);
    let said = |summary: &Summary| {
        let verdict = Verdict::of(summary, Tie::default());
        verdict.sentences.into_iter().find(|line| line.contains("did not learn")).unwrap()
    };
    let text = said(&summary);
    assert!(text.starts_with(&format!("{name} (1 of 3 seeds) did not learn")), "{text}");
    summary
        .trials
        .iter_mut()
        .filter(|trial| trial.name == name)
        .for_each(|trial| trial.learned = Some(false));
    let text = said(&summary);
    assert!(text.starts_with(&format!("{name} did not learn")), "{text}");
}

#[test]
fn a_run_of_flags_is_called_by_what_was_trained_on_what() {
    let titled = |change: &dyn Fn(&mut Summary)| {
        let (mut summary, traces) = lecture_25(1);
        (summary.study.name, summary.study.title) = ("compare".into(), String::new());
        summary.workload.data = "/home/anna/sales.csv".into();
        change(&mut summary);
        let page = html::page(&summary, &traces);
        page.split("<h1>").nth(1).unwrap().split("</h1>").next().unwrap().to_owned()
    };
    assert_eq!(titled(&|_| {}), "3 recipes on sales.csv");
    assert_eq!(
        titled(&|summary| summary.workload.data = "digits:train=9,size=8".into()),
        "3 recipes on digits"
    );
    assert_eq!(titled(&|summary| summary.study.title = "Sales".into()), "Sales");
    assert_eq!(titled(&|summary| summary.study.name = "sweep".into()), "sweep");
}

#[test]
fn numbers_and_specs_of_a_page_are_not_broken_into_lines_and_what_is_the_same_is_said_once() {
    let (mut summary, traces) = lecture_25(3);
    summary.data.classes = 0;
    for group in &mut summary.groups {
        let spread = group.train_loss.as_mut().unwrap();
        (spread.median, spread.low, spread.high) = (0.000_896_61, 0.000_865_12, 0.001_008);
    }
    let page = html::page(&summary, &traces);
    let cell = page.split("<td").find(|cell| cell.contains("[0.000865")).unwrap();
    assert!(cell.starts_with(" class=\"n wraps\">"), "{cell}");
    assert!(cell.contains("<span class=\"whole\">[0.0008651, 0.001008]</span>"), "{cell}");
    assert!(!page.contains("<dt>classes</dt>"), "there are none");
    assert!(page.contains("How the recipes differ") && page.contains("<dt>order</dt>"), "{page}");
    assert!(page.contains("<span class=\"whole\">2026-"), "the date stays in one piece");
}

#[test]
fn a_run_without_trials_is_a_page_all_the_same() {
    let empty = summary(Vec::new());
    check_page(&html::page(&empty, &[]));
    assert_eq!(files(&empty, &[]).len(), 1);
    assert_eq!(table::render(&empty, 100, Extent::All), "");
}

#[test]
fn one_trial_of_one_epoch_or_of_none_is_drawn() {
    for epochs in [0, 1] {
        let (trial, trace) = trial(&ADAM, 1, epochs);
        let summary = summary(vec![trial]);
        check_page(&html::page(&summary, std::slice::from_ref(&trace)));
        assert!(files(&summary, &[trace]).len() > 10);
        assert!(verdict(&summary).join(" ").contains("one seed"), "{:?}", verdict(&summary));
    }
}

#[test]
fn when_all_diverged_there_is_no_winner() {
    let sketches = [Sketch { diverges: true, ..SGD }, Sketch { diverges: true, ..ADAM }];
    let (trials, traces): (Vec<_>, Vec<_>) = sketches.iter().map(|sketch| trial(sketch, 1, 5)).unzip();
    let summary = summary(trials);
    let sentences = verdict(&summary).join(" ");
    assert!(sentences.contains("2 trials diverged"), "{sentences}");
    assert!(!sentences.contains("lowest") && !sentences.contains("first"), "{sentences}");
    check_page(&html::page(&summary, &traces));
}

#[test]
fn numbers_that_are_not_finite_never_reach_a_page_or_a_chart() {
    let (mut summary, mut traces) = lecture_24();
    for (i, value) in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].into_iter().enumerate() {
        let trial = &mut summary.trials[i];
        trial.samples_per_second = Some(value);
        trial.train_seconds = value;
        let row = trial.epochs.last_mut().unwrap();
        (row.train_loss, row.eval_loss, row.eval_accuracy) = (Some(value), Some(value), Some(value));
        row.train_seconds = value;
        trial.status = Status::Failed;
        traces[i].losses = vec![value as f32; 5];
    }
    summary.surfaces = surfaces();
    summary.surfaces[0].values[7] = f64::NAN;
    summary.surfaces[0].paths[0].points[3] = [f64::NAN, 1.0];
    summary.surfaces[1].values.truncate(10);
    check_page(&html::page(&summary, &traces));
    for (path, bytes) in files(&summary, &traces) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(path.ends_with("png") || !text.contains("NaN"), "{path}: {}", around(&text, "NaN"));
    }
}

#[test]
fn the_page_stays_small_whatever_the_run() {
    let (one, trace) = trial(&Sketch { update: "sample", updates_per_epoch: 20_000, ..ADAM }, 1, 100);
    let trials: Vec<_> = (0..2_000)
        .map(|i| {
            let mut trial = one.clone();
            trial.epochs.truncate(if i < 100 { 101 } else { 3 });
            trial.name = format!("{i} {}", "<very long name>".repeat(40));
            trial
        })
        .collect();
    let mut summary = summary(trials);
    summary.study.notes = vec!["<&>".repeat(100_000); 1_000];
    summary.command = "schuss ".repeat(100_000);
    summary.surfaces = std::iter::repeat_with(surfaces).take(20).flatten().collect();
    check_page(&html::page(&summary, &vec![trace; 8]));
}

#[cfg(not(feature = "png"))]
#[test]
fn png_charts_that_were_left_out_say_how_to_build_them_in() {
    let (summary, traces) = lecture_25(1);
    let error = charts(&summary, &traces, Formats::SvgAndPng).unwrap_err();
    assert_eq!((error.exit_code(), error.advice.unwrap().contains("--features png")), (2, true));
}

#[cfg(feature = "png")]
#[test]
fn a_chart_is_the_same_picture_in_both_formats_and_alone_where_svg_suffices() {
    let (summary, traces) = lecture_25(1);
    let both = files(&summary, &traces);
    let svgs = charts(&summary, &traces, Formats::Svg).unwrap();
    assert_eq!(both.len(), 1 + 2 * svgs.len());
    for (name, bytes) in svgs {
        assert!(both[&name] == bytes && both.contains_key(&name.replace(".svg", ".png")), "{name}");
    }
}

#[test]
fn page_and_terminal_lead_with_the_verdict_and_its_interval_then_one_table() {
    let (summary, traces) = lecture_25(5);
    let lead = "Adam reached test accuracy ≥ 96 % first, after ";
    let text = table::overview(&summary, 100, Extent::Verdict);
    assert!(text.starts_with(lead) && text.contains(" s of training (median; range "), "{text}");
    assert!(text.contains("Verdict\n") && text.contains("P(best) %"), "{text}");
    assert!(
        text.contains("With -v, and in the report: Loss and accuracy over seeds; Time over seeds;"),
        "{text}"
    );
    let all = table::overview(&summary, 100, Extent::All);
    assert!(all.contains("s/epoch") && !text.contains("s/epoch"), "{all}");
    let page = html::page(&summary, &traces);
    let [sentence, table] = [page.find("Adam reached").unwrap(), page.find("P(best)").unwrap()];
    assert!(sentence < table && table < page.find("class=\"verdict\"").unwrap(), "then the rest");
    for wrong in ["No recipe reached", "of medians would fall", "do not overlap"] {
        assert!(!page.contains(wrong) && !all.contains(wrong), "{wrong}");
    }
}

#[test]
fn the_most_common_class_of_the_split_looked_at_is_the_level_of_accuracy_in_charts_tables_and_sentences() {
    let (mut summary, traces) = lecture_24();
    let sentences = |summary: &Summary| {
        let files = files(summary, &traces);
        let chart = String::from_utf8(files["accuracy-epochs.svg"].clone()).unwrap();
        let table: Vec<String> =
            table::render(summary, 100, Extent::All).split_whitespace().map(str::to_owned).collect();
        [chart, table.join(" "), verdict(summary).join(" ")]
    };
    let parts = |exact: &str| {
        [
            format!("most common class: {exact} %"),
            format!("always predicting the most common class has an accuracy of {exact} %"),
            format!("(the most common class alone: {exact} %)"),
        ]
    };
    for (text, part) in sentences(&summary).iter().zip(parts("11.35")) {
        assert!(text.contains(&part), "`{part}` is not in {text}");
    }
    summary.data.eval_split = "validation".into();
    let chance = summary.data.chance.as_mut().unwrap();
    (chance.validation, chance.test) = (Some(0.5625), 0.9);
    summary.verdict = None;
    for (text, part) in sentences(&summary).iter().zip(parts("56.25")) {
        assert!(text.contains(&part), "`{part}` is not in {text}");
    }
}

#[test]
fn a_tuned_run_shows_loss_against_rate_with_the_good_basins_and_the_cost() {
    let (mut summary, traces) = lecture_25(1);
    let probe = |rate: f64| ProbePoint {
        values: [("lr".to_owned(), rate)].into(),
        rung: 0,
        updates: if rate < 0.1 { 375 } else { 24 }, // with other samples per update
        loss: (rate < 5.0).then(|| 0.1 + (rate.log10() + 1.0).powi(2)),
        losses: vec![],
        target_seconds: (rate < 1.0).then(|| 2.0 / rate),
    };
    let recipe = |name: &str| TunedRecipe {
        name: name.to_owned(),
        at_best: format!("{name} lr=0.1"),
        at_same_rate: None,
        chosen: [("lr".to_owned(), 0.1)].into(),
        inside: true,
        judged_by: if name == "sgd" { JudgedBy::Loss } else { JudgedBy::Target },
        ranges: BTreeMap::new(),
        good_rates: Some(Bounds { low: 0.05, high: 0.2 }),
        cost: TuningCost::default(),
        probes: [0.001, 0.01, 0.1, 1.0, 10.0].map(probe).into(),
    };
    summary.tuning = Some(TuningRecord {
        keys: vec!["lr".to_owned()],
        cost: TuningCost { probes: 10, updates: 3_750, train_seconds: 4.5 },
        counts: false,
        same_rate: Some(0.1),
        recipes: ["sgd", "adam"].map(recipe).into(),
    });
    let files = files(&summary, &traces);
    assert!(files.contains_key("tuning-loss.svg") && files.contains_key("tuning-seconds.svg"));
    let chart = str::from_utf8(&files["tuning-loss.svg"]).unwrap();
    let dots = chart.split_once("class=\"dot\"").unwrap().1.split('>').next().unwrap();
    assert_eq!(dots.matches('M').count(), 4, "all probes of the first rung, whatever their updates: {dots}");
    let page = str::from_utf8(&files["report.html"]).unwrap();
    check_page(page);
    for part in [
        "more than the lowest loss: sgd 0.050 to 0.20, 4.0-fold.",
        "more than the shortest time: adam 0.050 to 0.20, 4.0-fold.",
        "tuning lr took 10 probes",
        "3,750 updates and 4.50 s of training",
    ] {
        assert!(page.contains(part), "{part}");
    }
}
