//! Table of every rule, its flags and chains around it, with the values each must reach, or why it is exempt.

/// Value to reach, or the reason why it cannot be reached.
pub(crate) type Claim = Result<Reach, &'static str>;

/// Requirement that a value falls to a fraction of its initial value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    pub(crate) lr: f64,
    pub(crate) updates: usize,
    pub(crate) share: f64,
}

/// An optimizer and its guarantees.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// `{}` stands for the learning rate.
    spec: &'static str,
    pub(crate) bowl: Claim,
    pub(crate) rosenbrock: Claim,
    /// Evaluation loss of a small network.
    pub(crate) net: Claim,
    /// Reason why f32 weights depart from those of the f64 reference, if they do.
    pub(crate) rounding_decides: Option<&'static str>,
    /// Reason why no learning rate makes it diverge, if none does.
    pub(crate) outlives_any_rate: Option<&'static str>,
}

impl Row {
    /// Spec with the given learning rate.
    pub(crate) fn at(&self, lr: f64) -> String {
        self.spec.replace("{}", &lr.to_string())
    }

    /// Spec with the network's learning rate.
    pub(crate) fn spec(&self) -> String {
        self.at(self.net.map_or(0.0, |reach| reach.lr))
    }

    const fn outlives_any_rate(self, why: &'static str) -> Self {
        Self { outlives_any_rate: Some(why), ..self }
    }

    const fn rounding_decides(self, why: &'static str) -> Self {
        Self { rounding_decides: Some(why), ..self }
    }
}

const fn row(spec: &'static str, bowl: Claim, rosenbrock: Claim, net: Claim) -> Row {
    Row { spec, bowl, rosenbrock, net, rounding_decides: None, outlives_any_rate: None }
}

const fn to(lr: f64, updates: usize, share: f64) -> Claim {
    Ok(Reach { lr, updates, share })
}

const STILL: &str = "it moves nothing";
const HALF_STILL: &str = "a bias that stands still holds one direction of the hill";
const CENTRED: &str = "the weights into an output, here all of the hill but the bias, keep their mean";
const FIRST_STEP: &str = "its learning rate is the first step's alone";
const BOUNDED: &str = "its steps are at most a share of the weights that falls with time";
const CAP: &str = "its learning rate is a bound, and the loss decides below it";
const FIRST_DISTANCE: &str =
    "first steps of 1e-6 are lost beside f32 weights, and with them the distance it measures";
const SMALL_EIGENVALUES: &str = "eigenvalues near eps beside those of gradients of 10 are beyond f32";
const NULL_SPACE: &str =
    "gradients of a matrix that is not square leave a null space, where any basis will do";

