use super::*;
use crate::loss::{Mse, Targets};
use schuss_data::Dataset;

fn digits() -> Dataset {
    schuss_data::load("digits:train=60,test=30,size=8").unwrap()
}

/// Resolves words of `--trial` on digits of 8 x 8 pixels.
fn trial(words: &str) -> Trial {
    let choices = Choices::parse_trial(words).unwrap().1;
    choices.resolve("trial", &digits()).unwrap().resolved(60)
}

#[test]
fn a_key_has_one_row_one_line_and_no_alias_of_another() {
    let rows = || ChoiceKey::ALL.iter().map(|key| key.row());
    for (key, row) in ChoiceKey::ALL.iter().zip(rows()) {
        assert_eq!(ChoiceKey::named(row.key), Some(*key));
        assert_eq!(ChoiceKey::named(&row.flag()), Some(*key));
        let is_alias = |alias: &&&str| rows().any(|other| other.flag() == **alias);
        assert_eq!(row.aliases.iter().find(is_alias), None, "{}", row.key);
        let has_line = |other: &&Row| other.line == row.line && other.is_of_trial() == row.is_of_trial();
        let alike = rows().filter(has_line).count();
        assert!(alike == 1 || !matches!(row.line, Line::Number(_)), "{}", row.key);
    }
    let names: std::collections::BTreeSet<&str> = rows().flat_map(|row| row.aliases).copied().collect();
    assert_eq!(
        names.len(),
        rows().map(|row| row.aliases.len()).sum::<usize>(),
        "no alias stands for two choices"
    );
}

/// Identities recorded before there was a table of choices.
#[test]
fn trials_keep_the_identities_they_had() {
    for (words, id) in [
        ("model=64-12-10 epochs=1", "79827cbab3d6"),
        (
            "model=64-12-10 epochs=2 order=blocks:8 update=sample optimizer=adam:lr=1e-3 schedule=cosine \
             noise=gaussian:std=0.3 max_updates=30 target=eval_accuracy>=0.97 beyond_target=true stop=train_loss<0.1 \
             matmul_precision=high eval_every=60",
            "601a180bad54",
        ),
        (
            "model=linear:12,batch-norm,relu,linear:10 stats=10 init=kaiming-normal loss=multi-margin epochs=1",
            "380403746b5a",
        ),
    ] {
        assert_eq!(trial(words).config_id(), id, "{words}");
    }
    let rest = "model = 3-4-1\ntargets = real\nnoise = none\ninit = pytorch\nupdate = batch:100\norder = shuffled\n\
                optimizer = sgd:lr=0.1\nschedule = constant\nloss = mse\nstats = update\nmatmul_precision = highest\n\
                epochs = 1\nmax_updates = none\ntarget = none\nbeyond_target = false\nstop = none\n";
    let of = |text: &str| {
        let mut trial = Trial { targets: Targets::Real, model: "3-4-1".parse().unwrap(), ..Trial::default() };
        trial.recipe.loss = Mse::default().into();
        trial.budget.epochs = 1;
        let mut workload = crate::recipe::Workload::of("t.csv");
        for word in text.split(' ') {
            let (key, value) = word.split_once('=').unwrap();
            match ChoiceKey::named(key).unwrap() {
                ChoiceKey::TargetScale => trial.target_scale = Some(value.parse().unwrap()),
                key => workload.choices.set(key, value).unwrap(),
            }
        }
        Trial { data: workload.spec("t.csv"), ..trial }
    };
    let none =
        of("normalisation=none missing_values=NA label=y delimiter=, validation=0.30 target_scale=none");
    assert_eq!(
        none.canonical(),
        format!(
            "data = t.csv label=y validation=0.3 delimiter=, missing-values=NA normalisation=none\n{rest}"
        )
    );
    assert_eq!(none.config_id(), "e509a3b1d61e");
    assert_eq!(of("label=y").config_id(), "7a637334e0fc");
    assert!(of("label=y").canonical().ends_with("stop = none\ntarget_scale = standard\n"));
    assert_eq!(trial("early_stop=none").config_id(), trial("epochs=10").config_id());
    assert!(trial("early_stop=gl").canonical().ends_with("stop = none\nearly_stop = gl:alpha=5\n"));
}

