//! Data before samples are held out, and how they are divided: for all trials, or anew for every seed.

use crate::random::Purpose;
use crate::split::hold_out::{Divided, HeldOut, SEED, hold_out, hold_out_fold};
use crate::split::resampling::{Folds, Resampling};
use crate::{Cause, Dataset, Error, Place, Request, Result, Samples, Split};
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// Fraction of the samples held out as the test split if none is given.
const TEST_SHARE: f64 = 0.2;

impl Dataset {
    /// Returns the data set as trials with this seed split it: itself unless every seed draws its own splits.
    ///
    /// # Errors
    /// Any error from reading the samples.
    pub fn for_seed(&self, seed: u64) -> Result<Self> {
        let is_own = self.held_out.as_ref().is_none_or(|held_out| held_out.seed == seed);
        let Some(resampled) = self.resampled.as_ref().filter(|_| !is_own) else { return Ok(self.clone()) };
        let Resampled { source, request, .. } = &**resampled;
        let divided = source.clone().divide(request, seed)?.prepared(request)?;
        Ok(Self { name: self.name.clone(), resampled: self.resampled.clone(), ..divided })
    }

    /// Returns the data set with one test split for all seeds, its own, if every seed draws its own splits: what is chosen
    /// by their validation splits has then seen no test sample. Its own validation split stays as it is.
    ///
    /// # Errors
    /// Any error from reading the samples.
    pub fn with_one_test(&self) -> Result<Self> {
        let Some(resampled) = &self.resampled else { return Ok(self.clone()) };
        let Resampled { how, source, request } = &**resampled;
        let source = source.clone().with_test()?;
        let divided = source.clone().divide(request, SEED)?.prepared(request)?;
        let resampled = Arc::new(Resampled { how: *how, source, request: request.clone() });
        Ok(Self { name: self.name.clone(), resampled: Some(resampled), ..divided })
    }
}

/// Data as they were loaded, whose splits may be drawn anew with every seed.
#[derive(Clone, Debug)]
pub struct Resampled {
    /// Way in which splits depend on the seed.
    pub how: Resampling,
    source: Undivided,
    request: Request,
}

impl Resampled {
    /// Returns the bytes of the samples as they were loaded, which stay in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.source.data.splits().map(|(_, split)| split.bytes()).sum()
    }
}

/// Data before anything is held out.
#[derive(Clone, Debug)]
pub(crate) struct Undivided {
    pub(crate) data: Dataset,
    /// True if a test split is given.
    pub(crate) has_test: bool,
}

impl Undivided {
    /// Divides the data for the first seed, normalises them, and keeps them for others if these split them differently.
    ///
    /// # Errors
    /// A data error if a split is empty, usage errors for choices without effect, or any error from reading the samples.
    pub(crate) fn with(self, request: &Request) -> Result<Dataset> {
        if request.whole {
            return Ok(self.data);
        }
        let resampled = match request.resampling {
            Some(how) => {
                self.check(how, request)?;
                Some(Arc::new(Resampled { how, source: self.clone(), request: request.clone() }))
            }
            None => None,
        };
        Ok(Dataset { resampled, ..self.divide(request, SEED)?.prepared(request)? })
    }

    /// Holds out the test split of the first seed, unless one is given.
    fn with_test(self) -> Result<Self> {
        if self.has_test {
            return Ok(self);
        }
        let mut drawing = Drawing::of(self.data.train, SEED);
        let test = drawing.hold_out("test", TEST_SHARE, Purpose::Test)?;
        Ok(Self { data: Dataset { train: drawing.train, test, ..self.data }, has_test: true })
    }

    /// Refuses data that no seed splits differently, and folds that would be a second validation split.
    fn check(&self, how: Resampling, request: &Request) -> Result<()> {
        let Dataset { name, validation, .. } = &self.data;
        let (error, advice) = match how {
            Resampling::Random if self.has_test && request.validation.is_none() => (
                Error::usage(format!("resample has no effect on {name}, whose test split is given"))
                    .because(Cause::NoEffect)
                    .at(Place::flag("resample")),
                "with --validation 0.1 every seed holds out other training samples; the test split stays as it is",
            ),
            Resampling::Folds(_) if self.has_test && validation.is_some() => (
                Error::usage(format!(
                    "{name} has a validation and a test split of its own, so there is none for a fold"
                ))
                .because(Cause::Conflict)
                .at(Place::flag("folds")),
                "leave it out",
            ),
            Resampling::Folds(_) if self.has_test && request.validation.is_some() => (
                Error::usage(format!(
                    "{name} has a test split of its own, so the held-out fold is the validation split"
                ))
                .because(Cause::Conflict)
                .at(Place::flag("validation")),
                "leave it out",
            ),
            _ => return Ok(()),
        };
        Err(error.advise(advice))
    }

