//! Names used by PyTorch, optax, Keras and scikit-learn for the same choices. Records always contain our own name.

use super::Item;
use crate::{Error, Result};
use std::borrow::Cow;

/// A name in another library, without `-` and `_`, and our spec for it, possibly with keys.
type Alias = (&'static str, &'static str);

const OPTIMIZERS: &[Alias] = &[
    ("amsgrad", "adam:amsgrad=true"),
    ("adamwschedulefree", "schedule-free-adamw"),
    ("adamscheduledfree", "schedule-free-adamw"),
    ("sgdschedulefree", "schedule-free-sgd"),
    ("dadaptadam", "d-adapt-adam"),
    ("dadaptation", "d-adapt-adam"),
    ("conjugategradient", "cg"),
    ("conjugategradients", "cg"),
    ("lm", "levenberg-marquardt"),
    ("clipbyglobalnorm", "clip-global-norm"),
    ("clipgradnorm", "clip-global-norm"),
    ("clipgradvalue", "clip-value"),
    ("clip", "clip-value"),
    ("adaptivegradclip", "clip-adaptive"),
    ("adddecayedweights", "weight-decay"),
    ("addnoise", "noise"),
    ("applyifnotfinite", "skip-non-finite"),
    ("applyiffinite", "skip-non-finite"),
];

const LOSSES: &[Alias] = &[
    ("categoricalcrossentropy", "cross-entropy"),
    ("sparsecategoricalcrossentropy", "cross-entropy"),
    ("softmaxcrossentropy", "cross-entropy"),
    ("softmaxcrossentropywithintegerlabels", "cross-entropy"),
    ("logloss", "cross-entropy"),
    ("log", "cross-entropy"),
    ("ce", "cross-entropy"),
    ("xent", "cross-entropy"),
    ("bcewithlogits", "bce"),
    ("bceloss", "bce:logits=false"),
    ("binarycrossentropy", "bce"),
    ("sigmoidbinarycrossentropy", "bce"),
    ("negativeloglikelihood", "nll"),
    ("meansquarederror", "mse"),
    ("squarederror", "mse"),
    ("l2", "mse"),
    ("meanabsoluteerror", "l1"),
    ("absoluteerror", "l1"),
    ("mae", "l1"),
    ("sigmoidfocal", "focal"),
    ("binaryfocalcrossentropy", "focal"),
    ("kldiv", "kl"),
    ("kldivergence", "kl"),
    ("kullbackleiblerdivergence", "kl"),
    ("poissonnll", "poisson"),
    ("cosineembedding", "cosine"),
    ("cosinesimilarity", "cosine"),
    ("categoricalhinge", "multi-margin"),
    ("multiclasshinge", "multi-margin"),
];

const SCHEDULES: &[Alias] = &[
    ("multiplestep", "multistep"),
    ("piecewiseconstant", "piecewise"),
    ("piecewiseconstantdecay", "piecewise"),
    ("piecewiseconstantschedule", "piecewise"),
    ("cosineannealing", "cosine"),
    ("cosinedecay", "cosine"),
    ("cosineannealingwarmrestarts", "cosine-restarts"),
    ("cosinedecayrestarts", "cosine-restarts"),
    ("sgdr", "cosine-restarts"),
    ("reducelronplateau", "plateau"),
    ("reduceonplateau", "plateau"),
    ("cosineonecycle", "one-cycle"),
    ("cyclical", "cyclic"),
    ("clr", "cyclic"),
    ("inversetimedecay", "inverse-time"),
    ("polynomialdecay", "polynomial"),
    ("poly", "polynomial"),
    ("none", "constant"),
    ("linearwarmup", "warmup"),
    ("warmupstabledecay", "wsd"),
];

const LAYERS: &[Alias] = &[
    ("dense", "linear"),
    ("fc", "linear"),
    ("fullyconnected", "linear"),
    ("batchnorm1d", "batch-norm"),
    ("batchnormalization", "batch-norm"),
    ("bn", "batch-norm"),
    ("layernormalization", "layer-norm"),
    ("swish", "silu"),
    ("logistic", "sigmoid"),
    ("hardsilu", "hard-swish"),
    ("logsigmoid", "log-sigmoid"),
    ("gelunew", "gelu-tanh"),
    ("geluapproximate", "gelu-tanh"),
    ("hardtanh1", "hard-tanh"),
    ("avgpool2d", "avg-pool"),
    ("averagepooling2d", "avg-pool"),
];