#[test]
fn evaluations_are_part_of_the_identity_where_they_are_those_of_the_grid() {
    let id = |words: &str| trial(words).config_id();
    let plain = id("model=64-10");
    assert_eq!(
        [id("model=64-10 eval_every=7"), id("model=64-10 eval_every=epoch")],
        [plain.clone(), plain.clone()]
    );
    assert_ne!(id("model=64-10 eval_every=auto"), plain);
    let typed = id("model=64-10 target=eval_loss<0.1 eval_every=7");
    let usual = id("model=64-10 target=eval_loss<0.1");
    assert!(usual != typed && usual == id("model=64-10 target=eval_loss<0.1 eval_every=auto"));
    assert!(
        trial("model=64-10 target=eval_loss<0.1").canonical().ends_with("stop = none\neval_every = auto\n")
    );
}

#[test]
fn a_device_is_in_identity_and_record_unless_it_is_the_processor() {
    let (plain, card) = (trial("model=64-10"), trial("model=64-10 device=gpu"));
    assert_eq!(trial("model=64-10 device=cpu").config_id(), plain.config_id());
    assert_ne!(card.config_id(), plain.config_id());
    assert_eq!((card.record().get("device").as_deref(), plain.record().get("device")), (Some("gpu"), None));
}

#[test]
fn records_list_the_recipe_in_the_order_they_always_had() {
    let all = "model=linear:12,batch-norm,linear:10 stats=10 noise=masking:p=0.5";
    assert_eq!(
        serde_json::to_string(&trial(all).record()).unwrap(),
        r#"{"update":"batch:100","order":"shuffled","optimizer":"sgd:lr=0.1","schedule":"constant","loss":"cross-entropy","init":"pytorch","stats":10,"targets":"class","noise":"masking:p=0.5","matmul_precision":"highest"}"#
    );
    let from = Trial { init_from: Some("w.safetensors".into()), ..trial("model=64-10") };
    assert_eq!(from.record().get("init").as_deref(), Some("file:w.safetensors"));
    assert!(from.canonical().contains("\ninit = file:w.safetensors\n"));
}

#[test]
fn the_choices_of_a_trial_resolve_into_the_trial() {
    for words in [
        "model=64-12-10",
        "model=64-12-10 dialect=keras optimizer=adam noise=masking:p=0.5 schedule=step:step_size=3 stop=train_loss<0.1",
        "model=linear:12,batch-norm,linear:10 stats=10 target=eval_loss<0.1 beyond_target=true max_updates=7",
        "targets=input model=64-4-64 matmul_precision=medium init=zeros",
        "early_stop=up:s=2,k=3",
        "device=gpu:H100",
        "dialect=sklearn",
    ] {
        let trial = trial(words);
        assert_eq!(Choices::of(&trial).resolve("trial", &digits()).unwrap(), trial, "{words}");
        assert_eq!(Choices::of(&trial).idle(&trial, &digits()), None, "{words}");
    }
}

#[test]
fn defaults_in_help_are_those_of_a_trial() {
    for key in
        [ChoiceKey::Update, ChoiceKey::Order, ChoiceKey::Optimizer, ChoiceKey::Schedule, ChoiceKey::Init]
    {
        assert_eq!(key.get(&Trial::default()).as_deref(), Some(key.row().default));
    }
    assert!(ChoiceKey::Epochs.row().help.contains(&format!("[default: {}]", Trial::default().budget.epochs)));
}

#[test]
fn a_choice_without_effect_is_known_and_a_typed_default_is_not_one() {
    let idle = |words: &str| {
        let choices = Choices::parse_trial(words).unwrap().1;
        let trial = choices.resolve("trial", &digits()).unwrap();
        choices.idle(&trial, &digits()).map(|(_, error)| error.to_string())
    };
    for (words, part) in [
        ("stats=10", "stats has no effect on model `64-400-256-10`, it is for batch-norm and activity-kl"),
        ("target_scale=standard", "target_scale has no effect on classes"),
        ("init=zeros init_from=w", "init has no effect on weights loaded from w"),
        ("beyond_target=true", "beyond_target has no effect without a target"),
        ("optimizer=cg schedule=cosine", "schedule has no effect on optimizer `cg"),
        (
            "early_stop=up:3 epochs=14",
            "early_stop has no effect in 14 epochs, `up:s=3` cannot stop before epoch 15",
        ),
    ] {
        let error = idle(words).unwrap_or_default();
        assert!(
            error.contains(part) && error.contains("--trial, key ") && error.contains("leave it out"),
            "{error}"
        );
    }
    for words in [
        "target_scale=none",
        "init=pytorch init_from=w",
        "beyond_target=false",
        "optimizer=cg schedule=constant",
        "optimizer=l-bfgs schedule=cosine",
        "matmul_precision=high update=sample",
        "dialect=torch",
        "order=sequential update=epoch",
        "early_stop=up:3 epochs=15",
        "early_stop=none",
    ] {
        assert_eq!(idle(words), None, "{words}");
    }
}
