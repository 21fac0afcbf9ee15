//! Studies whose seeds split the data differently.

use schuss::data::Dataset;
use schuss::optim::Sgd;
use schuss::recipe::{ChoiceKey, Workload};
use schuss::record::TrialRecord;
use schuss::study::Study;
use schuss::{Budget, Recipe, Trial};

fn data(choice: ChoiceKey, text: &str, memory: Option<u64>) -> Dataset {
    let mut workload = Workload::of("digits:train=300,test=60,size=8");
    workload.choices.set(choice, text).unwrap();
    if choice == ChoiceKey::Resample {
        workload.choices.set(ChoiceKey::Validation, "0.2").unwrap();
    }
    workload.load(memory, None).unwrap()
}

fn study(data: &Dataset) -> Study {
    let recipe = Recipe { optimizer: Sgd { lr: 0.1, ..Sgd::default() }.into(), ..Recipe::default() };
    let budget = Budget { epochs: 2, ..Budget::default() };
    let trial = Trial { model: "64-10".parse().unwrap(), recipe, budget, ..Trial::default() };
    Study::of([trial], data).unwrap()
}

fn trials(study: &Study, data: &Dataset) -> Vec<TrialRecord> {
    let summary = study.run(data).unwrap().summary;
    assert_eq!(summary.data.fingerprint, data.fingerprint().unwrap());
    summary.trials.to_vec()
}

#[test]
fn folds_are_the_same_and_train_to_the_same_bits_in_memory_or_streamed() {
    let [resident, streamed] = [None, Some(60_000)].map(|memory| data(ChoiceKey::Folds, "3x2", memory));
    assert!(resident.train.resident().is_some() && streamed.train.resident().is_none());
    let [resident, streamed] = [resident, streamed].map(|data| trials(&study(&data), &data));
    assert_eq!(resident.iter().map(|trial| trial.seed).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    for (one, other) in resident.iter().zip(&streamed) {
        assert_eq!((one.seed, &one.held_out, &one.state), (other.seed, &other.held_out, &other.state));
        assert_eq!(one.epochs.last().unwrap().eval_loss, other.epochs.last().unwrap().eval_loss);
    }
    let mut held_out: Vec<&String> = resident.iter().filter_map(|trial| trial.held_out.as_ref()).collect();
    held_out.sort();
    held_out.dedup();
    assert_eq!(held_out.len(), 6);
}

#[test]
fn a_seed_trains_on_the_split_it_has_by_itself() {
    let data = data(ChoiceKey::Resample, "true", None);
    let study = study(&data).with_seeds([1, 4]).unwrap();
    let together = trials(&study, &data);
    let alone = trials(&study.with_seeds([4]).unwrap(), &data);
    assert_eq!((&together[1].held_out, &together[1].state), (&alone[0].held_out, &alone[0].state));
    assert_ne!(together[0].held_out, together[1].held_out);
    assert_eq!(together[0].held_out, Some(data.held_out.unwrap().hash));
}