const INITS: &[Alias] = &[
    ("glorotuniform", "xavier-uniform"),
    ("glorotnormal", "xavier-normal"),
    ("heuniform", "kaiming-uniform"),
    ("henormal", "kaiming-normal"),
    ("lecununiform", "kaiming-uniform:gain=1"),
    ("lecunnormal", "kaiming-normal:gain=1"),
    ("orthogonalinitializer", "orthogonal"),
    ("zero", "zeros"),
    ("default", "pytorch"),
    ("torch", "pytorch"),
];

const NOISES: &[Alias] = &[("normal", "gaussian"), ("gaussiannoise", "gaussian"), ("dropout", "masking")];

/// Names without a counterpart of the same kind: kind, name, and what to write instead.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("device", "cuda", "--device gpu, which uses any card through Vulkan, Metal or DirectX"),
    ("device", "mps", "--device gpu, which uses any card through Vulkan, Metal or DirectX"),
    ("device", "xpu", "--device gpu, which uses any card through Vulkan, Metal or DirectX"),
    ("optimizer", "momentum", "sgd:lr=0.1,momentum=0.9"),
    ("optimizer", "nag", "sgd:lr=0.1,momentum=0.9,nesterov=true"),
    ("optimizer", "nesterov", "sgd:lr=0.1,momentum=0.9,nesterov=true"),
    ("optimizer", "sgdm", "sgd:lr=0.1,momentum=0.9"),
    ("optimizer", "bfgs", "l-bfgs"),
    ("optimizer", "newton", "l-bfgs, or levenberg-marquardt for squared errors"),
    ("optimizer", "gd", "sgd with --update epoch"),
    ("optimizer", "bgd", "sgd with --update epoch"),
    ("optimizer", "sparseadam", "adam"),
    ("optimizer", "sam", "sam+sgd:lr=0.1,momentum=0.9, or sam+ before another rule"),
    ("loss", "logcosh", "huber, which is close to it"),
    ("schedule", "invscaling", "inverse-time:decay_rate=0.01"),
    ("schedule", "adaptive", "plateau"),
    ("schedule", "warmupcosine", "warmup:500+cosine"),
    ("schedule", "warmupcosinedecay", "warmup:500+cosine"),
    ("schedule", "cosinewithwarmup", "warmup:500+cosine"),
    ("schedule", "linearwithwarmup", "warmup:500+polynomial"),
    ("schedule", "sequential", "schedules with + between them: warmup:500+cosine"),
    ("layer", "softmax", "leave it out: cross-entropy takes the outputs as they are"),
    ("layer", "conv2d", "linear:400,relu; there are no convolutions"),
    ("layer", "maxpool2d", "avg-pool:2; there is no pooling by maxima"),
    ("layer", "lstm", "linear:400,relu; there are no recurrent layers"),
    (
        "init",
        "normal",
        "kaiming-normal or xavier-normal, whose standard deviation follows from the layer's size",
    ),
    ("init", "uniform", "kaiming-uniform or xavier-uniform, whose bounds follow from the layer's size"),
];

/// Choice (empty for any), its key in another library without `_`, and our key.
const KEYS: &[(&str, &str, &str)] = &[
    ("", "learningrate", "lr"),
    ("", "learningrateinit", "lr"),
    ("", "initiallearningrate", "lr"),
    ("", "eta", "lr"),
    ("", "eta0", "lr"),
    ("", "epsilon", "eps"),
    ("", "b1", "beta1"),
    ("", "b2", "beta2"),
    ("", "wd", "weight_decay"),
    ("", "l2", "weight_decay"),
    ("", "mom", "momentum"),
    ("", "mu", "momentum"),
    ("", "nesterovsmomentum", "nesterov"),
    ("", "usenesterov", "nesterov"),
    ("", "stepsup", "step_size_up"),
    ("avg-pool", "poolsize", "kernel_size"),
    ("rmsprop", "rho", "alpha"),
    ("rmsprop", "decay", "alpha"),
    ("adamw", "decay", "weight_decay"),
    ("l-bfgs", "memorysize", "history_size"),
    ("l-bfgs", "linesearchfn", "line_search"),
    ("l-bfgs", "maxiterations", "max_iter"),
    ("l-bfgs", "maxfun", "max_eval"),
    ("clip-global-norm", "norm", "max_norm"),
    ("cosine", "decaysteps", "t_max"),
    ("polynomial", "decaysteps", "total_iters"),
    ("polynomial", "transitionsteps", "total_iters"),
    ("linear", "transitionsteps", "total_iters"),
    ("linear", "units", "outputs"),
    ("linear", "outfeatures", "outputs"),
    ("warmup", "steps", "total_iters"),
    ("warmup", "warmupsteps", "total_iters"),
    ("exponential", "decayrate", "gamma"),
    ("dropout", "rate", "p"),
    ("dropout", "dropoutrate", "p"),
    ("leaky-relu", "alpha", "negative_slope"),
    ("prelu", "init", "slope"),
    ("cross-entropy", "weight", "class_weights"),
    ("bce", "fromlogits", "logits"),
    ("smooth-l1", "delta", "beta"),
    ("huber", "beta", "delta"),
];

