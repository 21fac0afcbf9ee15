//! Shaders of a trial, and the order in which a pass runs them.

use crate::device::Device;
use crate::maker::{Maker, weights};
use crate::places::{KNOBS, Places, Targets};
use crate::shader::{self, Applied, Inputs, Job, Jobs, Normaliser, Swept, THREADS, Tile};
use crate::support::refused;
use crate::trace::{self, Traced};
use schuss::network::{Layer, Layout, Plan, Stage};
use schuss::optim::{Group, Transform, Updater};
use schuss::{Error, Result, Trial};
use schuss_kernels::{Buffer, padded};
use std::collections::HashMap;
use wgpu::{ComputePass, ComputePipeline, PipelineLayout};

/// A compiled shader, and how many groups of threads it takes.
pub(crate) struct Kernel {
    pub(crate) pipeline: ComputePipeline,
    pub(crate) groups: Groups,
}

/// Number of groups of threads, by the samples of a pass.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Groups {
    /// Tiles of so many outputs per sample.
    Tiles { cols: usize, side: u32 },
    /// A thread for each of so many numbers per sample.
    Numbers { stride: usize },
    /// The same for any samples.
    Fixed(u32),
}

impl Kernel {
    /// Records a run over `rows` samples; `row` is that of the table.
    pub(crate) fn run(&self, pass: &mut ComputePass, row: u32, rows: usize) {
        let [x, y] = match self.groups {
            Groups::Tiles { cols, side } => [(cols as u32).div_ceil(side), (rows as u32).div_ceil(side)],
            Groups::Numbers { stride } => shader::spread((rows * stride).div_ceil(THREADS as usize) as u32),
            Groups::Fixed(groups) => shader::spread(groups),
        };
        pass.set_pipeline(&self.pipeline);
        pass.set_immediates(0, &row.to_le_bytes());
        pass.dispatch_workgroups(x, y, 1);
    }
}

/// Shaders of a trial.
pub(crate) struct Program {
    layout: PipelineLayout,
    places: Places,
    /// Gathers the inputs of a chunk.
    pub(crate) gather: Kernel,
    /// Outputs of all stages, in order.
    pub(crate) forward: Vec<Kernel>,
    pub(crate) loss: Kernel,
    /// Knobs of the loss, the same in every update.
    pub(crate) loss_knobs: Vec<f32>,
    /// Gradients at the outputs of all stages, last to first.
    pub(crate) backward: Vec<Kernel>,
    /// Sums of the gradients of all weights; none if weights take their step at once.
    pub(crate) gradients: Vec<Kernel>,
    /// Norms of the gradients of groups that clip them.
    pub(crate) norms: Vec<Kernel>,
    /// Steps by the shapes of their rules: of a few rules they change with the update.
    steps: HashMap<Vec<u64>, Kernel>,
    jobs: Jobs,
    tensors: Vec<Swept>,
    clips: Vec<Option<f64>>,
    slots: Vec<usize>,
    /// A tensor of every group.
    pub(crate) entries: Vec<usize>,
}

/// What shaders are made from.
pub(crate) struct Source<'a> {
    pub(crate) trial: &'a Trial,
    pub(crate) plan: &'a Plan,
    pub(crate) normaliser: &'a Normaliser,
    pub(crate) updater: &'a Updater<Buffer>,
    pub(crate) groups: &'a [Group],
    /// The loss of a row.
    pub(crate) loss: &'a Traced,
}

impl Program {
    /// Compiles everything but the steps, which wait for their first update.
    ///
    /// # Errors
    /// A usage error for what is not written for cards, a failure if the driver refuses a shader.
    pub(crate) fn new(
        device: &Device,
        layout: PipelineLayout,
        places: Places,
        source: &Source,
    ) -> Result<Self> {
        let Source { trial, plan, normaliser, updater, groups, .. } = *source;
        let maker = Maker { device, layout: &layout, places: &places, plan, seed: trial.seed };
        let outputs = places.output();
        let Traced { text, knobs, .. } = source.loss;
        let slopes = places.slopes.last().copied().unwrap_or(places.inputs);
        let loss = shader::loss(places.row_words, text, outputs, slopes, places.targets);
        let clean = match places.targets {
            Targets::Inputs(rows) if rows != places.inputs => Some(rows),
            _ => None,
        };
        let (noise, seed) = (trial.noise.as_ref(), trial.seed);
        let inputs = Inputs { noisy: places.inputs, clean, noise, seed };
        let gather = shader::gather(places.row_words, normaliser, places.affine, inputs);
        let jobs = jobs(&places, plan, updater);
        let clips: Vec<Option<f64>> = groups.iter().map(clip).collect();
        let at_once = places.samples <= places.rows
            && clips.iter().all(Option::is_none)
            && plan.stages().iter().all(|stage| stage.entries().is_empty() || is_linear(stage));
        let gradients = if at_once { vec![] } else { maker.gradients(&jobs)? };
        let tensors = tensors(&plan.layout, updater);
        Ok(Self {
            gather: maker.kernel("gather", &gather, Groups::Numbers { stride: places.inputs.stride })?,
            forward: maker.forward()?,
            loss: maker.kernel("loss", &loss, Groups::Numbers { stride: 1 })?,
            loss_knobs: knobs.clone(),
            backward: maker.backward()?,
            gradients,
            norms: maker.norms(&tensors, &clips)?,
            steps: HashMap::new(),
            jobs,
            slots: groups.iter().map(|group| group.rule.slots().len()).collect(),
            entries: (0..groups.len())
                .filter_map(|group| {
                    (0..plan.layout.entries().len()).find(|&e| updater.group(e) == Some(group))
                })
                .collect(),
            tensors,
            clips,
            places,
            layout,
        })
    }