#[rustfmt::skip] // one row, one line
pub(crate) const ROWS: &[Row] = &[
    //  spec; quadratic bowl: rate, updates, fraction left; Rosenbrock's valley: same; network: same
    row("sgd:lr={}", to(0.01, 100, 1e-3), to(0.003, 500, 1e-2), to(1.0, 90, 0.65)),
    row("sgd:lr={},momentum=0.9", to(0.01, 100, 1e-4), to(0.003, 500, 1e-6), to(0.1, 90, 0.45)),
    row("sgd:lr={},momentum=0.9,dampening=0.5", to(0.03, 100, 1e-4), to(0.003, 500, 1e-4), to(0.3, 90, 0.55)),
    row("sgd:lr={},momentum=0.9,dampening=0.5,classic=true", to(0.03, 100, 1e-4), to(0.003, 500, 1e-4), to(0.3, 90, 0.55)),
    row("sgd:lr={},momentum=0.9,weight_decay=0.0001,nesterov=true", to(0.01, 100, 1e-6), to(0.001, 500, 1e-3), to(0.1, 90, 0.45)),
    row("adam:lr={}", to(0.3, 100, 1e-5), to(1.0, 500, 1e-6), to(0.03, 90, 0.45)),
    row("adam:lr={},weight_decay=0.0001,amsgrad=true", to(0.3, 100, 1e-5), to(1.0, 500, 1e-5), to(0.03, 90, 0.45)),
    row("adam:lr={},eps_hat=true", to(0.3, 100, 1e-5), to(1.0, 500, 1e-6), to(0.03, 90, 0.45)),
    row("adamw:lr={}", to(10.0, 100, 1e-6), to(0.3, 500, 1e-2), to(0.03, 90, 0.45)),
    row("adamw:lr={},amsgrad=true", to(10.0, 100, 1e-6), to(0.3, 500, 1e-2), to(0.03, 90, 0.45)),
    row("adamw:lr={},eps_hat=true", to(10.0, 100, 1e-6), to(0.3, 500, 1e-2), to(0.03, 90, 0.45)),
    row("asgd:lr={},t0=100", to(0.01, 100, 1e-3), to(0.003, 500, 1e-2), to(1.0, 90, 0.65)),
    row("rprop:lr={}", to(1.0, 100, 1e-6), to(0.03, 500, 1e-2), to(0.03, 90, 0.55)).outlives_any_rate(FIRST_STEP),
    row("adagrad:lr={}", to(3.0, 100, 1e-5), to(1.0, 500, 1e-1), to(0.1, 90, 0.45)),
    row("adagrad:lr={},eps_inside=true", to(3.0, 100, 1e-5), to(1.0, 500, 1e-1), to(0.1, 90, 0.45)),
    row("adadelta:lr={}", to(10.0, 100, 1e-4), to(0.3, 2000, 1e-1), to(10.0, 90, 0.5)),
    row("rmsprop:lr={}", to(0.3, 100, 1e-6), to(0.03, 500, 1e-1), to(0.01, 90, 0.45)),
    row("rmsprop:lr={},momentum=0.9,centered=true", to(0.1, 100, 1e-4), to(0.1, 500, 1e-5), to(0.003, 90, 0.45)),
    row("rmsprop:lr={},momentum=0.9,centered=true,classic=true", to(0.1, 100, 1e-4), to(0.1, 500, 1e-5), to(0.003, 90, 0.45)),
    row("rmsprop:lr={},eps_inside=true", to(0.3, 100, 1e-6), to(0.03, 500, 1e-1), to(0.01, 90, 0.45)),
    row("adamax:lr={}", to(1.0, 100, 1e-5), to(1.0, 500, 1e-2), to(0.1, 90, 0.45)),
    row("adamax:lr={},eps_outside=true", to(1.0, 100, 1e-5), to(1.0, 500, 1e-2), to(0.1, 90, 0.45)),
    row("nadam:lr={}", to(0.3, 100, 1e-6), to(10.0, 500, 1e-2), to(0.03, 90, 0.45)),
    row("nadam:lr={},weight_decay=0.001,decoupled_weight_decay=true", to(0.3, 100, 1e-6), to(1.0, 500, 1e-4), to(0.03, 90, 0.45)),
    row("nadamw:lr={}", to(1.0, 100, 1e-6), to(0.1, 500, 1e-3), to(0.03, 90, 0.45)),
    row("radam:lr={}", to(0.03, 300, 1e-2), to(0.003, 8000, 1e-3), to(0.3, 90, 0.45)),
    row("radam:lr={},eps_hat=false", to(0.03, 300, 1e-2), to(0.003, 8000, 1e-3), to(0.3, 90, 0.45)),
    row("radam:lr={},weight_decay=0.001,decoupled_weight_decay=true", to(0.03, 300, 1e-2), to(0.003, 8000, 1e-3), to(0.3, 90, 0.45)),
    row("lion:lr={}", to(0.03, 100, 1e-2), to(0.01, 500, 1e-2), to(0.01, 90, 0.5)),
    row("adan:lr={}", to(1.0, 100, 1e-4), to(0.1, 500, 1e-5), to(0.03, 90, 0.45)),
    row("ftrl:lr={}", to(3.0, 100, 1e-5), to(1.0, 500, 1e-1), to(0.3, 90, 0.65)),
    row("signsgd:lr={}", to(0.01, 300, 1e-3), to(0.003, 2000, 1e-1), to(0.01, 90, 0.55)),
    row("signum:lr={}", to(0.03, 100, 1e-2), to(0.01, 500, 1e-2), to(0.01, 90, 0.45)),
    row("schedule-free-sgd:lr={}", to(0.1, 100, 1e-5), to(0.003, 2000, 1e-3), to(3.0, 90, 0.4)),
    row("schedule-free-sgd:lr={},warmup_steps=10", to(0.1, 100, 1e-5), to(0.01, 500, 1e-4), to(3.0, 90, 0.4)),
    row("schedule-free-adamw:lr={}", to(0.3, 100, 1e-5), to(0.3, 500, 1e-2), to(0.1, 90, 0.4)),
    row("adabelief:lr={}", to(0.3, 100, 1e-4), to(1.0, 500, 1e-6), to(0.03, 90, 0.5)),
    row("yogi:lr={}", to(0.3, 100, 1e-4), to(1.0, 500, 1e-5), to(0.1, 90, 0.45)),
    row("adopt:lr={}", to(3.0, 100, 1e-4), to(3.0, 500, 1e-6), to(0.01, 90, 0.45)),
    row("adopt:lr={},clip=false", to(3.0, 100, 1e-4), to(3.0, 500, 1e-6), to(0.003, 90, 0.9)),
    row("ademamix:lr={}", to(0.3, 100, 1e-5), to(1.0, 500, 1e-4), to(0.03, 90, 0.45)),
    row("ademamix:lr={},warmup=50", to(1.0, 100, 1e-3), to(1.0, 500, 1e-1), to(0.03, 90, 0.45)),
    row("madgrad:lr={}", to(0.3, 100, 1e-5), to(0.03, 500, 1e-6), to(0.03, 90, 0.45)),
    row("quickprop:lr={}", to(0.01, 100, 1e-6), to(0.003, 500, 1e-2), to(0.1, 90, 0.55)),
    row("freeze", Err(STILL), Err(STILL), Err(STILL)).outlives_any_rate(STILL),
    row("lamb:lr={}", to(1.0, 100, 1e-5), to(0.01, 8000, 1e-2), to(0.03, 90, 0.55)),
    row("lars:lr={}", to(10.0, 100, 1e-3), to(10.0, 500, 1e-1), to(10.0, 90, 0.45)),
    row("lars:lr={},nesterov=true", to(10.0, 100, 1e-5), to(10.0, 500, 1e-1), to(10.0, 90, 0.45)),
    row("adafactor:lr={}", to(1.0, 100, 1e-4), to(1.0, 2000, 1e-1), to(0.1, 90, 0.6)).outlives_any_rate(BOUNDED),
    row("novograd:lr={}", to(0.01, 100, 1e-4), to(0.001, 500, 1e-3), to(0.1, 90, 0.45)),
    row("sm3:lr={}", to(1.0, 100, 1e-4), to(3.0, 500, 1e-3), to(0.3, 90, 0.45)),
    row("prodigy:lr={}", to(3.0, 100, 1e-4), to(0.3, 500, 1e-6), to(0.3, 90, 0.45)).rounding_decides(FIRST_DISTANCE),
    row("d-adapt-adam:lr={}", to(0.3, 100, 1e-3), to(1.0, 500, 1e-6), to(0.3, 90, 0.65)),
    row("dog:lr={}", to(3.0, 100, 1e-3), to(3.0, 500, 1e-1), to(1.0, 1500, 0.65)),
    row("dowg:lr={}", to(1.0, 100, 1e-3), to(0.3, 2000, 1e-2), to(1.0, 900, 0.85)),
    row("momo:lr={}", to(0.03, 300, 1e-6), to(0.03, 500, 1e-6), to(1.0, 90, 0.5)).outlives_any_rate(CAP),
    row("polyak-sgd:max_lr={}", to(0.3, 100, 1e-6), to(1.0, 500, 1e-6), to(10.0, 90, 0.6)),
    row("weights@muon:lr={}/sgd:lr={}", to(0.03, 300, 1e-3), to(0.003, 2000, 1e-3), to(0.1, 90, 0.5)),
    row("weights@muon:lr={},adjust=match-rms-adamw/sgd:lr={}", to(0.03, 300, 1e-4), to(0.003, 8000, 1e-4), to(0.03, 90, 0.45)),
    row("shampoo:lr={}", to(0.03, 1000, 1e-1), to(0.3, 2000, 1e-2), to(0.01, 90, 0.65)).rounding_decides(SMALL_EIGENVALUES),
    row("shampoo:lr={},momentum=0.9,every=3", to(0.1, 100, 1e-4), to(0.3, 500, 1e-3), to(0.03, 90, 0.55)).rounding_decides(SMALL_EIGENVALUES),
    row("soap:lr={}", to(10.0, 100, 1e-4), to(0.03, 500, 1e-4), to(0.03, 90, 0.35)).rounding_decides(NULL_SPACE),
    row("soap:lr={},every=2,max_dim=100", to(10.0, 100, 1e-4), to(0.03, 500, 1e-4), to(0.03, 90, 0.4)).rounding_decides(NULL_SPACE),
    row("k-fac:lr={}", to(0.0003, 100, 1e-4), to(0.00005, 500, 1e-3), to(0.01, 90, 0.45)),
    row("k-fac:lr={},momentum=0,decay=0.8,every=3,weight_decay=0.001", to(0.0003, 100, 1e-3), to(0.0001, 500, 1e-2), to(0.1, 90, 0.45)),
    row("clip-value:1+sgd:lr={}", to(0.03, 100, 1e-2), to(0.003, 2000, 1e-2), to(1.0, 90, 0.65)),
    row("clip-global-norm:1+adam:lr={}", to(0.1, 100, 1e-5), to(0.01, 500, 1e-4), to(0.03, 90, 0.5)),
    row("clip-adaptive:0.5+sgd:lr={},momentum=0.9", to(0.1, 100, 1e-4), to(0.01, 500, 1e-2), to(0.1, 90, 0.45)),
    row("centralize+sgd:lr={},momentum=0.9", Err(CENTRED), Err(CENTRED), to(0.1, 90, 0.45)),
    row("weight-decay:0.0001+adam:lr={}", to(0.3, 100, 1e-5), to(1.0, 500, 1e-6), to(0.03, 90, 0.45)),
    row("decay:0.001+sgd:lr={}", to(0.01, 100, 1e-3), to(0.003, 500, 1e-2), to(1.0, 90, 0.65)),
    row("noise:0.000001+sgd:lr={}", to(0.01, 100, 1e-3), to(0.003, 500, 1e-2), to(1.0, 90, 0.65)),
    row("skip-non-finite+adam:lr={}", to(0.3, 100, 1e-5), to(1.0, 500, 1e-6), to(0.03, 90, 0.45)),
    row("adam:lr={}+ema:0.9", to(1.0, 100, 1e-5), to(1.0, 500, 1e-6), to(0.03, 90, 0.4)),
    row("sgd:lr={},momentum=0.9+swa:start=50,every=5", to(0.003, 100, 1e-4), to(0.003, 500, 1e-2), to(0.1, 90, 0.45)),
    row("adam:lr={}+lookahead:k=3,alpha=0.5", to(10.0, 100, 1e-6), to(0.3, 500, 1e-3), to(0.1, 90, 0.45)),
    row("adamw:lr={}+cautious", to(10.0, 100, 1e-6), to(0.1, 500, 1e-2), to(0.03, 90, 0.45)),
    row("sam:0.01+sgd:lr={},momentum=0.9", to(0.003, 100, 1e-4), to(0.001, 500, 1e-2), to(0.1, 90, 0.45)),
    row("sam:0.1,adaptive=true+adam:lr={}", to(0.3, 100, 1e-4), to(0.1, 500, 1e-1), to(0.03, 90, 0.45)),
    row("bias@sgd:lr={}/adam:lr={}", to(0.03, 100, 1e-4), to(0.003, 2000, 1e-1), to(0.03, 90, 0.45)),
    row("bias@freeze/lion:lr={}", Err(HALF_STILL), Err(HALF_STILL), to(0.01, 90, 0.5)),
    row("clip-global-norm:1+adamw:lr={}+cautious+ema:0.9", to(0.1, 100, 1e-6), to(0.03, 500, 1e-4), to(0.03, 90, 0.4)),
];