/// Keys in other libraries that hold a list with one number for each of several keys of ours.
const SPREAD: &[(&str, &[&str])] = &[
    ("betas", &["beta1", "beta2", "beta3"]),
    ("etas", &["etaminus", "etaplus"]),
    ("stepsizes", &["step_min", "step_max"]),
];

/// Keys without a counterpart, and what to write instead.
const KEYS_ELSEWHERE: &[(&str, &str)] = &[
    ("alpha", "scikit-learn's alpha is weight_decay, and the alpha of Adam's paper is lr"),
    ("decay", "weight_decay for the weights, --schedule inverse-time for the learning rate"),
    ("clipnorm", "clip-global-norm:1+ before the rule"),
    ("globalclipnorm", "clip-global-norm:1+ before the rule"),
    ("maxgradnorm", "clip-global-norm:1+ before the rule"),
    ("clipvalue", "clip-value:1+ before the rule"),
    ("useema", "+ema:0.99 after the rule"),
    ("foreach", "leave it out: it changes no result"),
    ("fused", "leave it out: it changes no result"),
    ("capturable", "leave it out: it changes no result"),
    ("betas", "give each number its own key: beta1=0.9,beta2=0.999"),
    ("etas", "give each number its own key: etaminus=0.5,etaplus=1.2"),
    ("inplace", "leave it out: it changes no result"),
    ("differentiable", "leave it out"),
    ("params", "leave it out: groups of parameters are written bias@sgd:lr=0.1/adam"),
    ("maximize", "leave it out: losses are minimised"),
    ("reduction", "leave it out: a loss is the mean over samples"),
    ("fromlogits", "leave it out: the outputs are logits"),
    ("infeatures", "leave it out: it follows from the previous layer"),
    ("bias", "leave it out: every linear layer has biases"),
    ("lastepoch", "leave it out"),
];

fn aliases(noun: &str) -> (&'static [Alias], &'static [&'static str]) {
    match noun {
        "optimizer" | "solver" => (OPTIMIZERS, &["optimizer"]),
        "loss" => (LOSSES, &["loss"]),
        "schedule" => (SCHEDULES, &["lr", "schedule", "decay", "scheduler", "decayschedule"]),
        "layer" => (LAYERS, &["layer"]),
        "init" => (INITS, &["init", "initializer"]),
        "noise" => (NOISES, &[]),
        "device" => (&[], &["0"]), // cuda:0
        _ => (&[], &[]),
    }
}

/// Returns the letters and digits in lower case, so that `RMSprop`, `rms_prop` and `rms-prop` are equal.
fn squeezed(word: &str) -> String {
    word.chars().filter(|letter| letter.is_alphanumeric()).collect::<String>().to_lowercase()
}

/// Returns the choice under its name in `names`, with the keys that the other library's name implies.
pub(crate) fn canonical<'a>(noun: &str, item: &'a Item, names: &[&str]) -> Cow<'a, Item> {
    if names.contains(&item.name.as_str()) {
        return Cow::Borrowed(item);
    }
    let (aliases, endings) = aliases(noun);
    let typed = squeezed(&item.name);
    let stems = endings.iter().filter_map(|ending| typed.strip_suffix(ending));
    let found = std::iter::once(&*typed).chain(stems).find_map(|word| named(word, names, aliases));
    found.and_then(|spec| Item::parse(spec).ok()).map_or(Cow::Borrowed(item), |mut ours| {
        ours.args.retain(|(key, _)| !item.args.iter().any(|(given, _)| given == key));
        Cow::Owned(Item { name: ours.name, args: [item.args.clone(), ours.args].concat() })
    })
}