    /// Holds out the splits that are not given: of these samples, the seed draws some.
    fn divide(self, request: &Request, seed: u64) -> Result<Dataset> {
        let Dataset { train, mut validation, mut test, .. } = self.data;
        let mut drawing = Drawing::of(train, seed);
        let at_data = |error: Error| error.or_at(Place::data(&self.data.name));
        match request.resampling {
            Some(Resampling::Folds(folds)) => {
                let name = if self.has_test { "validation" } else { "test" };
                let fold = drawing.hold_out_fold(name, folds, &self.data.classes).map_err(at_data)?;
                if self.has_test { validation = Some(fold) } else { test = fold }
            }
            _ if !self.has_test => {
                test = drawing.hold_out("test", TEST_SHARE, Purpose::Test).map_err(at_data)?;
            }
            _ => {}
        }
        let has_validation = validation.is_some();
        let given =
            [("train", Some(&drawing.train)), ("validation", validation.as_ref()), ("test", Some(&test))];
        if let Some((name, _)) = given.iter().find(|(_, split)| split.is_some_and(Split::is_empty)) {
            return Err(at_data(Error::data(format!("the {name} split is empty"))));
        }
        if let Some(share) = request.validation {
            check_validation(share, has_validation)?;
            validation = Some(drawing.hold_out("validation", share, Purpose::Validation)?);
        }
        let held_out = Some(drawing.held).filter(|held| !held.drawn.is_empty());
        Ok(Dataset { train: drawing.train, validation, test, held_out, ..self.data })
    }
}

/// Refuses a share that leaves nothing, and a second validation split.
fn check_validation(share: f64, has_validation: bool) -> Result<()> {
    let refuse =
        |what: &str, advice: &str| Err(Error::usage(what).at(Place::flag("validation")).advise(advice));
    if !(share > 0.0 && share < 1.0) {
        return refuse("the held-out fraction must be above 0 and below 1", "0.1");
    }
    if has_validation {
        return refuse("the data already have a validation split", "leave it out");
    }
    Ok(())
}

/// Samples from which splits are being held out.
struct Drawing {
    train: Split,
    held: HeldOut,
}

impl Drawing {
    fn of(train: Split, seed: u64) -> Self {
        Self { train, held: HeldOut { seed, ..HeldOut::default() } }
    }

    fn hold_out(&mut self, name: &str, share: f64, purpose: Purpose) -> Result<Split> {
        let seed = self.held.seed;
        self.take(name, |train| hold_out(train, share, seed, purpose))
    }

    fn hold_out_fold(&mut self, name: &str, folds: Folds, classes: &[String]) -> Result<Split> {
        let fold = folds.of_seed(self.held.seed);
        self.take(name, |train| hold_out_fold(train, folds, fold, classes))
    }

