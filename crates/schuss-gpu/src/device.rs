//! An opened card: its queue, buffers and pipelines, and what went wrong on it.

use crate::Adapter;
use schuss::{Cause, Error, Result};
use std::sync::{Arc, Mutex, PoisonError};
use wgpu::{
    BindGroupLayout, BufferUsages, CommandEncoder, ComputePipeline, DeviceDescriptor, Features, MapMode,
    PipelineCompilationOptions, PipelineLayout, PollType,
};

/// Number of bytes of the buffer through which numbers come back.
const RETURNED_AT_ONCE: u64 = 4 << 20;

/// An opened card. wgpu reports errors of buffers, shaders and commands to a handler, which keeps the first of them for
/// [`Device::check`].
pub(crate) struct Device {
    inner: wgpu::Device,
    queue: wgpu::Queue,
    name: String,
    failed: Arc<Mutex<Option<Failure>>>,
    returned: wgpu::Buffer,
}

/// First error of a card.
#[derive(Clone, Debug)]
enum Failure {
    OutOfMemory,
    Lost(String),
    Other(String),
}

impl Device {
    /// Opens a card with all it offers.
    ///
    /// # Errors
    /// A usage error if it lacks a feature that the shaders need, a failure if its driver refuses.
    pub(crate) fn open(adapter: &Adapter) -> Result<Self> {
        if !adapter.inner.features().contains(Features::IMMEDIATES) {
            return Err(Error::usage(format!(
                "{} has no immediate data, which shaders need",
                adapter.name()
            ))
            .because(Cause::Mismatch)
            .advise("--device cpu"));
        }
        let options = DeviceDescriptor {
            label: Some("schuss"),
            required_features: Features::IMMEDIATES,
            required_limits: adapter.inner.limits(),
            ..DeviceDescriptor::default()
        };
        let opened = pollster::block_on(adapter.inner.request_device(&options));
        let (inner, queue) = opened
            .map_err(|error| Error::failure(format!("{} cannot be opened: {error}", adapter.name())))?;
        let failed = Arc::new(Mutex::new(None));
        watch(&inner, &failed);
        let returned = buffer(&inner, "returned", RETURNED_AT_ONCE, BufferUsages::MAP_READ);
        let device = Self { inner, queue, name: adapter.name().to_owned(), failed, returned };
        device.check().map(|()| device)
    }

    /// Allocates a buffer of `words` numbers of 32 bits, at least one, all zero.
    pub(crate) fn buffer(&self, name: &str, words: usize) -> wgpu::Buffer {
        buffer(&self.inner, name, 4 * words.max(1) as u64, BufferUsages::STORAGE | BufferUsages::COPY_SRC)
    }