/// Returns the spec for a squeezed word, if it names one of `names`.
fn named<'a>(word: &str, names: &[&'a str], aliases: &[(&str, &'a str)]) -> Option<&'a str> {
    let own = names.iter().find(|name| squeezed(name) == word).copied();
    let is_ours = |spec: &&str| names.contains(&spec.split(':').next().unwrap_or(spec));
    own.or_else(|| aliases.iter().find(|(theirs, _)| *theirs == word).map(|row| row.1).filter(is_ours))
}

/// Returns what to write instead of a name that only other libraries have.
pub(crate) fn elsewhere(noun: &str, name: &str) -> Option<&'static str> {
    let (_, endings) = aliases(noun);
    let word = squeezed(name);
    let stems: Vec<&str> =
        endings.iter().filter_map(|ending| word.strip_suffix(ending)).chain([&*word]).collect();
    ELSEWHERE.iter().find(|row| row.0 == noun && stems.contains(&row.1)).map(|row| row.2)
}

/// Returns the arguments of `item` under our names of its keys.
///
/// # Errors
/// A usage error for a key that is given twice, under two names.
pub(crate) fn arguments(item: &Item, known: &[&str]) -> Result<Vec<(Option<String>, String)>> {
    let mut args: Vec<(Option<String>, String)> = Vec::new();
    for (key, value) in &item.args {
        let renamed = match key {
            Some(key) if !known.contains(&key.as_str()) => renamed(item, key, value, known),
            key => vec![(key.clone(), value.clone())],
        };
        for (key, value) in renamed {
            if key.is_some() && args.iter().any(|(given, _)| *given == key) {
                let key = key.unwrap_or_default();
                return Err(Error::usage(format!(
                    "`{key}` is given twice in `{}`, under two names",
                    item.name
                )));
            }
            args.push((key, value));
        }
    }
    Ok(args)
}

fn renamed(item: &Item, key: &str, value: &str, known: &[&str]) -> Vec<(Option<String>, String)> {
    let word = squeezed(key);
    let several = SPREAD.iter().find(|(theirs, _)| *theirs == word).map_or(&[][..], |row| row.1);
    let several: Vec<&str> = several.iter().copied().filter(|ours| known.contains(ours)).collect();
    let numbers: Vec<&str> = value.split(':').collect();
    if !several.is_empty() && numbers.len() == several.len() {
        let pairs = several.iter().zip(numbers);
        return pairs.map(|(ours, number)| (Some((*ours).to_owned()), number.to_owned())).collect();
    }
    let own = known.iter().find(|ours| squeezed(ours) == word).copied();
    let theirs = KEYS.iter().filter(|row| row.1 == word && (row.0.is_empty() || row.0 == item.name));
    let ours = own.or_else(|| theirs.map(|row| row.2).find(|ours| known.contains(ours)));
    vec![(Some(ours.unwrap_or(key).to_owned()), value.to_owned())]
}

/// Returns what to write instead of a key that only other libraries have.
pub(crate) fn key_elsewhere(key: &str) -> Option<&'static str> {
    let word = squeezed(key);
    KEYS_ELSEWHERE.iter().find(|row| row.0 == word).map(|row| row.1)
}

#[cfg(test)]
mod tests {
    use crate::loss::Loss;
    use crate::network::{Init, Model};
    use crate::optim::Method;
    use crate::schedule::Schedule;
    use std::fmt::Display;
    use std::str::FromStr;

    fn are<T: FromStr<Err = crate::Error> + Display>(pairs: &[(&str, &str)]) {
        for (theirs, ours) in pairs {
            let read =
                |text: &str| text.parse::<T>().unwrap_or_else(|error| panic!("{text}: {error}")).to_string();
            assert_eq!(read(theirs), read(ours), "{theirs}");
        }
    }

    #[test]
    fn every_alias_names_a_choice_that_exists() {
        for (noun, names) in [
            (
                "optimizer",
                [crate::optim::Rule::NAMES, crate::optim::Transform::NAMES, crate::optim::Solver::NAMES]
                    .concat(),
            ),
            ("loss", Loss::NAMES.to_vec()),
            ("schedule", Schedule::NAMES.to_vec()),
            ("layer", crate::network::Layer::NAMES.to_vec()),
            ("init", Init::NAMES.to_vec()),
            ("noise", crate::network::Noise::NAMES.to_vec()),
        ] {
            for (theirs, ours) in super::aliases(noun).0 {
                assert!(names.contains(&ours.split(':').next().unwrap()), "{noun} {theirs}: {ours}");
                assert_eq!(super::squeezed(theirs), *theirs);
            }
        }
    }