    /// Takes a split out of the training samples; the hash goes on from that of the split before.
    fn take(&mut self, name: &str, divide: impl FnOnce(Split) -> Result<Divided>) -> Result<Split> {
        let train = std::mem::replace(&mut self.train, Samples::default().into());
        let Divided { rest, held, indices } = divide(train)?;
        let mut hash = Xxh3::new();
        hash.update(self.held.hash.as_bytes());
        indices.iter().for_each(|index| hash.update(&index.to_le_bytes()));
        self.held.hash = format!("{:032x}", hash.digest128());
        self.held.drawn.push(name.to_owned());
        self.train = rest;
        Ok(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Labels, Shape, Values};

    /// 60 samples of two classes, numbered.
    fn samples() -> Samples {
        let values = Values::Floats((0..60_u8).map(f32::from).collect());
        Samples::new(values, Labels::Class((0..60).map(|i| u32::from(i % 3 == 0)).collect()), 1).unwrap()
    }

    fn undivided(has_test: bool) -> Undivided {
        let test = if has_test { samples() } else { Samples::default() };
        let names = ["no", "yes"].map(String::from).to_vec();
        Undivided { data: Dataset::given("x", Shape::Flat(1), names, samples(), test), has_test }
    }

    fn request(resampling: Option<&str>, validation: Option<f64>) -> Request {
        let how = |text: &str| match text {
            "random" => Resampling::Random,
            folds => Resampling::Folds(folds.parse().unwrap()),
        };
        Request { resampling: resampling.map(how), validation, ..Request::default() }
    }

    fn loaded(has_test: bool, resampling: Option<&str>, validation: Option<f64>) -> Dataset {
        undivided(has_test).with(&request(resampling, validation)).unwrap()
    }

    fn numbers(split: &Split) -> Vec<f32> {
        let all = split.read(&(0..split.len() as u64).collect::<Vec<_>>()).unwrap();
        match all.values() {
            Values::Floats(floats) => floats.clone(),
            Values::Bytes(_) => vec![],
        }
    }

    #[test]
    fn seed_1_has_the_splits_of_data_that_are_not_resampled_and_others_have_their_own() {
        let (fixed, data) = (loaded(false, None, Some(0.1)), loaded(false, Some("random"), Some(0.1)));
        assert_eq!(data.held_out, fixed.held_out);
        assert_eq!(data.fingerprint().unwrap(), fixed.fingerprint().unwrap());
        assert_eq!(fixed.for_seed(7).unwrap().held_out, fixed.held_out);
        let mut hashes = vec![];
        for seed in 1..=4 {
            let own = data.for_seed(seed).unwrap();
            let held = own.held_out.clone().unwrap();
            assert_eq!((held.seed, held.drawn), (seed, vec!["test".to_owned(), "validation".to_owned()]));
            let splits = [&own.train, own.validation.as_ref().unwrap(), &own.test];
            assert_eq!(splits.map(Split::len), [43, 5, 12]);
            let mut all: Vec<f32> = splits.into_iter().flat_map(numbers).collect();
            all.sort_by(f32::total_cmp);
            assert_eq!(all, numbers(&samples().into()), "every sample is in one split");
            assert!(!hashes.contains(&held.hash));
            hashes.push(held.hash);
        }
        assert_eq!(
            data.for_seed(2).unwrap().for_seed(1).unwrap().held_out,
            data.for_seed(1).unwrap().held_out
        );
    }

    #[test]
    fn with_one_test_split_seeds_draw_their_validation_splits_alone_and_no_test_sample_is_in_one() {
        let drawn = loaded(false, Some("random"), Some(0.2));
        let data = drawn.with_one_test().unwrap();
        assert_eq!(data.fingerprint().unwrap(), drawn.fingerprint().unwrap(), "the first seed's splits");
        assert_eq!(data.held_out.as_ref().unwrap().drawn, ["validation"]);
        let validation = |data: &Dataset| numbers(data.validation.as_ref().unwrap());
        let mut seen = vec![validation(&data)];
        for seed in 2..=4 {
            let own = data.for_seed(seed).unwrap();
            assert_eq!(numbers(&own.test), numbers(&data.test));
            let used = [numbers(&own.train), validation(&own)].concat();
            assert!(used.len() == 48 && numbers(&own.test).iter().all(|held| !used.contains(held)));
            assert!(!seen.contains(&validation(&own)));
            seen.push(validation(&own));
        }
        assert_eq!(loaded(true, None, None).with_one_test().unwrap().test.len(), 60);
    }

    #[test]
    fn a_fold_is_the_test_split_or_the_validation_split_of_data_that_have_one_of_their_own() {
        for (has_test, drawn) in [(false, "test"), (true, "validation")] {
            let data = loaded(has_test, Some("5x2"), None);
            let mut held = vec![];
            for seed in 1..=5 {
                let own = data.for_seed(seed).unwrap();
                assert_eq!(own.held_out.as_ref().unwrap().drawn, [drawn]);
                assert_eq!((own.train.len(), own.evaluated().len()), (48, 12));
                assert_eq!(own.evaluated().class_counts(2).unwrap(), [8, 4]);
                held.extend(numbers(own.evaluated()));
                let training = numbers(&own.train);
                assert!(numbers(own.evaluated()).iter().all(|held| !training.contains(held)));
                assert_eq!(own.test.len(), if has_test { 60 } else { 12 });
            }
            held.sort_by(f32::total_cmp);
            assert_eq!(held, numbers(&samples().into()));
        }
    }

    #[test]
    fn the_normalisation_is_that_of_the_seeds_own_training_samples() {
        let data = Request { normalisation: Some(crate::Normalise::Standard), ..request(Some("5"), None) };
        let data = undivided(false).with(&data).unwrap();
        assert_ne!(data.for_seed(1).unwrap().normalisation, data.for_seed(2).unwrap().normalisation);
    }

    #[test]
    fn what_no_seed_could_change_and_a_second_validation_split_are_refused() {
        let refused = |has_test, resampling, validation| {
            let error = undivided(has_test).with(&request(Some(resampling), validation)).unwrap_err();
            (error.exit_code(), error.what)
        };
        let (code, what) = refused(true, "random", None);
        assert!(code == 2 && what.contains("whose test split is given"), "{what}");
        let (code, what) = refused(true, "5", Some(0.1));
        assert!(code == 2 && what.contains("the held-out fold is the validation split"), "{what}");
        let (code, what) = refused(false, "30", None);
        assert!(code == 3 && what.contains("`yes` has 20"), "{what}");
        assert_eq!(loaded(true, Some("random"), Some(0.1)).validation.unwrap().len(), 6);
    }
}