    /// Writes bytes from byte `at` on, after everything submitted before.
    pub(crate) fn write(&self, buffer: &wgpu::Buffer, at: usize, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.queue.write_buffer(buffer, at as u64, bytes);
        }
    }

    /// Writes numbers from number `at` on.
    pub(crate) fn write_floats(&self, buffer: &wgpu::Buffer, at: usize, numbers: &[f32]) {
        const PIECE: usize = 1 << 20;
        for (index, piece) in numbers.chunks(PIECE).enumerate() {
            let bytes: Vec<u8> = piece.iter().flat_map(|number| number.to_le_bytes()).collect();
            self.write(buffer, 4 * (at + index * PIECE), &bytes);
        }
    }

    /// Writes words from word `at` on.
    pub(crate) fn write_words(&self, buffer: &wgpu::Buffer, at: usize, words: &[u32]) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.write(buffer, 4 * at, &bytes);
    }

    /// Reads numbers from number `at` on, after everything submitted before.
    ///
    /// # Errors
    /// A failure if the card fails.
    pub(crate) fn read(&self, buffer: &wgpu::Buffer, at: usize, to: &mut [f32]) -> Result<()> {
        const PIECE: usize = RETURNED_AT_ONCE as usize / 4;
        for (index, to) in to.chunks_mut(PIECE).enumerate() {
            let (from, bytes) = (4 * (at + index * PIECE) as u64, 4 * to.len() as u64);
            let mut encoder = self.encoder();
            encoder.copy_buffer_to_buffer(buffer, from, &self.returned, 0, Some(bytes));
            self.submit(encoder);
            self.returned.map_async(MapMode::Read, 0..bytes, |_| {});
            self.wait()?;
            let view = self.returned.get_mapped_range(0..bytes);
            let view = view.map_err(|error| self.error(&Failure::Other(error.to_string())))?;
            for (to, word) in to.iter_mut().zip(view.chunks_exact(4)) {
                *to = f32::from_le_bytes(word.try_into().unwrap_or_default());
            }
            drop(view);
            self.returned.unmap();
        }
        Ok(())
    }

    /// Begins recording commands.
    pub(crate) fn encoder(&self) -> CommandEncoder {
        self.inner.create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
    }

    /// Queues recorded commands.
    pub(crate) fn submit(&self, encoder: CommandEncoder) {
        self.queue.submit([encoder.finish()]);
    }

    /// Waits until everything queued is done.
    ///
    /// # Errors
    /// A failure if the card fails.
    pub(crate) fn wait(&self) -> Result<()> {
        let done = self.inner.poll(PollType::Wait { submission_index: None, timeout: None });
        self.check()?;
        done.map(|_| ()).map_err(|error| self.error(&Failure::Other(error.to_string())))
    }

    /// Returns the first error so far.
    ///
    /// # Errors
    /// A failure that names the card and says what happened.
    pub(crate) fn check(&self) -> Result<()> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.as_ref().map_or(Ok(()), |failure| Err(self.error(failure)))
    }

    /// Compiles the entry point `main` of a shader.
    ///
    /// # Errors
    /// A failure if the driver refuses it.
    pub(crate) fn pipeline(
        &self,
        name: &str,
        text: &str,
        layout: &PipelineLayout,
    ) -> Result<ComputePipeline> {
        let module = self.inner.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(name),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let pipeline = self.inner.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: Some(layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: PipelineCompilationOptions {
                constants: &[],
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        self.check().map(|()| pipeline)
    }

    /// Describes storage buffers in the order of their bindings: true for those that shaders only read.
    pub(crate) fn bindings(&self, read_only: &[bool]) -> BindGroupLayout {
        let entry = |(binding, &read_only): (usize, &bool)| wgpu::BindGroupLayoutEntry {
            binding: binding as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage { read_only },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let entries: Vec<_> = read_only.iter().enumerate().map(entry).collect();
        self.inner
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries })
    }

    /// Lays out pipelines with one group of bindings and a word of immediate data.
    pub(crate) fn layout(&self, bindings: &BindGroupLayout) -> PipelineLayout {
        self.inner.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(bindings)],
            immediate_size: 4,
        })
    }

    /// Binds buffers in the order of their bindings.
    pub(crate) fn bind(&self, layout: &BindGroupLayout, buffers: &[&wgpu::Buffer]) -> wgpu::BindGroup {
        let bound = buffers.iter().enumerate().map(|(binding, buffer)| wgpu::BindGroupEntry {
            binding: binding as u32,
            resource: buffer.as_entire_binding(),
        });
        let entries: Vec<_> = bound.collect();
        self.inner.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries })
    }

    fn error(&self, failure: &Failure) -> Error {
        let name = &self.name;
        match failure {
            Failure::OutOfMemory => Error::failure(format!("{name} has too little free memory"))
                .because(Cause::TooLarge { needed: 0, available: None })
                .advise("a smaller --model, or --device cpu"),
            Failure::Lost(why) => Error::failure(format!("{name} was lost: {why}"))
                .advise("`schuss resume` once it works again, or --device cpu"),
            Failure::Other(why) => Error::failure(format!("{name} failed: {why}")),
        }
    }
}

/// Keeps the first error of a card in `failed`.
fn watch(device: &wgpu::Device, failed: &Arc<Mutex<Option<Failure>>>) {
    let note = |failed: &Mutex<Option<Failure>>, failure| {
        failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
    };
    let first = Arc::clone(failed);
    device.on_uncaptured_error(Arc::new(move |error| {
        let failure = match error {
            wgpu::Error::OutOfMemory { .. } => Failure::OutOfMemory,
            error => Failure::Other(one_line(&error.to_string())),
        };
        note(&first, failure);
    }));
    let first = Arc::clone(failed);
    device.set_device_lost_callback(move |_, why| note(&first, Failure::Lost(one_line(&why))));
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn buffer(device: &wgpu::Device, name: &str, size: u64, usage: BufferUsages) -> wgpu::Buffer {
    let usage = usage | BufferUsages::COPY_DST;
    let options = wgpu::BufferDescriptor { label: Some(name), size, usage, mapped_at_creation: false };
    device.create_buffer(&options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_card_is_a_failure_that_names_it() {
        let Some(adapter) = Adapter::all().into_iter().next() else { return };
        let device = Device::open(&adapter).unwrap();
        let buffer = device.buffer("numbers", 8);
        device.write_floats(&buffer, 2, &[1.5, -2.0]);
        let mut numbers = [0.0; 8];
        device.read(&buffer, 0, &mut numbers).unwrap();
        assert_eq!(numbers, [0.0, 0.0, 1.5, -2.0, 0.0, 0.0, 0.0, 0.0]);
        device.inner.destroy();
        let error = device.read(&buffer, 0, &mut numbers).unwrap_err();
        assert!(error.exit_code() == 1 && error.what.starts_with(adapter.name()), "{error}");
    }

    #[test]
    fn a_shader_that_a_driver_refuses_is_a_failure_on_one_line() {
        let Some(adapter) = Adapter::all().into_iter().next() else { return };
        let device = Device::open(&adapter).unwrap();
        let layout = device.layout(&device.bindings(&[false]));
        let error = device.pipeline("wrong", "fn main( {", &layout).err().unwrap();
        assert!(error.exit_code() == 1 && !error.what.contains('\n'), "{error}");
    }
}