    #[test]
    fn optimizers_are_understood_as_torch_keras_optax_and_scikit_learn_write_them() {
        are::<Method>(&[
            ("Adam", "adam"),
            ("SGD", "sgd"),
            ("RMSprop", "rmsprop"),
            ("rms_prop", "rmsprop"),
            ("lbfgs", "l-bfgs"),
            ("LBFGS", "l-bfgs"),
            ("L-BFGS", "l-bfgs"),
            ("AdamW", "adamw"),
            ("Nadam", "nadam"),
            ("AMSGrad", "adam:amsgrad=true"),
            ("torch.optim.Adam(lr=0.01)", "adam:lr=0.01"),
            ("Adam(learning_rate=0.01, beta_1=0.8, epsilon=1e-7)", "adam:lr=0.01,beta1=0.8,eps=1e-7"),
            ("adam:betas=(0.8,0.99)", "adam:beta1=0.8,beta2=0.99"),
            ("SGD(lr=0.1, momentum=0.9, nesterov=True)", "sgd:lr=0.1,momentum=0.9,nesterov=true"),
            ("RMSprop(rho=0.9)", "rmsprop:alpha=0.9"),
            ("Rprop(etas=(0.4, 1.3))", "rprop:etaminus=0.4,etaplus=1.3"),
            ("LBFGS(line_search_fn='strong_wolfe')", "l-bfgs:line_search=strong-wolfe"),
            ("ClipByGlobalNorm(1.0)+Adam(lr=0.1)", "clip-global-norm:1+adam:lr=0.1"),
        ]);
    }

    #[test]
    fn losses_schedules_inits_and_layers_too() {
        are::<Loss>(&[
            ("CrossEntropyLoss", "cross-entropy"),
            ("categorical_crossentropy", "cross-entropy"),
            ("sparse_categorical_crossentropy", "cross-entropy"),
            ("SparseCategoricalCrossentropy", "cross-entropy"),
            ("nn.CrossEntropyLoss(label_smoothing=0.1)", "cross-entropy:label_smoothing=0.1"),
            ("log_loss", "cross-entropy"),
            ("mean_squared_error", "mse"),
            ("MSELoss", "mse"),
            ("squared_error", "mse"),
            ("L1Loss", "l1"),
            ("mae", "l1"),
            ("BCEWithLogitsLoss", "bce"),
            ("BCELoss", "bce:logits=false"),
            ("binary_crossentropy", "bce"),
            ("NLLLoss", "nll"),
            ("HuberLoss", "huber"),
            ("SmoothL1Loss", "smooth-l1"),
        ]);
        are::<Schedule>(&[
            ("StepLR(step_size=30, gamma=0.5)", "step:step_size=30,gamma=0.5"),
            ("MultiStepLR(milestones=[30, 80])", "multistep:milestones=30:80"),
            ("CosineAnnealingLR(T_max=100)", "cosine:t_max=100"),
            ("cosine_decay", "cosine"),
            ("ReduceLROnPlateau", "plateau"),
            ("OneCycleLR(max_lr=0.1)", "one-cycle:max_lr=0.1"),
            ("ExponentialLR(gamma=0.99)", "exponential:gamma=0.99"),
        ]);
        are::<Init>(&[
            ("he_normal", "kaiming-normal"),
            ("glorot_uniform", "xavier-uniform"),
            ("xavier_uniform_", "xavier-uniform"),
            ("kaiming_uniform", "kaiming-uniform"),
            ("lecun_normal", "kaiming-normal:gain=1"),
        ]);
        are::<Model>(&[
            ("Linear(400),ReLU(),nn.Linear(10)", "linear:400,relu,linear:10"),
            (
                "Dense:400,LeakyReLU(alpha=0.2),Dense(10)",
                "linear:400,leaky-relu:negative_slope=0.2,linear:10",
            ),
            ("AvgPool2d(2),Flatten(),Linear(10)", "avg-pool:2,flatten,linear:10"),
            (
                "linear:4,leaky_relu,logistic,swish,hardswish,BatchNorm1d,linear:2",
                "linear:4,leaky-relu,sigmoid,silu,hard-swish,batch-norm,linear:2",
            ),
        ]);
    }

    #[test]
    fn what_has_no_counterpart_is_refused_with_what_to_write() {
        for (text, advice) in [
            ("momentum", "sgd:lr=0.1,momentum=0.9"),
            ("sam", "sam+sgd:lr=0.1,momentum=0.9"),
            ("adam:alpha=1", "weight_decay"),
            ("adam:clipnorm=1", "clip-global-norm:1+"),
            ("adam:betas=0.9", "beta1=0.9,beta2=0.999"),
            ("adam:betas=(0.9,0.99,0.999)", "beta1=0.9,beta2=0.999"),
            ("adam:lr=1,learning_rate=2", "twice"),
            ("adam:lr=[1e-4,1e-3]", "lr={1e-4,1e-3}"),
            ("adam:0.001,0.01", "lr={0.001,0.01}"),
        ] {
            let error = text.parse::<Method>().unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(advice), "{text}: {error}");
        }
    }
}