    /// Returns the step of the update that `updater` has begun, whose rules have these `shapes`.
    ///
    /// # Errors
    /// A failure if the driver refuses the shader.
    pub(crate) fn step(&mut self, device: &Device, updater: &Updater<Buffer>, shapes: &[u64]) -> Result<()> {
        if self.steps.contains_key(shapes) {
            return Ok(());
        }
        let step = self.make_step(device, updater)?;
        self.steps.insert(shapes.to_vec(), step);
        Ok(())
    }

    /// Returns the step of rules with these shapes, which [`step`](Self::step) has compiled.
    pub(crate) fn step_of(&self, shapes: &[u64]) -> Option<&Kernel> {
        self.steps.get(shapes)
    }

    fn make_step(&self, device: &Device, updater: &Updater<Buffer>) -> Result<Kernel> {
        let Self { places, layout, .. } = self;
        let text = |(group, &entry): (usize, &usize)| {
            let traced = trace::rule(updater, entry, &format!("rule_{group}"), places.first_knob(group));
            traced.map(|traced| traced.text).ok_or_else(|| refused("this optimizer"))
        };
        let texts: Vec<String> = self.entries.iter().enumerate().map(text).collect::<Result<_>>()?;
        let applied: Vec<Applied> = texts
            .iter()
            .enumerate()
            .map(|(group, text)| Applied { group, text, slots: self.slots[group] })
            .collect();
        let (words, len) = (places.row_words, places.params);
        let factors = self.clips.iter().any(Option::is_some).then_some(places.factors);
        let (text, groups) = if self.gradients.is_empty() {
            (shader::gradients(words, &self.jobs, &applied, len, places.sums), self.jobs.total())
        } else {
            let text = shader::sweep(words, &self.tensors, &applied, len, places.sums, factors);
            (text, (len as u32).div_ceil(THREADS))
        };
        let pipeline = device.pipeline("step", &text, layout)?;
        Ok(Kernel { pipeline, groups: Groups::Fixed(groups) })
    }
}

impl Places {
    /// Index of the first knob of a group; those of the loss come first.
    pub(crate) fn first_knob(&self, group: usize) -> usize {
        self.loss_knobs + group * KNOBS
    }
}

/// Returns the bound of a group's gradient norm.
fn clip(group: &Group) -> Option<f64> {
    group.before.iter().find_map(|transform| match transform {
        Transform::ClipGlobalNorm(clip) => Some(clip.max_norm),
        _ => None,
    })
}

fn is_linear(stage: &Stage) -> bool {
    matches!(stage.kind(), Layer::Linear(_))
}

fn jobs(places: &Places, plan: &Plan, updater: &Updater<Buffer>) -> Jobs {
    let linear = plan.stages().iter().enumerate().filter(|(_, stage)| is_linear(stage));
    let all: Vec<Job> = linear
        .map(|(index, stage)| {
            let first = stage.entries().start;
            Job {
                input: index.checked_sub(1).map_or(places.inputs, |before| places.outputs[before]),
                slopes: places.slopes[index],
                weights: weights(&plan.layout, stage),
                groups: [first, first + 1].map(|entry| updater.group(entry).unwrap_or(0)),
            }
        })
        .collect();
    let shapes: Vec<_> = all.iter().map(|job| [job.input.width + 1, job.slopes.width]).collect();
    Jobs { tile: Tile::choose(&shapes), all }
}

fn tensors(layout: &Layout, updater: &Updater<Buffer>) -> Vec<Swept> {
    let entries = layout.entries().iter().enumerate();
    entries
        .filter_map(|(index, entry)| {
            let group = updater.group(index)?;
            Some(Swept { place: entry.range(), cols: entry.cols, stride: padded(entry.cols), group })
        })
        .collect()
}

/// Checks that the room for a rule's knobs suffices.
///
/// # Errors
/// A failure if it does not.
pub(crate) fn check_knobs(count: usize) -> Result<()> {
    if count <= KNOBS { Ok(()) } else { Err(Error::failure(format!("a rule has {count} knobs"))) }
}
